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
        self._loop = loop  # a task makes sure that it is its own
        self._wake: Callable[[Waiter], object] | None = None

    def end(self, error: BaseException | None = None) -> None:
        """Wake who waits, or will wait, in this call: it must be one that the loop has made."""
        if not self.is_over:
            self.is_over = True
            self._error = error
            if self._wake is not None:
                self._context.run(self._wake, self)

    def end_soon(self, error: BaseException | None = None) -> None:
        """Wake who waits, or will wait, in the loop's next turn: for tasks, which may call this."""
        if not self.is_over:
            self.is_over = True
            self._error = error
            if self._wake is not None:
                self._loop.call_soon(self._wake, self, context=self._context)

    # A future's manners, as far as a task asks for them.

    def __await__(self) -> Generator[Any, Any, None]:
        if self.is_over:
            self.result()
        else:
            self._asyncio_future_blocking = True
            yield self  # the task raises here what `result` does

    def add_done_callback(self, wake: Callable[[Waiter], object], *, context: Context) -> None:
        """Be waited for."""
        self._wake = wake
        self._context = context

    def result(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error

    def cancel(self, msg: object = None) -> bool:
        """Wake who waits with a CancelledError, unless all is over."""
        if self.is_over:
            return False
        self.end_soon(asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return True
