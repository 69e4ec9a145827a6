"""Any legal conversation passes as it is; each breach is told, and has a server's effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quart import Quart, Response

from harness.errors import BrokenOffError, TargetError
from harness.targets.lint import Lint

Messages = list[dict[str, Any]]
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
BODY: dict[str, Any] = {"type": "http.response.body", "body": b"ab", "more_body": False}
ACCEPT: dict[str, Any] = {"type": "websocket.accept", "headers": [], "subprotocol": None}
SERVER_ERROR = [500, b""]


def saying(*messages: Any, after: Exception | None = None) -> Any:
    """Make an application of no framework that says these."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if after:
            raise after

    return app


def scope_of(kind: str = "http", **more: Any) -> dict[str, Any]:
    return {"type": kind, "method": "GET", "path": "/x", "scheme": "http", "headers": [],
            "http_version": "1.1", "extensions": {}, **more}  # fmt: skip


async def _silence() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def held(
    app: Any, *, served: bool = False, root: Path = Path(), receive: Callable[[], Awaitable[Any]]
    = _silence, **scope: Any
) -> tuple[Messages, list[TargetError]]:  # fmt: skip
    """Hold a conversation with an application, and return what arrived and what was noted."""
    arrived: Messages = []
    noted: list[TargetError] = []

    async def send(message: Any) -> None:
        arrived.append(message)

    await Lint(app, noted.append, root, served=served)(scope_of(**scope), receive, send)
    return arrived, noted


def seen(arrived: Sequence[dict[str, Any]]) -> list[Any]:
    """Return status and body, as a client has them."""
    return [arrived[0]["status"], b"".join(m.get("body", b"") for m in arrived[1:])]


names = st.from_regex(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+", fullmatch=True).filter(
    lambda name: name.lower() not in (b"content-length", b"transfer-encoding")
)
values = st.binary(max_size=20).map(lambda b: bytes(set(b) - {0, *b" \t\n\r\x0b\x0c"}))


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(st.tuples(names, values), max_size=5),
    st.lists(st.binary(max_size=9), max_size=4),
    st.integers(200, 999).filter(lambda status: status not in (204, 304)),
    st.booleans(),
)
async def test_any_legal_answer_passes_as_it_is(
    headers: list[tuple[bytes, bytes]], chunks: list[bytes], status: int, declared: bool
) -> None:
    length = [(b"content-length", b"%d" % sum(map(len, chunks)))] if declared else []
    start = {**START, "status": status, "headers": [*headers, *length]}
    parts = [{**BODY, "body": chunk, "more_body": True} for chunk in chunks]
    said = [start, *parts, {**BODY, "body": b""}]

    assert await held(saying(*said)) == (said, [])
    assert await held(saying(*said), served=True) == (said, [])


@settings(deadline=None)  # a busy machine is no fault
@given(names | st.binary(max_size=6), values | st.binary(max_size=8))
async def test_headers_are_refused_where_h11_refuses_them(name: bytes, value: bytes) -> None:
    try:
        h11.Response(status_code=200, headers=[(name.strip(), value.strip())])
        legal = True
    except h11.LocalProtocolError:
        legal = False

    arrived, noted = await held(saying({**START, "headers": [(name, value)]}, BODY), method="HEAD")

    assert [one.slug for one in noted] == ([] if legal else ["asgi/header"])
    assert arrived[0]["status"] == (200 if legal else 500)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.sampled_from([START, BODY, {**BODY, "more_body": True}, ACCEPT]), max_size=5))
async def test_whatever_is_said_the_client_has_a_whole_answer_or_hears_that_it_broke_off(
    said: Messages,
) -> None:
    arrived: Messages = []

    async def send(message: Any) -> None:
        arrived.append(message)

    try:
        await Lint(saying(*said))(scope_of(), _silence, send)
    except BrokenOffError:
        assert arrived[-1].get("more_body", True)
    else:
        assert [m["type"] for m in arrived].count("http.response.start") == 1
        assert not arrived[-1]["more_body"]


@pytest.mark.parametrize(
    "extension", ["http.response.push", "http.response.early_hint", "http.response.trailers"]
)
async def test_what_later_http_has_may_be_said_there(extension: str) -> None:
    said = [{"type": extension, "headers": [], "path": "/", "links": []}, START, BODY]

    assert await held(saying(*said), http_version="2") == (said, [])
    _, noted = await held(saying(*said))
    assert [one.slug for one in noted] == ["asgi/order"]


async def test_an_extension_that_the_server_offers_may_be_used() -> None:
    said = [{"type": "http.response.debug", "info": {}}, START, BODY]

    assert await held(saying(*said), extensions={"http.response.debug": {}}) == (said, [])


async def test_trailers_end_an_answer_that_announced_them() -> None:
    trailers = {"type": "http.response.trailers", "headers": [], "more_trailers": False}
    said = [{**START, "trailers": True}, BODY, trailers]

    assert await held(saying(*said), http_version="2") == (said, [])
    with pytest.raises(BrokenOffError):
        await held(saying(*said[:2]), http_version="2")


async def test_what_may_be_left_out_is_put_in() -> None:
    minimal = [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}]

    assert await held(saying(*minimal)) == ([START, {**BODY, "body": b""}], [])


async def test_values_are_trimmed_as_a_server_trims_them() -> None:
    arrived, noted = await held(saying({**START, "headers": [(b"a", b" 1 \t")]}, BODY))

    assert (arrived[0]["headers"], noted) == ([(b"a", b"1")], [])


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_body_where_http_has_none_is_left_out(method: str, status: int) -> None:
    start = {**START, "status": status, "headers": [(b"content-length", b"11")]}

    arrived, noted = await held(saying(start, BODY), method=method)

    assert (seen(arrived), arrived[0]["headers"]) == ([status, b""], start["headers"])
    assert noted == []


BREACHES = {
    "name": ({**START, "headers": [(b"bad name", b"1")]}, "asgi/header"),
    "no-name": ({**START, "headers": [(b"", b"1")]}, "asgi/header"),
    "pseudo": ({**START, "headers": [(b":status", b"1")]}, "asgi/header"),
    "zero": ({**START, "headers": [(b"a", b"1\0")]}, "asgi/header"),
    "line-break": ({**START, "headers": [(b"a", b"1\r\nb: 2")]}, "asgi/header"),
    "text": ({**START, "headers": [("a", "1")]}, "asgi/header"),
    "none": ({**START, "headers": None}, "asgi/header"),
    "single": ({**START, "headers": [b"a"]}, "asgi/header"),
    "lists": ({**START, "headers": [["a", "1"]]}, "asgi/header"),
    "two-lengths": ({**START, "headers": [(b"content-length", b"1, 2")]}, "asgi/header"),
    "no-length": ({**START, "headers": [(b"content-length", b"")]}, "asgi/header"),
    "coding": ({**START, "headers": [(b"transfer-encoding", b"gzip")]}, "asgi/header"),
    "status-1000": ({**START, "status": 1000}, "asgi/status"),
    "status-text": ({**START, "status": "200"}, "asgi/status"),
    "status-missing": ({"type": "http.response.start"}, "asgi/status"),
    "status-true": ({**START, "status": True}, "asgi/status"),
    "body-first": (BODY, "asgi/order"),
    "unknown": ({"type": "http.response.strat"}, "asgi/order"),
    "typeless": ({}, "asgi/order"),
    "nothing": (None, "asgi/order"),
    "websocket": (ACCEPT, "asgi/order"),
}


@pytest.mark.parametrize(("said", "slug"), BREACHES.values(), ids=BREACHES)
async def test_what_a_server_refuses_at_once_is_a_500_and_told(said: Any, slug: str) -> None:
    arrived, noted = await held(saying(said))

    assert [one.slug for one in noted] == [slug]
    assert seen(arrived) == SERVER_ERROR
    assert str(noted[0]).startswith("tests/harness/targets/test_lint.py:")
    assert "GET /x" in noted[0].message


LONG = {**START, "headers": [(b"content-length", b"1")]}
SHORT = {**START, "headers": [(b"content-length", b"3")]}
LATE = {
    "long": ([LONG, BODY], "asgi/content-length"),
    "short": ([SHORT, BODY], "asgi/content-length"),
    "status-101": ([{**START, "status": 101}, BODY], "asgi/status"),
    "number": ([START, {**BODY, "body": 5}], "asgi/body"),
    "text": ([START, {**BODY, "body": "ab"}], "asgi/body"),
    "null": ([START, {**BODY, "body": None}], "asgi/body"),
    "twice": ([START, START], "asgi/order"),
}


@pytest.mark.parametrize(("said", "slug"), LATE.values(), ids=LATE)
async def test_what_a_server_refuses_later_breaks_the_answer_off(said: Any, slug: str) -> None:
    noted: list[TargetError] = []

    async def send(message: Any) -> None:
        pass

    with pytest.raises(BrokenOffError, match="GET /x broke off"):
        await Lint(saying(*said), noted.append)(scope_of(), _silence, send)
    assert [one.slug for one in noted] == [slug]


async def test_of_a_body_that_is_too_long_the_client_has_what_was_promised() -> None:
    promised = {**START, "headers": [(b"content-length", b"2")]}

    arrived, noted = await held(saying(promised, {**BODY, "more_body": True}, BODY))

    assert seen(arrived) == [200, b"ab"]
    assert [one.slug for one in noted] == ["asgi/content-length"]


async def test_what_is_said_after_the_end_is_told_and_changes_nothing() -> None:
    arrived, noted = await held(saying(START, BODY, BODY))

    assert arrived == [START, BODY]
    assert "after its answer had ended" in noted[0].message


async def test_before_a_server_the_lint_only_listens() -> None:
    said = [{**START, "status": 1000}, BODY]

    arrived, noted = await held(saying(*said), served=True)

    assert arrived == said
    assert noted[0].slug == "asgi/status"


async def test_an_application_that_raises_has_answered_500(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arrived, noted = await held(saying(after=ValueError("no stock")))

    assert (seen(arrived), noted) == (SERVER_ERROR, [])
    assert "ValueError: no stock" in capsys.readouterr().err


async def test_a_client_that_has_gone_needs_no_answer() -> None:
    async def left() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    assert await held(app, receive=left) == ([], [])


async def test_the_place_is_the_handlers_where_the_answer_is_a_frameworks() -> None:
    app = Quart(__name__)

    @app.get("/x")
    async def odd() -> Response:
        return Response("", headers={"bad name": "1"})

    _, noted = await held(app, query_string=b"")

    assert noted[0].where == f"tests/harness/targets/test_lint.py:{odd.__code__.co_firstlineno}"


SEND = {"type": "websocket.send", "text": "hi", "bytes": None}
CLOSE = {"type": "websocket.close", "code": 1000}
DENIED = {"type": "websocket.http.response.start", "status": 401, "headers": []}
DENIED_BODY = {"type": "websocket.http.response.body", "body": b"no", "more_body": False}


@pytest.mark.parametrize(
    "said",
    [
        [ACCEPT, SEND, {**SEND, "text": None, "bytes": b"\0"}, CLOSE],
        [ACCEPT, CLOSE, CLOSE],
        [{**ACCEPT, "subprotocol": "chat", "headers": [(b"x", b"1")]}, CLOSE],
        [DENIED, {**DENIED_BODY, "more_body": True}, DENIED_BODY],
    ],
)
async def test_any_legal_websocket_passes_as_it_is(said: Messages) -> None:
    assert await held(saying(*said), kind="websocket", subprotocols=["chat"]) == (said, [])


@pytest.mark.parametrize(
    ("said", "slug"),
    [
        ([SEND], "asgi/order"),
        ([ACCEPT, ACCEPT], "asgi/order"),
        ([ACCEPT, CLOSE, SEND], "asgi/order"),
        ([START], "asgi/order"),
        ([{**ACCEPT, "subprotocol": "tea"}], "asgi/subprotocol"),
        ([{**ACCEPT, "headers": [(b"Sec-WebSocket-Protocol", b"x")]}], "asgi/subprotocol"),
        ([{**ACCEPT, "headers": [("x", "1")]}], "asgi/header"),
        ([{**DENIED, "status": 99}], "asgi/status"),
        ([ACCEPT, {**SEND, "text": None}], "asgi/body"),
        ([ACCEPT, {**SEND, "bytes": "text"}], "asgi/body"),
    ],
)
async def test_what_no_server_takes_of_a_websocket_is_told(said: Messages, slug: str) -> None:
    _, noted = await held(saying(*said), kind="websocket", subprotocols=["chat"])

    assert [one.slug for one in noted] == [slug]


@pytest.mark.parametrize(("said", "status"), [([CLOSE], 403), ([], 500)])
async def test_a_handshake_that_is_not_accepted_is_refused(said: Messages, status: int) -> None:
    arrived, noted = await held(saying(*said), kind="websocket")

    assert (seen(arrived), noted) == ([status, b""], [])


async def test_a_websocket_that_is_left_open_is_closed_as_a_server_does() -> None:
    arrived, _ = await held(saying(ACCEPT, SEND), kind="websocket")

    assert arrived[-1] == {"type": "websocket.close", "code": 1011}
