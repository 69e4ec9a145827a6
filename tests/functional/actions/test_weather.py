"""The weather, by name or where the sender is, with the outside service in every mood."""

import asyncio

import pytest
from quart.testing import QuartClient

from tests.contract import Contract

from .conftest import Ask, NewUser

pytestmark = pytest.mark.service("actions")

LONDON = "London: light rain, 15 °C, feels like 14 °C."


@pytest.mark.parametrize(
    "text",
    [
        "weather in London, UK",
        "weather London, UK",
        "What's the WEATHER at  London, UK ?!",
        "weather for\nLondon, UK.",
    ],
)
async def test_the_weather_of_a_place_that_is_named(ask: Ask, text: str) -> None:
    assert await ask(text) == (200, {"text": LONDON})


@pytest.mark.parametrize("text", ["weather", "How is the weather?", "weather in", ""])
async def test_without_a_name_it_is_the_weather_where_the_sender_is(
    ask: Ask, someone_in: NewUser, text: str
) -> None:
    assert await ask(text, await someone_in("London, UK")) == (200, {"text": LONDON})


async def test_who_is_nowhere_is_asked_to_name_a_place(ask: Ask, someone_in: NewUser) -> None:
    without_a_location = await ask("weather", await someone_in(""))
    without_an_account = await ask("weather", "U0NOBODY")

    assert without_a_location == without_an_account
    assert without_a_location[0] == 200
    assert without_a_location[1]["text"].startswith("I do not know where you are.")


@pytest.mark.stubs("weather.unknown-city")
async def test_an_unknown_place_could_not_be_found(ask: Ask) -> None:
    assert await ask("weather in Atlantis") == (200, {"text": "I could not find Atlantis."})


@pytest.mark.parametrize(
    "mood",
    [
        pytest.param(mood, marks=pytest.mark.stubs(f"weather.{mood}"))
        for mood in ("down", "garbled", "malformed", "cut-off")
    ],
)
async def test_a_wrong_answer_from_outside_is_a_bad_gateway(ask: Ask, mood: str) -> None:
    status, body = await ask("weather in London, UK")

    assert status == 502, mood
    assert body["detail"] == "The weather service did not answer as it should."


@pytest.mark.stubs("weather.limited")
async def test_a_limit_of_the_outside_is_passed_on_with_its_wait(client: QuartClient) -> None:
    message = {"text": "weather in London, UK", "sender": "U0NOBODY"}
    response = await client.post("/actions/weather", json=message)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "7"


@pytest.mark.stubs("weather.slow")
async def test_a_slow_answer_from_outside_times_out_and_holds_nobody_up_meanwhile(
    client: QuartClient,
) -> None:
    message = {"text": "weather in London, UK", "sender": "U0NOBODY"}
    waiting = asyncio.create_task(client.post("/actions/weather", json=message))
    await asyncio.sleep(0.1)
    live = await client.get("/health/live")
    answered_meanwhile = not waiting.done()
    response = await waiting

    assert live.status_code == 200
    assert answered_meanwhile
    assert response.status_code == 504
    assert await Contract("actions").problems("weather", response) == []
    assert (await response.get_json())["detail"] == "The weather service did not answer in time."
