"""Quart's test client, speaking to any target over its wire, each exchange counted."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from quart import Quart
from quart.testing import QuartClient

from harness.targets import Asgi, Receive, Running, Scope, Send
from harness.targets.browser import CARRIER, Browser
from harness.targets.exchange import Exchanges, counted


class _Line:
    """The application as Quart's connections see it, but for its wire."""

    def __init__(self, app: Quart, wire: Asgi) -> None:
        self._app = app
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._wire(scope, receive, send)


def connect(client: QuartClient, wire: Asgi) -> None:
    """Let a client of Quart's, or of a subclass, speak over `wire`, which is `counted`."""
    line: Any = _Line(client.app, wire)
    http_of, websocket_of = client.http_connection_class, client.websocket_connection_class

    def http(_: Quart, scope: Any, _preserve_context: bool = False) -> Any:
        return http_of(line, scope, _preserve_context)

    def websocket(_: Quart, scope: Any) -> Any:
        return websocket_of(line, scope)

    # Quart documents these two as attributes to replace.
    client.http_connection_class = http  # type: ignore[assignment]  # a maker of connections
    client.websocket_connection_class = websocket  # type: ignore[assignment]  # likewise


class Client(Browser):
    """Quart's test client over a target's wire. Everything that Quart documents works."""

    def __init__(self, running: Running, exchanges: Exchanges) -> None:
        app = running.app if isinstance(running.app, Quart) else Quart(CARRIER)
        super().__init__(app)
        self.visit(running.url)
        connect(self, counted(running.wire, exchanges, url=running.url))
