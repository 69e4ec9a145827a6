from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.objective import Family, parse_objective


@pytest.mark.parametrize(
    ("text", "indicator", "limit", "unit"),
    [
        ("p99 < 250ms", "p99", 250, "ms"),
        ("p99.9 <= 1.5s", "p99.9", 1500, "ms"),
        ("failures <= 0.1%", "failures", Fraction(1, 10), "%"),
        ("failures == 0", "failures", 0, ""),
        ("rate >= 200/s", "rate", 200, "/s"),
        ("5xx < 1%", "5xx", 1, "%"),
    ],
)
def test_an_objective_of_a_load_is_read(
    text: str, indicator: str, limit: Fraction, unit: str
) -> None:
    found = parse_objective(text, Family.LOAD)

    assert (found.indicator, found.limit, found.unit) == (indicator, limit, unit)
    assert found.scenario is found.step is None


def test_an_objective_can_be_narrowed_to_a_scenario_and_its_step() -> None:
    found = parse_objective('write "POST /api/users" p95 < 80ms', Family.LOAD)

    assert (found.scenario, found.step) == ("write", "POST /api/users")


def test_a_step_can_be_named_without_its_scenario() -> None:
    found = parse_objective('"GET /" p50 < 80ms', Family.LOAD)

    assert (found.scenario, found.step) == (None, "GET /")


@pytest.mark.parametrize(
    ("letter", "limit"), [("A", 5), ("B", 10), ("C", 20), ("D", 30), ("E", 40)]
)
def test_a_letter_means_the_worst_of_radons_rank(letter: str, limit: int) -> None:
    assert parse_objective(f"complexity.max <= {letter}", Family.GATE).limit == limit


def test_a_limit_can_be_narrowed_to_a_path() -> None:
    found = parse_objective("src/api/** complexity.max <= 8", Family.GATE)

    assert found.covers("src/api/deep/users.py")
    assert not found.covers("src/other.py")


@pytest.mark.parametrize(
    ("text", "family", "said"),
    [
        ("p99", Family.LOAD, "no comparison"),
        ("", Family.LOAD, "no comparison"),
        ("p98x < 5ms", Family.LOAD, "unknown indicator 'p98x'"),
        ("p99 < 250", Family.LOAD, "cannot read the limit '250'"),
        ("p99 < fast", Family.LOAD, "cannot read the limit 'fast'"),
        ("p99 < 1s in every 10s", Family.LOAD, "cannot read the limit"),
        ("rate > 5", Family.LOAD, "cannot read the limit"),
        ("complexity.max <= 10", Family.LOAD, "unknown indicator"),
        ("p99 < 5ms", Family.GATE, "unknown indicator"),
        ("complexity.max <= F", Family.GATE, "cannot read the limit 'F'"),
        ("coverage.lines >= 90", Family.GATE, "cannot read the limit '90'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_was_found(
    text: str, family: Family, said: str
) -> None:
    with pytest.raises(UsageError, match=said.replace(".", r"\.")) as caught:
        parse_objective(text, family)

    assert caught.value.next_step


def test_a_misspelt_indicator_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        parse_objective("failure == 0", Family.LOAD)

    assert "Did you mean 'failures'?" in caught.value.next_step


@given(st.fractions(min_value=0, max_value=1000))
def test_limits_are_compared_exactly_and_never_rounded(value: Fraction) -> None:
    at_least = parse_objective("coverage.lines >= 90%", Family.GATE)

    assert at_least.holds(value) == (value >= 90)


def test_just_below_a_limit_is_below_it() -> None:
    at_least = parse_objective("coverage.lines >= 90%", Family.GATE)

    assert not at_least.holds(Fraction(899_999_999, 10_000_000))
