from __future__ import annotations

import pytest

from harness.errors import (
    BrokenOffError,
    EvidenceError,
    HarnessError,
    PlanError,
    SentenceError,
    TargetError,
    UsageError,
    nearest,
    pointed,
)


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (HarnessError, 2),
        (TargetError, 2),
        (EvidenceError, 2),
        (UsageError, 64),
        (PlanError, 64),
    ],
)
def test_an_error_knows_its_exit_code(kind: type[HarnessError], exit_code: int) -> None:
    assert kind("a/b", "it is so").exit_code == exit_code


def test_an_answer_that_broke_off_is_an_error_that_tests_know() -> None:
    with pytest.raises(ConnectionError, match="GET / broke off") as caught:
        raise BrokenOffError("GET /")

    assert str(caught.value).startswith("the answer to GET / broke off before it was whole (target")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (HarnessError("a/b", "it is so"), "it is so (a/b)"),
        (HarnessError("a/b", "it is so", where="f:1"), "f:1: it is so (a/b)"),
        (HarnessError("a/b", "it is so", next_step="do"), "it is so (a/b)\n  next: do"),
        (PlanError("a/b", "so", where="f", next_step="do"), "f: so (a/b)\n  next: do"),
    ],
)
def test_an_error_says_what_where_and_what_next(error: HarnessError, told: str) -> None:
    assert str(error) == told


@pytest.mark.parametrize(
    ("word", "known", "told"),
    [
        ("ap", ["env", "app"], "Did you mean 'app'? Known: app, env."),
        ("zzz", ["env", "app"], "Known: app, env."),
        ("zzz", [], "Known: none."),
    ],
)
def test_the_nearest_name_is_meant(word: str, known: list[str], told: str) -> None:
    assert nearest(word, known) == told


@pytest.mark.parametrize(
    ("text", "column", "below"),
    [
        ("p99 > 5", 4, "        ^"),
        ("p99", 3, "       ^"),
        ("", 0, "    ^"),
        ("a\tb c", 4, "        ^"),
        ("\u8aad\u3080 x", 3, "         ^"),  # two characters of two columns each
        ("e\u0301 x", 3, "      ^"),  # a letter and its accent
    ],
)
def test_a_caret_stands_below_the_column_that_it_points_at(
    text: str, column: int, below: str
) -> None:
    assert pointed(text, column, "told").splitlines()[2] == below


def test_a_sentence_that_cannot_be_read_says_where_what_was_expected_and_found() -> None:
    error = SentenceError("plan/pace", "5/s fur 1m", 4, "'for'", found="fur", next_step="do")

    assert str(error) == (
        "expected 'for'; found 'fur'\n    5/s fur 1m\n        ^ (plan/pace)\n  next: do"
    )
    assert (error.column, error.exit_code) == (4, 64)
    assert SentenceError("a/b", "5/s", 3, "'for'").message.startswith(
        "expected 'for'; found the end"
    )
