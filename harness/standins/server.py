"""A stand-in as a loopback HTTP server, on a thread and an event loop of its own.

So code under test that blocks its loop, or that has none, gets its answer all the same.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from types import TracebackType
from typing import Any

import uvloop

from harness.errors import HarnessError
from harness.reply import Reply
from harness.standins.connection import Connection
from harness.standins.journal import Journal
from harness.standins.wire import Wire
from harness.stub import Call, Stub

_HOST = "127.0.0.1"
_BACKLOG = 1024


class StandIn(Journal):
    """A journal that answers on a socket: a context manager, or `start` and `stop`.

    A call that no stub answers gets a 501 that says why. `port` 0 takes a free one.
    """

    def __init__(
        self, name: str, stubs: Iterable[Stub], default: Sequence[str] = (), *, port: int = 0
    ) -> None:
        super().__init__(name, stubs, default)
        self._port = port
        self._wires = {
            id(reply): Wire.of(reply) for stub in self.stubs.values() for reply in stub.replies
        }
        self._url = ""
        self._connections: set[Connection] = set()
        self._numbers = itertools.count(1)
        self._thread: threading.Thread | None = None
        self._halt: Callable[[], Any]

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
            listening = socket.create_server((_HOST, self._port), backlog=_BACKLOG)
            self._url = f"http://{_HOST}:{listening.getsockname()[1]}"
            thread = threading.Thread(
                target=self._run,
                args=(listening, started),
                name=f"standin-{self.name}",
                daemon=True,
            )
            thread.start()
            self._halt = started.result()
            self._thread = thread
        except OSError as error:
            raise self._not_started(str(error), "free the port, or name another") from error

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
            where=f"{_HOST}:{self._port}",
            next_step=next_step,
        )

    def _run(self, listening: socket.socket, started: Future[Callable[[], Any]]) -> None:
        try:
            with listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(listening, started))
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, listening: socket.socket, started: Future[Callable[[], Any]]) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(self._take_down_failure)
        server = await loop.create_server(
            lambda: Connection(self, self._connections, next(self._numbers)), sock=listening
        )
        started.set_result(functools.partial(loop.call_soon_threadsafe, stopping.set))
        await stopping.wait()
        server.close()
        await asyncio.sleep(0)  # a connection that was just accepted is made by now
        for connection in tuple(self._connections):
            connection.abort()
        while self._connections:  # noqa: ASYNC110 - they go in the loop's next turns
            await asyncio.sleep(0)

    def wire(self, call: Call, connection: int) -> Wire:
        """Return the answer to a call, as bytes; where no stub has one, a 501 that says why."""
        found = self.answer(call, connection)
        if isinstance(found, Reply):
            return self._wires.get(id(found)) or Wire.of(found)
        told = Reply(HTTPStatus.NOT_IMPLEMENTED, {"X-Harness": "no-stub"}, text=f"{found}\n")
        return Wire.of(told)

    def _take_down_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A failure of our own must not pass for an outage of the service."""
        reason = context.get("exception") or context["message"]
        self.note_unmatched(f"the stand-in {self.name!r} itself failed: {reason!r}")
