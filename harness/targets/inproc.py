"""The service in this process, on the loop of its tests, its lifespan run."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.errors import TargetError
from harness.facts import Surprise
from harness.loops import across
from harness.targets import Asgi, Message, Receive, Scope, Send, not_stopped
from harness.targets.hang import Hung, Limits, Stack, interrupted, stacks_of
from harness.targets.lifespan import Lifespan, Stage

_BLOCKED_S = 0.5
_SECURE = {"http": "https", "ws": "wss"}


class Inproc:
    """Runs the lifespan of an application (ASGI Lifespan Protocol 2.0) around its tests.

    With `tls`, requests look as if they had come over it.
    """

    def __init__(
        self, app: Asgi, name: str, limits: Limits | None = None, *, tls: bool = False
    ) -> None:
        self.app = app
        self.wire: Asgi = self._call
        self.trouble: Surprise | None = None
        self._name = name
        self._limits = limits or Limits()
        self._tls = tls
        self._lifespan = Lifespan(app, self._on_stage)
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._started = asyncio.Event()
        self._state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._home: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Inproc:
        self._home = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._live())
        await self._to_app.put({"type": "lifespan.startup"})
        start_s = self._limits.start_s
        # Of start-ups that wait, the loop sees to it; the alarm is for those that block it.
        with interrupted(start_s + _BLOCKED_S, Inproc._live.__code__, self._hung):
            try:
                await asyncio.wait_for(self._started.wait(), start_s)
            except TimeoutError:
                error = self._hung(stacks_of(None, self._task))
                await self._abandon(self._task)
                raise error from None
        if self._lifespan.failure:
            self._task.cancel()
            raise TargetError(
                "target/start-up",
                f"the service {self._name} failed to start: {self._lifespan.failure}",
                where=self._name,
                next_step="see its log above; the environment is that of the plan",
            )
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._task is None:
            return
        if not self._task.done():
            await self._to_app.put({"type": "lifespan.shutdown"})
            blocked_s = self._limits.stop_s + _BLOCKED_S
            with (
                contextlib.suppress(TargetError),
                interrupted(blocked_s, Inproc._live.__code__, self._did_not_stop),
            ):
                await asyncio.wait({self._task}, timeout=self._limits.stop_s)
            if not self._task.done():
                self._did_not_stop(stacks_of(None, self._task))
                await self._abandon(self._task)
        if self._lifespan.trouble and self.trouble is None:
            self.trouble = not_stopped(self._name, self._lifespan.trouble)

    def _hung(self, stacks: list[Stack]) -> TargetError:
        return self._limits.hung(f"the start-up of the service {self._name}", stacks, self._name)

    def _did_not_stop(self, stacks: list[Stack]) -> TargetError:
        said = f"it had not ended after {self._limits.stop_s:g} s"
        self.trouble = not_stopped(self._name, said, self._limits.place(stacks))
        return TargetError("target/shut-down", said)

    async def _abandon(self, task: asyncio.Task[None]) -> None:
        """Leave a lifespan behind, and what it does on another thread: that cannot be ended."""
        task.cancel()
        await asyncio.wait({task}, timeout=_BLOCKED_S)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with what a server gives and Quart's test client leaves out."""
        scope["state"] = self._state.copy()
        if self._tls:
            scope["scheme"] = _SECURE.get(scope["scheme"], scope["scheme"])
        if scope["type"] == "websocket":
            scope.setdefault("subprotocols", [])
            receive = _connecting(receive)
        answer = _Answer(receive, send)
        receive, send = answer.receive, answer.send
        here = asyncio.get_running_loop()
        if self._home is None or self._home is here or not self._home.is_running():
            await self.app(scope, receive, send)
        else:  # a test's own loop, in a thread; what start-up made belongs to ours
            await across(self._home, self.app)(scope, across(here, receive), across(here, send))
        if scope["type"] == "http":
            await answer.complete(f"{scope['method']} {scope['path']}")

    async def _live(self) -> None:
        asgi = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": asgi, "state": self._state}
        try:
            # An application without lifespan support raises; servers go on, and so do we.
            with contextlib.suppress(Exception, Hung):
                await self._lifespan(scope, self._to_app.get, _nobody)
        except SystemExit:
            pass  # it gave up, and not us: what leaves a task so would end the whole loop
        finally:
            self._started.set()

    def _on_stage(self, stage: Stage) -> None:
        self._started.set()


async def _nobody(message: Message) -> None:
    """Hear what an application says; its lifespan has been noted."""


class _Answer:
    """What an application says to a request; a server answers where it says nothing."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._begun = False
        self._over = False

    async def receive(self) -> Message:
        """Pass on what the client says: one that has gone needs no answer."""
        message = await self._receive()
        self._over = self._over or message["type"] == "http.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Pass on what the application says."""
        self._begun = True
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._over = True
        await self._send(message)

    async def complete(self, request: str) -> None:
        """Answer 500, as Hypercorn does, where there was no answer: Quart's client makes it 200.

        Raises TargetError where there was half of one, which that client takes for whole.
        """
        if self._begun and not self._over:
            raise TargetError(
                "target/cut-off",
                f"the answer to {request} broke off: the application returned before it was whole",
                next_step="let its last http.response.body have no more_body",
            )
        if not self._over:
            await self._send({"type": "http.response.start", "status": 500, "headers": []})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _connecting(receive: Receive) -> Receive:
    """Let a WebSocket begin as ASGI has it, with the client's wish to connect."""
    first: list[Message] = [{"type": "websocket.connect"}]

    async def receiving() -> Message:
        return first.pop() if first else await receive()

    return receiving
