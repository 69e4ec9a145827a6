"""The weather, with the outside service in every mood."""

import asyncio
from time import perf_counter
from typing import Any

import pytest
from quart.testing import QuartClient

from tests.contract import Contract


async def ask(client: QuartClient, city: str) -> tuple[int, dict[str, Any]]:
    response = await client.get("/weather", query_string={"city": city})
    return response.status_code, await response.get_json()


async def test_the_weather_is_told_in_celsius(client: QuartClient) -> None:
    assert await ask(client, "London, UK") == (
        200,
        {"city": "London", "celsius": 15.0, "feels_like": 13.85},
    )


@pytest.mark.stubs("weather.current", "weather.unknown-city")
async def test_spaces_around_a_city_do_not_matter_and_an_unknown_one_is_not_found(
    client: QuartClient,
) -> None:
    known, _ = await ask(client, "  London, UK ")
    unknown, body = await ask(client, "Atlantis")

    assert (known, unknown) == (200, 404)
    assert body["detail"] == "The weather service does not know this city."


@pytest.mark.parametrize("city", ["", "   ", "x" * 101])
async def test_without_the_name_of_a_city_nobody_is_asked(client: QuartClient, city: str) -> None:
    status, body = await ask(client, city)

    assert status == 400
    assert "/weather?city=London" in body["detail"]


async def test_without_a_query_nobody_is_asked(client: QuartClient) -> None:
    assert (await client.get("/weather")).status_code == 400


@pytest.mark.parametrize(
    "mood",
    [
        pytest.param("down", marks=pytest.mark.stubs("weather.down")),
        pytest.param("garbled", marks=pytest.mark.stubs("weather.garbled")),
    ],
)
async def test_a_wrong_answer_from_outside_is_a_bad_gateway(client: QuartClient, mood: str) -> None:
    status, body = await ask(client, "London, UK")

    assert status == 502, mood
    assert body["detail"] == "The weather service did not answer as it should."


@pytest.mark.stubs("weather.slow")
async def test_a_slow_answer_from_outside_times_out_and_holds_nobody_up_meanwhile(
    client: QuartClient,
) -> None:
    began = perf_counter()
    waiting = asyncio.create_task(client.get("/weather", query_string={"city": "London, UK"}))
    await asyncio.sleep(0.1)
    live = await client.get("/health/live")
    answered_meanwhile = not waiting.done()
    response = await waiting

    assert live.status_code == 200
    assert answered_meanwhile
    assert response.status_code == 504
    assert await Contract("skeleton").problems("weather", response) == []
    assert (await response.get_json())["detail"] == "The weather service did not answer in time."
    assert perf_counter() - began > 0.9
