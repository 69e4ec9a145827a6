"""The weather service as aioresponses plays it: what each of its answers is to our callers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientOSError, ClientSession, ServerDisconnectedError
from aioresponses import aioresponses
from werkzeug.exceptions import HTTPException

from fixtures.jeeves.actions.weather import Now, Weather

URL = "http://weather.example/data/2.5/weather"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RAIN = [{"description": "light rain"}]
LONDON = {"name": "London", "main": {"temp": 288.15, "feels_like": 287}, "weather": RAIN}
HUGE = {"temp": 10**400, "feels_like": 287}


@pytest.fixture
async def door() -> AsyncIterator[Weather]:
    async with ClientSession() as session:
        yield Weather(session, "http://weather.example/", "")


async def test_the_weather_is_told_in_whole_degrees(door: Weather) -> None:
    with aioresponses() as m:
        m.get(f"{URL}?q=London", payload=LONDON)

        assert await door.now("London", TRACE) == Now("London", "light rain", 15, 14)


async def test_a_place_that_the_service_does_not_know_is_none(door: Weather) -> None:
    with aioresponses() as m:
        m.get(f"{URL}?q=Atlantis", status=404, payload={"cod": "404"})

        assert await door.now("Atlantis", TRACE) is None


async def test_the_key_and_the_trace_go_with_the_question(door: Weather) -> None:
    with aioresponses() as m:
        m.get(f"{URL}?appid=k&q=London", payload=LONDON)
        await Weather(door.session, "http://weather.example", "k").now("London", TRACE)

        m.assert_called_once_with(
            URL,
            params={"q": "London", "appid": "k"},
            headers={"traceparent": TRACE},
            allow_redirects=False,
        )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"status": 302, "headers": {"Location": "http://elsewhere.example"}}, 502),
        ({"status": 401}, 502),
        ({"status": 500}, 502),
        ({"body": '{"name": "London", "main"'}, 502),
        ({"body": "<html>", "content_type": "text/html"}, 502),
        ({"payload": []}, 502),
        ({"payload": {**LONDON, "weather": []}}, 502),
        ({"payload": {**LONDON, "main": {"temp": "warm", "feels_like": 287}}}, 502),
        ({"payload": {**LONDON, "main": {"temp": float("nan"), "feels_like": 287}}}, 502),
        ({"payload": {**LONDON, "main": HUGE}}, 502),
        ({"exception": ServerDisconnectedError()}, 502),
        ({"exception": ClientOSError(104, "reset by peer")}, 502),
        ({"exception": TimeoutError()}, 504),
    ],
)
async def test_what_the_service_does_wrong_is_not_our_mistake(
    door: Weather, answer: dict[str, Any], code: int
) -> None:
    with aioresponses() as m:
        m.get(f"{URL}?q=London", **answer)
        with pytest.raises(HTTPException) as caught:
            await door.now("London", TRACE)

    assert caught.value.code == code
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("told", "passed_on"),
    [("7", "7"), ("", "2"), ("soon", "2"), ("-1", "2"), ("²", "2"), ("9" * 7, "2")],
)
async def test_a_limit_is_passed_on_with_its_wait_or_a_little_one(
    door: Weather, told: str, passed_on: str
) -> None:
    with aioresponses() as m:
        m.get(f"{URL}?q=London", status=429, headers={"Retry-After": told})
        with pytest.raises(HTTPException) as caught:
            await door.now("London", TRACE)

    assert caught.value.code == 503
    assert ("Retry-After", passed_on) in caught.value.get_headers()
