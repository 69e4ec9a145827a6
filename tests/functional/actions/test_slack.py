"""Answers that Slack wants at an address of its own."""

import pytest
from quart.testing import QuartClient

from .conftest import Ask
from .test_weather import LONDON

pytestmark = pytest.mark.service("actions")

THERE = "https://hooks.slack.com/commands/T1/2/x"


@pytest.mark.parametrize(
    "mood",
    [
        pytest.param(mood, marks=pytest.mark.stubs(f"slack.{mood}"))
        for mood in ("taken", "busy-at-first")
    ],
)
async def test_the_answer_is_posted_where_slack_wants_it(ask: Ask, mood: str) -> None:
    answer = await ask("weather in London, UK", response_url=THERE)

    assert answer == (200, {"text": LONDON}), mood


@pytest.mark.stubs("slack.busy")
async def test_while_slack_is_busy_for_long_the_caller_is_to_wait(client: QuartClient) -> None:
    message = {"text": "weather in London, UK", "sender": "U0NOBODY", "response_url": THERE}
    response = await client.post("/actions/weather", json=message)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"


@pytest.mark.stubs("slack.expired")
async def test_an_address_that_slack_takes_nothing_at_is_a_bad_gateway(ask: Ask) -> None:
    status, body = await ask("weather in London, UK", response_url=THERE)

    assert status == 502
    assert body["detail"] == "Slack did not answer as it should."


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/commands/T1/2/x",
        "https://hooks.slack.com.evil.example/x",
        "https://hooks.slack.com@evil.example/x",
        "https://hooks.slack.com/../x",
        "https://hooks.slack.com/x\n",
        "http://127.0.0.1:5001/keys/rotate",
    ],
)
async def test_nothing_is_posted_anywhere_else(ask: Ask, url: str) -> None:
    status, body = await ask("weather in London, UK", response_url=url)

    assert status == 422
    assert "$.response_url" in body["detail"]
