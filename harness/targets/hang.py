"""Code that does not come back: how long it is given, where it hangs, and how it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from harness.errors import TargetError
from harness.loops import within
from harness.plan import START_S

STOP_S = 10.0
"""How long an application's shut-down may take."""

LAST_S = 2.0
"""What stopping takes beside it: requests have 1 s to end."""

_OURS = Path(__file__).parent.parent
_AGAIN_S = 0.1
_MOST = 50
_SERVERS = ("hypercorn", "uvicorn", "gunicorn", "granian", "daphne", "waitress", "werkzeug")
_SERVING = ("run_app", "serve_forever")  # aiohttp.web's; socketserver's and asyncio's


class Line(NamedTuple):
    """A line that was being executed, when it was looked at."""

    file: str
    number: int
    module: str
    function: str

    @classmethod
    def of(cls, frame: FrameType) -> Line:
        """Take down where a frame is."""
        code = frame.f_code
        return cls(
            code.co_filename, frame.f_lineno, frame.f_globals.get("__name__", ""), code.co_name
        )


Stack = list[Line]
"""Lines, the outermost first."""


class Hung(BaseException):
    """Ends code that hangs. Not an Exception, which that code may well catch."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a service may take to import, then to start, and to stop.

    Places in messages are shown relative to `root`, the project.
    """

    start_s: float = START_S
    stop_s: float = STOP_S
    root: Path = Path()

    def hung(self, what: str, stacks: Iterable[Stack], fallback: str) -> TargetError:
        """Say that `what` has taken too long, and where it is; `fallback` where that is nowhere."""
        return TargetError(
            "target/hung",
            f"{what} had not ended after {self.start_s:g} s",
            where=self.place(stacks) or fallback,
            next_step="see what that line waits for, or give it longer: start_within in the plan",
        )

    def place(self, stacks: Iterable[Stack]) -> str:
        """Return ``file:line`` of the innermost line of the project's own; empty: there is none."""
        lines = ([(line.file, line.number) for line in stack] for stack in stacks)
        return next((place for some in lines if (place := own_line(some, self.root))), "")


def own_line(lines: Sequence[tuple[str, int | None]], root: Path) -> str:
    """Return the last of `lines`, each a file and a number, that lies in the project."""
    root = root.absolute()
    for name, number in reversed(lines):
        path = Path(name)
        foreign = "site-packages" in path.parts or path.is_relative_to(_OURS)
        if path.is_relative_to(root) and not foreign:
            return f"{path.relative_to(root).as_posix()}:{number}"
    return ""


def server(stacks: Iterable[Stack]) -> str:
    """Name the call that serves; empty: there is none."""
    for stack in stacks:
        for line in stack:
            if line.module.partition(".")[0] in _SERVERS or line.function in _SERVING:
                return f"{line.module}.{line.function}()"
    return ""


def stack_of(frame: FrameType | None) -> Stack:
    """Return the lines of code that runs."""
    return [Line.of(found) for found, _ in traceback.walk_stack(frame)][::-1] if frame else []


def waiting(task: asyncio.Task[Any]) -> Stack:
    """Return the lines of a task that waits, through all that it awaits."""
    stack: Stack = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        if type(awaited).__name__.startswith("async_generator_a"):  # which has no attributes
            awaited = next((o for o in gc.get_referents(awaited) if hasattr(o, "ag_frame")), None)
        for kind, attribute in (("cr", "await"), ("ag", "await"), ("gi", "yieldfrom")):
            if frame := getattr(awaited, f"{kind}_frame", None):
                stack.append(Line.of(frame))
                awaited = getattr(awaited, f"{kind}_{attribute}")
                if frame.f_code is within.__code__:  # it awaits nothing: it steps through this
                    awaited = frame.f_locals["coroutine"]
                break
        else:
            break
    return stack


def stacks_of(thread: threading.Thread | None, task: asyncio.Task[Any] | None) -> list[Stack]:
    """Return the stacks of a lifespan that hangs: its thread's, its task's, then all others'.

    Of this thread's own there is none.
    """
    frames = sys._current_frames()  # documented, in spite of its name
    frames.pop(threading.get_ident())
    own = frames.pop(thread.ident or 0, None) if thread else None
    others = [stack_of(frame) for frame in frames.values()]
    return [stack_of(own), *([waiting(task)] if task else []), *others]


@contextlib.contextmanager
def interrupted(
    after_s: float, caller: CodeType, told: Callable[[list[Stack]], TargetError]
) -> Iterator[None]:
    """Interrupt code called by `caller` that has not come back after `after_s`.

    Raises what `told` makes of its stack, even where that code catches the interruption; where
    it cannot be ended, the process is aborted, which faulthandler shows. Works in the main
    thread; elsewhere nothing is interrupted. A timer of somebody else's goes on afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hung: list[list[Stack]] = []

    def ring(number: int, frame: FrameType | None) -> None:
        if caller not in {found.f_code for found, _ in traceback.walk_stack(frame)}:
            return
        hung.append(_stacks_here(frame))
        if len(hung) > _MOST:
            os.abort()
        raise Hung

    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, ring)
    theirs_s, every_s = signal.setitimer(signal.ITIMER_REAL, after_s, _AGAIN_S)
    try:
        yield
    except BaseException:
        if not hung:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if theirs_s:
            left_s = max(theirs_s - (time.monotonic() - began), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left_s, every_s)
    if hung:
        raise told(hung[0])


def _stacks_here(frame: FrameType | None) -> list[Stack]:
    """Return the stacks of this thread: first of the tasks, where its loop waits for them."""
    try:
        tasks = [waiting(task) for task in asyncio.all_tasks()]
        blocked = asyncio.current_task() is not None
    except RuntimeError:  # no loop runs here
        return [stack_of(frame)]
    return [stack_of(frame), *tasks] if blocked else [*tasks, stack_of(frame)]
