"""What no client of a healthy system sees: a dealer or a database that is out of order."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from quart import Quart
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import ServiceUnavailable

from fixtures.jeeves.dataservice.app import create_app
from fixtures.jeeves.dataservice.metrics import Metrics
from fixtures.jeeves.dataservice.parts import keep
from fixtures.jeeves.dataservice.store import Store
from fixtures.jeeves.dataservice.users import is_plain
from fixtures.jeeves.dataservice.views import health
from fixtures.jeeves.tokens import Claims, Verifier

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKEN = {"Authorization": "Bearer x"}
SIGNED_BY_NOBODY = (
    "eyJhbGciOiJSUzUxMiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ.e30.c2lnbmF0dXJl"  # {RS512, at+jwt, k}
)


class Trusting:
    """A verifier that believes everything."""

    async def verify(self, token: str) -> Claims:
        return Claims("somebody", frozenset({"users:read", "users:write"}), {})


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Quart]:
    """Started where no tokendealer is."""
    database, nobody = f"sqlite+aiosqlite:///{tmp_path}/users.db", "http://127.0.0.1:1/"
    app = create_app({"database_url": database, "tokendealer_url": nobody})
    await app.startup()
    yield app
    await app.shutdown()


@pytest.fixture
def trusting(app: Quart) -> Quart:
    app.extensions[Verifier.__name__] = Trusting()
    return app


async def ask(
    app: Quart, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[bytes, bytes], Any]:
    """One request, straight through the application's ASGI side: nothing is added to its answer."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"spec_version": "2.1", "version": "3.0"},
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in (headers or {}).items()
        ],
        "extensions": {},
    }
    incoming, outgoing = asyncio.Queue[Any](), asyncio.Queue[Any]()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        await outgoing.put(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            incoming.put_nowait({"type": "http.disconnect"})  # as a server does: Quart 0.23 waits

    await app(cast(Any, scope), incoming.get, send)
    start, *rest = [outgoing.get_nowait() for _ in range(outgoing.qsize())]
    body = b"".join(message.get("body", b"") for message in rest)
    return start["status"], dict(start["headers"]), json.loads(body) if body else None


async def test_without_a_tokendealer_it_starts_is_ready_and_checks_no_token(
    app: Quart, capsys: pytest.CaptureFixture[str]
) -> None:
    ready, _, _ = await ask(app, "/health/ready")
    headers = {"Authorization": f"Bearer {SIGNED_BY_NOBODY}"}
    status, told, body = await ask(app, "/api/users", headers)
    error = next(
        line for line in map(json.loads, capsys.readouterr().err.splitlines()) if "cause" in line
    )

    assert (ready, status) == (200, 503)
    assert told[b"retry-after"] == b"2"
    assert body == {
        "status": 503,
        "error": "Service Unavailable",
        "detail": "Tokens cannot be checked now.",
    }
    assert (error["level"], error["message"]) == ("ERROR", "Tokens cannot be checked now.")
    assert error["cause"].startswith("Unavailable(")


async def test_without_its_database_it_is_not_ready_and_every_call_may_be_tried_again(
    trusting: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the disk is gone"))

    monkeypatch.setattr(type(trusting.extensions["Store"].engine), "begin", down)
    answers = [
        await ask(trusting, "/health/ready"),
        await ask(trusting, "/api/users", TOKEN),
        await ask(trusting, "/api/users/1", TOKEN),
        await ask(trusting, "/api/users/1", TOKEN, method="DELETE"),
    ]

    assert [status for status, _, _ in answers] == [503, 503, 503, 503]
    assert {headers[b"retry-after"] for _, headers, _ in answers} == {b"2"}
    assert {body["detail"] for _, _, body in answers} == {"The database does not answer."}
    assert (await ask(trusting, "/health/live"))[0] == 200


async def test_a_database_that_hangs_is_not_ready(
    app: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(health, "PATIENCE_S", 0.01)
    monkeypatch.setattr(Store, "find", hang)

    assert (await ask(app, "/health/ready"))[0] == 503


async def test_a_304_says_nothing_of_a_body_that_it_does_not_have(trusting: Quart) -> None:
    headers = {**TOKEN, "Accept-Encoding": "gzip", "If-None-Match": "*"}
    status, told, body = await ask(trusting, "/api/users", headers)

    assert (status, body) == (304, None)
    assert {b"etag", b"vary"} <= told.keys()
    assert {b"content-type", b"content-length", b"content-encoding"}.isdisjoint(told)


async def test_without_a_dashboard_no_page_may_call(trusting: Quart) -> None:
    for origin in ("://", "null", "http://localhost"):
        _, told, _ = await ask(trusting, "/api/users", {**TOKEN, "Origin": origin})
        assert not [name for name in told if name.startswith(b"access-control")]


@pytest.mark.parametrize("url", ["https://dash.example", "https://dash.example/app/?x=1"])
async def test_the_dashboards_origin_is_that_of_its_url(tmp_path: Path, url: str) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/users.db"
    app = create_app({"database_url": database, "dashboard_url": url})
    _, told, _ = await ask(app, "/health/live", {"Origin": "https://dash.example"})

    assert told[b"access-control-allow-origin"] == b"https://dash.example"


async def test_a_mistake_of_ours_is_a_500_that_tells_the_log_why_and_nobody_else(
    trusting: Quart, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(Store, "find", mistaken)
    status, _, body = await ask(trusting, "/api/users/1", {**TOKEN, "traceparent": TRACE})
    told, finished = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert (status, set(body)) == (500, {"status", "error", "detail"})
    assert "swordfish" not in str(body)
    assert "RuntimeError: the password is swordfish" in told["traceback"]
    assert (told["level"], told["traceparent"]) == ("ERROR", TRACE)
    assert {
        "route": "/api/users/<id:user_id>",
        "status": 500,
        "caller": "somebody",
        "traceparent": TRACE,
    }.items() <= finished.items()


async def test_what_is_known_of_users_is_not_for_the_log(
    trusting: Quart, capsys: pytest.CaptureFixture[str]
) -> None:
    store: Store = trusting.extensions["Store"]
    async with store.engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE users")
    async with trusting.app_context():
        with pytest.raises(ServiceUnavailable):
            await store.add({"slack_id": "U123", "name": "Ada Lovelace", "email": "a@example.org"})
    told = capsys.readouterr().err

    assert "no such table" in told
    assert "Lovelace" not in told


def test_a_log_that_cannot_be_written_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app({"database_url": f"sqlite+aiosqlite:///{tmp_path}/users.db"})
    with open("/dev/null", "w") as closed:
        monkeypatch.setattr("sys.stderr", closed)
    app.logger.info("to nobody")


def test_a_method_that_nobody_knows_is_counted_as_other() -> None:
    metrics = Metrics()
    metrics.observe("BREW", "unmatched", 405, 0.25)

    assert 'method="OTHER",route="unmatched",status="405"} 0.25' in "\n".join(metrics.lines())


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"a": [1, 2.5, None, True, "x", {}]}, True),
        (2**64 - 1, True),
        (2**64, False),
        (-(2**63), True),
        (-(2**63) - 1, False),
        (float("inf"), False),
        (float("nan"), False),
        (1e30, False),
        (b"x", False),
        ({1: 2}, False),
        ({(1, 2): 3}, False),
        ([[[[[[[[]]]]]]]], True),
        ([[[[[[[[[]]]]]]]]], False),
    ],
)
def test_what_both_forms_carry_is_plain(value: object, plain: bool) -> None:
    assert is_plain(value) is plain


async def test_the_part_that_a_test_brings_is_the_one_that_is_used(tmp_path: Path) -> None:
    app = create_app({"database_url": f"sqlite+aiosqlite:///{tmp_path}/users.db"})
    keep(app, Metrics())
    await ask(app, "/nowhere")

    assert sum(app.extensions["Metrics"].requests.values()) == 1
