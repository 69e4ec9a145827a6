from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.pace import Rate, Workers, duration_text, parse_duration, parse_pace

rates = st.builds(
    Rate,
    st.fractions(min_value=Fraction(1, 10), max_value=100_000, max_denominator=100),
    st.fractions(min_value=Fraction(1, 10), max_value=600, max_denominator=100),
)


@given(rates, st.integers(0, 10**6))
def test_due_times_never_go_back(rate: Rate, arrival: int) -> None:
    assert rate.due_ns(arrival) <= rate.due_ns(arrival + 1)


@given(rates)
def test_the_arrivals_are_just_those_due_before_the_end(rate: Rate) -> None:
    end_ns = rate.duration_s * 10**9

    assert rate.due_ns(0) == 0
    assert rate.due_ns(rate.arrivals - 1) < end_ns
    assert rate.arrivals / rate.per_second >= rate.duration_s


@pytest.mark.parametrize(
    ("text", "pace"),
    [
        ("20/s for 15s", Rate(Fraction(20), Fraction(15))),
        ("0.5/s for 2m", Rate(Fraction(1, 2), Fraction(120))),
        ("50 workers for 1m", Workers(50, Fraction(60))),
        ("1 worker for 500ms", Workers(1, Fraction(1, 2))),
    ],
)
def test_a_pace_is_read_and_written_back(text: str, pace: Rate | Workers) -> None:
    assert parse_pace(text) == pace
    assert str(pace) == text


@pytest.mark.parametrize(
    "text",
    ["", "20/s", "20s for 15s", "0/s for 5s", "0 workers for 5s", "5/s for 0s", "-1/s for 5s"],
)
def test_what_is_no_pace_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pace(text)

    assert caught.value.exit_code == 64
    assert caught.value.next_step


@given(st.fractions(min_value=Fraction(1, 1000), max_value=10_000, max_denominator=1000))
def test_a_duration_is_read_as_it_is_written(seconds: Fraction) -> None:
    assert float(parse_duration(duration_text(seconds))) == pytest.approx(float(seconds), rel=1e-4)
