"""Clients that tests make of an application themselves: led to the target, or told apart."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from quart import Quart
from quart.testing import QuartClient

from harness.targets import Asgi, Receive, Scope, Send
from harness.targets.client import Exchanges, connect, counted

WireOf = Callable[[Quart], Asgi | None]
"""Finds what reaches the target in place of an application; None: nothing does."""


@contextlib.contextmanager
def own_clients(exchanges: Exchanges, wire_of: WireOf) -> Iterator[None]:
    """Let ``app.test_client()`` of the application under test speak to its target.

    A client of any other keeps to it, and its exchanges are noted apart. Where the target runs
    an application, ``app.test_app()`` does not start it a second time, on another loop.
    """
    make_client, make_app = Quart.test_client, Quart.test_app

    def test_client(app: Quart, *arguments: Any, **options: Any) -> Any:
        client = make_client(app, *arguments, **options)
        if isinstance(client, QuartClient):
            connect(client, _wire(app, exchanges, wire_of))
        return client

    def test_app(app: Quart) -> Any:
        tested: Any = make_app(app)
        if wire_of(app) is not None:
            tested.startup = tested.shutdown = _nothing
        return tested

    quart: Any = Quart
    quart.test_client, quart.test_app = test_client, test_app
    try:
        yield
    finally:
        quart.test_client, quart.test_app = make_client, make_app


def _wire(app: Quart, exchanges: Exchanges, wire_of: WireOf) -> Asgi:
    """Decide anew for each exchange: a client may outlive the test that made it."""
    itself: Any = app
    apart = counted(itself, lambda _: exchanges.note_apart(app.import_name))

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        wire = wire_of(app)
        await (apart if wire is None else counted(wire, exchanges.note))(scope, receive, send)

    return call


async def _nothing() -> None:
    """Stand where a start-up would run."""
