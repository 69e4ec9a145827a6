"""What the gates show beside their limits."""

from __future__ import annotations

from harness import facts, inspection
from harness.judge.code import described
from harness.record import Code, SuppressionRow


def code(*found: facts.Fact) -> Code:
    inspected = inspection.Inspected(
        gate="complexity", tool="radon 6", paths=(".",), inventory=2, checked=("a.py",),
        not_checked=(inspection.NotChecked(path="b.py", slug="gates/not-parsed", reason="no"),),
        duration_s=0.5, python="3.11.7", configuration="c", content="d",
    )  # fmt: skip
    (known,) = described((inspected, *found))
    return known


def block(path: str, complexity: int) -> inspection.Block:
    return inspection.Block(path=path, line=7, name="f", complexity=complexity)


def covered(path: str, lines: int, of: int) -> inspection.Covered:
    return inspection.Covered(
        path=path, statements=of, covered=lines, branches=0, covered_branches=0, missing=()
    )


def test_nothing_is_said_of_code_that_nobody_inspected() -> None:
    assert list(described((block("a.py", 1),))) == []


def test_a_gate_says_what_ran() -> None:
    (row,) = code().inspections

    assert (row.tool, row.python, row.configuration, row.content) == ("radon 6", "3.11.7", "c", "d")
    assert (row.inventory, row.checked, row.not_checked, row.duration_s) == (2, 1, 1, 0.5)


def test_a_comment_is_listed_with_what_it_hides_and_an_exclusion_with_its_files() -> None:
    comment = inspection.Suppression(
        path="a.py", line=3, kind="nosec", rules=("B1",), reason="ours"
    )
    hidden = [
        inspection.Weakness(
            path="a.py", line=2, rule=rule, severity="high", confidence="high", message="",
            suppressed=True, comment=line,
        )
        for rule, line in (("B2", 3), ("B1", 3), ("B9", 4))
    ]  # fmt: skip
    exclude = (
        inspection.Exclusion(
            path="v/*", reason="not ours", where="h:1", files=("v/a.py", "v/b.py")
        ),
        inspection.Exclusion(path="w/*", reason="gone", where="h:4"),
    )
    begun = inspection.GatesBegun(limits=(), exclude=exclude)

    assert code(begun, comment, *hidden).suppressions == [
        SuppressionRow(kind="nosec", where="a.py:3", rules=["B1"], hides=["B1", "B2"],
                       blanket=False, reason="ours"),
        SuppressionRow(kind="exclude", where="h:1", rules=["v/*"], hides=[], blanket=False,
                       reason="not ours", files=2),
    ]  # fmt: skip


def test_files_are_listed_by_maintainability_the_lowest_first_and_unknown_last() -> None:
    indexes = {"a": 50.0, "b": None, "c": 9.0, "d": 19.0}
    found = [inspection.Maintained(path=path, index=index) for path, index in indexes.items()]

    assert [(row.path, row.letter) for row in code(*found).maintainability] == [
        ("c", "C"), ("d", "B"), ("a", "A"), ("b", ""),
    ]  # fmt: skip


def test_without_history_there_are_no_hotspots_and_none_is_not_nothing() -> None:
    assert code(block("a.py", 9)).hotspots is None
    assert code(block("a.py", 9), inspection.Churn(days=365, commits={})).hotspots == []


def test_a_hotspot_is_complex_and_not_run_and_often_changed() -> None:
    churn = inspection.Churn(days=90, commits={"a.py": 10, "b.py": 2, "run.py": 50})
    found = code(
        churn, block("a.py", 3), block("a.py", 5), block("b.py", 90), block("still.py", 99),
        block("run.py", 9), covered("a.py", 3, 4), covered("run.py", 4, 4),
    ).hotspots  # fmt: skip

    assert found is not None
    assert [(spot.path, spot.score) for spot in found] == [("b.py", 180.0), ("a.py", 20.0)]
    assert (found[1].complexity, found[1].uncovered, found[1].days) == (8, 0.25, 90)
    assert found[0].uncovered is None
    assert found[1].worst == "f, line 7: 5"
