"""What a task waits for that is to be woken in the very call that brings its answer.

A future leaves its waking to the loop's next turn. By then hundreds of other answers have been read
and this one's have left the processor's cache; and the turn itself costs. A task waits for any
object that has a future's manners (`asyncio.isfuture`), and need not be told by the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any


class Waiter:
    """Is waited for by one task, once."""

    __slots__ = ("_asyncio_future_blocking", "_context", "_error", "_loop", "_wake", "is_over")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_over = False
        self._asyncio_future_blocking = False  # how a task tells a future from a mistake
        self._error: BaseException | None = None
        self._loop = loop
        self._wake: Callable[[Waiter], object] | None = None

    def end(self, error: BaseException | None = None) -> None:
        """Wake who waits, or will wait: at once, where no task is in the middle of something."""
        if self.is_over:
            return
        self.is_over = True
        self._error = error
        if self._wake is None:
            return
        if asyncio.current_task(self._loop) is None:
            self._context.run(self._wake, self)
        else:
            self._loop.call_soon(self._wake, self, context=self._context)

    # A future's manners, as far as a task asks for them.

    def __await__(self) -> Generator[Any, Any, None]:
        if not self.is_over:
            self._asyncio_future_blocking = True
            yield self
        self.result()

    def add_done_callback(self, wake: Callable[[Waiter], object], *, context: Context) -> None:
        """Be waited for."""
        self._wake = wake
        self._context = context

    def result(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error

    def cancel(self, msg: object = None) -> bool:
        """Wake who waits with a CancelledError, in the loop's next turn, unless all is over."""
        if self.is_over or self._wake is None:
            return False
        self.is_over = True
        self._error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self._loop.call_soon(self._wake, self, context=self._context)
        return True

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop whose tasks may wait for this."""
        return self._loop
