"""Judging the gates: each limit against what was inspected, each file that was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.facts import Block, Covered, Fact, GatesBegun, Inspected, NotChecked, Weakness
from harness.judge import Judgement, of_part, unknown
from harness.objective import Family, Objective, parse_objective
from harness.record import GateRow, Omission
from harness.verdict import Finding, Outcome, worst

MOST_FINDINGS = 50
"""Findings of one limit that are listed; the row still counts all of them."""


@dataclass(frozen=True, slots=True)
class _Measurement:
    """A limit's measured value, None without evidence, and what lies beyond the limit."""

    value: Fraction | None
    beyond: list[Finding]


def judge(part: str, facts: tuple[Fact, ...]) -> tuple[Judgement, list[GateRow]]:
    """Judge the gates against their limits."""
    judgement = of_part(part, facts)
    texts = [text for fact in facts if isinstance(fact, GatesBegun) for text in fact.limits]
    limits = [parse_objective(text, Family.GATE) for text in texts]
    inspected = {fact.gate: fact for fact in facts if isinstance(fact, Inspected)}
    judged_gates = {_gate(limit) for limit in limits}
    for gate, found in inspected.items():
        if gate in judged_gates:
            judgement.extend(_not_checked(gate, found.not_checked))
    rows = [_limit(judgement, inspected, limit, facts) for limit in limits]
    return judgement, rows


def _gate(limit: Objective) -> str:
    return limit.indicator.partition(".")[0]


def _not_checked(gate: str, files: Sequence[NotChecked]) -> Judgement:
    """Every file that a gate did not check is a finding, and listed."""
    judgement = Judgement()
    for slug in dict.fromkeys(file.slug for file in files):
        same = [file for file in files if file.slug == slug]
        if len(same) > 3:
            where, reason = f"{len(same)} files", same[0].reason
            judgement.findings.append(unknown(slug, where, f"{gate}: not checked: {reason}"))
        else:
            judgement.findings.extend(
                unknown(slug, file.path, f"{gate}: not checked: {file.reason}") for file in same
            )
        judgement.not_checked.extend(
            Omission(what=f"{file.path} ({gate})", why=file.reason) for file in same
        )
    return judgement


def _limit(
    judgement: Judgement,
    inspected: dict[str, Inspected],
    limit: Objective,
    facts: Sequence[Fact],
) -> GateRow:
    """Judge one limit, add what it finds to `judgement`, and return its row."""
    gate = _gate(limit)
    found = inspected.get(gate)
    checked = [path for path in found.checked if limit.covers(path)] if found else []
    missed = [file for file in found.not_checked if limit.covers(file.path)] if found else []
    measured = _measure(limit, [f for f in facts if limit.covers(getattr(f, "path", ""))])
    value = measured.value if checked else None
    outcome = _outcome(limit, value, missed)
    summary = Finding(
        slug=f"gates/limit-{_WORD[outcome]}",
        outcome=outcome,
        where=limit.pattern or gate,
        message=limit.text if value is not None else f"{limit.text}: nothing was checked",
        measured=None if value is None else float(value),
        limit=float(limit.limit),
        unit=limit.unit,
        next_step="" if value is not None else _NOTHING.get(gate, "name a path with Python files"),
    )
    judgement.findings.append(summary)
    if outcome is Outcome.FAIL:
        judgement.findings.extend(measured.beyond[:MOST_FINDINGS])
    return GateRow(
        name=limit.text,
        gate=gate,
        tool=found.tool if found else "",
        outcome=outcome,
        measured=summary.measured,
        limit=float(limit.limit),
        op=limit.op,
        unit=limit.unit,
        checked=len(checked),
        not_checked=list(missed),
        findings=len(measured.beyond) if outcome is Outcome.FAIL else 0,
    )


_WORD = {Outcome.PASS: "kept", Outcome.FAIL: "broken", Outcome.UNKNOWN: "undecided"}
_NOTHING = {"coverage": "run the functional tests in the same run: harness run"}


def _outcome(limit: Objective, value: Fraction | None, missed: Sequence[NotChecked]) -> Outcome:
    """A broken limit is broken whatever was not checked; a kept one only if all was."""
    if value is None:
        return Outcome.UNKNOWN
    if not limit.holds(value):
        return Outcome.FAIL
    return worst([Outcome.PASS, *(Outcome.UNKNOWN for _ in missed)])


def _measure(limit: Objective, facts: Sequence[Fact]) -> _Measurement:
    gate, _, which = limit.indicator.partition(".")
    if gate == "complexity":
        return _complexity(limit, which, [f for f in facts if isinstance(f, Block)])
    if gate == "security":
        return _security(which, [f for f in facts if isinstance(f, Weakness)])
    return _coverage(limit, which, [f for f in facts if isinstance(f, Covered)])


def _complexity(limit: Objective, which: str, blocks: Sequence[Block]) -> _Measurement:
    if not blocks:
        return _Measurement(Fraction(0), [])
    if which == "average":
        inner = [b for b in blocks if not b.name.endswith(">")] or list(blocks)
        return _Measurement(Fraction(sum(b.complexity for b in inner), len(inner)), [])
    beyond = [
        Finding(
            slug="complexity/limit",
            outcome=Outcome.FAIL,
            where=f"{block.path}:{block.line}",
            message=f"{block.name} is too complex",
            measured=block.complexity,
            limit=float(limit.limit),
            unit="",
            next_step="split it, or give its cases to a table",
        )
        for block in sorted(blocks, key=lambda b: (-b.complexity, b.path, b.line))
        if not limit.holds(Fraction(block.complexity))
    ]
    return _Measurement(Fraction(max(b.complexity for b in blocks)), beyond)


def _security(severity: str, weaknesses: Sequence[Weakness]) -> _Measurement:
    found = [w for w in weaknesses if w.severity == severity and not w.suppressed]
    beyond = [
        Finding(
            slug=f"security/{weakness.rule}",
            outcome=Outcome.FAIL,
            where=f"{weakness.path}:{weakness.line}",
            message=f"{weakness.message} "
            f"(severity {weakness.severity}, confidence {weakness.confidence})",
            next_step=f"see https://bandit.readthedocs.io, {weakness.rule}",
        )
        for weakness in found
    ]
    return _Measurement(Fraction(len(found)), beyond)


def _coverage(limit: Objective, which: str, files: Sequence[Covered]) -> _Measurement:
    def counts(file: Covered) -> tuple[int, int]:
        if which == "branches":
            return file.covered_branches, file.branches
        return file.covered, file.statements

    covered = sum(counts(file)[0] for file in files)
    total = sum(counts(file)[1] for file in files)
    if not total:
        # No branch anywhere is a whole coverage of branches; no statement is no evidence.
        return _Measurement(Fraction(100) if files and which == "branches" else None, [])
    beyond = [
        Finding(
            slug=f"coverage/{which}",
            outcome=Outcome.FAIL,
            where=f"{file.path}:{file.missing[0]}" if file.missing else file.path,
            message=f"{counts(file)[1] - counts(file)[0]} of {counts(file)[1]} {which} "
            f"were not run{_lines(file)}",
            next_step="test them, or delete them",
        )
        for file in sorted(files, key=lambda f: counts(f)[0] - counts(f)[1])
        if counts(file)[0] < counts(file)[1]
    ]
    return _Measurement(Fraction(100 * covered, total), beyond)


def _lines(file: Covered) -> str:
    """Write line numbers as ranges: ``: 3, 7-9``."""
    ranges: list[list[int]] = []
    for line in file.missing:
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges[:8])
    more = ", …" if len(ranges) > 8 else ""
    return f": lines {shown}{more}" if shown else ""
