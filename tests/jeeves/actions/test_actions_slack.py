"""Slack as requests-mock plays it."""

import pytest
import requests
from requests_mock import Mocker
from werkzeug.exceptions import HTTPException

from fixtures.jeeves.actions.slack import Slack

GIVEN = "https://hooks.slack.com/commands/T1/2/x"
HERE = "http://slack.example/commands/T1/2/x"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BUSY = {"status_code": 429, "headers": {"Retry-After": "1"}}


@pytest.fixture
def waits() -> list[float]:
    """For how long the client has waited, each time."""
    return []


@pytest.fixture
def slack(waits: list[float]) -> Slack:
    return Slack("http://slack.example/", sleep=waits.append)


def test_the_answer_is_posted_with_its_trace_where_slack_is_reached_from_here(
    slack: Slack, requests_mock: Mocker
) -> None:
    requests_mock.post(HERE, text="ok")
    slack.post(GIVEN, "15 °C", TRACE)

    assert requests_mock.call_count == 1
    assert requests_mock.last_request.json() == {"text": "15 °C"}
    assert requests_mock.last_request.headers["traceparent"] == TRACE


def test_it_waits_for_as_long_as_slack_says_and_sends_it_again(
    slack: Slack, waits: list[float], requests_mock: Mocker
) -> None:
    wait_5 = {**BUSY, "headers": {"Retry-After": "5"}}
    requests_mock.post(HERE, [BUSY, wait_5, {"text": "ok"}])
    slack.post(GIVEN, "15 °C", TRACE)

    assert waits == [1, 5]
    assert requests_mock.call_count == 3


@pytest.mark.parametrize(
    ("told", "wait", "calls"), [("1", "1", 3), ("6", "6", 1), ("3600", "3600", 1)]
)
def test_a_wait_without_end_or_a_long_one_is_the_callers(
    slack: Slack, requests_mock: Mocker, told: str, wait: str, calls: int
) -> None:
    requests_mock.post(HERE, status_code=429, headers={"Retry-After": told})
    with pytest.raises(HTTPException) as caught:
        slack.post(GIVEN, "15 °C", TRACE)

    assert caught.value.code == 503
    assert ("Retry-After", wait) in caught.value.get_headers()
    assert requests_mock.call_count == calls


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"status_code": 404, "text": "Expired url"}, 502),
        ({"status_code": 302, "headers": {"Location": "http://elsewhere.example"}}, 502),
        ({"status_code": 500}, 502),
        ({"exc": requests.ConnectionError}, 502),
        ({"exc": requests.ReadTimeout}, 504),
        ({"exc": requests.ConnectTimeout}, 504),
    ],
)
def test_what_may_have_been_posted_is_not_sent_again(
    slack: Slack, requests_mock: Mocker, answer: dict[str, object], code: int
) -> None:
    requests_mock.post(HERE, **answer)
    with pytest.raises(HTTPException) as caught:
        slack.post(GIVEN, "15 °C", TRACE)

    assert caught.value.code == code
    assert requests_mock.call_count == 1
