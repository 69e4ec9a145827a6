"""What the gates show of code beside their limits: who looked, what is hidden, where it is hot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.facts import Fact
from harness.inspection import (
    Block,
    Churn,
    Covered,
    Exclusion,
    GatesBegun,
    Inspected,
    Maintained,
    Suppression,
    Weakness,
)
from harness.record import Code, Hotspot, InspectionRow, MaintainabilityRow, SuppressionRow

MOST_HOTSPOTS = 20
"""Files that are listed, the hottest first."""


def described(facts: Sequence[Fact]) -> Iterator[Code]:
    """Yield what is known of the code that was inspected; nothing where none was."""
    inspections = [_inspection(fact) for fact in facts if isinstance(fact, Inspected)]
    if inspections:
        yield Code(
            inspections=inspections,
            suppressions=[*_comments(facts), *_exclusions(facts)],
            maintainability=_maintainability(facts),
            hotspots=_hotspots(facts),
        )


def _inspection(found: Inspected) -> InspectionRow:
    return InspectionRow(
        gate=found.gate, tool=found.tool, python=found.python,
        configuration=found.configuration, content=found.content, inventory=found.inventory,
        checked=len(found.checked), not_checked=len(found.not_checked),
        duration_s=found.duration_s,
    )  # fmt: skip


def _comments(facts: Sequence[Fact]) -> Iterator[SuppressionRow]:
    hidden: dict[tuple[str, int], set[str]] = {}
    for fact in facts:
        if isinstance(fact, Weakness) and fact.suppressed:
            hidden.setdefault((fact.path, fact.comment), set()).add(fact.rule)
    for fact in facts:
        if isinstance(fact, Suppression):
            hides = hidden.get((fact.path, fact.line), set()) if fact.kind == "nosec" else ()
            yield SuppressionRow(
                kind=fact.kind, where=f"{fact.path}:{fact.line}", rules=list(fact.rules),
                hides=sorted(hides), blanket=fact.blanket, reason=fact.reason,
            )  # fmt: skip


def _exclusions(facts: Sequence[Fact]) -> Iterator[SuppressionRow]:
    exclude = [one for fact in facts if isinstance(fact, GatesBegun) for one in fact.exclude]
    yield from (_exclusion(one) for one in exclude if one.files)


def _exclusion(one: Exclusion) -> SuppressionRow:
    return SuppressionRow(
        kind="exclude", where=one.where or one.path, rules=[one.path], hides=[], blanket=False,
        reason=one.reason, files=len(one.files),
    )  # fmt: skip


def _maintainability(facts: Sequence[Fact]) -> list[MaintainabilityRow]:
    """List the files, the least maintainable first, and last those without an index."""
    found = [fact for fact in facts if isinstance(fact, Maintained)]
    return [
        MaintainabilityRow(
            path=file.path,
            index=file.index,
            letter=_letter(file.index),
        )
        for file in sorted(found, key=lambda f: (f.index is None, f.index or 0.0, f.path))
    ]


def _letter(index: float | None) -> str:
    """Return Radon's rank of an index: A is all above 19, B above 9."""
    if index is None:
        return ""
    return "A" if index > 19 else "B" if index > 9 else "C"


def _hotspots(facts: Sequence[Fact]) -> list[Hotspot] | None:
    churn = next((fact for fact in facts if isinstance(fact, Churn)), None)
    if churn is None:
        return None
    covered = {fact.path: fact for fact in facts if isinstance(fact, Covered)}
    spots = [
        _hotspot(own, covered.get(path), churn)
        for path, own in _blocks(facts).items()
        if churn.commits.get(path)
    ]
    hot = sorted((spot for spot in spots if spot.score), key=lambda s: (-s.score, s.path))
    return hot[:MOST_HOTSPOTS]


def _blocks(facts: Sequence[Fact]) -> dict[str, list[Block]]:
    """Return the functions, and what is outside of them, by file."""
    blocks: dict[str, list[Block]] = {}
    for fact in facts:
        if isinstance(fact, Block) and not fact.is_class:
            blocks.setdefault(fact.path, []).append(fact)
    return blocks


def _hotspot(blocks: Sequence[Block], covered: Covered | None, churn: Churn) -> Hotspot:
    worst = max(blocks, key=lambda block: block.complexity)
    uncovered = None
    if covered is not None:
        lacking = covered.statements - covered.covered
        uncovered = lacking / covered.statements if lacking else 0.0
    complexity = sum(block.complexity for block in blocks)
    commits = churn.commits[worst.path]
    share = 1.0 if uncovered is None else uncovered
    return Hotspot(
        path=worst.path, worst=f"{worst.name}, line {worst.line}: {worst.complexity}",
        complexity=complexity, uncovered=uncovered, commits=commits, days=churn.days,
        score=complexity * share * commits,
    )  # fmt: skip
