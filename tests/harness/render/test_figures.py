from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.render.figures import exact, figure, share, span
from harness.render.outline import SAMPLES_NEEDED

numbers = st.floats(allow_nan=False, allow_infinity=False)
units = st.sampled_from(["ms", "%", "/s", "", "s", "files"])


def read(text: str, unit: str) -> Decimal:
    """Read a shown number back, in the unit that it had before it was shown."""
    shown = text.removesuffix("/s").split(" ")[0].replace(",", "")
    return Decimal(shown) * (1000 if unit == "ms" and text.endswith(" s") else 1)


def order(a: Decimal, b: Decimal) -> int:
    return (a > b) - (a < b)


@given(measured=numbers, limit=numbers, unit=units)
@example(measured=89.96, limit=90.0, unit="%")
@example(measured=999.7, limit=1000.0, unit="ms")
@example(measured=math.nextafter(250.0, 0), limit=250.0, unit="ms")
@example(measured=5e-324, limit=0.0, unit="%")
def test_a_shown_number_stands_to_its_limit_as_the_raw_one_does(
    measured: float, limit: float, unit: str
) -> None:
    raw = order(Decimal(repr(measured)), Decimal(repr(limit)))
    shown = read(figure(measured, unit, beside=[limit]), unit), read(exact(limit, unit), unit)
    assert order(*shown) == raw


@given(limit=numbers, unit=units)
def test_a_limit_is_shown_with_every_digit_that_it_has(limit: float, unit: str) -> None:
    assert read(exact(limit, unit), unit) == Decimal(repr(limit))


@given(part=st.integers(0, 10**9), whole=st.integers(1, 10**9))
@example(part=1, whole=10**9)
@example(part=10**9 - 1, whole=10**9)
def test_only_none_is_shown_as_0_percent_and_only_all_as_100(part: int, whole: int) -> None:
    part = min(part, whole)
    shown = read(share(part, whole), "%")
    assert (shown == 0) == (part == 0)
    assert (shown == 100) == (part == whole)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.8412, "ms", "0.84 ms"),
        (0.0123, "ms", "0.012 ms"),
        (5.5, "ms", "5.50 ms"),
        (12.34, "ms", "12.3 ms"),
        (123.4, "ms", "123 ms"),
        (999.4, "ms", "999 ms"),
        (1250.4, "ms", "1.25 s"),
        (89.96, "%", "90.0 %"),
        (99.99999, "%", "99.99999 %"),
        (12345.678, "/s", "12,346/s"),
        (14.0, "", "14"),
        (-0.0, "", "0"),
        (None, "ms", "n/a"),
        (math.nan, "ms", "n/a"),
        (math.inf, "%", "n/a"),
        (1.5, None, "1.50"),
    ],
)
def test_a_number_is_shown_with_sensible_digits(
    value: float | None, unit: str | None, shown: str
) -> None:
    assert figure(value, unit) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 s"),
        (0.84, "0.84 s"),
        (59.4, "59.4 s"),
        (134.2, "2 min 14 s"),
        (600, "10 min"),
        (3780, "1 h 3 min"),
    ],
)
def test_how_long_something_took_is_shown_in_the_units_of_a_clock(
    seconds: float, shown: str
) -> None:
    assert span(seconds) == shown


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert share(0, 0) == "n/a"


def test_the_samples_that_a_percentile_needs_are_those_of_the_histogram() -> None:
    needed = {"p50": 2, "p90": 10, "p95": 20, "p99": 100, "p99.9": 1000}
    assert needed == SAMPLES_NEEDED
