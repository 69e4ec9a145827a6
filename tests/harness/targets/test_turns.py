"""Whose turn it is: in order, far enough apart, whoever waits, leaves or is late."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.targets.turns import Turns


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.sampled_from(["ask", "leave", "late", "wait"]), max_size=60))
def test_turns_are_taken_in_order_and_never_closer_than_the_gap(steps: list[str]) -> None:
    clock = Clock()
    turns = Turns(0.5, clock)
    line: list[object] = []
    taken: list[tuple[object, float]] = []
    asked: list[object] = []

    def try_all() -> None:
        for ticket in list(reversed(line)):  # the last one wakes first
            if not turns.left_s(ticket):
                line.remove(ticket)
                taken.append((ticket, clock.now))

    for step in steps:
        if step == "ask":
            line.append(turns.ask())
            asked.append(line[-1])
        elif step == "leave" and line:
            turns.leave(line.pop(len(line) // 2))
        elif step == "late":  # everything stands still, and then all wake at once
            clock.now += 3.0
        elif line:
            clock.now += max(turns.left_s(line[0]), 0.01) if turns.left_s(line[-1]) else 0.0
        line = [one for one in line if one in turns._waiting]
        try_all()

    times = [at for _, at in taken]
    assert all(later - sooner >= 0.5 for sooner, later in itertools.pairwise(times))
    order = [asked.index(ticket) for ticket, _ in taken]
    assert order == sorted(order)


def test_who_stands_in_line_is_told_when_to_ask_again() -> None:
    clock = Clock()
    turns = Turns(0.5, clock)
    first, second, third = turns.ask(), turns.ask(), turns.ask()

    assert turns.left_s(first) == 0
    assert (turns.left_s(second), turns.left_s(third)) == (0.5, 1.0)
    turns.leave(second)
    turns.leave(second)
    assert turns.left_s(third) == 0.5


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    turns = Turns(0.05)
    await turns.wait()
    waiting = asyncio.ensure_future(turns.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await asyncio.wait_for(turns.wait(), 30)


def test_threads_with_loops_of_their_own_share_them() -> None:
    turns = Turns(0.02)
    at: list[float] = []

    async def five() -> None:
        for _ in range(5):
            await turns.wait()
            at.append(time.monotonic())

    began = time.monotonic()
    threads = [threading.Thread(target=lambda: asyncio.run(five())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(at) == 15
    assert max(at) - began >= 14 * 0.02
