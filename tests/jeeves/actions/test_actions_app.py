"""What no client sees from outside: the parts put together, the log, the settings."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from fixtures.jeeves.actions.action import Envelope, place_in
from fixtures.jeeves.actions.action import weather as tell
from fixtures.jeeves.actions.app import create_app
from fixtures.jeeves.actions.settings import SettingsError, load
from fixtures.jeeves.actions.slack import Slack
from fixtures.jeeves.actions.weather import Now, Weather

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOBODY = "http://127.0.0.1:1"
MESSAGE = {"text": "weather in Oz", "sender": "U123"}
THERE = "https://hooks.slack.com/x"


class Sunny:
    """A weather service that knows one answer, and a user who is there."""

    def __init__(self, now: Now | None = Now("Oz", "sun", 20, 21)) -> None:  # noqa: B008  a value
        self.told = now

    async def now(self, place: str, traceparent: str) -> Now | None:
        return self.told

    async def location(self, slack_id: str, traceparent: str) -> str:
        return "Oz"


@pytest.fixture
async def app() -> AsyncIterator[Quart]:
    """Started where nobody else is."""
    urls = ("weather_url", "slack_url", "dataservice_url", "tokendealer_url")
    app = create_app({**dict.fromkeys(urls, NOBODY), "weather_pool": 3})
    await app.startup()
    yield app
    await app.shutdown()


async def post(app: Quart, **message: str) -> tuple[int, dict[str, Any]]:
    headers = {"traceparent": TRACE}
    client = app.test_client()
    response = await client.post("/actions/weather", json=message, headers=headers)
    return response.status_code, await response.get_json()


async def test_an_application_is_ready_from_its_start_to_its_end() -> None:
    app = create_app()
    before = await app.test_client().get("/health/ready")
    await app.startup()
    started = await app.test_client().get("/health/ready")
    await app.shutdown()
    after = await app.test_client().get("/health/ready")

    assert [each.status_code for each in (before, started, after)] == [503, 200, 503]
    assert before.headers["Retry-After"] == "2"


async def test_the_weather_service_gets_as_many_connections_as_the_setting_says(app: Quart) -> None:
    assert app.extensions[Weather.__name__].session.connector.limit == 3


@pytest.mark.parametrize(("text", "status"), [("weather in Oz", 502), ("weather", 503)])
async def test_what_fails_is_in_the_log_with_the_callers_trace(
    app: Quart, capsys: pytest.CaptureFixture[str], text: str, status: int
) -> None:
    answered, _ = await post(app, text=text, sender="U123")
    failure, finished = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert answered == status
    assert (failure["level"], failure["traceparent"]) == ("ERROR", TRACE)
    assert "Error" in failure["cause"] or "Unavailable" in failure["cause"]
    assert {"route": "/actions/weather", "status": status}.items() <= finished.items()


async def test_a_bad_request_is_nothing_for_the_error_log(
    app: Quart, capsys: pytest.CaptureFixture[str]
) -> None:
    await post(app, text="weather")
    (line,) = capsys.readouterr().err.splitlines()

    assert json.loads(line)["status"] == 422


async def test_while_slack_takes_its_time_the_loop_serves_others(
    app: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(Slack, "post", lambda *_: go_on.wait(10))
    app.extensions[Weather.__name__] = Sunny()
    posting = asyncio.create_task(post(app, **MESSAGE, response_url=THERE))
    await asyncio.sleep(0.05)
    live = await app.test_client().get("/health/live")
    was_waiting = not posting.done()
    go_on.set()

    assert live.status_code == 200
    assert was_waiting
    assert (await posting)[0] == 200


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (Now("<!channel>", "sun & wind", 20, 21), "&lt;!channel&gt;: sun &amp; wind, 20 °C"),
        (None, "I could not find &lt;@U1&gt;."),
    ],
)
async def test_nobodys_text_calls_everybody_in_slack(now: Now | None, text: str) -> None:
    someone: Any = Sunny(now)
    envelope = Envelope("weather in <@U1>", "U123")

    assert (await tell(envelope, someone, someone, TRACE)).startswith(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("weather in Inverness", "Inverness"),
        ("weather Inverness", "Inverness"),
        ("weather", ""),
        ("weather in ?", ""),
        ("weathervane", ""),
        ("hello", ""),
    ],
)
def test_the_place_is_what_follows_the_weather(text: str, place: str) -> None:
    assert place_in(text) == place


async def test_a_mistake_of_ours_is_a_500_that_says_nothing_of_its_cause(app: Quart) -> None:
    app.extensions[Weather.__name__] = "swordfish"
    status, body = await post(app, **MESSAGE)

    assert (status, body["error"]) == (500, "Internal Server Error")
    assert "swordfish" not in str(body)


def test_the_environment_overrides_the_file_and_the_caller_overrides_both(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("{weather_pool: 5, client_id: file}")
    environ = {
        "ACTIONS_SETTINGS": str(file),
        "WEATHER_POOL": "6",
        "WEATHER_URL": "environment",
        "ACTIONS_WEATHER_URL": "not its name",
        "ACTIONS_PORT": "tcp://10.0.0.1:80",  # Kubernetes, not a setting
        "SLACK_URL": "",
    }
    settings = load({"weather_url": "caller"}, environ)

    assert (settings.weather_pool, settings.client_id) == (6, "file")
    assert settings.weather_url == "caller"
    assert load(environ=environ).weather_url == "environment"
    assert settings.slack_url == load(environ={}).slack_url


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"colour": "red"}, "unknown field `colour`"),
        ({"weather_pool": "many"}, "Expected `int`, got `str` - at `$.weather_pool`"),
        ({"weather_pool": 0}, "Expected `int` >= 1 - at `$.weather_pool`"),
    ],
)
def test_what_is_no_setting_is_refused_with_those_that_are(
    given: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(given, environ={})

    assert str(caught.value).startswith("create_app(): ")
    assert complaint in str(caught.value)
    assert "weather_pool" in str(caught.value).partition("settings: ")[2]


@pytest.mark.parametrize("text", ["weather_pool: [", "- weather_pool", "", "7"])
def test_a_file_that_is_no_mapping_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"mine\.yml: cannot be read"):
        load(environ={"ACTIONS_SETTINGS": str(file)})
