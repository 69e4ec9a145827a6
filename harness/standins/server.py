"""A stand-in as a loopback HTTP server, on a thread and an event loop of its own.

So code under test that blocks its loop, or that has none, gets its answer all the same.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from types import TracebackType
from typing import Any

import uvloop

from harness.errors import HarnessError, UsageError
from harness.reply import NO_TLS, REFUSED, Reply
from harness.standins.connection import Connection
from harness.standins.door import HOST, Door
from harness.standins.journal import Answer, Journal
from harness.standins.wire import Wire
from harness.stub import Call, Stub

_PATIENCE_S = 30.0
"""How long a selection waits for the socket: its loop may just be stopping."""


class StandIn(Journal):
    """A journal that answers on a socket: a context manager, or `start` and `stop`.

    A call that no stub answers gets a 501 that says why. `port` 0 takes a free one. With `tls` it
    answers over TLS, too, on a port of its own, `tls_port`.
    """

    def __init__(
        self, name: str, stubs: Iterable[Stub], default: Sequence[str] = (), *,
        port: int = 0, seed: int = 0, tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._thread: threading.Thread | None = None
        super().__init__(name, stubs, default, seed=seed)
        self._port = port
        self._tls = tls
        self.tls_port = 0
        self._wires = {
            id(reply): Wire.of(reply) for stub in self.stubs.values() for reply in stub.replies
        }
        self._url = ""
        self._connections: set[Connection] = set()
        self._numbers = itertools.count(1)
        self._halt: Callable[[], Any]
        self._loop: asyncio.AbstractEventLoop
        self._switching: asyncio.Lock
        self._doors: list[Door] = []
        self._barrier: str | None = None

    @property
    def url(self) -> str:
        """The address, ``http://127.0.0.1:PORT``. Raises HarnessError before the first start."""
        if not self._url:
            raise self._not_started("it has no address yet", "start it first")
        return self._url

    def start(self) -> None:
        """Listen and answer. Raises HarnessError where that cannot be."""
        started: Future[Callable[[], Any]] = Future()
        try:
            self._bind()
            thread = threading.Thread(
                target=self._run, args=(started,), name=f"standin-{self.name}", daemon=True
            )
            self._barrier = self.barrier
            thread.start()
            self._halt = started.result()
            self._thread = thread
        except OSError as error:
            raise self._not_started(str(error), "free the port, or name another") from error

    def _bind(self) -> None:
        door = Door(self._port)
        self._url = f"http://{HOST}:{door.port}"
        self._doors = [door]
        if self._tls:
            self._doors.append(Door(0, self._tls))
            self.tls_port = self._doors[1].port

    def stop(self) -> None:
        """Stop at once, whatever is under way. Does nothing where it is not running."""
        if self._thread is not None:
            self._halt()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> StandIn:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _not_started(self, reason: str, next_step: str) -> HarnessError:
        return HarnessError(
            "standins/not-started",
            f"the stand-in {self.name!r} did not start: {reason}",
            where=f"{HOST}:{self._port}",
            next_step=next_step,
        )

    def _run(self, started: Future[Callable[[], Any]]) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(started))
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            for door in self._doors:
                door.abandon()

    async def _serve(self, started: Future[Callable[[], Any]]) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(self._take_down_failure)
        self._loop, self._switching = loop, asyncio.Lock()
        await self._follow()
        started.set_result(functools.partial(loop.call_soon_threadsafe, stopping.set))
        await stopping.wait()
        await self._end_connections()
        for door in self._doors:
            await door.close()

    async def _end_connections(self) -> None:
        """Listen no more, and end every connection."""
        for door in self._doors:
            door.shut()
        await asyncio.sleep(0)  # a connection that was just accepted is made by now
        for connection in tuple(self._connections):
            connection.abort()
        while self._connections:  # noqa: ASYNC110 - they go in the loop's next turns
            await asyncio.sleep(0)

    def changed(self) -> None:
        """Listen, or have connections fail, as the stubs that are selected now have it.

        Raises HarnessError where another process took the port meanwhile, and UsageError where
        TLS is to fail and there is none.
        """
        if self.barrier == NO_TLS and self._tls is None:
            raise UsageError(
                "stubs/fault",
                f"the stand-in {self.name!r} has no TLS that could fail",
                next_step="the fault 'tls' is for stand-ins of the plan with an https origin",
            )
        if self._thread is None or self.barrier == self._barrier:
            return
        before, self._barrier = self._barrier, self.barrier
        following = asyncio.run_coroutine_threadsafe(self._follow(), self._loop)
        if threading.current_thread() is self._thread:  # a computed reply selects
            return
        try:
            following.result(_PATIENCE_S)
        except OSError as error:
            self._barrier = before  # the next selection tries again
            raise self._not_started(str(error), "free the port that it had") from error

    async def _follow(self) -> None:
        """Bring about what is selected. A port stays ours while nothing listens on it."""
        async with self._switching:
            await self._end_connections()
            for door in self._doors:
                if door.is_open or self.barrier == REFUSED:
                    await door.keep()
                if self.barrier != REFUSED:
                    await door.open(self._connection, breaks_tls=self.barrier == NO_TLS)

    def _connection(self) -> Connection:
        return Connection(self, self._connections, next(self._numbers))

    def wire(self, call: Call, connection: int) -> tuple[Wire, float]:
        """Return the answer to a call, as bytes, and after how many seconds.

        Where no stub has one, it is a 501 that says why.
        """
        found = self.answer(call, connection)
        if isinstance(found, Answer):
            wire = self._wires.get(id(found.reply)) or Wire.of(found.reply)
            return wire, wire.delay_s(found.chance)
        told = Reply(HTTPStatus.NOT_IMPLEMENTED, {"X-Harness": "no-stub"}, text=f"{found}\n")
        return Wire.of(told), 0.0

    def _take_down_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A failure of our own must not pass for an outage of the service."""
        reason = context.get("exception") or context["message"]
        self.note_unmatched(f"the stand-in {self.name!r} itself failed: {reason!r}")
