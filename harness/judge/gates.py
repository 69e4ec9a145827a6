"""Judging the gates: each limit against what was inspected, each file that was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.facts import Block, Covered, Fact, GatesBegun, Inspected, NotChecked, Weakness
from harness.judge import Judgement, of_part, unknown
from harness.judge.accepted import Tolerance
from harness.judge.narrowed import narrowed
from harness.objective import Family, Objective, parse_objective
from harness.record import GateRow, Omission
from harness.verdict import Finding, Outcome

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
    asked = [parse_objective(text, Family.GATE) for text in texts]
    tolerance = tolerance_of(asked, facts)  # of all: what was there before is no twin of it
    limits, facts = narrowed(asked, facts, judgement)
    inspected = {fact.gate: fact for fact in facts if isinstance(fact, Inspected)}
    judgement.extend(_not_checked(limits, inspected))
    rows = [_limit(judgement, inspected, limit, facts, tolerance) for limit in limits]
    judgement.notices.extend(tolerance.told())
    judgement.not_checked.extend(_suppressed(limits, facts))
    return judgement, rows


def tolerance_of(limits: Sequence[Objective], facts: Sequence[Fact]) -> Tolerance:
    """Compare what is beyond the limits with the baseline among the facts."""
    whole = [limit for limit in limits if limit.indicator != "coverage.changed"]
    measured = [(limit, _measured(limit, facts)) for limit in whole]
    broken = [(limit, found.beyond) for limit, found in measured if _is_broken(limit, found.value)]
    return Tolerance.of(facts, whole, broken)


def _gate(limit: Objective) -> str:
    return limit.indicator.partition(".")[0]


_MOST_NAMED = 3
"""Files that are not checked for the same kind of reason, and have a finding each."""

_REMEDY = {
    "gates/not-parsed": "mend it, or run the harness on the Python that it is written for",
    "gates/unreadable": "make it readable, or name paths without it",
    "gates/tool-error": "name paths without it, or try another version of the tool",
    "coverage/no-data": "run functional tests, inproc or served, in the same run: harness run",
    "coverage/bad-data": "run it all again: harness run",
}


def _not_checked(limits: Sequence[Objective], inspected: Mapping[str, Inspected]) -> Judgement:
    """List every file that a gate did not check; one that a limit applies to is a finding."""
    judgement = Judgement()
    same: dict[str, dict[tuple[str, str], list[str]]] = {}  # by slug, by path and reason: gates
    for gate, found in inspected.items():
        own = [limit for limit in limits if _gate(limit) == gate]
        for file in found.not_checked if own else ():
            judgement.not_checked.append(Omission(what=f"{file.path} ({gate})", why=file.reason))
            if any(limit.covers(file.path) for limit in own):
                files = same.setdefault(file.slug, {})
                files.setdefault((file.path, file.reason), []).append(gate)
    for slug, files in same.items():
        judgement.findings.extend(_unchecked(slug, files))
    return judgement


def _unchecked(slug: str, files: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[Finding]:
    """Find each file; of many, the first, and how many there are."""
    paths = dict.fromkeys(path for path, _ in files)
    many = len(paths) > _MOST_NAMED
    for (path, reason), gates in list(files.items())[: 1 if many else None]:
        where = f"{path} and {len(paths) - 1} more" if many else path
        told = f"not checked ({', '.join(gates)}): {reason}"
        yield unknown(slug, where, told, _REMEDY.get(slug, ""))


def _suppressed(limits: Sequence[Objective], facts: Sequence[Fact]) -> Iterator[Omission]:
    """List the issues that a comment in the code keeps out of the limits' count."""
    severities = {limit.indicator.partition(".")[2] for limit in limits}
    for fact in facts:
        if isinstance(fact, Weakness) and fact.suppressed and fact.severity in severities:
            yield Omission(
                what=f"{fact.path}:{fact.line} ({fact.rule}, severity {fact.severity})",
                why="suppressed by a nosec comment",
            )


def _limit(
    judgement: Judgement,
    inspected: dict[str, Inspected],
    limit: Objective,
    facts: Sequence[Fact],
    tolerance: Tolerance,
) -> GateRow:
    """Judge one limit, add what it finds to `judgement`, and return its row."""
    gate = _gate(limit)
    found = inspected.get(gate)
    checked = [path for path in found.checked if limit.covers(path)] if found else []
    missed = [file for file in found.not_checked if limit.covers(file.path)] if found else []
    measured = _measured(limit, facts)
    value = measured.value if checked else None
    new, accepted = tolerance.parted(measured.beyond if _is_broken(limit, value) else ())
    outcome = _outcome(limit, value, missed, tolerated=bool(accepted) and not new)
    new = new if outcome is Outcome.FAIL else []
    summary = Finding(
        slug=f"gates/limit-{_WORD[outcome]}",
        outcome=outcome,
        where=limit.pattern or gate,
        message=_message(limit, value, found, len(accepted)),
        measured=None if value is None else float(value),
        limit=float(limit.limit),
        unit=limit.unit,
        next_step="" if value is not None or missed else _step(limit, found),
    )
    judgement.findings.append(summary)
    _list(judgement, [*new[:MOST_FINDINGS], *accepted])
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
        findings=len(new),
        accepted=len(accepted),
    )


def _is_broken(limit: Objective, value: Fraction | None) -> bool:
    return value is not None and not limit.holds(value)


def _list(judgement: Judgement, findings: Sequence[Finding]) -> None:
    known = set(judgement.findings)  # limits overlap, and a place is told once
    judgement.findings.extend(finding for finding in findings if finding not in known)


def _message(
    limit: Objective, value: Fraction | None, found: Inspected | None, accepted: int
) -> str:
    if value is None:
        return f"{limit.text}: {_lacking(limit, found)}"
    tolerated = f"{accepted} finding{'' if accepted == 1 else 's'} of the baseline"
    return f"{limit.text}, {tolerated}" if accepted else limit.text


_WORD = {Outcome.PASS: "kept", Outcome.FAIL: "broken", Outcome.UNKNOWN: "undecided"}


def _step(limit: Objective, found: Inspected | None) -> str:
    """Say what would give the limit something to measure."""
    if found is None or not found.inventory:
        return "name a path with Python files in it"
    if any(map(limit.covers, found.checked)):
        return "name a path with code in it that is not excluded"
    return "a pattern holds whole paths, from here: 'src/*' is all below src"


def _lacking(limit: Objective, found: Inspected | None) -> str:
    """Say why there is nothing to measure."""
    if found is None:
        return "nothing was inspected"
    if not found.inventory:
        return f"there is no Python file in {', '.join(found.paths)}"
    files = [*found.checked, *(file.path for file in found.not_checked)]
    if not any(limit.covers(path) for path in files):
        return f"{limit.pattern} matches none of {found.inventory} files, such as {files[0]}"
    return "nothing was checked" if not found.checked else "no file has anything to measure"


def _outcome(
    limit: Objective, value: Fraction | None, missed: Sequence[NotChecked], *, tolerated: bool
) -> Outcome:
    """A limit is kept only if everything was checked, broken only if the rest cannot mend it."""
    if value is None:
        return Outcome.UNKNOWN
    holds = limit.holds(value) or tolerated
    if missed and (holds or not _only_worsens(limit, value)):
        return Outcome.UNKNOWN
    return Outcome.PASS if holds else Outcome.FAIL


def _only_worsens(limit: Objective, value: Fraction) -> bool:
    """Tell whether more code can only lead further beyond a limit: a worst case or a count."""
    grows = limit.indicator == "complexity.max" or _gate(limit) == "security"
    return grows and (limit.op in ("<", "<=") or (limit.op == "==" and value > limit.limit))


def _measured(limit: Objective, facts: Sequence[Fact]) -> _Measurement:
    return _measure(limit, [f for f in facts if limit.covers(getattr(f, "path", ""))])


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
            symbol=block.name,
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


_WHICH = {"lines": "lines", "branches": "branches", "changed": "changed lines"}


def _coverage(limit: Objective, which: str, files: Sequence[Covered]) -> _Measurement:
    def counts(file: Covered) -> tuple[int, int]:
        if which == "branches":
            return file.covered_branches, file.branches
        return file.covered, file.statements

    covered = sum(counts(file)[0] for file in files)
    total = sum(counts(file)[1] for file in files)
    if not total:
        # No branch anywhere is a whole coverage of branches; no statement is no evidence, but for
        # a change that adds none.
        whole = which == "changed" or (files and which == "branches")
        return _Measurement(Fraction(100) if whole else None, [])
    beyond = [
        Finding(
            slug=f"coverage/{which}",
            outcome=Outcome.FAIL,
            where=f"{file.path}:{file.missing[0]}" if file.missing else file.path,
            message=f"{counts(file)[1] - counts(file)[0]} of {counts(file)[1]} {_WHICH[which]} "
            f"were not run{_lines(file)}",
            measured=counts(file)[1] - counts(file)[0],
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
