"""Quart's test client, speaking to any target over its wire, each exchange counted."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quart import Quart
from quart.testing import QuartClient

from harness.targets import Asgi, Message, Receive, Running, Scope, Send


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer between a test and its target. `status` of a WebSocket: 101."""

    method: str
    path: str
    status: int
    traceparent: str


@dataclass(slots=True)
class Exchanges:
    """What the tests said to their target and heard from it, since `take` was last called.

    Apart from these: the import names of the applications that they called by themselves.
    """

    _noted: list[Exchange] = field(default_factory=list)
    _apart: list[str] = field(default_factory=list)

    def note(self, exchange: Exchange) -> None:
        """Add one."""
        self._noted.append(exchange)

    def take(self) -> list[Exchange]:
        """Return those noted so far and forget them."""
        noted, self._noted = self._noted, []
        return noted

    def note_apart(self, name: str) -> None:
        """Add one with an application that is called `name` and is not the target's."""
        self._apart.append(name)

    def take_apart(self) -> list[str]:
        """Return the names noted so far and forget them."""
        apart, self._apart = self._apart, []
        return apart


def counted(wire: Asgi, note: Callable[[Exchange], None]) -> Asgi:
    """Return a wire whose every exchange is noted and carries a trace context."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        traceparent = _traceparent(scope)

        async def noting(message: Message) -> None:
            status = _status(message)
            if status is not None:
                method = scope.get("method", "GET")
                note(Exchange(method, scope["path"], status, traceparent))
            await send(message)

        await wire(scope, receive, noting)

    return call


class _Line:
    """The application as Quart's connections see it, but for its wire."""

    def __init__(self, app: Quart, wire: Asgi) -> None:
        self._app = app
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def complete(message: Message) -> None:
            await send(_complete(message))

        await self._wire(scope, receive, complete)


def connect(client: QuartClient, wire: Asgi) -> None:
    """Let a client of Quart's, or of a subclass, speak over `wire`."""
    line: Any = _Line(client.app, wire)
    http_of, websocket_of = client.http_connection_class, client.websocket_connection_class

    def http(_: Quart, scope: Any, _preserve_context: bool = False) -> Any:
        return http_of(line, scope, _preserve_context)

    def websocket(_: Quart, scope: Any) -> Any:
        return websocket_of(line, scope)

    # Quart documents these two as attributes to replace.
    client.http_connection_class = http  # type: ignore[assignment]  # a maker of connections
    client.websocket_connection_class = websocket  # type: ignore[assignment]  # likewise


def _complete(message: Message) -> Message:
    """Add what ASGI lets an application leave out and Quart's connections (0.23) rely on."""
    if message["type"] == "http.response.body":
        return {"body": b"", "more_body": False, **message}
    return message


def _status(message: Message) -> int | None:
    if message["type"] in ("http.response.start", "websocket.http.response.start"):
        return int(message["status"])
    return 101 if message["type"] == "websocket.accept" else None


def _traceparent(scope: Scope) -> str:
    """Return the request's W3C trace context, after giving it one where it has none."""
    for name, value in scope["headers"]:
        if name.lower() == b"traceparent":
            return str(value.decode("latin-1"))
    made = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    scope["headers"] = [*scope["headers"], (b"traceparent", made.encode())]
    return made


class Client(QuartClient):
    """Quart's test client over a target's wire. Everything that Quart documents works."""

    def __init__(self, running: Running, exchanges: Exchanges) -> None:
        app = running.app if isinstance(running.app, Quart) else Quart("harness-carrier")
        super().__init__(app)
        connect(self, counted(running.wire, exchanges.note))
