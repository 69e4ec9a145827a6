"""What tests and their target said to each other: each exchange, its start and its end.

Only so much is kept as is shown of a test that fails, and nothing is put into words before.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from harness.curl import SHOWN_BYTES, Asked
from harness.targets import Asgi, Message, Receive, Scope, Send
from harness.targets.cookies import HELD_BACK

_KEPT_BYTES = SHOWN_BYTES + 8192  # a secret that begins in what is shown must be seen whole
_MOST_ENDS = 5
LOCAL = "http://localhost"
"""Where a service in this process seems to be: what Quart's client sends as its host."""

_UNSAID = frozenset({("user-agent", "Quart"), ("accept", "*/*"), ("host", "localhost")})
"""What curl, Quart's client and its way to a server say of themselves."""

T = TypeVar("T")


class Ends(Generic[T]):
    """The first and the last `most` of many; how many lie between is counted."""

    def __init__(self, most: int = _MOST_ENDS) -> None:
        self.first: list[T] = []
        self.last: deque[T] = deque(maxlen=most)
        self._most = most
        self._added = 0
        self._lock = threading.Lock()

    def add(self, one: T) -> None:
        """Add one, from any thread."""
        with self._lock:
            self._added += 1
            (self.first if len(self.first) < self._most else self.last).append(one)

    @property
    def left_out(self) -> int:
        """How many are not kept."""
        return self._added - len(self.first) - len(self.last)

    def __iter__(self) -> Iterator[T]:
        return iter([*self.first, *self.last])


class Start:
    """The first bytes of a body, and how many there were."""

    __slots__ = ("kept", "length")

    def __init__(self) -> None:
        self.kept = b""
        self.length = 0

    def add(self, data: bytes) -> None:
        """Add what came next. What is no bytes is for whom it was meant to refuse."""
        if type(data) is not bytes and not isinstance(data, bytearray | memoryview | bytes):
            return
        if len(self.kept) < _KEPT_BYTES:
            self.kept += data[: _KEPT_BYTES - len(self.kept)]
        self.length += len(data)


class Spoken(NamedTuple):
    """A message of a WebSocket, and who sent it. The length of a text is in characters."""

    by_test: bool
    is_text: bool
    start: Start


class Exchange:
    """A request and its answer between a test and its target.

    `status` is None before an answer, 101 of a WebSocket. `broke` is what was raised instead of
    the answer's end. `seconds` is None while it goes on. `at` is in seconds since 1970. `apart` is
    the import name of an application that the test called by itself and that is not the target's.
    `held_back` are the ``Secure`` cookies that were not sent, since it is not over https.
    """

    __slots__ = (
        "_began", "answer", "answer_headers", "apart", "at", "body", "broke", "headers",
        "held_back", "is_websocket", "messages", "method", "path", "query", "raw_path", "seconds",
        "status", "subprotocols", "traceparent", "url",
    )  # fmt: skip

    def __init__(self, scope: Scope, url: str = LOCAL, apart: str | None = None) -> None:
        self.is_websocket = scope["type"] == "websocket"
        self.method: str = scope.get("method", "GET")
        self.url = url
        self.path: str = scope["path"]
        self.raw_path: bytes = scope.get("raw_path") or b""
        self.query: bytes = scope.get("query_string") or b""
        self.traceparent = _traceparent(scope)
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.held_back: list[str] = scope.pop(HELD_BACK, [])  # is nothing of the application's
        self.subprotocols = tuple(scope.get("subprotocols") or ())
        self.body, self.answer = Start(), Start()
        self.status: int | None = None
        self.answer_headers: Iterable[tuple[bytes, bytes]] = ()
        self.messages: Ends[Spoken] = Ends() if self.is_websocket else _NONE
        self.broke = ""
        self.apart = apart
        self.seconds: float | None = None
        self.at = time.time()
        self._began = time.perf_counter()

    @property
    def target(self) -> bytes:
        """Path and query, as they were sent."""
        raw = self.raw_path or self.path.encode(errors="replace")
        return raw + (b"?" + self.query if self.query else b"")

    @property
    def asked(self) -> Asked:
        """The request."""
        return Asked(
            self.method, self.url, self.target, self.headers, self.body.kept, self.body.length,
            _UNSAID, self.is_websocket, self.subprotocols,
        )  # fmt: skip

    def heard(self, message: Message) -> None:
        """Take down what the test sends."""
        kind = message["type"]
        if kind == "http.request":
            self.body.add(message.get("body", b""))
        elif kind == "websocket.receive":
            self.messages.add(_spoken(message, by_test=True))

    def said(self, message: Message) -> bool:
        """Take down what the target answers; True where the answer begins."""
        kind = message["type"]
        if self.is_websocket:
            kind = kind.removeprefix("websocket.")
        if kind == "http.response.body":
            self.answer.add(message.get("body", b""))
        elif kind == "http.response.start":
            status = message.get("status")
            self.status = int(status) if isinstance(status, int) else 0
            self.answer_headers = message.get("headers", ())  # once read, some are no more
            return True
        elif kind == "accept":
            self.status, self.answer_headers = 101, message.get("headers", ())
            return True
        elif kind == "send":
            self.messages.add(_spoken(message, by_test=False))
        return False

    def end(self, error: BaseException | None = None) -> None:
        """Take down that it is over, and what was raised instead of its end."""
        self.seconds = time.perf_counter() - self._began
        if error is not None:
            said = "".join(traceback.format_exception_only(error)).strip()
            self.broke = said[:_KEPT_BYTES]


_NONE: Ends[Spoken] = Ends(0)


def _spoken(message: Message, *, by_test: bool) -> Spoken:
    text, start = message.get("text"), Start()
    if not isinstance(text, str):
        start.add(message.get("bytes") or b"")
        return Spoken(by_test, False, start)
    start.add(text[:_KEPT_BYTES].encode("utf-8", "backslashreplace"))
    start.length = len(text)
    return Spoken(by_test, True, start)


class Exchanges:
    """What the tests said to their target and heard from it, since `take` was last called.

    `answered` counts those with an answer. Apart from these: the import names of the applications
    that the tests called by themselves.
    """

    def __init__(self) -> None:
        self.kept: Ends[Exchange] = Ends()
        self.answered = 0
        self._apart: list[str] = []
        self._lock = threading.Lock()

    def begin(self, exchange: Exchange) -> None:
        """Add one that begins."""
        self.kept.add(exchange)

    def note(self, exchange: Exchange) -> None:
        """Count one that is answered."""
        with self._lock:
            if exchange.apart is None:
                self.answered += 1
            else:
                self._apart.append(exchange.apart)

    @contextlib.contextmanager
    def set_aside(self) -> Iterator[Ends[Exchange]]:
        """Keep what is said meanwhile apart: it is no evidence of a test."""
        before = self.kept, self.answered
        self.kept, self.answered = Ends(), 0
        try:
            yield self.kept
        finally:
            self.kept, self.answered = before

    def take(self) -> list[Exchange]:
        """Return those that were kept and forget all."""
        kept, self.kept, self.answered = self.kept, Ends(), 0
        return list(kept)

    def take_apart(self) -> list[str]:
        """Return the names noted so far and forget them."""
        apart, self._apart = self._apart, []
        return apart


def counted(
    wire: Asgi, exchanges: Exchanges, apart: str | None = None, url: str | None = None
) -> Asgi:
    """Return a wire whose every exchange is noted, carries a trace context and is complete.

    `apart` is the import name of the application where it is not the target's; `url` is where the
    wire leads, if it does not say so itself.
    """
    at = url or str(getattr(wire, "url", LOCAL))

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, at, apart)
        exchanges.begin(exchange)

        async def hearing() -> Message:
            message = await receive()
            exchange.heard(message)
            return message

        async def saying(message: Message) -> None:
            if exchange.said(message):
                exchanges.note(exchange)
            await send(_complete(message))

        try:
            await wire(scope, hearing, saying)
        except BaseException as error:
            exchange.end(error)
            raise
        exchange.end()

    return call


def _complete(message: Message) -> Message:
    """Add what ASGI lets an application leave out and Quart's connections (0.23) rely on."""
    if message["type"] != "http.response.body" or ("body" in message and "more_body" in message):
        return message
    return {"body": b"", "more_body": False, **message}


def _traceparent(scope: Scope) -> str:
    """Return the request's W3C trace context, after giving it one where it has none."""
    for name, value in scope["headers"]:
        if name.lower() == b"traceparent":
            return str(value.decode("latin-1"))
    random = secrets.token_hex(24)
    made = f"00-{random[:32]}-{random[32:]}-01"
    scope["headers"] = [*scope["headers"], (b"traceparent", made.encode())]
    return made
