"""Waiting for an instant, more precisely than a loop's timers do.

uvloop's timers tick in milliseconds. On Linux the kernel wakes a loop by a timerfd, within some
50 µs and without a turn of the loop spent on waiting; elsewhere the loop's own timers do.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time

from harness.load.waiter import Waiter

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000
_S = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long), ("interval_ns", ctypes.c_long),
        ("at_s", ctypes.c_long), ("at_ns", ctypes.c_long),
    )  # fmt: skip


class Alarm:
    """Wakes one task at a time. Instants are ns of `time.monotonic_ns`. Close it at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: Waiter | None = None
        self._at = _Timespec()
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _CLOEXEC_NONBLOCK)
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._rang)

    async def until(self, at_ns: int) -> None:
        """Wait until an instant."""
        left_ns = at_ns - time.monotonic_ns()
        if left_ns <= 0:
            return
        if self._fd < 0:
            await asyncio.sleep(left_ns / _S)
            return
        self._at.at_s, self._at.at_ns = divmod(at_ns, _S)
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(self._at), None)
        self._waiter = Waiter(self._loop)
        await self._waiter

    def close(self) -> None:
        """Ring no more."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _rang(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # it was set anew meanwhile
            return
        if self._waiter is not None:
            self._waiter.end()
