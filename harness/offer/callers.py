"""The mark `callers`: a test's body run several times at once, which must hold for each."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import unittest
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import pytest
from quart.testing import QuartClient

from harness.errors import UsageError
from harness.offer.session import bench_of
from harness.targets.client import Client

_EXAMPLE = "write it as @pytest.mark.callers(5)"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a mark that means nothing, before anything is started for its test."""
    try:
        callers_of(item)
    except UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put all callers of the test in its place, for this one call."""
    number = callers_of(item)
    if number is None or not isinstance(item, pytest.Function):
        return (yield)
    body = item.obj
    item.obj = _Callers(item, number).together(body)
    try:
        return (yield)
    finally:
        item.obj = body


def callers_of(item: pytest.Item) -> int | None:
    """Return how many callers a test is marked with; None: it is not. Raises UsageError."""
    mark = item.get_closest_marker("callers")
    if mark is None:
        return None
    number = mark.args[0] if len(mark.args) == 1 and not mark.kwargs else None
    if type(number) is not int or number < 1:
        raise _refusal(item, f"callers({_written(mark)}) is not a number of callers, 1 or more")
    body = getattr(item, "obj", None)
    if isinstance(getattr(body, "__self__", None), unittest.TestCase):
        raise _refusal(item, "a method of a TestCase has one client, and so one caller")
    if hasattr(body, "hypothesis"):
        raise _refusal(item, "Hypothesis calls the test by itself, and callers would, too")
    if not inspect.iscoroutinefunction(body) and "webtest" not in _arguments(item):
        raise _refusal(item, "a synchronous test calls at once by 'webtest', and has it not")
    return number


def _written(mark: pytest.Mark) -> str:
    named = [f"{name}={value!r}" for name, value in mark.kwargs.items()]
    return ", ".join([*map(repr, mark.args), *named])


def _arguments(item: pytest.Item) -> Sequence[str]:
    info = getattr(item, "_fixtureinfo", None)  # what pytest itself calls a test with
    return info.argnames if info else ()


def _refusal(item: pytest.Item, said: str) -> UsageError:
    return UsageError("functional/callers", said, where=item.nodeid, next_step=_EXAMPLE)


class _Callers:
    """A test's callers. Each has a client of its own; all other fixtures are shared."""

    def __init__(self, item: pytest.Function, number: int) -> None:
        self._item = item
        self._number = number

    def together(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """Return what calls `body` so many times at once."""
        if not inspect.iscoroutinefunction(body):
            return lambda **given: self._in_threads(body, given)

        async def at_once(**given: Any) -> None:
            __tracebackhide__ = True
            calls = [body(**self._own(given)) for _ in range(self._number)]
            self._judge(await asyncio.gather(*calls, return_exceptions=True))

        return at_once

    def _in_threads(self, body: Callable[..., Any], given: dict[str, Any]) -> None:
        __tracebackhide__ = True
        outcomes: list[BaseException | None] = [None] * self._number
        ready = threading.Barrier(self._number)

        def call(caller: int, arguments: dict[str, Any]) -> None:
            try:
                ready.wait()
                body(**arguments)
            except BaseException as error:
                outcomes[caller] = error

        # Daemons: Ctrl-C ends the waiting, and nothing can end a thread.
        threads = [
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(call, caller, self._own(given)),
                name=f"harness-caller-{caller + 1}",
                daemon=True,
            )
            for caller in range(self._number)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._judge(outcomes)

    def _own(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return a caller's arguments: the test's, with new clients among them."""
        return {name: self._new(value) for name, value in given.items()}

    def _new(self, value: Any) -> Any:
        fixtures: dict[str, Any] = self._item.funcargs
        target: Any = fixtures.get("harness_target")
        exchanges = bench_of(self._item.config).exchanges
        if isinstance(value, Client):
            return Client(target, exchanges)
        if isinstance(value, QuartClient):  # a project's own
            return value.app.test_client()
        from harness.targets.wsgi import WebTest  # not above: few sessions need it

        if isinstance(value, WebTest):
            return WebTest(target, exchanges, fixtures["harness_running"].loop)
        return value

    def _judge(self, outcomes: Sequence[BaseException | None]) -> None:
        """Raise the first caller's failure, at its own line, with how many others failed."""
        __tracebackhide__ = True
        raised = dict(_raised(outcomes))
        skips = [number for number, e in raised.items() if isinstance(e, pytest.skip.Exception)]
        failed = [number for number in raised if number not in skips] or skips
        if not failed:
            return
        others = ", ".join(map(str, failed[1:]))
        error = raised[failed[0]]
        _tell(
            error,
            f"caller {failed[0]} of {self._number}" + (f"; so did caller {others}" * bool(others)),
        )
        raise error


def _raised(outcomes: Sequence[BaseException | None]) -> Iterator[tuple[int, BaseException]]:
    for number, outcome in enumerate(outcomes, 1):
        if isinstance(outcome, BaseException):
            yield number, outcome


def _tell(error: BaseException, said: str) -> None:
    """Add to an exception's text; pytest's own outcomes show a message and no notes."""
    if isinstance(error, pytest.fail.Exception | pytest.skip.Exception) and error.msg:
        error.msg = f"{error.msg} ({said})"
    else:
        error.add_note(said)
