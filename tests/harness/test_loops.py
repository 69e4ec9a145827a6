from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator

import pytest

from harness.loops import across, aside, result_of, within

NAME = contextvars.ContextVar("NAME", default="nobody")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_a_function_is_called_in_another_thread_while_the_loop_turns(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def here() -> threading.Thread:
        return threading.current_thread()

    def function() -> tuple[threading.Thread, threading.Thread]:
        return threading.current_thread(), result_of(loop, here())

    thread, turning = aside(loop, function)

    assert turning is threading.current_thread() is not thread


def test_context_variables_go_there_and_back(loop: asyncio.AbstractEventLoop) -> None:
    NAME.set("here")

    def function() -> str:
        seen = NAME.get()
        NAME.set("there")
        return seen

    assert (aside(loop, function), NAME.get()) == ("here", "there")


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_it_raises_is_raised_here(
    loop: asyncio.AbstractEventLoop, kind: type[BaseException]
) -> None:
    def function() -> None:
        raise kind("told")

    with pytest.raises(kind, match="told"):
        aside(loop, function)


def test_a_result_can_be_had_where_no_loop_turns_and_not_where_one_does(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def waiting() -> str:
        with pytest.raises(RuntimeError, match="would block"):
            result_of(loop, asyncio.sleep(0, "never"))
        return "had"

    assert result_of(loop, waiting()) == "had"


def test_leaving_a_call_across_loops_cancels_it(loop: asyncio.AbstractEventLoop) -> None:
    left = threading.Event()

    async def for_ever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            left.set()

    async def impatient() -> None:
        await asyncio.wait_for(across(loop, for_ever)(), 0.05)

    def function() -> bool:
        with pytest.raises(TimeoutError):
            asyncio.run(impatient())
        return left.wait(10)

    assert aside(loop, function)


async def test_a_coroutine_has_the_context_that_it_is_given_and_leaves_the_callers_alone() -> None:
    token = NAME.set("the caller's")

    async def look() -> tuple[str, str]:
        before = NAME.get()
        NAME.set("its own")
        await asyncio.sleep(0)
        return before, NAME.get()

    assert await within(contextvars.Context(), look()) == ("nobody", "its own")
    assert NAME.get() == "the caller's"
    NAME.reset(token)


async def test_what_a_coroutine_in_a_context_raises_and_its_cancellation_come_through() -> None:
    ended: list[str] = []

    async def fail() -> None:
        raise LookupError("no such thing")

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    with pytest.raises(LookupError, match="no such thing"):
        await within(contextvars.Context(), fail())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(within(contextvars.Context(), wait()), 0.01)
    assert ended == ["cancelled"]
