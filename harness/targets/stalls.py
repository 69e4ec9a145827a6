"""Event loops that stand still: how long one step of a handler kept its thread, and at which line.

A thread of ours looks at each loop's thread a hundred times a second. What it counts is the
thread's own doing: processor time that it used, and time that it slept in one and the same system
call. Waiting for a processor that others have, for the interpreter's lock (a thread wakes up every
5 ms to ask for it) or for a disk is not counted; nor are garbage collections and imports, which
happen once. So the measure errs to the low side, and a busy machine does not raise it.
"""

from __future__ import annotations

import gc
import re
import sys
import threading
import time
import weakref
from asyncio.events import Handle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from harness.targets.call import CALL, Call
from harness.targets.hang import own_line, stack_of

PERIOD_S = 0.01
FLOOR_S = 0.02
"""What is less is not told: it is within two looks."""

_STATUS = re.compile(
    rb"^State:\s+(\w).*^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE | re.DOTALL
)
_RUN = Handle._run.__code__  # asyncio calls everything by it; only its frame is looked at
_IMPORTS = "<frozen importlib"


class _Look(NamedTuple):
    """What a thread was at one moment: times in ns."""

    at: int
    cpu: int
    collecting: int
    state: bytes
    switches: int


class _Thread(NamedTuple):
    """A thread as the system knows it. Python's own ways are not safe for one that has ended."""

    native: int
    clock: int

    @classmethod
    def here(cls) -> _Thread:
        """Return the calling thread."""
        return cls(threading.get_native_id(), time.pthread_getcpuclockid(threading.get_ident()))

    def look(self, collected: Callable[[], int]) -> _Look | None:
        """Look at it. Raises OSError where it has ended, or where the system does not tell."""
        with open(f"/proc/self/task/{self.native}/status", "rb") as file:  # Linux alone tells
            found = _STATUS.search(file.read())
        if found is None:
            return None
        now, cpu = time.monotonic_ns(), time.clock_gettime_ns(self.clock)
        # Last: a collection that the processor time has and this has not would count.
        return _Look(now, cpu, collected(), found[1], int(found[2]))


@dataclass(slots=True)
class _Step:
    """One callback of a loop, for as long as it is seen to run."""

    handle: weakref.ref[Handle]
    call: Call
    look: _Look
    kept_ns: int = 0
    place: str = ""
    most_ns: int = 0


class Stalls:
    """Watches threads that run event loops, and tells `note` the call, the place and seconds."""

    def __init__(self, root: Path, note: Callable[[Call, str, float], None]) -> None:
        self._root = root
        self._note = note
        self._threads: dict[int, _Thread] = {}
        self._steps: dict[int, _Step] = {}
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="harness-stalls", daemon=True)
        self._collections = (0, 0)  # ns of those that are over; when the present one began

    @staticmethod
    def can_see() -> bool:
        """Tell whether this system says what its threads do: Linux does."""
        try:
            return _Thread.here().look(lambda: 0) is not None
        except (OSError, AttributeError):
            return False

    def open(self) -> None:
        """Start to watch."""
        gc.callbacks.append(self._collect)
        self._watcher.start()

    def close(self) -> None:
        """Watch no more."""
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
            gc.callbacks.remove(self._collect)

    def add(self) -> None:
        """Watch the calling thread, too, once `open` was called."""
        if self._watcher.ident and threading.get_ident() not in self._threads:
            self._threads[threading.get_ident()] = _Thread.here()

    def _collect(self, phase: str, info: dict[str, Any]) -> None:
        over, _ = self._collections
        # In one assignment: a look that comes just before it counts the present one as it stands.
        if phase == "start":
            self._collections = (over, time.perf_counter_ns())
        else:
            self._collections = (self._collected(), 0)

    def _collected(self) -> int:
        over, began = self._collections
        return over + (time.perf_counter_ns() - began if began else 0)

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD_S):
            frames = sys._current_frames()  # documented, in spite of its name
            for ident, thread in list(self._threads.items()):
                try:
                    self._see(ident, thread, frames.get(ident))
                except OSError:  # the thread has ended
                    self._threads.pop(ident, None)
            del frames

    def _see(self, ident: int, thread: _Thread, frame: FrameType | None) -> None:
        handle = _running(frame)
        step = self._steps.get(ident)
        if step is not None and (handle is None or step.handle() is not handle):
            self._end(self._steps.pop(ident))
            step = None
        if handle is None:
            return
        call = handle._context.get(CALL)
        if call is None or not call.is_request:
            return
        look = thread.look(self._collected)
        if look is None:
            return
        if step is None:
            self._steps[ident] = _Step(weakref.ref(handle), call, look)
        else:
            self._count(step, look, frame)

    def _count(self, step: _Step, look: _Look, frame: FrameType | None) -> None:
        """Add what the thread itself did since the look before, and where it is now."""
        before, step.look = step.look, look
        stack = stack_of(frame)
        place = own_line([(line.file, line.number) for line in stack], self._root)
        if not place or any(line.file.startswith(_IMPORTS) for line in stack):
            return
        asleep = before.state == look.state == b"S" and before.switches == look.switches
        used = look.cpu - before.cpu - (look.collecting - before.collecting)
        kept = look.at - before.at if asleep else used  # below zero, it belongs to the next look
        step.kept_ns += kept
        if kept >= step.most_ns:  # the place of the longest stretch
            step.most_ns, step.place = kept, place

    def _end(self, step: _Step) -> None:
        if step.kept_ns >= FLOOR_S * 1e9:
            self._note(step.call, step.place, step.kept_ns / 1e9)


def _running(frame: FrameType | None) -> Any:
    """Return the callback that a thread's loop runs; None: it runs none."""
    while frame is not None:
        if frame.f_code is _RUN:
            return frame.f_locals.get("self")
        frame = frame.f_back
    return None
