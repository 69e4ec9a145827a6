"""The service in this process, on the loop of its tests, its lifespan run."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

from harness.errors import TargetError
from harness.facts import Surprise
from harness.loops import across, within
from harness.targets import Asgi, Message, Receive, Scope, Send, not_stopped
from harness.targets.call import CALL
from harness.targets.hang import Hung, Limits, Stack, interrupted, stacks_of
from harness.targets.head import refused
from harness.targets.lifespan import Lifespan, Stage
from harness.targets.lint import Lint, Note, unheard
from harness.targets.trace import CoroutineAsgi, traced
from harness.targets.upgrade import Upgrade, refuse
from harness.targets.watch import Watch

_BLOCKED_S = 0.5
_SECURE = {"http": "https", "ws": "wss"}
_ADDRESS = "127.0.0.1:8000"  # of a service that nobody else calls


class Inproc:
    """Runs the lifespan of an application (ASGI Lifespan Protocol 2.0) around its tests.

    With `tls`, requests look as if they had come over it. Nothing listens at `url`: it is what
    clients call the service. What the application says is held to what a server would send of it,
    and `note` is told of each breach.
    """

    def __init__(
        self, app: Asgi, name: str, limits: Limits | None = None, *, tls: bool = False,
        url: str = "", note: Note = unheard, watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self.app = app
        self.url = url or f"{'https' if tls else 'http'}://{_ADDRESS}"
        self.wire: Asgi = self._call
        self.trouble: Surprise | None = None
        self._name = name
        self._limits = limits or Limits()
        self._tls = tls
        cleared = _cleared(traced(Lint(app, note, self._limits.root), name))
        self._called = watch.over(app, name, cleared) if watch else cleared
        self._lifespan = Lifespan(self._called, self._on_stage)
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
        if (status := refused(scope)) is not None:
            await refuse(scope, send, status)
            return
        if scope["type"] == "websocket":
            scope.setdefault("subprotocols", [])
            upgrade = Upgrade(scope, receive, send)
            receive, send = upgrade.receive, upgrade.send
        here = asyncio.get_running_loop()
        if self._home is None or self._home is here or not self._home.is_running():
            await self._called(scope, receive, send)
        else:  # a test's own loop, in a thread; what start-up made belongs to ours
            await across(self._home, self._called)(scope, across(here, receive), across(here, send))
        if scope["type"] == "websocket":
            await upgrade.complete()

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


def _cleared(app: CoroutineAsgi) -> Asgi:
    """Call an application as a server does, whose context has nothing that a test has set."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        context = Context()
        context.run(CALL.set, CALL.get())
        await within(context, app(scope, receive, send))

    return call


async def _nobody(message: Message) -> None:
    """Hear what an application says; its lifespan has been noted."""
