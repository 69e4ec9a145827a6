"""Whose turn it is to ask a deployment, where its plan says how often it may be asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable


class Turns:
    """Turns at one host, at least `gap_s` apart, in the order in which they were asked for.

    They are kept apart as they are taken, not as they were promised: a loop that stood still
    makes up for nothing, so no second ever has more of them. Any thread and loop may wait.
    """

    def __init__(self, gap_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.gap_s = gap_s
        self._clock = clock
        self._next = clock()
        self._waiting: list[object] = []
        self._lock = threading.Lock()

    async def wait(self) -> None:
        """Return when it is one's turn."""
        ticket = self.ask()
        try:
            while (left_s := self.left_s(ticket)) > 0:  # noqa: ASYNC110 - other loops' turns, too
                await asyncio.sleep(left_s)
        finally:
            self.leave(ticket)

    def ask(self) -> object:
        """Stand in line."""
        ticket = object()
        with self._lock:
            self._waiting.append(ticket)
        return ticket

    def left_s(self, ticket: object) -> float:
        """Return 0 and take the turn, where it has come; or else when to ask again."""
        with self._lock:
            before = self._waiting.index(ticket)
            left_s = max(0.0, self._next - self._clock()) + before * self.gap_s
            if not left_s:
                self._next = self._clock() + self.gap_s
                self._waiting.remove(ticket)
            return left_s

    def leave(self, ticket: object) -> None:
        """Leave the line, where one still stands in it."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
