from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.curl import SHOWN_BYTES
from harness.targets import Receive, Scope, Send
from harness.targets.exchange import Ends, Exchange, Exchanges, Start, counted


def scope(**changes: Any) -> Scope:
    return {"type": "http", "method": "GET", "path": "/", "headers": [], **changes}


async def ask(app: Any, exchanges: Exchanges, *messages: Any, **changes: Any) -> list[Any]:
    heard: list[Any] = []
    left = list(messages)

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        heard.append(message)

    await counted(app, exchanges)(scope(**changes), receive, send)
    return heard


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1")]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body"})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers()), st.integers(min_value=1, max_value=4))
def test_of_many_the_first_and_the_last_are_kept_and_the_rest_counted(
    added: list[int], most: int
) -> None:
    ends: Ends[int] = Ends(most)
    for one in added:
        ends.add(one)

    if len(added) <= 2 * most:
        assert (list(ends), ends.left_out) == (added, 0)
    else:
        assert (list(ends), ends.left_out) == (added[:most] + added[-most:], len(added) - 2 * most)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=9000), max_size=5))
def test_of_a_body_the_start_is_kept_and_the_length(chunks: list[bytes]) -> None:
    start = Start()
    for chunk in chunks:
        start.add(chunk)

    body = b"".join(chunks)
    assert start.length == len(body)
    assert body.startswith(start.kept)
    assert len(start.kept) >= min(len(body), SHOWN_BYTES)
    assert len(start.kept) < 6 * SHOWN_BYTES


async def test_an_exchange_holds_what_was_sent_and_what_came_back() -> None:
    exchanges = Exchanges()
    parts = [{"type": "http.request", "body": b"a" * 6000, "more_body": n < 2} for n in range(3)]

    heard = await ask(echo, exchanges, *parts, path="/a", query_string=b"q=1", method="PUT")

    (one,) = exchanges.take()
    assert (one.method, one.path, one.query, one.status) == ("PUT", "/a", b"q=1", 201)
    assert (one.body.length, one.answer.length) == (18_000, 18_000)
    assert one.answer_headers == [(b"x-a", b"1")]
    assert one.traceparent in str(one.headers)
    assert (one.seconds or 0) > 0
    assert len(heard) == 3


async def test_what_broke_is_kept_and_is_no_answer() -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionResetError("by peer")

    exchanges = Exchanges()
    with pytest.raises(ConnectionResetError):
        await ask(breaks, exchanges)

    (one,) = exchanges.kept
    assert (exchanges.answered, one.status) == (0, None)
    assert one.broke == "ConnectionResetError: by peer"


async def test_messages_of_a_websocket_are_kept_at_both_ends() -> None:
    async def talks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        for n in range(100):
            await send({"type": "websocket.send", "text": f"{n}" * 5000})
        await send({"type": "websocket.send", "bytes": (await receive())["bytes"]})

    exchanges = Exchanges()
    await ask(
        talks, exchanges, {"type": "websocket.receive", "bytes": b"x", "text": None},
        type="websocket",
    )  # fmt: skip

    (one,) = exchanges.take()
    spoken = list(one.messages)
    assert (one.status, one.messages.left_out, len(spoken)) == (101, 92, 10)
    assert [(said.by_test, said.is_text) for said in spoken[-2:]] == [(True, False), (False, False)]


async def test_however_many_there_were_each_answer_is_counted() -> None:
    exchanges = Exchanges()
    for _ in range(50):
        await ask(echo, exchanges, {"type": "http.request", "body": b"", "more_body": False})

    assert (exchanges.answered, exchanges.kept.left_out, len(list(exchanges.kept))) == (50, 40, 10)
    assert len(exchanges.take()) == 10
    assert (exchanges.answered, exchanges.take()) == (0, [])


async def test_an_application_called_by_itself_is_named_and_counts_apart() -> None:
    exchanges = Exchanges()

    async def nothing(message: object) -> None:
        pass

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await counted(echo, exchanges, "shop.other")(scope(), receive, nothing)

    assert (exchanges.answered, exchanges.take_apart()) == (0, ["shop.other"])
    assert [one.apart for one in exchanges.take()] == ["shop.other"]


def test_a_trace_context_is_made_where_there_is_none() -> None:
    asked = scope()
    one = Exchange(asked)

    assert asked["headers"] == [(b"traceparent", one.traceparent.encode())]
    assert Exchange(scope(headers=[(b"Traceparent", b"mine")])).traceparent == "mine"


async def test_what_is_no_answer_of_asgis_goes_on_to_whom_it_is_for() -> None:
    async def wrong(scope: Scope, receive: Receive, send: Send) -> None:
        headers = (pair for pair in [(b"x-a", b"1")])
        await send({"type": "http.response.start", "status": "200", "headers": headers})
        await send({"type": "http.response.body", "body": "text"})
        await send({"type": "http.response.body", "body": None})

    start, text, nothing = await ask(wrong, Exchanges())

    assert list(start["headers"]) == [(b"x-a", b"1")]  # which can be read once
    assert (text["body"], nothing["body"]) == ("text", None)
