"""Exchanges of a load that are kept: as they were, and put into words when they are written down.

Nothing of an exchange is looked at before it is known to be kept, and nothing is read for it: of
a body there is what the client has at hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp.http import SERVER_SOFTWARE
from yarl import URL

from harness.answer import shown_value, text_of
from harness.curl import Asked, curl
from harness.facts import Exchanged
from harness.load.request import Request
from harness.load.response import Response
from harness.secret import redacted, redacted_start

SHOWN_BODY = 200
"""Bytes of an answer's body that are shown."""

KEPT_BODY = 4 * SHOWN_BODY
"""Bytes that are kept: a secret that begins in what is shown must be seen whole."""

_KEPT_ASKED = 10_240  # of a request's body, likewise: `curl` shows 2,048 bytes
_MOST_HEADERS = 30
_LONGEST_HEADER = 300
_MS = 1_000_000
_S = 1_000_000_000
Headers = tuple[tuple[bytes, bytes], ...]
Sent = Callable[[], Mapping[str, str]]

_HANDSHAKES = {"ws": "http", "wss": "https"}
_UNSAID = frozenset(
    {("accept", "*/*"), ("accept-encoding", "gzip, deflate"), ("user-agent", SERVER_SOFTWARE)}
)
"""What curl, and the load's clients, say of themselves."""


@dataclass(frozen=True, slots=True)
class ByAiohttp:
    """A request that aiohttp sends, as the scenario asked for it."""

    method: str
    url: URL
    options: Mapping[str, Any]
    is_websocket: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange as it was when it was kept. Times in ns on the book's clock.

    `asked` is the request, as far as it is known, and `sent` tells the headers that were sent, once
    they were. `status` is None before an answer. `length` is more than that of `body` where there
    may be more of it.
    """

    asked: Request | ByAiohttp | None
    sent: Sent | None
    status: int | None
    headers: Headers
    body: bytes
    length: int
    due_ns: int
    sent_ns: int
    done_ns: int

    def in_words(self, start_ns: int) -> Exchanged:
        """Tell what was asked and answered, without secrets; `start_ns` is the load's start."""
        line, wanted = curl(_asked(self.asked, self.sent)) if self.asked else ("", [])
        return Exchanged(
            curl=line, wanted=tuple(wanted), status=self.status,
            headers=tuple(_shown(self.headers)), body=_beginning(self.body, self.length),
            due_s=round((self.due_ns - start_ns) / _S, 6),
            response_ms=(self.done_ns - self.due_ns) / _MS,
            service_ms=(self.done_ns - self.sent_ns) / _MS,
        )  # fmt: skip


def kept(step: Any, done_ns: int) -> Example:
    """Keep the exchange of a step of a visit (`book.Step`), which ended at `done_ns`.

    Where a target gets ever slower, each answer is kept for a while: what takes time is left for
    `in_words`.
    """
    response, asked, sent = step.response, step.asked, None
    headers: Headers = ()
    body = step.body
    if isinstance(response, Response):
        asked, sent = response.request, response.sent()
    elif response is not None:
        info = response.request_info
        asked = ByAiohttp(info.method, info.url, asked.options if asked else {})
        sent = partial(getattr, info, "headers")
    if response is not None and step.status is not None:
        headers = response.raw_headers
        body = body or _at_hand(response)
    return Example(
        asked, sent, step.status, headers, body, len(body) + (len(body) == KEPT_BODY),
        step.due_ns, step.sent_ns, done_ns,
    )  # fmt: skip


def _at_hand(response: Any) -> bytes:
    if isinstance(response, Response):
        return response.at_hand(KEPT_BODY)
    body: bytes | None = getattr(response, "_body", None)
    if body is None and not response.content._cursor:  # aiohttp has no public look at what came
        body = b"".join(response.content._buffer)
    return (body or b"")[:KEPT_BODY]


def _asked(asked: Request | ByAiohttp, sent: Sent | None) -> Asked:
    """Return what is to be said again: with the headers that were sent, where they were."""
    if isinstance(asked, Request):
        url, given, body = asked.address.url, asked.headers, asked.body
    else:
        url, given, body = asked.url, _given(asked.options), _body(asked.options)
    if sent is not None:
        given = tuple(sent().items())
    is_websocket = isinstance(asked, ByAiohttp) and asked.is_websocket
    if url.scheme in _HANDSHAKES:
        url = url.with_scheme(_HANDSHAKES[url.scheme])
    return Asked(
        method=asked.method.upper(), url=str(url.origin()), target=url.raw_path_qs.encode(),
        headers=[(_raw(name), _raw(value)) for name, value in given],
        body=body[:_KEPT_ASKED], length=len(body), unsaid=_UNSAID, is_websocket=is_websocket,
    )  # fmt: skip


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _given(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = options.get("headers") or ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((str(name), str(value)) for name, value in pairs)


def _body(options: Mapping[str, Any]) -> bytes:
    """Return the body that aiohttp was given, where it can be said again."""
    data = options.get("data")
    if isinstance(data, bytes | bytearray):
        return bytes(data)
    if isinstance(data, str):
        return data.encode()
    if data is not None:
        return f"({type(data).__name__})".encode()
    try:
        return json.dumps(options["json"]).encode() if "json" in options else b""
    except (TypeError, ValueError):
        return b"(json)"


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    pairs = [(name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
             for name, value in headers]  # fmt: skip
    for name, value in pairs[:_MOST_HEADERS]:
        yield f"{name}: {redacted_start(shown_value(name, value), _LONGEST_HEADER)}"
    if len(pairs) > _MOST_HEADERS:
        yield f"and {len(pairs) - _MOST_HEADERS} more"


def _beginning(body: bytes, length: int) -> str:
    """Return how a body begins, at most `SHOWN_BODY` bytes of it."""
    text = text_of(body, length)
    if text is None:
        return f"({len(body)} bytes or more, not text)" if body else ""
    shown = redacted_start(text, SHOWN_BODY).encode()
    if len(shown) <= SHOWN_BODY or redacted(text) != text:  # a name may be longer than its secret
        return shown.decode()
    return shown[:SHOWN_BODY].decode(errors="ignore")
