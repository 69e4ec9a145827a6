"""One client's connection to a stand-in: HTTP/1.1 over a transport of its own.

Requests are answered in the order in which they came, each in its turn: while a reply is held
back by its delay, what the client pipelined behind it waits, and no other connection does.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import unquote, urlsplit

import httptools

from harness.reply import Reply
from harness.standins.wire import End, Wire
from harness.stub import Call

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_HEAD_BYTES = 1024 * 1024
"""Of a request's line and headers, and of what stands behind a body, a chunk of each aside."""

_LINGER_S = 1.0
"""How long a refused client is listened to: closing on what it still sends would reset it."""

_GAP_S = 0.05
"""How long a client may read before a reset, which could overtake what was sent."""

_SILENCE_S = 600.0
"""How long a client without a time limit waits for what never comes: longer than any default."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_VERSIONS = ("1.0", "1.1")


class _Turn(NamedTuple):
    """A request waiting to be answered, or the answer to one that could not be read."""

    asked: Call | Wire
    persistence: bytes


class Answers(Protocol):
    """What a connection asks, and tells when it is done."""

    def wire(self, call: Call, connection: int) -> tuple[Wire, float]:
        """Return the answer to a call on a connection, and after how many seconds."""

    def ended(self, connection: int) -> None:
        """Hear that this answer is sent."""

    def gone(self, connection: int) -> None:
        """Hear that the connection ended."""


class Connection(asyncio.Protocol):
    """Reads requests and answers each with what `answers` has for it.

    It keeps itself in `open_connections` as long as it lives. `number` is its own.
    """

    def __init__(self, answers: Answers, open_connections: set[Connection], number: int) -> None:
        self._answers = answers
        self._number = number
        self._open_connections = open_connections
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[_Turn] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._may_write = True
        self._is_reading = True
        self._is_deaf = False  # no further request is listened to
        self._is_refused = False
        self._is_silent = False
        self._owes_continue = False
        self._head_bytes = 0  # since there was something else than heads

    def abort(self) -> None:
        """End the connection now, whatever is under way."""
        self._transport.abort()

    # asyncio's side: what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with whatever was still to be answered."""
        self._open_connections.discard(self)
        self._answers.gone(self._number)
        self._is_deaf = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read what came and answer what is complete."""
        if self._is_deaf:
            return
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # not taken up: that request is answered as any other, and as the last
        except httptools.HttpParserError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"this is not HTTP/1.1: {error}")
        if self._head_bytes > MAX_HEAD_BYTES:
            reason = f"a stand-in takes a line and headers of up to {MAX_HEAD_BYTES} bytes"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
        self._answer_waiting()

    def eof_received(self) -> bool:
        """Keep a client that has closed its half for as long as it has replies to come."""
        self._is_deaf = True
        return bool(self._waiting or self._timer) and not self._is_silent

    def pause_writing(self) -> None:
        """Answer no more until the client has read what it was sent."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write = True
        self._answer_waiting()

    # httptools' side: what the parser found

    def on_message_begin(self) -> None:
        """Start a request."""
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def on_url(self, piece: bytes) -> None:
        """Add to the request's target."""
        self._url += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; of one that is repeated, the values are joined as RFC 9110 does."""
        key, text = _key(name), _text(value)
        before = self._headers.get(key)
        self._headers[key] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """Refuse what is too large before it is sent, or ask for it where that is expected."""
        self._head_bytes = 0
        version = self._version = self._parser.get_http_version()
        if version not in _VERSIONS:
            self._refuse(HTTPStatus.BAD_REQUEST, f"this is HTTP/{version}, not HTTP/1.1")
        elif int(self._headers.get("content-length", "0")) > MAX_BODY_BYTES:
            self._refuse_size()
        elif "expect" in self._headers:
            self._owes_continue = self._headers["expect"].lower() == "100-continue"

    def on_body(self, piece: bytes) -> None:
        """Add to the body."""
        if self._is_deaf:
            return
        self._head_bytes = 0
        self._body += piece
        if len(self._body) > MAX_BODY_BYTES:
            self._refuse_size()

    def on_message_complete(self) -> None:
        """Put the request into its turn."""
        self._head_bytes = 0
        if self._is_deaf:
            return
        self._owes_continue = False
        persistence = b""
        if not self._parser.should_keep_alive() or self._parser.should_upgrade():
            self._is_deaf = True
            persistence = b"Connection: close\r\n"
        elif self._version == "1.0":
            persistence = b"Connection: keep-alive\r\n"
        self._waiting.append(_Turn(self._call(), persistence))

    def _call(self) -> Call:
        target = self._url.decode("ascii", "replace")
        if not target.startswith("/"):  # absolute, as to a proxy, or '*', or a CONNECT's
            parts = urlsplit(target)
            target = f"{parts.path or '/'}?{parts.query}" if parts.netloc else target
        path, _, query = target.partition("?")
        if "%" in path:
            path = unquote(path)
        method = self._parser.get_method().decode()
        return Call(method, path, query, self._headers, bytes(self._body))

    # answers

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Take no further request and, once those before are answered, say why."""
        if not self._is_deaf:
            self._is_deaf = self._is_refused = True
            wire = Wire.of(Reply(status=status, text=f"{reason}\n"))
            self._waiting.append(_Turn(wire, b"Connection: close\r\n"))

    def _refuse_size(self) -> None:
        reason = f"a stand-in takes bodies of up to {MAX_BODY_BYTES} bytes"
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)

    def _answer_waiting(self) -> None:
        """Answer in order, up to a reply that is to be held back."""
        while self._waiting and self._timer is None and self._may_write:
            turn = self._waiting.popleft()
            wire, delay_s = turn.asked, 0.0
            if isinstance(wire, Call):
                wire, delay_s = self._answers.wire(wire, self._number)
            if delay_s:
                self._later(delay_s, self._send, turn, wire)
            else:
                self._send(turn, wire)
        if not self._waiting and self._timer is None:
            self._be_idle()
        self._read_on(not self._waiting)

    def _later(self, seconds: float, step: Callable[..., None], *arguments: Any) -> None:
        """Answer nothing for so long, then take this step and go on."""

        def go_on() -> None:
            self._timer = None
            step(*arguments)
            self._answer_waiting()

        self._timer = self._loop.call_later(seconds, go_on)

    def _send(self, turn: _Turn, wire: Wire) -> None:
        is_head = isinstance(turn.asked, Call) and turn.asked.method == "HEAD"
        if wire.whole is not None and not turn.persistence and not is_head:
            self._transport.write(wire.whole)
            self._answers.ended(self._number)
            return
        self._send_next(wire, deque(wire.pieces(turn.persistence, is_head=is_head)))

    def _send_next(self, wire: Wire, pieces: deque[bytes]) -> None:
        if pieces:
            self._transport.write(pieces.popleft())
        if pieces:
            self._later(wire.gap_s, self._send_next, wire, pieces)
        elif wire.end is End.OPEN:
            self._answers.ended(self._number)
        else:
            self._break_off(wire.end)

    def _break_off(self, end: End) -> None:
        """Answer nothing more, and end as a fault does."""
        self._is_deaf, self._owes_continue = True, False
        self._waiting.clear()
        if end is End.RESET:
            self._later(_GAP_S, self._reset)
        elif end is End.SILENCE:
            self._is_silent = True
            self._later(_SILENCE_S, self._transport.close)

    def _reset(self) -> None:
        connected = self._transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _be_idle(self) -> None:
        """Everything is answered: ask for the body that is held back, or end, or wait."""
        if self._owes_continue:
            self._owes_continue = False
            self._transport.write(_CONTINUE)
        elif self._is_refused:
            if self._transport.can_write_eof():  # TLS cannot
                self._transport.write_eof()
            self._timer = self._loop.call_later(_LINGER_S, self._transport.close)
        elif self._is_deaf:
            self._transport.close()

    def _read_on(self, may_read: bool) -> None:
        """Read only while nothing waits, so that what waits is bounded."""
        if may_read is not self._is_reading:
            self._is_reading = may_read
            (self._transport.resume_reading if may_read else self._transport.pause_reading)()


@functools.lru_cache(maxsize=256)
def _key(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _text(value: bytes) -> str:
    """Read a header's value: UTF-8, as most clients send it, or else HTTP's own latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
