"""The service in this process, on the loop of its tests, its lifespan run."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from harness.errors import TargetError
from harness.loops import across
from harness.targets import Asgi, Message, Receive, Scope, Send

STARTUP_S = 60.0
"""How long a service may take to start: Hypercorn's own default."""

SHUTDOWN_S = 10.0


class Inproc:
    """Runs the lifespan of an application (ASGI Lifespan Protocol 2.0) around its tests."""

    def __init__(self, app: Asgi, name: str) -> None:
        self.app = app
        self.wire: Asgi = self._call
        self._name = name
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._started = asyncio.Event()
        self._state: dict[str, Any] = {}
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._home: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Inproc:
        self._home = asyncio.get_running_loop()
        asgi = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": asgi, "state": self._state}
        self._task = asyncio.ensure_future(self._lifespan(scope))
        await self._to_app.put({"type": "lifespan.startup"})
        try:
            await asyncio.wait_for(self._started.wait(), STARTUP_S)
        except TimeoutError:
            self._task.cancel()
            raise self._error(f"did not finish its start-up within {STARTUP_S:.0f} s") from None
        if self._failure is not None:
            raise self._error(f"failed to start: {self._failure}")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._task is None or self._task.done():
            return
        await self._to_app.put({"type": "lifespan.shutdown"})
        await asyncio.wait({self._task}, timeout=SHUTDOWN_S)
        self._task.cancel()

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with what a server gives and Quart's test client leaves out."""
        scope["state"] = self._state.copy()
        if scope["type"] == "websocket":
            scope.setdefault("subprotocols", [])
            receive = _connecting(receive)
        here = asyncio.get_running_loop()
        if self._home is None or self._home is here or not self._home.is_running():
            await self.app(scope, receive, send)
        else:  # a test's own loop, in a thread; what start-up made belongs to ours
            await across(self._home, self.app)(scope, across(here, receive), across(here, send))

    async def _lifespan(self, scope: dict[str, Any]) -> None:
        try:
            # An application without lifespan support raises; servers go on, and so do we.
            with contextlib.suppress(Exception):
                await self.app(scope, self._to_app.get, self._from_app)
        except SystemExit as error:
            # It gave up, and not us: what leaves a task as SystemExit would end the whole loop.
            self._failure = f"SystemExit: {error}"
        finally:
            self._started.set()

    async def _from_app(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._failure = message.get("message") or "it gave no reason"
        if message["type"].startswith("lifespan.startup."):
            self._started.set()

    def _error(self, said: str) -> TargetError:
        return TargetError(
            "target/start-up",
            f"the service {self._name} {said}",
            where=self._name,
            next_step="see its log above; the environment is that of the plan",
        )


def _connecting(receive: Receive) -> Receive:
    """Let a WebSocket begin as ASGI has it, with the client's wish to connect."""
    first: list[Message] = [{"type": "websocket.connect"}]

    async def receiving() -> Message:
        return first.pop() if first else await receive()

    return receiving
