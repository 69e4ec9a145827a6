"""A lint of the ASGI conversation, as WebTest has one of WSGI's: what no server would send.

It stands between an application and whoever serves it. In front of a real server it only listens;
in process it is the server, and does what Hypercorn does over HTTP/1.1: it refuses, trims, leaves
out and cuts off. The rules are those of the ASGI specification
(https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import itertools
import traceback
from collections.abc import Callable
from pathlib import Path

from quart import Quart

from harness.errors import TargetError
from harness.targets import Asgi, Receive, Scope, Send
from harness.targets.conversation import Conversation, Exchange, Socket
from harness.targets.hang import own_line
from harness.targets.header import Breach

Note = Callable[[TargetError], None]


def unheard(breach: TargetError) -> None:
    """Let a breach pass."""


class Lint:
    """An ASGI application that passes on what `app` says, and notes each breach of a rule.

    With `served`, a real server stands before it, and makes of everything what it makes of it.
    Places are relative to `root`, the project.
    """

    def __init__(
        self, app: Asgi, note: Note = unheard, root: Path = Path(), *, served: bool = False
    ) -> None:
        self._app = app
        self._note = note
        self._root = root
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have one conversation."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        if isinstance(self._app, Quart):
            _as_in_production(self._app)
        noted = functools.partial(self._noted, scope)
        talk: Conversation = (Exchange if scope["type"] == "http" else Socket)(
            scope, receive, send, noted, served=self._served
        )
        if self._served:
            return await self._app(scope, talk.receive, talk.send)
        cause = await self._run(scope, talk.receive, talk.send)
        return await talk.complete(cause)

    def _noted(self, scope: Scope, breach: Breach) -> None:
        self._note(self._told(breach, scope))
        if not self._served:
            raise breach

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> BaseException | None:
        """Run the application, and return what it raised: the client never hears of that."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it is we who are cancelled
            return error
        except Exception as error:
            cause = _alone(error)
            if not isinstance(cause, Breach):
                traceback.print_exception(cause)  # as a server logs it
            return cause
        return None

    def _told(self, breach: Breach, scope: Scope) -> TargetError:
        request = f"{scope.get('method', 'WEBSOCKET')} {scope['path']}"
        return TargetError(
            breach.slug,
            f"the application broke a rule of ASGI in its answer to {request}: {breach.said}",
            where=self._place(scope),
            next_step=breach.next_step,
        )

    def _place(self, scope: Scope) -> str:
        """Return the project's own line that is being executed, or else its handler's."""
        here = own_line(_lines()[::-1], self._root)
        return here or own_line([_handler(self._app, scope)], self._root)


def _alone(error: Exception) -> Exception:
    """Return what was raised: the groups of tasks that it went through, Quart's own, hide it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _lines() -> list[tuple[str, int | None]]:
    """Return the lines that are being executed, the innermost first, as far as the event loop."""
    task = itertools.takewhile(
        lambda one: one[0].f_globals.get("__name__") != "asyncio.events",
        traceback.walk_stack(None),
    )
    return [(frame.f_code.co_filename, number) for frame, number in task]


def _as_in_production(app: Quart) -> None:
    """Let an application's own error handlers answer, which Quart's TESTING would bypass."""
    config = app.config
    if config["TESTING"] and config["PROPAGATE_EXCEPTIONS"] is None:
        config["PROPAGATE_EXCEPTIONS"] = False


def _handler(app: Asgi, scope: Scope) -> tuple[str, int | None]:
    """Return file and line of a request's handler, or of what else is called."""
    found: object = app
    if isinstance(app, Quart):
        with contextlib.suppress(Exception):  # no route, or another host's
            bound = app.url_map.bind("", url_scheme=scope["scheme"])
            is_socket = scope["type"] == "websocket"
            endpoint, _ = bound.match(
                scope["path"], scope.get("method", "GET"), websocket=is_socket
            )
            found = inspect.unwrap(app.view_functions[endpoint])
    code = getattr(found, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else ("", None)
