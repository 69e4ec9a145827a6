"""The service under a real Hypercorn, on a thread and a loop of its own, at a free port."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from harness.errors import TargetError
from harness.facts import Surprise
from harness.targets import Asgi, not_stopped
from harness.targets.forward import SILENT_S, Forward
from harness.targets.hang import Limits, stacks_of
from harness.targets.lifespan import Lifespan
from harness.targets.lint import Lint, Note, unheard
from harness.targets.port import Port
from harness.targets.server import GRACE_S, serve
from harness.targets.trace import traced
from harness.targets.watch import Watch


class Served:
    """Serves an application. `wire` passes requests on to it over a real connection.

    `note` is told of each breach of ASGI by the application, from the thread that serves it.
    """

    def __init__(
        self, app: Asgi, name: str, port: Port | None = None, limits: Limits | None = None,
        watch: Watch | None = None, *, note: Note = unheard,
    ) -> None:  # fmt: skip
        self.app = app
        self._watch = watch
        self.trouble: Surprise | None = None
        self._name = name
        self._port = port or Port.bound()
        self._limits = limits or Limits()
        self.url = self._port.url
        self._forward = Forward(self.url, silent_s=SILENT_S)
        self.wire: Asgi = self._forward
        linted: Asgi = Lint(app, note, self._limits.root, served=True)
        watched = watch.over(app, name, linted) if watch else linted
        self._lifespan = Lifespan(traced(watched, name))
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"harness-served-{name}", daemon=True
        )

    async def __aenter__(self) -> Served:
        self._thread.start()
        deadline = asyncio.get_running_loop().time() + self._limits.start_s
        while not await _listens(self._port.address):
            if not self._thread.is_alive():
                raise TargetError(
                    "target/start-up",
                    f"the service {self._name} failed to start: {_said(self._failure)}",
                    where=self._name,
                    next_step="see its log above; the environment is that of the plan",
                )
            if asyncio.get_running_loop().time() > deadline:
                what = f"the start-up of the service {self._name}"
                error = self._limits.hung(
                    what, stacks_of(self._thread, self._lifespan.task), self._name
                )
                self._cancel()
                raise error
            await asyncio.sleep(0.005)
        self._forward.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._forward.close()
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.to_thread(self._thread.join, self._limits.stop_s + GRACE_S)
        if self._thread.is_alive():
            said = f"it had not ended after {self._limits.stop_s:g} s"
            self.trouble = not_stopped(
                self._name, said, self._limits.place(stacks_of(self._thread, self._lifespan.task))
            )
            self._cancel()
            await asyncio.to_thread(self._thread.join, GRACE_S)
        elif self._lifespan.trouble or self._failure:
            said = self._lifespan.trouble or _said(self._failure)
            self.trouble = not_stopped(self._name, said)

    def _cancel(self) -> None:
        """End what may still be waiting. What blocks its thread is left: it is a daemon's."""
        if self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # it has ended after all
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error

    async def _serve(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._stop = asyncio.Event()
        await serve(self._lifespan, self._port, self._limits, self._stop.wait)
        if self._watch:
            await self._watch.after_stop()


async def _listens(address: tuple[str, int]) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


def _said(error: BaseException | None) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if error else "it gave no reason"
