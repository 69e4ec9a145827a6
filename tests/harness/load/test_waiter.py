from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import pytest
from uvloop import Loop

from harness.load.waiter import Waiter


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def waited(loop: Loop, ends: Callable[[Waiter], object]) -> list[str]:
    """What happens in which order where something of the loop's own ends a wait."""
    order: list[str] = []

    async def wait(waiter: Waiter) -> None:
        await waiter
        order.append("woken")

    def end(waiter: Waiter) -> None:
        order.append("ending")
        ends(waiter)
        order.append("ended")

    async def run() -> None:
        waiter = Waiter(loop)
        task = asyncio.create_task(wait(waiter))
        loop.call_later(0.001, end, waiter)
        await task

    loop.run_until_complete(run())
    return order


def test_who_waits_is_woken_within_the_call(loop: Loop) -> None:
    assert waited(loop, lambda waiter: waiter.end()) == ["ending", "woken", "ended"]


def test_who_waits_is_woken_after_the_call_where_a_task_may_be_running(loop: Loop) -> None:
    assert waited(loop, lambda waiter: waiter.end_soon()) == ["ending", "ended", "woken"]


def test_an_end_is_one_end(loop: Loop) -> None:
    def twice(waiter: Waiter) -> None:
        waiter.end()
        waiter.end(ValueError("too late"))
        waiter.end_soon(ValueError("too late"))

    assert waited(loop, twice) == ["ending", "woken", "ended"]


@pytest.mark.parametrize("how", ["end", "end_soon"])
def test_an_error_is_raised_where_it_was_waited_for(loop: Loop, how: str) -> None:
    async def run() -> None:
        waiter = Waiter(loop)
        loop.call_later(0.001, getattr(waiter, how), ValueError("so"))
        await waiter

    with pytest.raises(ValueError, match="so"):
        loop.run_until_complete(run())


@pytest.mark.parametrize("how", ["end", "end_soon"])
def test_what_is_over_before_it_is_waited_for_is_not_waited_for(loop: Loop, how: str) -> None:
    async def run(error: Exception | None) -> None:
        waiter = Waiter(loop)
        getattr(waiter, how)(error)
        await waiter

    loop.run_until_complete(run(None))
    with pytest.raises(ValueError, match="so"):
        loop.run_until_complete(run(ValueError("so")))


def test_a_limit_ends_a_wait_and_what_comes_later_wakes_nobody(loop: Loop) -> None:
    async def run() -> list[str]:
        waiter, order = Waiter(loop), []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await waiter
        waiter.end()
        order.append("went on")
        await asyncio.sleep(0)
        return order

    assert loop.run_until_complete(run()) == ["went on"]


def test_an_answer_before_a_task_was_cancelled_is_no_answer_lost(loop: Loop) -> None:
    async def run() -> str:
        waiter = Waiter(loop)

        async def wait() -> str:
            try:
                await waiter
            except asyncio.CancelledError as error:
                return f"cancelled: {error}"
            return "answered"

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel("enough")
        waiter.end()  # between the cancelling and its turn
        return await task

    assert loop.run_until_complete(run()) == "cancelled: enough"


def test_a_woken_task_has_its_own_context(loop: Loop) -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody's")

    async def run() -> str:
        waiter = Waiter(loop)

        async def wait() -> str:
            name.set("its own")
            await waiter
            return name.get()

        task = asyncio.create_task(wait())
        loop.call_later(0.001, waiter.end)
        return await task

    assert loop.run_until_complete(run()) == "its own"


def test_a_task_of_another_loop_may_not_wait(loop: Loop) -> None:
    other = Loop()

    async def run() -> None:
        await Waiter(other)

    with pytest.raises(RuntimeError, match="attached to a different loop"):
        loop.run_until_complete(run())
    other.close()
