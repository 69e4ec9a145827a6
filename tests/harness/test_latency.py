from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.latency import Even, LogNormal, Spread, parse_latency

chances = st.floats(0, 1, exclude_max=True)
seconds = st.floats(0.001, 100)
latencies = (
    st.tuples(seconds, seconds)
    .map(lambda two: (min(two), max(two)))
    .flatmap(lambda two: st.sampled_from([Even(*two), LogNormal(*two)]))
)


def test_a_duration_is_always_the_same() -> None:
    assert {parse_latency("50ms").at(chance) for chance in (0.0, 0.3, 0.999)} == {0.05}


def test_a_range_lies_between_its_ends() -> None:
    latency = parse_latency("50ms..200ms")

    assert latency == Even(0.05, 0.2)
    assert (latency.at(0), latency.at(0.5), latency.at(1)) == (0.05, 0.125, 0.2)


def test_a_spread_has_its_percentiles() -> None:
    latency = parse_latency(Spread("20ms", "200ms"))

    assert latency.at(0.5) == pytest.approx(0.02)
    assert latency.at(0.99) == pytest.approx(0.2)


@given(latencies, chances, chances)
def test_a_larger_chance_is_never_a_shorter_latency(
    latency: Even | LogNormal, one: float, other: float
) -> None:
    low, high = sorted([one, other])

    assert 0 <= latency.at(low) <= latency.at(high) * (1 + 1e-9)


@given(seconds, seconds)
def test_an_even_latency_never_leaves_its_range(one: float, other: float) -> None:
    low, high = sorted([one, other])

    assert all(low <= Even(low, high).at(chance) <= high for chance in (0, 0.1, 0.7, 1 - 2**-53))


@given(latencies, st.integers())
def test_many_draws_have_the_median_that_is_asked_for(latency: Even | LogNormal, seed: int) -> None:
    draw = random.Random(seed).random
    drawn = [latency.at(draw()) for _ in range(400)]
    below = sum(one <= latency.at(0.5) for one in drawn)

    assert below > 100  # that it is fewer has a chance of less than 1 in 10**20


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("200ms..50ms", "200ms is longer than 50ms"),
        (Spread("2s", "1s"), "p50 is longer than p99"),
        ("50..60", "cannot read the duration '50'"),
        ("50ms..", "cannot read the duration ''"),
        ("..50ms", "cannot read the duration ''"),
        ("0ms", "cannot read the duration '0ms'"),
        (Spread("20ms", "x"), "cannot read the duration 'x'"),
    ],
)
def test_what_no_latency_is_like_is_refused(told: str | Spread, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_latency(told)

    assert says in str(raised.value)
    assert raised.value.slug in ("plan/duration", "stubs/delay")
