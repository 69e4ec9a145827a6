"""A request while an application answers it, known to all code that runs for it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable
from typing import Any, NamedTuple

from harness.targets import Asgi, Receive, Scope, Send


class Meanwhile(NamedTuple):
    """The test that is running meanwhile. `strict`: a record of level ERROR fails it."""

    name: str = ""
    strict: bool = False


class Call:
    """One call of an application: of its lifespan, or for a request in a test."""

    __slots__ = ("app", "over", "scope", "service", "test")

    def __init__(self, app: Asgi, service: str, scope: Scope, test: Meanwhile) -> None:
        self.app = app
        self.service = service
        self.scope = scope
        self.test = test
        self.over = False

    @property
    def is_request(self) -> bool:
        """Tell whether this is a request, and not the application's lifespan."""
        return bool(self.scope["type"] != "lifespan")


CALL: contextvars.ContextVar[Call | None] = contextvars.ContextVar("harness-call", default=None)
"""The call that the running code is for. Tasks and threads that a handler starts inherit it."""


def noted(
    app: Asgi, service: str, begin: Callable[[Asgi, str, Scope], Call], through: Asgi | None = None
) -> Asgi:
    """Return an application whose every call is begun by `begin`, and goes `through` a wrapper."""
    called = through or app

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        outer = CALL.get()
        one = begin(app, service, scope)
        CALL.set(one)
        try:
            await called(scope, receive, send)
        finally:
            one.over = True
            CALL.set(outer)

    return call


def call_of(task: asyncio.Task[Any]) -> Call | None:
    """Return the call that a task was made in."""
    if hasattr(task, "get_context"):  # Python 3.12
        context = task.get_context()
    else:
        known = gc.get_referents(task)  # the task's own context comes first
        context = next((one for one in known if isinstance(one, contextvars.Context)), None)
    return context.get(CALL) if context is not None else None
