from __future__ import annotations

import asyncio
import os
import sys
import time

import pytest
from uvloop import Loop

from harness.load.alarm import Alarm

S = 1_000_000_000


async def waits(*after_s: float) -> list[float]:
    """Wait so often; return how late each waking was, in seconds."""
    alarm, found = Alarm(), []
    try:
        for seconds in after_s:
            at_ns = time.monotonic_ns() + int(seconds * S)
            await alarm.until(at_ns)
            found.append((time.monotonic_ns() - at_ns) / S)
    finally:
        alarm.close()
    return found


def on_a_loop(after_s: tuple[float, ...]) -> list[float]:
    loop = Loop()
    try:
        return loop.run_until_complete(waits(*after_s))
    finally:
        loop.close()


def test_nothing_is_woken_before_its_time() -> None:
    late = on_a_loop((0.0003, 0.01, 0.0001, 0.002, -1, 0))

    assert min(late) >= 0


@pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
def test_a_waking_is_finer_than_the_loops_milliseconds() -> None:
    late = on_a_loop((0.0002,) * 50)

    assert min(late) < 0.0007  # the loop's own timers would wait for a millisecond at least


def test_without_a_timer_of_the_kernel_the_loops_own_will_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "other")

    assert min(on_a_loop((0.001, 0.002))) > -0.0015  # its clock ticks in milliseconds


@pytest.mark.skipif(sys.platform != "linux", reason="counts /proc/self/fd")
def test_it_leaves_no_file_open_and_may_be_cancelled() -> None:
    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waits(10), 0.01)

    loop = Loop()
    loop.run_until_complete(asyncio.sleep(0))
    before = len(os.listdir("/proc/self/fd"))
    loop.run_until_complete(cancelled())
    after = len(os.listdir("/proc/self/fd"))
    loop.close()

    assert after == before
