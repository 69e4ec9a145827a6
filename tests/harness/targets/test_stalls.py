"""What counts as blocking: what a thread did itself, and no time that others took from it."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.targets.call import CALL, Call, Meanwhile
from harness.targets.stalls import Stalls, _Look, _Step

MS = 1_000_000
ROOT = Path(__file__).parent

pytestmark = pytest.mark.skipif(not Stalls.can_see(), reason="needs Linux")


async def _nothing(scope: object, receive: object, send: object) -> None: ...


CALLED = Call(_nothing, "shop", {"type": "http"}, Meanwhile("t"))


def look(at: int, *, cpu: int = 0, gc: int = 0, state: bytes = b"S", switches: int = 7) -> _Look:
    return _Look(at * MS, cpu * MS, gc * MS, state, switches)


@pytest.mark.parametrize(
    ("after", "counted"),
    [
        pytest.param(look(200), 200, id="asleep in one call"),
        pytest.param(look(200, cpu=90, state=b"R"), 90, id="computing, part of the time"),
        pytest.param(look(200, state=b"R"), 0, id="ready, and others have the processor"),
        pytest.param(look(200, switches=47), 0, id="waking up for the interpreter's lock"),
        pytest.param(look(200, state=b"D"), 0, id="waiting for a disk"),
        pytest.param(look(200, cpu=90, gc=80, state=b"R"), 10, id="collecting garbage"),
    ],
)
def test_only_what_a_thread_does_itself_is_blocking(after: _Look, counted: int) -> None:
    handle: Any = threading.Event()  # anything that can be referred to
    step = _Step(weakref.ref(handle), CALLED, look(0))

    Stalls(ROOT, lambda *told: None)._count(step, after, sys._getframe())

    assert step.kept_ns == counted * MS


@pytest.fixture
def told() -> Iterator[list[tuple[Call, str, float]]]:
    told: list[tuple[Call, str, float]] = []
    stalls = Stalls(ROOT, lambda *stall: told.append(stall))
    stalls.open()
    stalls.add()
    yield told
    stalls.close()


def _busy(over: threading.Event) -> None:
    while not over.is_set():
        sum(range(100))


async def test_threads_that_compete_for_the_interpreter_block_nothing(
    told: list[tuple[Call, str, float]],
) -> None:
    over = threading.Event()
    others = [threading.Thread(target=_busy, args=(over,)) for _ in range(3)]
    for thread in others:
        thread.start()
    CALL.set(CALLED)

    for _ in range(20):
        await asyncio.sleep(0)
        sum(range(10_000))

    over.set()
    for thread in others:
        thread.join()
    await asyncio.sleep(0.05)
    assert [seconds for _, _, seconds in told if seconds > 0.1] == []


async def test_many_short_steps_are_not_one_long_one(told: list[tuple[Call, str, float]]) -> None:
    CALL.set(CALLED)
    until = time.monotonic() + 0.3

    while time.monotonic() < until:  # noqa: ASYNC110 - steps are what is wanted
        await asyncio.sleep(0)

    await asyncio.sleep(0.05)
    assert told == []


async def test_garbage_collections_do_not_count(told: list[tuple[Call, str, float]]) -> None:
    heap = [[number] for number in range(300_000)]
    CALL.set(CALLED)
    await asyncio.sleep(0)

    for _ in range(4):
        gc.collect()

    await asyncio.sleep(0.05)
    assert len(heap) == 300_000
    assert [seconds for _, _, seconds in told if seconds > 0.1] == []


async def test_a_step_that_blocks_is_told_once_with_its_line(
    told: list[tuple[Call, str, float]],
) -> None:
    CALL.set(CALLED)
    await asyncio.sleep(0)

    time.sleep(0.5)  # noqa: ASYNC251 - which is what is tested

    await asyncio.sleep(0.05)
    assert [(call, place) for call, place, _ in told] == [(CALLED, f"test_stalls.py:{LINE}")]
    assert told[0][2] > 0.1


LINE = 1 + Path(__file__).read_text().splitlines().index(
    "    time.sleep(0.5)  # noqa: ASYNC251 - which is what is tested"
)
