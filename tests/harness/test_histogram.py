from __future__ import annotations

import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.histogram import Histogram, samples_needed

HOUR_NS = 3_600_000_000_000
durations = st.integers(min_value=0, max_value=HOUR_NS)
quantiles = st.fractions(min_value=Fraction(1, 1000), max_value=1)


def recorded(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(st.lists(durations), st.lists(durations))
def test_adding_two_histograms_equals_recording_both_streams_into_one(
    one: list[int], other: list[int]
) -> None:
    assert recorded(one) + recorded(other) == recorded(one + other)


@given(durations, st.integers(min_value=1, max_value=50))
def test_recording_a_value_n_times_equals_n_records_of_it(value: int, times: int) -> None:
    at_once = Histogram()
    at_once.record(value, times)

    assert at_once == recorded([value] * times)


@given(st.lists(durations) | st.lists(st.integers(-HOUR_NS, 3 * HOUR_NS)), st.lists(durations))
def test_recording_many_values_at_once_equals_a_record_of_each(
    before: list[int], values: list[int]
) -> None:
    at_once = recorded(values)
    at_once.record_all(before)

    assert at_once == recorded(values + before)


@given(st.lists(st.integers(-HOUR_NS, 3 * HOUR_NS)))
def test_what_is_out_of_range_is_clipped_counted_and_never_dropped(values: list[int]) -> None:
    histogram = recorded(values)

    assert histogram.count == len(values) == sum(histogram.buckets.values())
    assert histogram.clipped == sum(not 0 <= value < HOUR_NS + 1_000 for value in values)


@given(st.lists(durations, min_size=1), quantiles)
def test_a_quantile_is_the_nearest_rank_and_errs_upwards_by_a_thousandth_at_most(
    values: list[int], q: Fraction
) -> None:
    rank = -(-q.numerator * len(values) // q.denominator)
    exact = sorted(values)[max(rank, 1) - 1]

    found = recorded(values).quantile(q)

    assert found is not None
    assert exact <= found <= max(exact * 1.001 + 1_000, exact)


@given(st.lists(durations, min_size=1))
def test_no_quantile_exceeds_the_exact_maximum(values: list[int]) -> None:
    histogram = recorded(values)

    assert histogram.quantile(Fraction(1)) == max(values) == histogram.max_ns
    assert histogram.min_ns == min(values)
    assert histogram.mean_ns == sum(values) / len(values)


@given(st.lists(durations), st.lists(durations))
def test_adding_leaves_both_as_they_were(one: list[int], other: list[int]) -> None:
    first, second = recorded(one), recorded(other)
    _ = first + second

    assert (first, second) == (recorded(one), recorded(other))


def test_a_value_beyond_an_hour_is_clipped_and_counted_and_its_maximum_stays_exact() -> None:
    histogram = recorded([5 * HOUR_NS])

    assert histogram.count == histogram.clipped == 1
    assert histogram.max_ns == 5 * HOUR_NS


def test_a_negative_duration_is_clipped_to_zero_and_counted() -> None:
    histogram = recorded([-5])

    assert (histogram.min_ns, histogram.total_ns, histogram.clipped) == (0, 0, 1)


def test_without_values_there_is_neither_quantile_nor_mean() -> None:
    assert Histogram().quantile(Fraction(1, 2)) is None
    assert Histogram().mean_ns is None


@pytest.mark.parametrize(
    ("percentile", "needed"), [("50", 2), ("90", 10), ("95", 20), ("99", 100), ("99.9", 1000)]
)
def test_a_percentile_needs_so_many_samples_that_it_is_not_the_maximum(
    percentile: str, needed: int
) -> None:
    assert samples_needed(Fraction(percentile) / 100) == needed


@given(st.lists(st.integers(0, 10_000_000_000), min_size=2, max_size=200))
def test_a_deviation_is_off_by_no_more_than_half_a_bucket(values: list[int]) -> None:
    found = Histogram()
    for value in values:
        found.record(value)
    off_ns = max(500, max(values) / 2_000) * math.sqrt(len(values) / (len(values) - 1))

    assert found.deviation_ns == pytest.approx(statistics.stdev(values), abs=off_ns + 1)


def test_a_deviation_needs_two_values() -> None:
    found = Histogram()
    found.record(5)

    assert found.deviation_ns is None


@given(st.integers(0, 3_599_000_000_000))
def test_a_value_is_within_half_a_bucket_of_its_buckets_middle(value: int) -> None:
    found = Histogram()
    found.record(value)
    ((middle_ns, times),) = found.each()

    assert times == 1
    assert abs(middle_ns - value) <= max(500, value / 2_000 + 1)
