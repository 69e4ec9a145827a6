from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SentenceError, UsageError
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
    ("text", "indicator", "limit", "unit"),
    [
        ("p75 < 5ms", "p75", 5, "ms"),
        ("p99.99 < 5ms", "p99.99", 5, "ms"),
        ("mean <= 20 ms", "mean", 20, "ms"),
        ("max<1s", "max", 1000, "ms"),
        ("completed >= 99.9%", "completed", Fraction(999, 10), "%"),
        ("4xx == 0", "4xx", 0, ""),
        ("bytes < 64KiB", "bytes", 65_536, "B"),
        ("bytes <= 1.5 MiB", "bytes", 1_572_864, "B"),
        ("bytes > 0B", "bytes", 0, "B"),
    ],
)
def test_every_indicator_has_its_units(
    text: str, indicator: str, limit: Fraction, unit: str
) -> None:
    found = parse_objective(text, Family.LOAD)

    assert (found.indicator, found.limit, found.unit) == (indicator, limit, unit)


@pytest.mark.parametrize(("every", "seconds"), [("10s", 10), ("1 m", 60), ("0.5m", 30)])
def test_an_objective_can_be_asked_of_every_window(every: str, seconds: int) -> None:
    found = parse_objective(f"p99 < 250ms in every {every}", Family.LOAD)

    assert (found.window_s, found.limit) == (seconds, 250)


def test_a_scenario_may_have_words_and_comparisons_in_its_name() -> None:
    assert parse_objective("log in  twice p50 < 5s", Family.LOAD).scenario == "log in  twice"
    assert parse_objective("a >= b p50 < 5s", Family.LOAD).scenario == "a >= b"
    assert parse_objective('a "GET /x<y" p50 < 5s', Family.LOAD).step == "GET /x<y"


@pytest.mark.parametrize(
    ("text", "family", "column", "said"),
    [
        ("", Family.LOAD, 0, "expected a comparison: < <= > >= or ==; found the end"),
        ("p99", Family.LOAD, 3, "a comparison"),
        ("p99 250ms", Family.LOAD, 4, "a comparison: < <= > >= or ==; found '250ms'"),
        ("p99 =< 250ms", Family.LOAD, 4, "a comparison: < <= > >= or ==; found '=<'"),
        ("p99 = 250ms", Family.LOAD, 4, "found '='"),
        ("< 250ms", Family.LOAD, 0, "an indicator before it; found '<'"),
        ("p98x < 5ms", Family.LOAD, 0, "an indicator; found 'p98x'"),
        ("read p0 < 5ms", Family.LOAD, 5, "an indicator; found 'p0'"),
        ("p100 < 5ms", Family.LOAD, 0, "an indicator; found 'p100'"),
        ('read "GET /" < 5ms', Family.LOAD, 5, "an indicator; found '\"GET /\"'"),
        ('"GET /" read p99 < 5ms', Family.LOAD, 8, "an indicator after the step; found 'read'"),
        ('read "GET / p99 < 5ms', Family.LOAD, 5, "the end of the quote"),
        ('read "" p99 < 5ms', Family.LOAD, 5, "the name of a step between the quotes"),
        ("p99 <", Family.LOAD, 5, "a number; found the end"),
        ("p99 < 250", Family.LOAD, 9, "expected ms or s; found the end"),
        ("p99 < 250 in every 10s", Family.LOAD, 10, "expected ms or s; found 'in'"),
        ("p99 < 250us", Family.LOAD, 9, "expected ms or s; found 'us'"),
        ("p99 < fast", Family.LOAD, 6, "a number; found 'fast'"),
        ("p99 < -5ms", Family.LOAD, 6, "a number; found '-5ms'"),
        ("p99 < 5ms and more", Family.LOAD, 10, "'in', as in 'in every 10s', or the end"),
        ("p99 < 5ms in 10s", Family.LOAD, 13, "'every', as in 'in every 10s'; found '10s'"),
        ("p99 < 5ms in every", Family.LOAD, 18, "whole seconds or minutes"),
        ("p99 < 5ms in every day", Family.LOAD, 19, "found 'day'"),
        ("p99 < 5ms in every 10s or so", Family.LOAD, 19, "found '10s or so'"),
        ("p99 < 5ms in every 1500ms", Family.LOAD, 19, "found '1500ms'"),
        ("rate > 5", Family.LOAD, 8, "expected /s; found the end"),
        ("failures < 5 ms", Family.LOAD, 13, "expected %; found 'ms'"),
        ("failures < 101%", Family.LOAD, 11, "a share up to 100%"),
        ("bytes < 64KB", Family.LOAD, 10, "expected B or KiB or MiB; found 'KB'"),
        ("complexity.max <= 10", Family.LOAD, 0, "an indicator; found 'complexity.max'"),
        ("p99 < 5ms", Family.GATE, 0, "an indicator; found 'p99'"),
        ("complexity.max <= F", Family.GATE, 18, "a number; found 'F'"),
        ("complexity.max <= 10ms", Family.GATE, 20, "no unit: it is a count; found 'ms'"),
        ("coverage.lines >= 90", Family.GATE, 20, "expected %; found the end"),
        ("security.high == 0 in every 10s", Family.GATE, 19, "expected the end; found 'in'"),
    ],
)
def test_what_makes_no_sense_is_pointed_at_with_what_was_expected_and_found(
    text: str, family: Family, column: int, said: str
) -> None:
    with pytest.raises(SentenceError) as caught:
        parse_objective(text, family)

    told, shown, below = caught.value.message.splitlines()
    assert caught.value.slug == "plan/objective"
    assert shown == f"    {text}"
    assert (caught.value.column, below.index("^") - 4) == (column, column)
    assert said in told
    assert caught.value.next_step


def test_a_misspelt_indicator_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        parse_objective("failure == 0", Family.LOAD)

    assert "Did you mean 'failures'?" in caught.value.next_step


def test_a_percentile_of_sizes_is_told_that_there_is_a_mean() -> None:
    with pytest.raises(SentenceError) as caught:
        parse_objective("bytes p99 < 64KiB", Family.LOAD)

    assert "'bytes < 64KiB'" in caught.value.next_step


@given(st.fractions(min_value=0, max_value=1000))
def test_limits_are_compared_exactly_and_never_rounded(value: Fraction) -> None:
    at_least = parse_objective("coverage.lines >= 90%", Family.GATE)

    assert at_least.holds(value) == (value >= 90)


def test_just_below_a_limit_is_below_it() -> None:
    at_least = parse_objective("coverage.lines >= 90%", Family.GATE)

    assert not at_least.holds(Fraction(899_999_999, 10_000_000))


_WORDS = st.text("abzXY019_./*-é", min_size=1, max_size=8)
_NAMES = st.lists(_WORDS, min_size=1, max_size=3).map(" ".join)
_STEPS = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), min_size=1)
_NUMBERS = st.decimals(0, 100, places=3).map(lambda number: f"{number:f}")
_LATENCIES = st.sampled_from(["p50", "p99", "p99.9", "p1.25", "mean", "max"])


@st.composite
def sentences(draw: st.DrawFn) -> str:
    """Sentences of a load's grammar, with the space between words that it leaves open."""
    indicator, units = draw(
        st.one_of(
            st.tuples(_LATENCIES, st.just(("ms", "s"))),
            st.sampled_from(
                [("rate", ("/s",)), ("failures", ("", "%")), ("completed", ("", "%")),
                 ("5xx", ("", "%")), ("bytes", ("B", "KiB", "MiB"))]
            ),
        )
    )  # fmt: skip
    step = draw(st.none() | _STEPS)
    window = draw(st.none() | st.integers(1, 600))
    space = draw(st.sampled_from(["", " ", "\t "]))
    parts = [
        draw(st.just("") | _NAMES),
        "" if step is None else f'"{step}"',
        f"{indicator}{space}{draw(st.sampled_from(['<', '<=', '>', '>=', '==']))}{space}"
        f"{draw(_NUMBERS)}{space}{draw(st.sampled_from(units))}",
        "" if window is None else f"in every {window}s",
    ]
    return " ".join(part for part in parts if part)


@given(sentences())
def test_a_sentence_is_read_and_what_was_read_is_written_as_a_sentence_of_the_same_meaning(
    text: str,
) -> None:
    found = parse_objective(text, Family.LOAD)

    assert parse_objective(str(found), Family.LOAD) == found
    assert str(parse_objective(str(found), Family.LOAD)) == str(found)


@pytest.mark.parametrize(
    ("text", "plainly"),
    [
        ('checkout  "POST /cart" p95<.08s', None),
        ('checkout  "POST /cart" p95<0.08s', 'checkout "POST /cart" p95 < 80ms'),
        ("failures <= 0.10 % in every 1m", "failures <= 0.1% in every 60s"),
        ("bytes < 1.5KiB", "bytes < 1536B"),
    ],
)
def test_a_sentence_is_written_plainly(text: str, plainly: str | None) -> None:
    if plainly is None:
        with pytest.raises(SentenceError):
            parse_objective(text, Family.LOAD)
    else:
        assert str(parse_objective(text, Family.LOAD)) == plainly


def test_a_limit_of_a_gate_is_written_with_its_pattern() -> None:
    assert str(parse_objective("src/a b/** complexity.max <= B", Family.GATE)) == (
        "src/a b/** complexity.max <= 10"
    )


_BITS = st.sampled_from(
    ["p99", "read", '"', '"GET /"', "<", "<=", "==", "!", "=", "5", "ms", "s", "%", "in", "every",
     "10s", "failures", "bytes", "KiB", " ", "\t", "\n", "²", "٣", "9" * 30, "p0", "complexity.max"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(_BITS).map("".join), st.lists(_BITS).map(" ".join)),
       st.sampled_from(Family))  # fmt: skip
def test_garbage_is_refused_at_a_column_of_the_text_and_by_nothing_else(
    text: str, family: Family
) -> None:
    try:
        found = parse_objective(text, family)
    except SentenceError as error:
        told = error
    else:
        assert parse_objective(str(found), family) == found
        return
    assert 0 <= told.column <= len(text.strip())
    assert "^" in told.message
    assert told.next_step
