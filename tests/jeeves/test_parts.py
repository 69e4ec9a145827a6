"""What no client sees from outside: parts on their own, applications made to fail. No target."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientConnectionError, ClientSession
from quart import Quart
from werkzeug.exceptions import HTTPException
from werkzeug.security import generate_password_hash

from fixtures.jeeves.skeleton import logs
from fixtures.jeeves.skeleton.app import create_app
from fixtures.jeeves.skeleton.metrics import Metrics
from fixtures.jeeves.skeleton.middleware import ForwardedFor
from fixtures.jeeves.skeleton.parts import keep
from fixtures.jeeves.skeleton.users import Users
from fixtures.jeeves.skeleton.weather import Weather

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def ask(app: Quart, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """One GET, straight through the application's ASGI side; nothing is started for it."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"spec_version": "2.1", "version": "3.0"},
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"city=London",
        "root_path": "",
        "headers": [(b"host", b"localhost")]
        + [(name.encode(), value.encode()) for name, value in headers.items()],
        "extensions": {},
    }
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    outgoing = asyncio.Queue[Any]()

    async def send(message: Any) -> None:
        await outgoing.put(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            incoming.put_nowait({"type": "http.disconnect"})  # as a server does: Quart 0.23 waits

    await app(cast(Any, scope), incoming.get, send)
    while not outgoing.empty():
        sent.append(outgoing.get_nowait())
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)


@pytest.mark.parametrize("testing", [True, False])
async def test_a_mistake_of_ours_is_a_500_that_tells_the_log_why_and_nobody_else(
    capsys: pytest.CaptureFixture[str], testing: bool
) -> None:
    app = create_app({"secret_key": "for this test"})
    app.testing = testing

    @app.get("/mistake")
    async def mistake() -> str:
        raise RuntimeError("the password is swordfish")

    status, body = await ask(app, "/mistake", traceparent=TRACE)
    told, finished = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert status == 500
    assert set(body) == {"status", "error", "detail"}
    assert body["error"] == "Internal Server Error"
    assert "swordfish" not in str(body)
    assert "RuntimeError: the password is swordfish" in told["traceback"]
    assert (told["level"], told["traceparent"]) == ("ERROR", TRACE)
    assert (finished["route"], finished["status"]) == ("/mistake", 500)


async def test_each_request_is_one_line_of_json_with_the_callers_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = create_app({"secret_key": "for this test"})
    await ask(app, "/roman/XIV", traceparent=TRACE)
    line = json.loads(capsys.readouterr().err)

    assert line["ms"] >= 0
    assert {
        "level": "INFO",
        "message": "request",
        "method": "GET",
        "route": "/roman/<roman:number>",
        "status": 200,
        "traceparent": TRACE,
    }.items() <= line.items()


def test_without_a_secret_key_each_process_makes_one_and_warns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKELETON_SECRET_KEY", raising=False)
    one, other = create_app(), create_app()
    given = create_app({"secret_key": "given"})
    warnings = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert len(str(one.secret_key)) == 64
    assert one.secret_key != other.secret_key
    assert given.secret_key == "given"
    assert [each["level"] for each in warnings] == ["WARNING", "WARNING"]


def test_a_log_that_cannot_be_written_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app({"secret_key": "for this test"})
    with open("/dev/null", "w") as closed:
        monkeypatch.setattr("sys.stderr", closed)
    app.logger.info("to nobody")


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "nonsense",
        TRACE.upper(),
        f"{TRACE}-more",
        TRACE.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_a_trace_that_is_not_valid_is_replaced_by_a_new_one(given: str | None) -> None:
    one, other = logs.traceparent(given), logs.traceparent(given)

    assert given not in (one, other)
    assert one != other
    assert logs.traceparent(one) == one


async def test_an_application_that_was_not_started_is_not_ready() -> None:
    app = create_app()
    status, body = await ask(app, "/health/ready")

    assert (status, body["detail"]) == (503, "Not started, or about to stop.")


async def test_an_application_is_ready_from_its_start_to_its_end() -> None:
    app = create_app()
    await app.startup()
    started, _ = await ask(app, "/health/ready")
    await app.shutdown()
    ended, _ = await ask(app, "/health/ready")

    assert (started, ended) == (200, 503)


async def test_while_a_password_is_compared_the_loop_serves_others() -> None:
    users = Users({"ada": generate_password_hash("right")})
    comparing = asyncio.create_task(users.knows("ada", "right"))
    for _ in range(3):
        await asyncio.sleep(0)
    done_in_one_turn = comparing.done()

    assert await comparing
    assert not done_in_one_turn


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),  # a stranger's word
        ("<local>", "203.0.113.7", "<local>"),
    ],
)
def test_only_a_trusted_peer_is_believed_about_who_it_forwards(
    peer: str, forwarded: str, client: str
) -> None:
    assert ForwardedFor(Quart("x"), ["10.0.0.0/8"]).client(peer, forwarded) == client


def test_a_method_that_nobody_knows_is_counted_as_other() -> None:
    metrics = Metrics()
    metrics.observe("BREW", "unmatched", 405, 0.25)

    assert 'method="OTHER",route="unmatched",status="405"} 0.25' in "\n".join(metrics.lines())


class Session:
    """As much of an aiohttp session as the door needs, with one answer."""

    def __init__(self, status: int, body: object) -> None:
        self.status = status
        self.body = body
        self.asked: dict[str, Any] = {}

    @asynccontextmanager
    async def get(self, url: str, **asked: Any) -> AsyncIterator[Any]:
        self.asked = {"url": url, **asked}
        if isinstance(self.body, Exception):
            raise self.body
        yield SimpleNamespace(status=self.status, json=self.json)

    async def json(self) -> object:
        return self.body


LONDON = {"name": "London", "main": {"temp": 288.15, "feels_like": 287}}


@pytest.mark.parametrize(("key", "sent"), [("", {}), ("k", {"appid": "k"})])
async def test_the_trace_goes_on_to_the_weather_service_and_the_key_if_there_is_one(
    key: str, sent: Mapping[str, str]
) -> None:
    session = Session(200, LONDON)
    door = Weather(cast(ClientSession, session), "http://weather.example/", key)
    await door.now("London", TRACE)

    assert session.asked == {
        "url": "http://weather.example/data/2.5/weather",
        "params": {"q": "London", **sent},
        "headers": {"traceparent": TRACE},
        "allow_redirects": False,
    }


async def test_the_trace_that_goes_on_is_the_callers() -> None:
    app, session = create_app(), Session(200, LONDON)
    keep(app, Weather(cast(ClientSession, session), "http://weather.example", ""))
    status, _ = await ask(app, "/weather", traceparent=TRACE)

    assert status == 200
    assert session.asked["headers"] == {"traceparent": TRACE}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (302, LONDON, 502),
        (401, LONDON, 502),
        (429, LONDON, 502),
        (200, [], 502),
        (200, {}, 502),
        (200, {**LONDON, "main": {}}, 502),
        (200, {**LONDON, "main": {"temp": "warm", "feels_like": 287}}, 502),
        (200, {**LONDON, "main": {"temp": float("nan"), "feels_like": 287}}, 502),
        (200, {**LONDON, "main": {"temp": 10**400, "feels_like": 287}}, 502),
        (200, ClientConnectionError("reset"), 502),
        (200, RecursionError(), 502),
        (200, TimeoutError(), 504),
        (404, {}, 404),
    ],
)
async def test_what_the_weather_service_does_wrong_is_not_our_mistake(
    status: int, body: object, code: int
) -> None:
    door = Weather(cast(ClientSession, Session(status, body)), "http://weather.example", "")
    with pytest.raises(HTTPException) as caught:
        await door.now("London", TRACE)

    assert caught.value.code == code
