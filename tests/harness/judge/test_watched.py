"""What was noticed, against the limits of tests."""

from __future__ import annotations

import pytest

from harness.facts import Noticed, Watched
from harness.judge.watched import ERROR_LOG, judge
from harness.objective import Family, parse_objective
from harness.plan import DEFAULT_WATCH, watched
from harness.verdict import Outcome

PART = "functional-served-py311"


def noticed(indicator: str, measured: float = 1.0, **changes: object) -> Noticed:
    values = {
        "message": "told", "where": "shop/app.py:3", "handler": "GET /users, users",
        "route": "/users", "test": "t.py::t", **changes,
    }  # fmt: skip
    return Noticed(indicator=indicator, measured=measured, **values)  # type: ignore[arg-type]  # texts


def slugs(*facts: Noticed, limits: tuple[str, ...] = DEFAULT_WATCH) -> list[str]:
    return [finding.slug for finding in judge(PART, [Watched(limits=limits), *facts]).findings]


@pytest.mark.parametrize("text", DEFAULT_WATCH)
def test_each_default_limit_fails_what_is_beyond_it_and_names_handler_and_test(text: str) -> None:
    indicator = text.partition(" ")[0]

    (finding,) = judge(PART, [Watched(limits=(text,)), noticed(indicator, 100.0)]).findings

    assert finding.outcome is Outcome.FAIL
    assert finding.where == "shop/app.py:3"
    assert finding.message == "told\nhandler: GET /users, users\ntest: t.py::t [served]"


def test_what_keeps_to_the_limits_is_no_finding() -> None:
    assert slugs(noticed("blocking.max", 99.9)) == []
    assert slugs(noticed("leaked.tasks", 2), limits=("leaked.tasks <= 2",)) == []
    assert slugs(noticed("leaked.tasks", 3), limits=("leaked.tasks >= 0",)) == []


def test_a_worst_case_is_judged_place_by_place_and_a_count_as_a_sum() -> None:
    short, long = noticed("blocking.max", 60, where="a.py:1"), noticed("blocking.max", 120)
    one, other = noticed("leaked.tasks"), noticed("leaked.tasks", where="a.py:1")

    assert slugs(short, short, long) == ["watch/blocking"]
    assert slugs(one, other, limits=("leaked.tasks <= 1",)) == ["watch/tasks", "watch/tasks"]


def test_the_same_in_many_tests_is_one_finding() -> None:
    many = [noticed("secrets.shown", test=f"t.py::t{number}") for number in range(5)]

    (finding,) = judge(PART, [Watched(limits=DEFAULT_WATCH), *many]).findings

    assert finding.message.endswith("test: t.py::t0, t.py::t1, t.py::t2 and 2 more [served]")


@pytest.mark.parametrize(
    ("limit", "beyond"),
    [("/users* blocking.max < 50ms", True), ("/other blocking.max < 50ms", False),
     ("shop/* blocking.max < 50ms", True), ("stock/* blocking.max < 50ms", False)],
)  # fmt: skip
def test_a_scope_is_a_pattern_of_routes_or_of_files(limit: str, beyond: bool) -> None:
    assert slugs(noticed("blocking.max", 60), limits=(limit,)) == ["watch/blocking"] * beyond


def test_a_plans_limit_replaces_the_default_unless_it_has_a_scope() -> None:
    texts = ("blocking.max < 1s", "/slow leaked.tasks <= 3")
    limits = watched(parse_objective(text, Family.TEST) for text in texts)

    kept = [limit.text for limit in limits]
    assert kept[:2] == list(texts)
    assert "leaked.tasks == 0" in kept
    assert "blocking.max < 100ms" not in kept


def test_error_logs_are_told_and_judged_where_that_was_asked() -> None:
    told = judge(PART, [noticed(ERROR_LOG)])
    asked = judge(PART, [noticed(ERROR_LOG, strict=True)])

    assert ([n.slug for n in told.notices], told.findings) == (["watch/error-log"], [])
    assert ([f.slug for f in asked.findings], asked.notices) == (["watch/error-log"], [])


def test_a_limit_of_the_plans_own_that_could_not_be_measured_is_listed() -> None:
    blind = Watched(
        limits=DEFAULT_WATCH, stated=("blocking.max < 1s", "secrets.shown == 0"),
        unseen=("blocking.max", "leaked.tasks"), why="it is elsewhere",
    )  # fmt: skip

    assert [(one.what, one.why) for one in judge("functional-live", [blind]).not_checked] == [
        ("blocking.max < 1s in functional-live", "it is elsewhere")
    ]
