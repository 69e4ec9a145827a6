"""What becomes true later: `eventually` asks again until a check passes, for as long as it may."""

from __future__ import annotations

import asyncio
import functools
import inspect
import reprlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.loops import beside
from harness.pace import parse_duration

Check = Callable[[], Any]
Kinds = tuple[type[BaseException], ...]


@pytest.fixture
def eventually() -> Iterator[Eventually]:
    """Ask again until a check passes, such as one of what a queue has yet to deliver."""
    waiting = Eventually()
    yield waiting
    waiting.refuse_forgotten()


class Eventually:
    """Asks again until a check passes. In synchronous tests the call itself waits.

    A check passes when it raises nothing and returns None or something true, which is the result.
    One that raises AssertionError, or one of the exceptions `on`, or returns something false is
    asked again, `every` so long after it ended; whatever else it raises is raised at once. One
    that is still under way after `within` is cut. Raises AssertionError then, UsageError for a
    duration that cannot be read. Without a check it is a decorator: a call of the function waits.
    """

    def __init__(self) -> None:
        self._forgotten: list[_Wait] = []

    def __call__(
        self, check: Check | None = None, *, within: str = "5s", every: str = "100ms",
        on: type[Exception] | tuple[type[Exception], ...] = (),
    ) -> Any:  # fmt: skip
        """Wait for a check; see the class."""
        if check is None:
            return functools.partial(self._decorated, within=within, every=every, on=on)
        kinds: Kinds = (AssertionError, *(on if isinstance(on, tuple) else (on,)))
        wait = _Wait(
            check, within, float(parse_duration(within)), float(parse_duration(every)), kinds
        )
        if asyncio._get_running_loop() is None:
            # A loop of its own, and none that the thread has afterwards.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                return runner.run(wait.until())
        self._forgotten.append(wait)
        return wait

    def _decorated(self, check: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        @functools.wraps(check)
        def waiting(*args: Any, **kwargs: Any) -> Any:
            return self(functools.partial(check, *args, **kwargs), **options)

        return waiting

    def refuse_forgotten(self) -> None:
        """Fail a test that called this and did not wait: it has checked nothing."""
        __tracebackhide__ = True
        if any(not wait.awaited for wait in self._forgotten):
            pytest.fail("eventually(…) checks nothing without 'await'", pytrace=False)


@dataclass(slots=True)
class _Wait:
    """A check, asked until it passes. The running loop's clock is the clock."""

    check: Check
    within: str
    within_s: float
    every_s: float
    kinds: Kinds
    awaited: bool = False
    attempts: int = 0
    under_way: bool = False
    result: Any = None
    failure: BaseException | None = None
    said: str = ""

    def __await__(self) -> Generator[Any, None, Any]:
        return self.until().__await__()

    async def until(self) -> Any:
        """Ask until the check passes, and return its result."""
        __tracebackhide__ = True
        self.awaited = True
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout_at(began + self.within_s) as limit:
                while not await self._passes():  # noqa: ASYNC110 - nothing tells when it would
                    await asyncio.sleep(self.every_s)
                return self.result
        except TimeoutError:
            if not limit.expired():
                raise  # the check's own
        raise AssertionError(self._told(clock() - began)) from self.failure

    async def _passes(self) -> bool:
        """Ask once, and keep what came of it."""
        __tracebackhide__ = True
        self.attempts += 1
        self.under_way = True
        try:
            self.result = await _asked(self.check)
        except self.kinds as error:
            self.failure, self.said = error, f"{type(error).__name__}: {error}"
        else:
            self.failure, self.said = None, f"it returned {reprlib.repr(self.result)}"
        self.under_way = False
        return self.failure is None and (self.result is None or bool(self.result))

    def _told(self, took_s: float) -> str:
        tried = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'} in {took_s:.3g} s"
        last = self.said
        if self.under_way:
            last = "it had not ended and was cut" + (f"; before it: {last}" if last else "")
        return f"not within {self.within}, {tried}; the last: {last}"


async def _asked(check: Check) -> Any:
    """Call a check: what is not async in a thread, so that the loop turns and it can be cut."""
    function = check.func if isinstance(check, functools.partial) else check
    if inspect.iscoroutinefunction(function):
        return await check()
    result = await beside(check)
    return await result if inspect.isawaitable(result) else result
