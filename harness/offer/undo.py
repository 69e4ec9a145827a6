"""What tests leave behind is taken away again: `undo`, after each test, and `undo_at_end`."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.bench import Bench
from harness.facts import Surprise
from harness.loops import beside
from harness.offer.services import Started
from harness.offer.session import RECORDER, bench_of
from harness.recorder import service_of

UNDO_S = 10.0
"""How long undoing one thing may take, without the wait for its turn."""

_GONE = (404, 410)
_VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_RAISED = (
    Exception, asyncio.CancelledError, SystemExit, pytest.fail.Exception, pytest.skip.Exception
)  # fmt: skip
_UNDO = pytest.StashKey["Undo"]()


@pytest.fixture
def undo(request: pytest.FixtureRequest, harness_running: Started) -> Iterator[Undo]:
    """Register what takes away again what a test made: ``undo(client.delete, user["url"])``."""
    file, line, _ = request.node.location
    where = f"{file}:{(line or 0) + 1}"
    made = _undo(request.config, harness_running, where, request.node.nodeid)
    made.service = service_of(request.node)
    request.node.stash[_UNDO] = made
    yield made
    made.finish()


@pytest.fixture(scope="session")
def undo_at_end(request: pytest.FixtureRequest, harness_running: Started) -> Iterator[Undo]:
    """Register what is to be undone at the session's end, as `undo` does after a test."""
    made = _undo(request.config, harness_running, "the session's end", "the session")
    yield made
    made.finish()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Undo before a fixture of the test is gone that it may need."""
    if _UNDO in item.stash:
        item.stash[_UNDO].run()


def _undo(config: pytest.Config, running: Started, where: str, who: str) -> Undo:
    recorder = config.stash.get(RECORDER, None)
    return Undo(bench_of(config), running.loop, recorder.note if recorder else None, where, who)


class Undo:
    """Calls what was registered, the newest first, each within `UNDO_S`, and tells what is left.

    It is told to `note`, or raised in the end where that is None; `who` made it, and `where`. An
    answer of 4xx or 5xx is a failure, as an exception is; one of 404 or 410 is none, since what
    was to go has gone.
    """

    def __init__(
        self, bench: Bench, loop: asyncio.AbstractEventLoop,
        note: Callable[[Surprise], None] | None, where: str, who: str,
    ) -> None:  # fmt: skip
        self.service: str | None = None
        self._bench = bench
        self._loop = loop
        self._note = note
        self._where, self._who = where, who
        self._calls: list[_Call] = []
        self._told: list[str] = []

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Register a function, async or not, with its arguments. Raises TypeError for another."""
        if not callable(function):
            if inspect.iscoroutine(function):
                function.close()
            raise TypeError("write undo(client.delete, url), the function and its arguments apart")
        self._calls.append(_Call(function, args, kwargs))

    def run(self) -> None:
        """Undo, whatever fails. Interrupted, tell all that is left."""
        left: list[str] = []
        under_way: list[_Call] = []
        try:
            while self._calls:
                under_way = [self._calls.pop()]  # which may register more
                said = self._undone(under_way[0])
                left += [said] if said else []
        except BaseException:
            cut = [*under_way, *reversed(self._calls)]
            left += [f"{self._located(call)}: interrupted" for call in cut]
            self._calls.clear()
            raise
        finally:
            if left:
                self._tell(left)

    def finish(self) -> None:
        """Undo what was registered since; where nothing records, fail if anything is left."""
        self.run()
        if self._told and self._note is None:
            raise pytest.fail.Exception("\n".join(self._told), pytrace=False)

    def _tell(self, left: list[str]) -> None:
        told = "\n  ".join([f"{self._who} left behind what could not be undone:", *left])
        self._told.append(told)
        if self._note is not None:
            self._note(Surprise(slug="functional/not-undone", message=told, where=self._where))

    def _undone(self, call: _Call) -> str:
        """Call it, and say what is left; empty where that is nothing."""
        limit_s = UNDO_S + self._bench.gap_s
        with self._bench.exchanges.set_aside() as exchanges:
            said = self._loop.run_until_complete(_called(call, limit_s))
        if not said:
            return ""
        for last in reversed(list(exchanges)):  # which knows better what a lambda asked for
            return f"{last.method} {self._base}{last.path}: {said}"
        return f"{self._located(call)}: {said}"

    def _located(self, call: _Call) -> str:
        verb, _, path = str(call).partition(" ")
        return f"{verb} {self._base}{path}" if verb in _VERBS and path[:1] == "/" else str(call)

    @property
    def _base(self) -> str:
        """The address of what was asked, where it outlives us."""
        return self._bench.address_of(self.service)


@dataclass(frozen=True, slots=True)
class _Call:
    """What undoes one thing. As text, a request where it looks like one."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        function: Any = self.function
        args = self.args
        while isinstance(function, functools.partial):
            function, args = function.func, (*function.args, *args)
        name = str(getattr(function, "__qualname__", type(function).__name__))
        verb = name.rpartition(".")[2].upper()
        if verb in _VERBS and args:
            return f"{verb} {args[0]}"
        code = getattr(function, "__code__", None)
        place = f" of {code.co_filename}:{code.co_firstlineno}" if code else ""
        return f"{name}({', '.join(map(reprlib.repr, args))}){place}"


async def _called(call: _Call, limit_s: float) -> str:
    try:
        async with asyncio.timeout(limit_s) as limit:
            work = functools.partial(call.function, *call.args, **call.kwargs)
            is_async = inspect.iscoroutinefunction(call.function)
            result = work() if is_async else await beside(work)
            if inspect.isawaitable(result):
                result = await result
    except _RAISED as error:
        if limit.expired():
            return f"no end within {limit_s:g} s"
        return "" if _status(error) in _GONE else _told(error)
    status = _status(result)
    return "" if status < 400 or status in _GONE else f"answered {status}"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {_text(error)}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the error's own
        return "(it cannot be written)"


def _status(result: Any) -> int:
    """Return the status of an answer, or of an exception that a client made of it; else 0."""
    for found in (result, getattr(result, "response", None)):
        for name in ("status_code", "status"):
            status = getattr(found, name, None)
            if isinstance(status, int):
                return status
    told = isinstance(result, Exception) and re.match(r"Bad response: (\d{3}) ", _text(result))
    return int(told[1]) if told else 0  # WebTest's
