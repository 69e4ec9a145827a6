"""Clients that tests make of an application themselves: led to the target, or told apart."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from quart import Quart
from quart.testing import QuartClient

from harness.targets import Asgi, Receive, Running, Scope, Send
from harness.targets.browser import as_browser
from harness.targets.client import connect
from harness.targets.exchange import Exchanges, counted
from harness.targets.trace import traced

RunningOf = Callable[[Quart], Running | None]
"""Finds what runs in the target in place of an application; None: nothing does."""


@contextlib.contextmanager
def own_clients(
    exchanges: Exchanges, running_of: RunningOf, watched: Callable[[Asgi], Asgi] = lambda app: app
) -> Iterator[None]:
    """Let ``app.test_client()`` of the application under test speak to its target.

    A client of any other keeps to it, `watched`, and its exchanges are noted apart. Where the
    target runs an application, ``app.test_app()`` does not start it again, on another loop.
    """
    make_client, make_app = Quart.test_client, Quart.test_app

    def test_client(app: Quart, *arguments: Any, **options: Any) -> Any:
        client = make_client(app, *arguments, **options)
        if isinstance(client, QuartClient):
            running = running_of(app)
            if running is not None:
                as_browser(client).visit(running.url)
            connect(client, _wire(app, exchanges, running_of, watched))
        return client

    def test_app(app: Quart) -> Any:
        tested: Any = make_app(app)
        if running_of(app) is not None:
            tested.startup = tested.shutdown = _nothing
        return tested

    quart: Any = Quart
    quart.test_client, quart.test_app = test_client, test_app
    try:
        yield
    finally:
        quart.test_client, quart.test_app = make_client, make_app


def _wire(
    app: Quart, exchanges: Exchanges, running_of: RunningOf, watched: Callable[[Asgi], Asgi]
) -> Asgi:
    """Decide anew for each exchange: a client may outlive the test that made it."""
    itself: Any = app
    apart = counted(traced(watched(itself), app.import_name), exchanges, app.import_name)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        running = running_of(app)
        led = apart if running is None else counted(running.wire, exchanges, url=running.url)
        await led(scope, receive, send)

    return call


async def _nothing() -> None:
    """Stand where a start-up would run."""
