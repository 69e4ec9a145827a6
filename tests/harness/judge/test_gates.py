from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from harness import facts, inspection
from harness.judge.gates import judge
from harness.record import GateRow
from harness.verdict import Finding, Outcome, verdict

BEGUN = facts.Begun(part="gates", at="2026-01-01T00:00:00+00:00", python="3.11.7", pid=1)
ENDED = facts.Ended(part="gates", at="2026-01-01T00:00:09+00:00")


def inspected(
    gate: str, checked: tuple[str, ...] = ("a.py",), missed: tuple[inspection.NotChecked, ...] = ()
) -> inspection.Inspected:
    return inspection.Inspected(
        gate=gate, tool="tool 1", paths=(".",), inventory=len(checked) + len(missed),
        checked=checked, not_checked=missed, duration_s=0.1,
    )  # fmt: skip


def block(complexity: int, path: str = "a.py", name: str = "f") -> inspection.Block:
    return inspection.Block(path=path, line=3, name=name, complexity=complexity)


def weakness(
    severity: str, *, suppressed: bool = False, blanket: bool = False, confidence: str = "high"
) -> inspection.Weakness:
    return inspection.Weakness(
        path="a.py", line=7, rule="B307", severity=severity, confidence=confidence,
        message="eval", suppressed=suppressed, blanket=blanket, comment=8 if suppressed else 0,
    )  # fmt: skip


def covered(lines: int, of: int, branches: int = 0, of_branches: int = 0) -> inspection.Covered:
    return inspection.Covered(
        path="a.py", statements=of, covered=lines, branches=of_branches,
        covered_branches=branches, missing=tuple(range(1, of - lines + 1)),
    )  # fmt: skip


def judged(limit: str, *found: facts.Fact) -> tuple[Outcome, list[Finding], GateRow]:
    judgement, rows = judge("gates", (BEGUN, inspection.GatesBegun(limits=(limit,)), *found, ENDED))
    return verdict(judgement.findings), judgement.findings, rows[0]


def test_code_within_its_limit_passes() -> None:
    outcome, _, row = judged("complexity.max <= 10", inspected("complexity"), block(10))

    assert outcome is row.outcome is Outcome.PASS
    assert (row.measured, row.checked) == (10, 1)


def test_a_block_beyond_the_limit_fails_and_is_named_with_its_line() -> None:
    outcome, findings, row = judged(
        "complexity.max <= 10", inspected("complexity"), block(21, name="create_app.index")
    )

    named = next(f for f in findings if f.slug == "complexity/limit")
    assert outcome is Outcome.FAIL
    assert (named.where, named.measured, row.findings) == ("a.py:3", 21, 1)
    assert "create_app.index" in named.message


@pytest.mark.parametrize("limit", ["complexity.max <= 10", "security.high == 0"])
def test_a_gate_that_checked_nothing_is_unknown(limit: str) -> None:
    gate = limit.partition(".")[0]

    assert judged(limit)[0] is Outcome.UNKNOWN
    assert judged(limit, inspected(gate, checked=()))[0] is Outcome.UNKNOWN


def test_a_file_that_was_not_parsed_makes_a_kept_limit_unknown() -> None:
    broken = inspection.NotChecked(
        path="b.py", slug="gates/not-parsed", reason="line 1: invalid syntax"
    )

    outcome, findings, row = judged(
        "complexity.max <= 10", inspected("complexity", missed=(broken,)), block(1)
    )

    assert outcome is row.outcome is Outcome.UNKNOWN
    assert any(f.slug == "gates/not-parsed" and f.where == "b.py" for f in findings)


def test_a_broken_limit_is_broken_whatever_was_not_checked() -> None:
    broken = inspection.NotChecked(path="b.py", slug="gates/not-parsed", reason="line 1")

    assert judged(
        "complexity.max <= 10", inspected("complexity", missed=(broken,)), block(11)
    )[0] is Outcome.FAIL  # fmt: skip


def test_issues_of_the_limits_severity_fail_and_carry_bandits_rule() -> None:
    outcome, findings, _ = judged("security.medium == 0", inspected("security"), weakness("medium"))

    assert outcome is Outcome.FAIL
    assert any(f.slug == "security/B307" and f.where == "a.py:7" for f in findings)


def test_issues_of_another_severity_do_not() -> None:
    assert judged("security.high == 0", inspected("security"), weakness("low"))[0] is Outcome.PASS


@pytest.mark.parametrize(("lines", "outcome"), [(9, Outcome.PASS), (8, Outcome.FAIL)])
def test_coverage_is_an_exact_fraction(lines: int, outcome: Outcome) -> None:
    assert judged("coverage.lines >= 90%", inspected("coverage"), covered(lines, 10))[0] is outcome


def test_coverage_just_below_its_limit_is_not_rounded_up() -> None:
    almost = covered(89_999, 100_000)

    assert judged("coverage.lines >= 90%", inspected("coverage"), almost)[0] is Outcome.FAIL


def test_code_without_a_statement_is_no_evidence_of_covered_lines() -> None:
    assert judged("coverage.lines >= 90%", inspected("coverage"), covered(0, 0))[0] is (
        Outcome.UNKNOWN
    )


def test_code_without_a_branch_has_all_its_branches_covered() -> None:
    assert judged("coverage.branches >= 90%", inspected("coverage"), covered(3, 3))[0] is (
        Outcome.PASS
    )


def test_coverage_without_data_says_what_to_run() -> None:
    missed = (not_checked("a.py", "coverage/no-data"),)
    _, findings, _ = judged("coverage.lines >= 90%", inspected("coverage", (), missed))

    assert any("harness run" in f.next_step for f in findings)


def test_a_limit_on_a_path_looks_below_that_path_only() -> None:
    both = inspected("complexity", checked=("a.py", "src/b.py"))

    outcome, _, row = judged(
        "src/* complexity.max <= 10", both, block(30), block(5, path="src/b.py")
    )

    assert outcome is Outcome.PASS
    assert row.checked == 1


def test_a_limit_on_a_path_that_holds_nothing_is_unknown() -> None:
    outcome, _, _ = judged("srv/* complexity.max <= 10", inspected("complexity"), block(1))

    assert outcome is Outcome.UNKNOWN


def not_checked(path: str, slug: str = "gates/not-parsed") -> inspection.NotChecked:
    return inspection.NotChecked(path=path, slug=slug, reason="line 1: invalid syntax")


def test_a_file_that_several_gates_cannot_parse_is_one_finding_that_says_what_to_do() -> None:
    missed = (not_checked("b.py"),)
    limits = inspection.GatesBegun(limits=("complexity.max <= 10", "security.high == 0"))
    found = (inspected("complexity", missed=missed), inspected("security", missed=missed))

    judgement, _ = judge("gates", (BEGUN, limits, *found, block(1), ENDED))

    (named,) = [f for f in judgement.findings if f.slug == "gates/not-parsed"]
    assert named.where == "b.py"
    assert named.message == "not checked (complexity, security): line 1: invalid syntax"
    assert named.next_step
    assert [gap.what for gap in judgement.not_checked] == ["b.py (complexity)", "b.py (security)"]


def test_each_file_that_cannot_be_parsed_is_a_finding_of_its_own() -> None:
    missed = tuple(not_checked(f"{n}.py") for n in range(20))

    _, findings, _ = judged("complexity.max <= 10", inspected("complexity", missed=missed))

    named = [f for f in findings if f.slug == "gates/not-parsed"]
    assert [f.where for f in named] == [f"{n}.py" for n in range(20)]
    assert {f.outcome for f in named} == {Outcome.UNKNOWN}


def test_of_data_that_is_missing_for_all_files_one_finding_tells() -> None:
    missed = tuple(not_checked(f"{n}.py", "coverage/no-data") for n in range(20))

    _, findings, _ = judged("coverage.lines >= 90%", inspected("coverage", (), missed))

    (named,) = [f for f in findings if f.slug == "coverage/no-data"]
    assert named.where == "0.py and 19 more"


def test_a_limit_is_judged_without_files_that_are_waived_or_excluded_and_says_so() -> None:
    missed = (not_checked("old.py"), not_checked("other.py"))
    exclude = inspection.Exclusion(path="vendor/*", reason="not ours", files=("vendor/a.py",))
    begun = inspection.GatesBegun(limits=("complexity.max <= 10",), exclude=(exclude,))
    found = (BEGUN, begun, inspected("complexity", missed=missed), block(3), ENDED)

    _, (one,) = judge("gates", found, lambda finding: finding.where == "old.py")
    judgement, (both,) = judge("gates", found, lambda finding: finding.slug == "gates/not-parsed")

    assert (one.outcome, one.waived, one.excluded) == (Outcome.UNKNOWN, 1, 1)
    assert (both.outcome, both.waived, both.excluded) == (Outcome.PASS, 2, 1)
    assert [file.path for file in one.not_checked] == ["other.py"]
    (kept,) = [f for f in judgement.findings if f.slug == "gates/limit-kept"]
    assert "judged without 3 files: 1 excluded by the plan, 2 waived" in kept.message
    assert "vendor/* (1 file)" in [gap.what for gap in judgement.not_checked]


def test_where_all_is_waived_or_excluded_nothing_is_kept() -> None:
    exclude = inspection.Exclusion(path="*", reason="all of it", files=("a.py",))
    begun = inspection.GatesBegun(limits=("complexity.max <= 10",), exclude=(exclude,))
    nothing = inspected("complexity", ())
    waived = inspected("complexity", (), (not_checked("b.py"),))

    for found in (nothing, waived):
        _, (row,) = judge("gates", (BEGUN, begun, found, ENDED), lambda finding: True)
        assert row.outcome is Outcome.UNKNOWN


def test_an_exclusion_that_excludes_nothing_is_noticed() -> None:
    exclude = inspection.Exclusion(path="vendor", reason="not ours", where="harness.toml:3")
    begun = inspection.GatesBegun(limits=("complexity.max <= 10",), exclude=(exclude,))

    judgement, _ = judge("gates", (BEGUN, begun, inspected("complexity"), block(1), ENDED))

    assert verdict(judgement.findings) is Outcome.PASS
    assert [(n.slug, n.where) for n in judgement.notices] == [
        ("gates/exclude-unused", "harness.toml:3")
    ]


def test_gates_that_saw_the_same_files_with_other_content_are_unknown() -> None:
    limits = inspection.GatesBegun(limits=("complexity.max <= 10",))
    one, other = (
        msgspec.structs.replace(inspected(gate), content=content)
        for gate, content in (("complexity", "1"), ("security", "2"))
    )

    judgement, _ = judge("gates", (BEGUN, limits, one, other, block(1), ENDED))

    assert [f.slug for f in judgement.findings if f.outcome is Outcome.UNKNOWN] == ["gates/changed"]


def test_a_file_that_no_limit_applies_to_is_listed_and_spoils_nothing() -> None:
    limits = inspection.GatesBegun(limits=("src/* complexity.max <= 10",))
    found = inspected("complexity", ("src/a.py",), (not_checked("vendor/b.py"),))

    judgement, rows = judge("gates", (BEGUN, limits, found, block(3, path="src/a.py"), ENDED))

    assert verdict(judgement.findings) is Outcome.PASS
    assert rows[0].not_checked == []
    assert [gap.what for gap in judgement.not_checked] == ["vendor/b.py (complexity)"]


@pytest.mark.parametrize(
    ("limit", "found", "outcome"),
    [
        ("complexity.max <= 10", block(11), Outcome.FAIL),
        ("complexity.max == 10", block(11), Outcome.FAIL),
        ("complexity.max == 10", block(9), Outcome.UNKNOWN),
        ("complexity.max >= 10", block(9), Outcome.UNKNOWN),
        ("complexity.average <= 10", block(11), Outcome.UNKNOWN),
        ("security.high == 0", weakness("high"), Outcome.FAIL),
        ("coverage.lines >= 90%", covered(1, 10), Outcome.UNKNOWN),
    ],
)
def test_a_limit_is_broken_only_if_what_was_not_checked_could_not_mend_it(
    limit: str, found: facts.Fact, outcome: Outcome
) -> None:
    gate = limit.partition(".")[0]

    assert judged(limit, inspected(gate, missed=(not_checked("b.py"),)), found)[0] is outcome


def test_an_issue_that_a_comment_suppresses_passes_and_is_listed() -> None:
    limits = inspection.GatesBegun(limits=("security.high == 0",))
    hidden = weakness("high", suppressed=True)

    judgement, rows = judge("gates", (BEGUN, limits, inspected("security"), hidden, ENDED))

    assert rows[0].outcome is Outcome.PASS
    (gap,) = judgement.not_checked
    assert gap.what == "a.py:7 (B307, severity high)"
    assert "nosec" in gap.why


@pytest.mark.parametrize(
    ("limit", "found", "said"),
    [
        ("complexity.max <= 10", inspected("complexity", ()), "there is no Python file in ."),
        ("srv/* complexity.max <= 10", inspected("complexity"), "srv/* matches none of 1 files"),
        ("complexity.max <= 10", BEGUN, "nothing was inspected"),
        ("coverage.lines >= 90%", inspected("coverage"), "no file has anything to measure"),
    ],
)
def test_a_limit_without_anything_to_measure_says_why(
    limit: str, found: facts.Fact, said: str
) -> None:
    _, findings, _ = judged(limit, found)

    assert any(said in finding.message for finding in findings)


def test_a_place_beyond_several_limits_is_told_once() -> None:
    limits = inspection.GatesBegun(limits=("security.high == 0", "a* security.high == 0"))
    found = (inspected("security"), weakness("high"))

    judgement, rows = judge("gates", (BEGUN, limits, *found, ENDED))

    assert [row.findings for row in rows] == [1, 1]
    assert [f.slug for f in judgement.findings].count("security/B307") == 1


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        ("security.medium.high == 0", Outcome.PASS),
        ("security.medium.low == 0", Outcome.FAIL),
        ("security.medium == 0", Outcome.FAIL),
        ("security.high.low == 0", Outcome.PASS),
        ("b* security.medium.low == 0", Outcome.UNKNOWN),
    ],
)
def test_issues_are_told_apart_by_severity_and_confidence(limit: str, outcome: Outcome) -> None:
    found = weakness("medium", confidence="low")

    assert judged(limit, inspected("security"), found)[0] is outcome


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [("security.medium == 0", Outcome.FAIL), ("security.high == 0", Outcome.PASS)],
)
def test_a_nosec_that_names_no_rule_and_hides_what_a_limit_counts_fails(
    limit: str, outcome: Outcome
) -> None:
    hidden = weakness("medium", suppressed=True, blanket=True)
    comment = inspection.Suppression(
        path="a.py", line=8, kind="nosec", blanket=True, reason="trusted"
    )

    found, findings, _ = judged(limit, inspected("security"), hidden, comment)

    assert found is outcome
    blankets = [f for f in findings if f.slug == "suppressions/blanket"]
    assert [f.where for f in blankets] == (["a.py:8"] if outcome is Outcome.FAIL else [])
    assert all("'trusted'" in f.message and "B307" in f.next_step for f in blankets)


def suppression(kind: Literal["nosec", "no cover"], *, reason: str = "") -> inspection.Suppression:
    return inspection.Suppression(
        path="a.py", line=4, kind=kind, blanket=kind == "nosec", reason=reason
    )


@pytest.mark.parametrize(
    ("limit", "measured"),
    [
        ("suppressions <= 1", 3),
        ("suppressions.blanket == 0", 1),
        ("suppressions.unreasoned == 0", 1),
        ("a* suppressions <= 1", 2),
    ],
)
def test_suppressions_and_exclusions_are_counted_and_each_is_a_place(
    limit: str, measured: int
) -> None:
    exclude = inspection.Exclusion(path="v/*", reason="not ours", where="h:1", files=("v/a.py",))
    begun = inspection.GatesBegun(limits=(limit,), exclude=(exclude,))
    comments = (suppression("nosec", reason="trusted"), suppression("no cover"))

    judgement, (row,) = judge("gates", (BEGUN, begun, inspected("suppressions"), *comments, ENDED))

    assert (row.measured, row.findings) == (measured, measured)
    assert row.outcome is Outcome.FAIL
    assert [f.slug for f in judgement.findings].count("suppressions/limit") == measured


def test_suppressions_that_no_limit_speaks_of_are_listed_and_spoil_nothing() -> None:
    limits = inspection.GatesBegun(limits=("complexity.max <= 10",))
    lost = inspected("suppressions", (), (not_checked("a.py", "gates/tool-error"),))

    judgement, _ = judge(
        "gates",
        (BEGUN, limits, inspected("complexity"), lost, block(1), suppression("no cover"), ENDED),
    )

    assert verdict(judgement.findings) is Outcome.PASS


def maintained(index: float | None, path: str = "a.py") -> inspection.Maintained:
    return inspection.Maintained(path=path, index=index)


@pytest.mark.parametrize(
    ("indexes", "outcome", "measured"),
    [
        ((30.0, 25.0), Outcome.PASS, 25),
        ((30.0, 15.0), Outcome.FAIL, 15),
        ((30.0, None), Outcome.PASS, 30),
        ((None, None), Outcome.UNKNOWN, None),
    ],
)
def test_maintainability_is_judged_where_there_is_something_to_go_by(
    indexes: tuple[float | None, ...], outcome: Outcome, measured: float | None
) -> None:
    account = inspected("maintainability", ("0.py", "1.py"))
    files = [maintained(index, f"{n}.py") for n, index in enumerate(indexes)]

    found, _, row = judged("maintainability.min >= 20", account, *files)

    assert (found, row.measured) == (outcome, measured)
    assert ("no index" in row.remark) is (None in indexes and outcome is Outcome.PASS)


def test_a_block_that_radon_counts_otherwise_says_what_it_leaves_out() -> None:
    other = inspection.Block(
        path="a.py", line=3, name="f", complexity=12, radon=9, because="except*"
    )
    closure = inspection.Block(path="a.py", line=9, name="f.g", complexity=11, because="not listed")

    _, findings, _ = judged("complexity.max <= 10", inspected("complexity"), other, closure)

    assert [f.message for f in findings if f.slug == "complexity/limit"] == [
        "f is too complex (Radon says 9: except*)",
        "f.g is too complex (Radon's report does not have it: not listed)",
    ]


def test_the_average_is_radons_over_functions_and_classes_and_a_difference_is_told() -> None:
    listed = [
        inspection.Block(path="a.py", line=n, name=name, complexity=c, radon=c, is_class=c == 5)
        for n, (name, c) in enumerate([("f", 1), ("C", 5), ("C.m", 3)])
    ]
    closure = inspection.Block(path="a.py", line=9, name="f.g", complexity=11)
    module = inspection.Block(path="a.py", line=1, name="<module>", complexity=99)

    _, _, same = judged("complexity.average <= A", inspected("complexity"), *listed, module)
    _, _, other = judged("complexity.average <= A", inspected("complexity"), *listed, closure)

    assert (same.measured, same.remark) == (3, "")
    assert (other.measured, other.remark) == (
        5, "radon cc -a says 3 of 3 blocks; 1 more are counted here",
    )  # fmt: skip


def test_a_class_is_no_place_beyond_a_limit() -> None:
    whole = inspection.Block(path="a.py", line=1, name="C", complexity=50, radon=50, is_class=True)

    assert judged("complexity.max <= 10", inspected("complexity"), whole, block(3))[0] is (
        Outcome.PASS
    )
