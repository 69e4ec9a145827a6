"""What handlers leave behind: descriptors, tasks, and client sessions of aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import sys
import time
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from harness.targets.call import CALL, Call, call_of
from harness.targets.handler import Handler
from harness.targets.hang import own_line, stack_of, waiting

GRACE_S = 2.0
"""How long a task may go on after its service has stopped."""

_FEWEST_TESTS = 3
_FOLDER = "/dev/fd"
_MADE = "_harness_made"


class Growth(NamedTuple):
    """Descriptors of one kind that a handler's requests left open, in `tests`."""

    handler: Handler
    kind: str
    number: int
    tests: list[str]


class Descriptors:
    """Which descriptors are open after each test.

    What is kept for later requests, a pool or a cache, does not grow with them. So a handler
    leaks where, in three of its tests or more and in half of them, its requests each left one
    more of a kind open than ever were before. Connections to `ignored_ports` are the tests' own.
    """

    def __init__(self) -> None:
        self.ignored_ports: set[int] = set()
        self._highest: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._tests: Counter[Handler] = Counter()
        self._grew: defaultdict[tuple[Handler, str], list[tuple[str, int]]] = defaultdict(list)

    def count(self, test: str, requests: Counter[Handler]) -> None:
        """Count what is open after a test that made these requests."""
        self._open = self._now()
        grown = self._open - self._highest
        self._highest |= self._open
        self._tests.update(requests.keys())
        for handler, number in requests.items():
            for kind, more in grown.items():
                if more >= number:
                    self._grew[handler, kind].append((test, more))

    def growth(self) -> Iterator[Growth]:
        """Return what grew and is still open. Several handlers may have had a part in it."""
        self._open = self._now()
        for (handler, kind), found in self._grew.items():
            number = sum(more for _, more in found)
            often = len(found) >= max(_FEWEST_TESTS, self._tests[handler] / 2)
            if often and self._open[kind] >= number:
                yield Growth(handler, kind, number, [test for test, _ in found])

    def _now(self) -> Counter[str]:
        kinds = list(_kinds())
        not_ours = self.ignored_ports
        accepting = {kind.local for kind in kinds if kind.listens}
        return Counter(
            kind.name for kind in kinds
            if kind.name and kind.local not in accepting and kind.peer not in not_ours
        )  # fmt: skip


class _Kind(NamedTuple):
    """What a descriptor is, in words that all of its kind share; of a connection, its ports."""

    name: str
    local: int | None = None
    peer: int | None = None
    listens: bool = False


def _kinds() -> Iterator[_Kind]:
    try:
        names = os.listdir(_FOLDER)
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile, as the folder's own
            yield _kind(int(name))


def _kind(number: int) -> _Kind:
    found = os.fstat(number)
    if stat.S_ISSOCK(found.st_mode):
        return _kind_of_socket(number)
    if stat.S_ISFIFO(found.st_mode):
        return _Kind("pipes")
    if sys.platform == "linux":
        name = os.readlink(f"{_FOLDER}/{number}")
        return _Kind(name if name.startswith("anon_inode:") else f"the file {name}")
    return _Kind(f"the file {found.st_dev}:{found.st_ino}")


def _kind_of_socket(number: int) -> _Kind:
    with socket.socket(fileno=os.dup(number)) as one:
        if one.family not in (socket.AF_INET, socket.AF_INET6):
            return _Kind("sockets within this machine")
        local = one.getsockname()[1]
        if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return _Kind("", local, listens=True)
        try:
            host, port = one.getpeername()[:2]
        except OSError:
            return _Kind("sockets without a connection")
        return _Kind(f"connections to {host}:{port}", local, port)


class Made(NamedTuple):
    """Where a client session was made, in which call."""

    call: Call
    place: str


class Sessions:
    """The client sessions of aiohttp that handlers made and nobody closed.

    One that a service drops unclosed is told at once. One that it keeps may be meant for all
    requests; several that were made at one place and are still open at the end are not.
    """

    def __init__(self, root: Path, note: Callable[[Made, int], None]) -> None:
        self._root = root
        self._note = note
        self._made: weakref.WeakSet[aiohttp.ClientSession] = weakref.WeakSet()

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Know of each session that is made, and of each that is dropped."""
        kind: Any = aiohttp.ClientSession
        make, drop = kind.__init__, kind.__del__

        def made(session: Any, *arguments: Any, **options: Any) -> None:
            make(session, *arguments, **options)
            self._keep(session)

        def dropped(session: Any) -> None:
            with contextlib.suppress(Exception):  # of one that was not made whole
                found = vars(session).get(_MADE)
                if found is not None and not session.closed:
                    self._note(found, 1)
            drop(session)

        kind.__init__, kind.__del__ = made, dropped
        try:
            yield
        finally:
            kind.__init__, kind.__del__ = make, drop

    def _keep(self, session: aiohttp.ClientSession) -> None:
        call = CALL.get()
        if call is not None and call.is_request:
            stack = stack_of(sys._getframe(2))
            place = own_line([(line.file, line.number) for line in stack], self._root)
            # Not by assignment, of which aiohttp warns; a weak dictionary has forgotten it when
            # a garbage collection drops it.
            vars(session)[_MADE] = Made(call, place)
            self._made.add(session)

    def tell_open(self) -> None:
        """Tell of the places that made several which are open now, after the service's end."""
        by_place: defaultdict[tuple[str, str], list[Made]] = defaultdict(list)
        for session in list(self._made):
            made: Made = vars(session)[_MADE]
            if not session.closed:
                by_place[made.call.service, made.place].append(made)
        for found in by_place.values():
            if len({id(made.call) for made in found}) > 1:
                self._note(found[0], len(found))


async def left_tasks(root: Path) -> list[tuple[Call, str, str]]:
    """Return the tasks of this loop that handlers made and that go on after their service's end.

    Each with its call, its name and the project's line at which it waits: tasks that are a
    library's alone are left out, and so are those of an application that nobody stopped, one of a
    test's own. They have `GRACE_S` to end.
    """
    deadline = time.monotonic() + GRACE_S
    while True:
        left = list(_left(root))
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.02)


def _left(root: Path) -> Iterator[tuple[Call, str, str]]:
    for task in asyncio.all_tasks():
        call = call_of(task)
        if call is None or not call.is_request or not call.over or not call.service:
            continue
        place = own_line([(line.file, line.number) for line in waiting(task)], root)
        if place:
            yield call, getattr(task.get_coro(), "__qualname__", task.get_name()), place
