"""What is tolerated, and until when."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import PlanError, UsageError
from harness.manifest import parse_plan
from harness.verdict import Finding, Outcome, verdict
from harness.waiver import MOST_DAYS, UNCHECKED, Waiver, applied, checked, tolerated

TODAY = date(2026, 6, 1)
SLUGS = st.sampled_from(
    ["watch/tasks", "security/B311", "load/objective-missed", "gates/not-parsed",
     "gates/limit-undecided", "coverage/no-data"]
)  # fmt: skip
PLACES = st.sampled_from(["shop/app.py:3", "shop/app.py", "stock/db.py:12", "mix p99", ""])
PATTERNS = st.sampled_from(["*", "shop/*", "shop/app.py", "shop/app.py:3", "stock/*", "mix*"])
DAYS = st.integers(-400, MOST_DAYS).map(lambda days: TODAY + timedelta(days=days))


@st.composite
def found(draw: st.DrawFn) -> Finding:
    outcome = draw(st.sampled_from(Outcome))
    return Finding(slug=draw(SLUGS), outcome=outcome, where=draw(PLACES), message="told")


@st.composite
def waivers(draw: st.DrawFn) -> Waiver:
    return Waiver(slug=draw(SLUGS), path=draw(PATTERNS), reason="known", until=draw(DAYS))


def waiver(path: str = "*", until: date = TODAY, slug: str = "watch/tasks") -> Waiver:
    return Waiver(slug=slug, path=path, reason="known", until=until, where="harness.toml:9")


def finding(outcome: Outcome = Outcome.FAIL, where: str = "shop/app.py:3") -> Finding:
    return Finding(slug="watch/tasks", outcome=outcome, where=where, message="it goes on")


@settings(deadline=None)  # of a busy machine
@given(st.lists(found()), st.lists(waivers()))
def test_no_finding_is_lost_and_none_is_made(findings: list[Finding], given: list[Waiver]) -> None:
    after, _ = applied(findings, given, TODAY)

    assert [(f.slug, f.outcome, f.where) for f in after] == [
        (f.slug, f.outcome, f.where) for f in findings
    ]


@settings(deadline=None)  # of a busy machine
@given(st.lists(found()), st.lists(waivers()))
def test_what_is_unknown_stays_unknown(findings: list[Finding], given: list[Waiver]) -> None:
    after, _ = applied(findings, given, TODAY)

    unknown = [f for f in after if f.outcome is Outcome.UNKNOWN and f.slug not in UNCHECKED]
    assert not unknown or verdict(after) is not Outcome.PASS
    assert all(f.waiver is None for f in unknown)
    assert all(f.waiver is None for f in after if f.outcome is Outcome.PASS)


@settings(deadline=None)  # of a busy machine
@given(st.lists(found()), st.lists(waivers()))
def test_a_waiver_is_used_or_named(findings: list[Finding], given: list[Waiver]) -> None:
    _, unused = applied(findings, given, TODAY)

    assert {one for one in given if not any(one.covers(f) for f in findings)} == set(unused)


@settings(deadline=None)  # of a busy machine
@given(st.lists(found()), st.lists(waivers()))
def test_waivers_that_have_ended_change_no_outcome(
    findings: list[Finding], given: list[Waiver]
) -> None:
    ended = [one for one in given if one.until < TODAY]

    assert verdict(applied(findings, ended, TODAY)[0]) is verdict(findings)


@settings(deadline=None)  # of a busy machine
@given(st.lists(found()), st.lists(waivers()), st.lists(waivers()))
def test_more_waivers_never_make_it_worse(
    findings: list[Finding], few: list[Waiver], more: list[Waiver]
) -> None:
    badness = [Outcome.PASS, Outcome.UNKNOWN, Outcome.FAIL]
    before, after = (verdict(applied(findings, w, TODAY)[0]) for w in (few, [*few, *more]))

    assert badness.index(after) <= badness.index(before)


@pytest.mark.parametrize(
    ("slug", "waived"),
    [
        ("gates/not-parsed", True),
        ("gates/unreadable", True),
        ("gates/tool-error", True),
        ("gates/limit-undecided", False),
        ("gates/unlisted", False),
        ("coverage/no-data", False),
        ("coverage/other-code", False),
        ("evidence/incomplete", False),
    ],
)
def test_of_what_is_unknown_only_a_file_that_was_not_checked_can_be_waived(
    slug: str, waived: bool
) -> None:
    found = Finding(slug=slug, outcome=Outcome.UNKNOWN, where="shop/old.py", message="no")

    (after,), _ = applied([found], [waiver("shop/*", slug=slug)], TODAY)

    assert (after.waiver is not None) is waived
    assert tolerated(found, [waiver("shop/*", slug=slug)], TODAY) is waived
    assert not tolerated(found, [waiver("shop/*", slug=slug)], TODAY + timedelta(days=1))


def test_a_waiver_holds_through_its_last_day_and_then_says_that_it_ended() -> None:
    (last,), _ = applied([finding()], [waiver()], TODAY)
    (after,), unused = applied([finding()], [waiver()], TODAY + timedelta(days=1))

    assert last.waiver is not None
    assert (verdict([last]), verdict([after])) == (Outcome.PASS, Outcome.FAIL)
    assert after.message == "it goes on\nits waiver (harness.toml:9) ended on 2026-06-01: known"
    assert unused == []


@pytest.mark.parametrize(
    ("path", "covers"),
    [("shop/*", True), ("shop/app.py", True), ("shop/app.py:3", True), ("shop/app.py:4", False),
     ("app.py", False), ("*", True)],
)  # fmt: skip
def test_a_place_is_matched_with_its_line_and_without(path: str, covers: bool) -> None:
    assert waiver(path).covers(finding()) is covers


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"slug": "B311"}, "is no slug"),
        ({"slug": "waivers/unused"}, "about waivers"),
        ({"path": " "}, "path is empty"),
        ({"reason": " \n"}, "reason is empty"),
        ({"until": TODAY + timedelta(days=181)}, "more than 180 days ahead"),
    ],
)
def test_a_waiver_that_means_nothing_is_refused(changes: dict[str, object], said: str) -> None:
    values = {"slug": "a/b", "path": "*", "reason": "known", "until": TODAY, **changes}

    with pytest.raises(UsageError, match=said):
        checked(Waiver(**values), TODAY)  # type: ignore[arg-type]  # of the right types


PLAN = """\
[services.shop]
app = "shop:app"

[[waivers]]
slug = "watch/tasks"
path = "shop/*"
reason = "known"
until = 2026-07-01
"""


def test_a_plans_waivers_are_read_with_their_lines() -> None:
    (read,) = parse_plan(PLAN, "harness.toml", TODAY).waivers

    assert (read.until, read.where) == (date(2026, 7, 1), "harness.toml:4")


@pytest.mark.parametrize(
    ("old", "new", "slug"),
    [
        ("until = 2026-07-01", "until = 2026-12-01", "plan/waiver"),
        ("until = 2026-07-01", 'until = "soon"', "plan/wrong-type"),
        ("until = 2026-07-01", "until = 2026-07-01T10:00:00", "plan/wrong-type"),
        ("until = 2026-07-01", "", "plan/missing-key"),
        ('"known"', '""', "plan/waiver"),
        ("reason", "reson", "plan/unknown-key"),
        ("[[waivers]]", "[waivers]", "plan/wrong-type"),
    ],
)
def test_a_waiver_in_a_plan_that_is_wrong_is_named_with_its_line(
    old: str, new: str, slug: str
) -> None:
    with pytest.raises(PlanError) as raised:
        parse_plan(PLAN.replace(old, new, 1), "harness.toml", TODAY)

    assert raised.value.slug == slug
    assert raised.value.where.startswith("harness.toml:")
