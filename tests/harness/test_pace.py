from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SentenceError, UsageError
from harness.pace import (
    Pace,
    Rate,
    Stage,
    Stages,
    Workers,
    duration_text,
    is_open,
    parse_duration,
    parse_pace,
    peak,
)


@pytest.mark.parametrize(
    ("text", "pace"),
    [
        ("20/s for 15s", Rate(Fraction(20), Fraction(15))),
        ("0.5/s for 2m", Rate(Fraction(1, 2), Fraction(120))),
        ("1/3/s for 1h", Rate(Fraction(1, 3), Fraction(3600))),
        ("poisson 20/s for 15s", Rate(Fraction(20), Fraction(15), poisson=True)),
        ("50 workers for 1m", Workers(50, Fraction(60))),
        ("1 worker for 500ms", Workers(1, Fraction(1, 2))),
    ],
)
def test_a_pace_is_read_and_written_back(text: str, pace: Pace) -> None:
    assert parse_pace(text) == pace
    assert str(pace) == text


def levels(text: str) -> list[tuple[int, int, int]]:
    return [(int(s.start), int(s.end), int(s.duration_s)) for s in parse_pace(text).stages]


def test_stages_are_read_in_turn_and_what_is_held_is_the_level_before() -> None:
    pace = parse_pace("ramp 0→50/s over 30s, hold 2m, spike 300/s for 10s, hold 1m, 10/s for 5s")

    assert is_open(pace)
    assert pace.duration_s == 225
    assert peak(pace) == 300
    assert [(int(s.start), int(s.end), int(s.duration_s)) for s in pace.stages] == [
        (0, 50, 30), (50, 50, 120), (300, 300, 10), (50, 50, 60), (10, 10, 5)
    ]  # fmt: skip


def test_an_arrow_may_be_typed() -> None:
    text = "ramp 0->50 workers over 30s,hold 2m"

    assert str(parse_pace(text)) == "ramp 0→50 workers over 30s, hold 2m"
    assert levels(text) == levels("ramp 0 → 50 workers over 30s , hold 2m")
    assert not is_open(parse_pace(text))


numbers = st.fractions(min_value=Fraction(1, 1000), max_value=10_000, max_denominator=1000)


@st.composite
def staged(draw: st.DrawFn) -> Stages:
    """Stages that a text can say: a hold keeps what it finds."""
    is_rate = draw(st.booleans())
    level = numbers if is_rate else st.integers(1, 500).map(Fraction)
    found, held = [], None
    for word in draw(st.lists(st.sampled_from(["", "ramp", "hold", "spike"]), min_size=2)):
        start = end = draw(level)
        if word == "hold" and held is None:
            word = ""
        if word == "hold":
            assert held is not None
            start = end = held
        if word == "ramp":
            start = draw(st.one_of(st.just(Fraction(0)), level))
        if word != "spike" or held is None:
            held = end
        found.append(Stage(start, end, draw(numbers), word))
    return Stages(tuple(found), is_rate, is_rate and draw(st.booleans()))


@given(staged())
def test_stages_that_are_written_are_read_as_the_same(pace: Stages) -> None:
    assert parse_pace(str(pace)) == pace


@given(numbers, numbers, st.booleans())
def test_a_rate_that_is_written_is_read_as_the_same(
    per_second: Fraction, seconds: Fraction, poisson: bool
) -> None:
    pace = Rate(per_second, seconds, poisson)

    assert parse_pace(str(pace)) == pace


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 0),
        ("20/s", 4),
        ("20s for 15s", 0),
        ("20/s fro 15s", 5),
        ("20/s for 15", 9),
        ("5/s for 0s", 8),
        ("-1/s for 5s", 0),
        ("0/s for 5s", 0),
        ("0 workers for 5s", 0),
        ("1.5 workers for 5s", 0),
        ("hold 5s", 0),
        ("ramp 5/s over 3s", 5),
        ("ramp 0→50/s for 3s", 12),
        ("ramp 0→0/s over 3s", 0),
        ("20/s for 5s, 5 workers for 3s", 13),
        ("5 workers for 3s, spike 5/s for 3s", 24),
        ("20/s for 5s 5/s for 3s", 12),
        ("20/s for 5s,", 12),
        ("poisson 5 workers for 3s", 0),
        ("poisson", 7),
        ("٣/s for 5s", 0),
        ("1/0/s for 5s", 0),
    ],
)
def test_what_is_no_pace_is_refused_at_its_column_with_an_example(text: str, column: int) -> None:
    with pytest.raises(SentenceError) as caught:
        parse_pace(text)

    assert caught.value.column == column
    assert caught.value.exit_code == 64
    assert "20/s for 15s" in caught.value.next_step


@given(st.text(alphabet="0123456789./s→-> ,ramphodlkeivfwn\n\t", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    pace = None
    with contextlib.suppress(SentenceError):  # and nothing else
        pace = parse_pace(text)
    assert pace is None or parse_pace(str(pace)) == pace


@given(numbers)
def test_a_duration_is_read_as_it_is_written(seconds: Fraction) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "5", "0s", "5 d", "-1s", "1s 2s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="duration"):
        parse_duration(text)
