"""One HTTP/1.1 connection of a load: a request, its answer, and again (RFC 9112).

An answer that comes at once, and begins as one before it did, is taken as it is. Of any other,
httptools finds where it begins and ends. A connection that is fit for another request says so; any
other closes itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import httptools
from aiohttp.http_exceptions import BadHttpMessage

from harness.load.head import MOST_KEPT, Head, RawHeaders, head_of
from harness.load.request import Origin

MOST_HEAD = 64 * 1024
"""Bytes that may come and be no part of a body, such as a head or trailers, before one is."""

_TOO_LONG = f"more than {MOST_HEAD} bytes of head or trailers"
_END = b"\r\n\r\n"
_END_LENGTH = len(_END)
_SWITCHING = 101
_FINAL = 200  # the first status of an answer that is not informational


class Receiver(Protocol):
    """What an answer goes to as it comes. `is_head`: it answers HEAD, so it has no body."""

    is_head: bool

    def came(self, head: Head, body: bytes) -> None:
        """Take an answer that is whole. Nothing else of it follows."""
        ...

    def begun(self, head: Head) -> None:
        """Take the head."""
        ...

    def fed(self, data: bytes) -> None:
        """Take a piece of the body."""
        ...

    def split(self) -> None:
        """Know that a chunk of the transfer coding ended."""
        ...

    def ended(self) -> None:
        """Know that the answer is whole."""
        ...

    def broke(self, error: Exception) -> None:
        """Know that the answer will not be whole."""
        ...


class Connection(asyncio.Protocol):
    """Carries one request at a time to `origin`. `on_free` is told when it can carry another."""

    __slots__ = (
        "_bodiless", "_headers", "_in_body", "_is_awaited", "_is_final", "_on_free", "_parser",
        "_reason", "_receiver", "_transport", "idle_since", "is_closing", "origin",
    )  # fmt: skip

    def __init__(self, origin: Origin, on_free: Callable[[Connection], None]) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._on_free = on_free
        self._receiver: Receiver | None = None
        self._transport: Any = None
        self._renew()

    def _renew(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: RawHeaders = []
        self._reason = b""
        self._in_body = self._is_final = False

    # What a session does with it.

    def send(self, request: bytes, receiver: Receiver) -> None:
        """Send a request, whose answer goes to `receiver`. The answer before must have ended."""
        if self.is_closing():  # nothing would tell the receiver
            receiver.broke(aiohttp.ServerDisconnectedError())
            return
        self._receiver = receiver
        self._is_awaited = not receiver.is_head
        self._bodiless = 0
        self._transport.write(request)

    def close(self) -> None:
        """Close at once, whatever is under way: nobody waits for it any more."""
        self._receiver = None
        self._transport.abort()

    def pause(self) -> None:
        """Let the server wait: what it has sent was not read yet."""
        if not self.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if not self.is_closing():
            self._transport.resume_reading()

    # asyncio's protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be connected."""
        self._transport = transport
        self.is_closing = transport.is_closing

    def data_received(self, data: bytes) -> None:
        """Take what came. Nobody may have asked for it."""
        receiver = self._receiver
        if receiver is None:
            self.close()
            return
        if self._is_awaited:  # nothing of it has come before
            self._is_awaited = False
            body_at = data.find(_END, 0, MOST_KEPT) + _END_LENGTH
            head = head_of(data[:body_at]) if body_at > _END_LENGTH else None
            if head is not None and len(data) - body_at == head.length:
                self._receiver = None
                self._leave(is_kept=True)
                receiver.came(head, data[body_at:])
                return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        self._bodiless += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.close()
        except httptools.HttpParserError as error:
            self._broke(BadHttpMessage(f"{error.__context__ or error}"))
        if self._bodiless > MOST_HEAD and self._receiver is not None:
            self._broke(BadHttpMessage(_TOO_LONG))

    def connection_lost(self, error: Exception | None) -> None:
        """Be gone. An answer without a length ends with its connection (RFC 9112, 6.3)."""
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        if error is None and self._in_body and not self._has_length():
            receiver.ended()
        elif isinstance(error, OSError):
            receiver.broke(aiohttp.ClientOSError(*error.args))
        else:
            receiver.broke(aiohttp.ServerDisconnectedError())

    def _has_length(self) -> bool:
        headers = [(name.lower(), value.lower()) for name, value in self._headers]
        return any(
            name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value)
            for name, value in headers
        )

    def _broke(self, error: Exception) -> None:
        receiver = self._receiver
        self.close()
        if receiver is not None:
            receiver.broke(error)

    # httptools' callbacks.

    def on_message_begin(self) -> None:
        """Begin an answer, which may be an informational one."""
        if self._receiver is None:
            raise BadHttpMessage("an answer that nobody asked for")
        self._headers = []
        self._reason = b""
        self._in_body = self._is_final = False

    def on_status(self, reason: bytes) -> None:
        """Take the reason phrase, or a piece of it."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. What comes after the body are trailers, which nobody asked for."""
        if not self._in_body:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass on the head of an answer that is final (RFC 9110, 15.2)."""
        parser, receiver = self._parser, self._receiver
        status = parser.get_status_code()
        self._is_final = status >= _FINAL or status == _SWITCHING
        if not self._is_final or receiver is None:
            return
        if self._bodiless > MOST_HEAD and _size(self._headers) > MOST_HEAD:
            raise BadHttpMessage(_TOO_LONG)
        self._in_body = True
        receiver.begun(Head(status, parser.get_http_version(), self._reason, self._headers))
        if receiver.is_head:  # whose length is that of a body which does not come
            is_kept = parser.should_keep_alive()
            self._renew()
            self._ended(is_kept=is_kept)

    def on_body(self, data: bytes) -> None:
        """Pass on a piece of the body."""
        if self._receiver is None or not self._in_body:
            raise BadHttpMessage("a body where there can be none")
        self._bodiless = 0
        self._receiver.fed(data)

    def on_chunk_complete(self) -> None:
        """Pass on where a chunk ended."""
        if self._receiver is not None:
            self._receiver.split()

    def on_message_complete(self) -> None:
        """End the answer, if it was a final one."""
        if self._is_final:
            self._ended(is_kept=self._parser.should_keep_alive())

    def _ended(self, *, is_kept: bool) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        self._leave(is_kept=is_kept)
        receiver.ended()

    def _leave(self, *, is_kept: bool) -> None:
        """Be free for another request, or close.

        One whose request was not sent whole is no use: the server may not read the rest.
        """
        if is_kept and not self._transport.get_write_buffer_size():
            self._on_free(self)
        else:
            self._transport.close()


def _size(headers: RawHeaders) -> int:
    return sum(len(name) + len(value) for name, value in headers)
