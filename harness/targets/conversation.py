"""What an application says to one request, kept to the order and the form that a server takes.

Each knows what Hypercorn (0.18, with h11) does at every point: `heard` returns what a client gets
of a message, and raises Breach for what is refused; `complete` says what the application did not.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from harness.errors import BrokenOffError
from harness.targets import Message, Receive, Scope, Send
from harness.targets.header import Breach, headers_of, status_of

_BODILESS = frozenset({204, 304})
_LATER_HTTP = ("2", "3")
_OF_LATER_HTTP = frozenset(
    {"http.response.push", "http.response.early_hint", "http.response.trailers"}
)
_ENCODE = "give bytes; encode text"


class Stage(Enum):
    """How far an application has come with its answer."""

    SILENT = auto()
    TALKING = auto()
    REFUSING = auto()
    TRAILING = auto()
    OVER = auto()


_SILENT, _TALKING, _REFUSING, _TRAILING, _OVER = Stage  # a member's own name is slow to look up


class Conversation:
    """What HTTP's and WebSockets' conversations share: a client, who may leave.

    `noted` is told of a breach, and raises it where there is no server to refuse what was sent.
    With `served`, all is passed on as it is.
    """

    gone_type = ""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, noted: Callable[[Breach], None],
        *, served: bool,
    ) -> None:  # fmt: skip
        self._scope = scope
        self._receive = receive
        self._send = send
        self._noted = noted
        self._served = served
        self._stage = _SILENT
        self._gone = False

    async def receive(self) -> Message:
        """Pass on what the client says: one that has gone needs no answer."""
        message = await self._receive()
        if message["type"] == self.gone_type:
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        """Pass on what a server makes of what the application says. Raises Breach."""
        try:
            passed = message if self._gone else self.heard(message)
        except Breach as breach:
            self._noted(breach)
            passed = message
        await self._send(message if self._served else passed)

    def heard(self, message: Message) -> Message:
        """Return what becomes of a message. Raises Breach."""
        raise NotImplementedError

    async def complete(self, cause: BaseException | None) -> None:
        """Do what a server does when an application has returned, or raised `cause`."""
        raise NotImplementedError

    def _out_of_order(self, message: Any) -> Breach:
        said = message.get("type") if isinstance(message, dict) else message
        when = {
            _SILENT: "before its answer had begun",
            _OVER: "after its answer had ended",
        }.get(self._stage, "in the middle of its answer")
        return Breach("asgi/order", f"it sent {said!r} {when}, where no server takes it")


class Exchange(Conversation):
    """An HTTP request and its answer."""

    gone_type = "http.disconnect"

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, noted: Callable[[Breach], None],
        *, served: bool,
    ) -> None:  # fmt: skip
        super().__init__(scope, receive, send, noted, served=served)
        self._length: int | None = None
        self._bodiless = scope["method"] == "HEAD"
        self._trailers = False
        self._sent = 0

    def heard(self, message: Message) -> Message:
        """Return what becomes of a message. Raises Breach."""
        kind = _type(message)
        if kind == "http.response.body" and self._stage is _TALKING:
            return self._body(message)
        if kind == "http.response.start" and self._stage is _SILENT:
            return self._start(message)
        if kind == "http.response.trailers" and self._stage is _TRAILING:
            if not message.get("more_trailers", False):
                self._stage = _OVER
            return message
        if self._is_extension(kind):
            return message
        raise self._out_of_order(message)

    def _is_extension(self, kind: object) -> bool:
        later = self._scope.get("http_version") in _LATER_HTTP
        return kind in (self._scope.get("extensions") or ()) or (later and kind in _OF_LATER_HTTP)

    def _start(self, message: Message) -> Message:
        status = message.get("status")
        if isinstance(status, int) and 100 <= status < 200:
            self._stage = _TALKING  # it is sent, and no answer can follow
        status = status_of(message)
        headers, self._length = headers_of(message)
        self._stage = _TALKING
        self._trailers = bool(message.get("trailers", False))
        self._bodiless = self._bodiless or status in _BODILESS
        return {**message, "status": status, "headers": headers}

    def _body(self, message: Message) -> Message:
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = bytes_of(body)
        more = message.get("more_body", False)
        if self._bodiless:
            body = b""
        elif self._length is not None:
            self._measure(len(body), self._length, last=not more)
        if not more:
            self._stage = _TRAILING if self._trailers else _OVER
        if message.get("body") is body and "more_body" in message:
            return message
        return {**message, "body": body, "more_body": more}

    def _measure(self, more: int, length: int, *, last: bool) -> None:
        """Raise Breach where a body is longer, or was shorter, than it was declared to be."""
        said = self._sent + more
        if said <= length and (said == length or not last):
            self._sent = said
            return
        what = f"it sent {said}{'' if last else ' or more'} bytes of a body"
        raise Breach(
            "asgi/content-length",
            f"{what} that its Content-Length declares as {length}: a server cuts it off",
            "leave the header out, and the server frames the body; or let it be true",
        )

    async def complete(self, cause: BaseException | None) -> None:
        """Answer 500 where there was none. Raises BrokenOffError where there was half of one."""
        if self._gone or self._stage is _OVER:
            return
        if self._stage is _SILENT:
            await _refuse(self._send, "http.response", 500)
        elif isinstance(cause, Breach) and self._length == self._sent:
            # What was too much was refused; the client has all that it was promised.
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            raise BrokenOffError(f"{self._scope['method']} {self._scope['path']}") from cause


class Socket(Conversation):
    """A WebSocket: its handshake, and what is said until it is closed."""

    gone_type = "websocket.disconnect"

    async def send(self, message: Message) -> None:
        """Pass on what a server makes of it: a handshake that is closed is refused, by 403."""
        refused = self._stage is _SILENT and _type(message) == "websocket.close"
        if refused and not self._served and not self._gone:
            self._stage = _OVER
            await _refuse(self._send, "websocket.http.response", 403)
        else:
            await super().send(message)

    def heard(self, message: Message) -> Message:
        """Return what becomes of a message. Raises Breach."""
        kind = _type(message)
        if kind == "websocket.send" and self._stage is _TALKING:
            return _frame(message)
        if kind == "websocket.close":
            self._stage = _OVER  # what is closed twice is closed
            return message
        if self._stage is _SILENT and kind == "websocket.accept":
            return self._accept(message)
        if self._stage is _SILENT and kind == "websocket.http.response.start":
            status, (headers, _) = status_of(message), headers_of(message)
            self._stage = _REFUSING
            return {**message, "status": status, "headers": headers}
        if self._stage is _REFUSING and kind == "websocket.http.response.body":
            if not message.get("more_body", False):
                self._stage = _OVER
            return {**message, "body": bytes_of(message.get("body", b""))}
        raise self._out_of_order(message)

    def _accept(self, message: Message) -> Message:
        chosen = message.get("subprotocol")
        offered = self._scope.get("subprotocols") or ()
        if chosen is not None and chosen not in offered:
            raise Breach(
                "asgi/subprotocol",
                f"it accepted with the subprotocol {chosen!r}, and the client offered "
                f"{', '.join(offered) or 'none'}",
                "choose one of scope['subprotocols'], or none",
            )
        headers, _ = headers_of(message)
        if any(name.lower() == b"sec-websocket-protocol" for name, _ in headers):
            said = "it accepted with a header Sec-WebSocket-Protocol, which is the server's"
            raise Breach("asgi/subprotocol", said, "name it as 'subprotocol'")
        self._stage = _TALKING
        return {**message, "headers": headers}

    async def complete(self, cause: BaseException | None) -> None:
        """Refuse a handshake that had no answer, by 500; close, with 1011, what was left open."""
        if self._gone:
            return
        if self._stage is _SILENT:
            await _refuse(self._send, "websocket.http.response", 500)
        elif self._stage is _TALKING:
            await self._send({"type": "websocket.close", "code": 1011})
        elif self._stage is _REFUSING:
            raise BrokenOffError(f"WEBSOCKET {self._scope['path']}") from cause


def bytes_of(body: Any) -> bytes:
    """Return a chunk of a body. Raises Breach for what is none."""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    kind = type(body).__name__
    raise Breach("asgi/body", f"it sent {kind} as a part of a body, and not bytes", _ENCODE)


def _frame(message: Message) -> Message:
    data, text = message.get("bytes"), message.get("text")
    if data is not None:
        return {**message, "bytes": bytes_of(data)}
    if isinstance(text, str):
        return message
    kind = type(text).__name__
    raise Breach("asgi/body", f"it sent a frame with neither bytes nor text, but {kind}", _ENCODE)


def _type(message: Any) -> str | None:
    try:
        kind = message["type"]
    except (TypeError, LookupError):
        return None
    return kind if isinstance(kind, str) else None


async def _refuse(send: Send, kind: str, status: int) -> None:
    """Give a server's own answer, as Hypercorn has it."""
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"", "more_body": False})
