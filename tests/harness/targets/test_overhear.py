"""Secrets in answers, however they arrive; nothing is heard once it is over."""

from __future__ import annotations

import asyncio
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

from harness import secret
from harness.secret import Variable
from harness.targets import Receive, Scope, Send
from harness.targets.overhear import logging_heard, read_along, unawaited_heard

KEY = "kéy of many words"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", KEY)
    monkeypatch.setenv("HARNESS_SECRET_SHOP_KEY", KEY)
    secret.keep([Variable("SHOP_KEY", "key", "harness.toml:1")])


def told(*messages: dict[str, Any]) -> list[tuple[str, set[str]]]:
    found: list[tuple[str, set[str]]] = []
    passed: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def ask() -> None:
        async def send(message: Any) -> None:
            passed.append(message)

        wire = read_along(app, lambda scope, what, names: found.append((what, names)))
        await wire({"type": "http"}, None, send)  # type: ignore[arg-type]  # nothing is received

    asyncio.run(ask())
    assert passed == list(messages)
    return found


def body(*parts: bytes) -> list[dict[str, Any]]:
    return [{"type": "http.response.body", "body": part, "more_body": True} for part in parts]


def test_a_secret_that_is_cut_in_two_is_found_once() -> None:
    whole = KEY.encode()

    assert told(*body(b"x" * 5000 + whole[:1], whole[1:8], whole[8:] + b"y", b"z")) == [
        ("the body of", {"SHOP_KEY"})
    ]


def test_headers_and_messages_of_websockets_are_read() -> None:
    start = {"type": "http.response.start", "headers": [(b"x-key", KEY.encode()), (b"a", b"b")]}

    assert told(start) == [("the header x-key of", {"SHOP_KEY"})]
    assert told({"type": "websocket.send", "text": f"[{KEY}]"}) == [("the body of", {"SHOP_KEY"})]
    assert told(*body(b"nothing of it")) == []


def test_nothing_is_heard_and_nothing_changed_once_it_is_over() -> None:
    make, warn = logging.getLogRecordFactory(), warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]  # Python's own, which has no stub
    heard: list[str] = []

    with (
        logging_heard(lambda record: heard.append(record.getMessage())),
        unawaited_heard(lambda name, file, place: heard.append(place), Path(__file__).parent),
    ):
        logging.getLogger("shop").warning("within %s", 1)
        make_now = logging.getLogRecordFactory()
        make_now("shop", logging.ERROR, __file__, 1, "arguments that do %d fit", ("not",), None)
    logging.getLogger("shop").warning("after")

    assert heard == ["within 1"]
    assert (logging.getLogRecordFactory(), warnings._warn_unawaited_coroutine) == (make, warn)  # type: ignore[attr-defined]  # as above
