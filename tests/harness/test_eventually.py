"""What becomes true later is waited for, no longer than it may take, and never in silence."""

from __future__ import annotations

import asyncio
import itertools
import re
import selectors
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.offer.eventually import Eventually


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing: the time of its loop jumps instead."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still but for what is waited for."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def ran(main: Coroutine[Any, Any, Any]) -> Any:
    loop = Loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


@given(
    took=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    passes=st.integers(1, 40),
    every=st.integers(1, 20),
    within=st.integers(1, 200),
)
def test_it_asks_one_at_a_time_until_the_check_passes_or_the_time_is_up(
    took: list[int], passes: int, every: int, within: int
) -> None:
    began: list[float] = []
    under_way = 0

    async def check() -> str:
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        began.append(asyncio.get_running_loop().time())
        try:
            await asyncio.sleep(took[(len(began) - 1) % len(took)])
        finally:
            under_way -= 1
        if len(began) < passes:
            raise AssertionError(f"attempt {len(began)}")
        return "passed"

    async def main() -> tuple[Any, float]:
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            told = await Eventually()(check, within=f"{within}s", every=f"{every}s")
        except AssertionError as error:
            told = error
        return told, clock() - start

    told, lasted = ran(main())

    needed = sum(took[n % len(took)] for n in range(passes)) + (passes - 1) * every
    assert lasted <= within + 0.001
    if needed < within:
        assert (told, len(began)) == ("passed", passes)
        assert lasted == pytest.approx(needed)
    elif needed > within:
        assert isinstance(told, AssertionError)
        assert f"not within {within}s, {len(began)} attempt" in str(told)
    pauses = [later - sooner for sooner, later in itertools.pairwise(began)]
    assert all(
        pause == pytest.approx(took[n % len(took)] + every) for n, pause in enumerate(pauses)
    )


async def test_what_is_raised_otherwise_is_raised_at_once() -> None:
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1
        raise TimeoutError if asked == 3 else KeyError(asked)

    with pytest.raises(TimeoutError):
        await Eventually()(check, within="30s", every="1ms", on=KeyError)
    assert asked == 3
    with pytest.raises(KeyError):
        await Eventually()(lambda: {}["nothing"], within="30s", on=(ValueError,))


def test_the_last_failure_is_told_with_how_often_and_how_long() -> None:
    async def main() -> None:
        async def check() -> None:
            raise AssertionError("still 3 of 4")

        await Eventually()(check, within="2s", every="500ms")

    with pytest.raises(AssertionError) as told:
        ran(main())

    said = "not within 2s, 4 attempts in 2 s; the last: AssertionError: still 3 of 4"
    assert str(told.value) == said
    assert str(told.value.__cause__) == "still 3 of 4"


def test_a_check_that_hangs_is_cut() -> None:
    asked = 0

    async def main() -> None:
        async def check() -> None:
            nonlocal asked
            asked += 1
            assert asked == 2, "not yet"
            await asyncio.sleep(3600)

        await Eventually()(check, within="2s")

    with pytest.raises(AssertionError) as told:
        ran(main())

    said = "2 attempts in 2 s; the last: it had not ended and was cut; before it: AssertionError"
    assert said in str(told.value)


async def test_a_check_that_blocks_is_cut_and_keeps_no_loop_from_turning() -> None:
    released = threading.Event()
    began = time.monotonic()

    with pytest.raises(AssertionError, match=r"1 attempt in .* it had not ended and was cut"):
        await Eventually()(lambda: released.wait(60), within="50ms")

    assert time.monotonic() - began < 30
    released.set()


@pytest.mark.parametrize("nothing", [False, 0, [], ""])
async def test_a_check_that_returns_something_false_has_not_passed(nothing: Any) -> None:
    with pytest.raises(AssertionError, match=re.escape(f"it returned {nothing!r}")):
        await Eventually()(lambda: nothing, within="20ms", every="5ms")


async def test_what_a_check_returns_is_the_result() -> None:
    async def seven() -> int:
        return 7

    assert await Eventually()(lambda: None) is None
    assert await Eventually()(lambda: [7]) == [7]
    assert await Eventually()(lambda: seven()) == 7


def test_in_a_synchronous_test_the_call_itself_waits() -> None:
    answers = iter([0, 0, 7])
    released = threading.Event()

    async def seven() -> int:
        return 7

    assert Eventually()(lambda: next(answers), every="1ms") == 7
    assert Eventually()(seven) == 7
    with pytest.raises(AssertionError, match="was cut"):
        Eventually()(lambda: released.wait(60), within="50ms")
    released.set()


async def test_a_decorated_check_waits_whenever_it_is_called() -> None:
    answers = iter([0, 7, 0, 9])

    @Eventually()(within="30s", every="1ms")
    def more(than: int) -> int:
        answer = next(answers)
        assert answer > than
        return answer

    assert [await more(5), await more(8)] == [7, 9]
    assert more.__name__ == "more"


def test_a_wait_that_was_not_awaited_fails_the_test() -> None:
    async def main() -> None:
        forgetful, careful = Eventually(), Eventually()
        forgetful(lambda: 1)
        await careful(lambda: 1)

        careful.refuse_forgotten()
        with pytest.raises(pytest.fail.Exception, match="nothing without 'await'"):
            forgetful.refuse_forgotten()

    ran(main())


def test_a_duration_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot read the duration '5'"):
        Eventually()(lambda: 1, within="5")
