from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pace import Rate, Stage, Stages, Workers, parse_pace
from harness.schedule import BLOCK, schedule, turns

NS = 10**9

levels = st.one_of(
    st.just(Fraction(0)),
    st.fractions(min_value=Fraction(1, 100), max_value=100_000, max_denominator=100),
)
seconds = st.fractions(min_value=Fraction(1, 100), max_value=10_000, max_denominator=100)


@st.composite
def rates(draw: st.DrawFn, poisson: bool = False) -> Stages:
    stages = draw(st.lists(st.builds(Stage, levels, levels, seconds), min_size=1, max_size=5))
    if not any(stage.start or stage.end for stage in stages):
        stages.append(Stage(Fraction(1), Fraction(1), Fraction(1)))
    return Stages(tuple(stages), True, poisson)


def reached(pace: Stages, at_ns: int) -> Fraction:
    """Integrate the rate, exactly, from the start to an instant."""
    left, total = Fraction(at_ns, NS), Fraction(0)
    for stage in pace.stages:
        t = min(left, stage.duration_s)
        slope = (stage.end - stage.start) / stage.duration_s
        total += stage.start * t + slope * t * t / 2
        left -= t
    return total


@given(rates(), st.data())
def test_an_arrival_is_due_when_the_integral_of_the_rate_reaches_its_number(
    pace: Stages, data: st.DataObject
) -> None:
    due = schedule(pace)
    g = data.draw(st.integers(0, due.arrivals - 1))
    at_ns = due.due_ns(g)

    assert reached(pace, at_ns) <= g
    assert reached(pace, at_ns + 2) >= g


@given(rates(), st.data())
def test_due_times_never_go_back(pace: Stages, data: st.DataObject) -> None:
    due = schedule(pace)
    first = data.draw(st.integers(0, due.arrivals - 1))
    times = [due.due_ns(g) for g in range(first, min(first + 50, due.arrivals))]

    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < due.ends_ns


@given(rates())
def test_as_many_are_due_as_the_rate_makes_in_all(pace: Stages) -> None:
    due = schedule(pace)
    area = sum((s.start + s.end) / 2 * s.duration_s for s in pace.stages)

    assert due.arrivals == math.ceil(area)
    assert due.ends_ns == int(pace.duration_s * NS)


def test_the_times_of_a_rate_and_of_a_ramp_are_what_a_reader_expects() -> None:
    even, ramp = schedule(parse_pace("20/s for 1s")), schedule(parse_pace("ramp 0→20/s over 10s"))

    assert [even.due_ns(g) for g in range(20)] == [g * NS // 20 for g in range(20)]
    assert ramp.arrivals == 100
    assert [ramp.due_ns(g) for g in (0, 1, 4, 25)] == [0, NS, 2 * NS, 5 * NS]


def test_nothing_is_due_while_the_rate_is_zero() -> None:
    pause = schedule(parse_pace("10/s for 1s, 0/s for 5s, 10/s for 1s"))

    assert [pause.due_ns(g) for g in (9, 10, 11)] == [NS * 9 // 10, 6 * NS, 6 * NS + NS // 10]


@given(rates(), st.integers(1, 1000))
def test_a_count_cuts_the_arrivals_and_ends_when_the_next_were_due(pace: Stages, most: int) -> None:
    whole, cut = schedule(pace), schedule(pace, most=most)

    assert cut.arrivals == min(most, whole.arrivals)
    assert cut.ends_ns == (whole.due_ns(most) if most < whole.arrivals else whole.ends_ns)


def poisson(text: str, seed: int, most: int | None = None) -> list[float]:
    due = schedule(parse_pace(f"poisson {text}"), seed, most)
    return [due.due_ns(g) / NS for g in range(due.arrivals)]


def test_a_seed_gives_one_poisson_schedule_in_whatever_order_it_is_asked() -> None:
    text = "ramp 0→200/s over 5s, hold 5s"
    whole = poisson(text, 7)

    assert poisson(text, 7) == whole
    assert poisson(text, 8) != whole
    for processes in (2, 3, 7):
        found: dict[int, float] = {}
        for process in range(processes):
            due = schedule(parse_pace(f"poisson {text}"), 7)
            shared = range(process, due.arrivals, processes)
            found |= {g: due.due_ns(g) / NS for g in reversed(shared)}
        assert [found[g] for g in range(len(found))] == whole


def test_a_counted_poisson_load_is_the_beginning_of_the_whole_one() -> None:
    whole = poisson("100/s for 20s", 3)

    for most in (1, BLOCK - 1, BLOCK, BLOCK + 1, 1000, len(whole), len(whole) + 1):
        assert poisson("100/s for 20s", 3, most) == whole[:most]
    assert len(poisson("100/s for 24h", 3, 10)) == 10  # without making a day's


@given(rates(poisson=True), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_poisson_arrivals_never_go_back_and_lie_before_the_end(pace: Stages, seed: int) -> None:
    due = schedule(pace, seed, most=300)
    times = [due.due_ns(g) for g in range(due.arrivals)]

    assert times == sorted(times)
    assert all(0 <= at_ns < due.ends_ns for at_ns in times[:-1])


def distance(values: list[float], below: Callable[[float], float]) -> float:
    """Kolmogorov's distance between what was found and a distribution, times the root of n."""
    ordered, n = sorted(values), len(values)
    cdf = [below(value) for value in ordered]
    return max(max((k + 1) / n - p, p - k / n) for k, p in enumerate(cdf)) * math.sqrt(n)


KS_LIMIT = 1.95
"""Kolmogorov's limit for a chance of 0.1 %; the seeds are fixed, so it holds or it does not."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_gaps_of_a_poisson_rate_are_exponential(seed: int) -> None:
    times = poisson("1000/s for 20s", seed)
    gaps = [after - before for before, after in zip([0, *times], times, strict=False)]

    assert distance(gaps, lambda gap: -math.expm1(-1000 * gap)) < KS_LIMIT
    beside = list(itertools.pairwise(gaps))
    mean = sum(gaps) / len(gaps)
    together = sum((a - mean) * (b - mean) for a, b in beside) / len(beside) / mean**2
    assert abs(together) < 4 / math.sqrt(len(beside))  # gaps know nothing of each other


def test_counts_of_a_poisson_rate_vary_as_much_as_they_are_many() -> None:
    counts: list[int] = []
    for seed in range(20):
        per_second = [0] * 50
        for at in poisson("30/s for 50s", seed):
            per_second[int(at)] += 1
        counts += per_second

    mean = sum(counts) / len(counts)
    variance = sum((n - mean) ** 2 for n in counts) / (len(counts) - 1)
    assert abs(mean - 30) < 4 * math.sqrt(30 / 1000)
    assert abs(variance / 30 - 1) < 4 * math.sqrt(2 / 1000)


def test_the_arrivals_of_a_poisson_ramp_lie_where_its_rate_does() -> None:
    times = poisson("ramp 0→1000/s over 20s", 5)

    assert distance(times, lambda at: (at / 20) * (at / 20)) < KS_LIMIT


def test_workers_begin_and_end_where_the_level_passes_their_number() -> None:
    pace = parse_pace("ramp 0→50 workers over 30s, hold 1m, ramp 50→0 workers over 10s")

    assert turns(pace, 0) == [(0, 100 * NS)]
    assert turns(pace, 25) == [(15 * NS, 95 * NS)]
    assert turns(pace, 50) == []


def test_workers_of_a_spike_work_each_time_that_it_comes() -> None:
    pace = parse_pace("2 workers for 3s, spike 5 workers for 1s, hold 2s, spike 4 workers for 1s")

    assert turns(pace, 1) == [(0, 7 * NS)]
    assert turns(pace, 3) == [(3 * NS, 4 * NS), (6 * NS, 7 * NS)]
    assert turns(pace, 4) == [(3 * NS, 4 * NS)]


@given(st.lists(st.builds(Stage, st.integers(0, 20).map(Fraction), st.integers(0, 20).map(Fraction),
                          st.integers(1, 20).map(Fraction)), min_size=1, max_size=5),
       st.integers(0, 20_000))  # fmt: skip
def test_as_many_workers_work_at_any_time_as_the_level_says(
    stages: list[Stage], permille: int
) -> None:
    pace = Stages(tuple(stages), False)
    at_ns = int(pace.duration_s * NS) * permille // 20_001
    level, left = Fraction(0), Fraction(at_ns, NS)
    for stage in stages:
        if left < stage.duration_s:
            level = stage.start + (stage.end - stage.start) * left / stage.duration_s
            break
        left -= stage.duration_s
    working = sum(
        any(begins <= at_ns < ends for begins, ends in turns(pace, worker)) for worker in range(21)
    )

    assert abs(working - level) <= 1
    assert working in (math.ceil(level), math.floor(level), math.floor(level) + 1)


def test_constant_workers_work_throughout() -> None:
    assert turns(Workers(3, Fraction(5)), 2) == [(0, 5 * NS)]
    assert turns(Workers(3, Fraction(5)), 3) == []


def test_a_rate_of_a_third_is_as_exact_as_any_other() -> None:
    due = schedule(Rate(Fraction(1, 3), Fraction(10)))

    assert [due.due_ns(g) for g in range(due.arrivals)] == [0, 3 * NS, 6 * NS, 9 * NS]
