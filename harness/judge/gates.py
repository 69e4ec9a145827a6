"""Judging the gates: each limit against what was inspected, each file that was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from harness.comparison import Changed
from harness.facts import Fact
from harness.inspection import Exclusion, GatesBegun, Inspected, Suppression, Weakness
from harness.judge import Judgement, of_part, unchecked
from harness.judge.accepted import Tolerance
from harness.judge.limits import Measurement, counts, measure, only_worsens
from harness.judge.narrowed import narrowed
from harness.judge.unchecked import Rest, Tolerated, gate_of
from harness.objective import Family, Objective, parse_objective
from harness.record import GateRow, Omission
from harness.verdict import Finding, Outcome

MOST_FINDINGS = 50
"""Findings of one limit that are listed; the row still counts all of them."""


def judge(
    part: str, facts: tuple[Fact, ...], tolerated: Tolerated = lambda finding: False
) -> tuple[Judgement, list[GateRow]]:
    """Judge the gates against their limits. What is `tolerated` spoils no limit."""
    judgement = of_part(part, facts)
    begun = [fact for fact in facts if isinstance(fact, GatesBegun)]
    asked = [parse_objective(text, Family.GATE) for one in begun for text in one.limits]
    exclude = [exclusion for one in begun for exclusion in one.exclude]
    tolerance = tolerance_of(asked, facts)  # of all: what was there before is no twin of it
    limits, facts = narrowed(asked, facts, judgement)
    inspected = {fact.gate: fact for fact in facts if isinstance(fact, Inspected)}
    judgement.extend(unchecked.judge(limits, inspected))
    judgement.extend(unchecked.excluded(exclude))
    rows = []
    for limit in limits:
        found = inspected.get(gate_of(limit))
        left_out = unchecked.rest(limit, found, exclude, tolerated)
        measured = measure(limit, facts, _added(exclude, facts))
        rows.append(_limit(judgement, limit, found, left_out, measured, tolerance))
    judgement.extend(_suppressed(limits, facts))
    judgement.findings.extend(map(tolerance.under, _blankets(limits, facts)))
    judgement.notices.extend(tolerance.told())
    return judgement, rows


def _added(exclude: Sequence[Exclusion], facts: Sequence[Fact]) -> Sequence[Exclusion]:
    """Return the plan's exclusions, none of which is known to be a change's."""
    return [] if any(isinstance(fact, Changed) for fact in facts) else exclude


def tolerance_of(limits: Sequence[Objective], facts: Sequence[Fact]) -> Tolerance:
    """Compare what is beyond the limits, or bad anyway, with the baseline among the facts."""
    whole = [limit for limit in limits if limit.indicator != "coverage.changed"]
    exclude = [one for fact in facts if isinstance(fact, GatesBegun) for one in fact.exclude]
    measured = [(limit, measure(limit, facts, exclude)) for limit in whole]
    broken = [
        (limit.indicator, found.beyond)
        for limit, found in measured
        if _is_broken(limit, found.value)
    ]
    blankets = ("suppressions.blanket", list(_blankets(whole, facts)))
    return Tolerance.of(facts, whole, [*broken, blankets])


def _is_broken(limit: Objective, value: Fraction | None) -> bool:
    return value is not None and not limit.holds(value)


def _suppressed(limits: Sequence[Objective], facts: Sequence[Fact]) -> Judgement:
    """List the issues that a comment keeps out of the limits' count."""
    judgement = Judgement()
    for issue in _hidden(limits, facts):
        told = f"{issue.path}:{issue.line} ({issue.rule}, severity {issue.severity})"
        judgement.not_checked.append(Omission(what=told, why="suppressed by a nosec comment"))
    return judgement


def _hidden(limits: Sequence[Objective], facts: Sequence[Fact]) -> Iterator[Weakness]:
    for issue in (f for f in facts if isinstance(f, Weakness) and f.suppressed):
        if any(_speaks_of(limit, issue) for limit in limits):
            yield issue


def _speaks_of(limit: Objective, issue: Weakness) -> bool:
    gate, _, which = limit.indicator.partition(".")
    return gate == "security" and limit.covers(issue.path) and counts(which, issue)


def _blankets(limits: Sequence[Objective], facts: Sequence[Fact]) -> Iterator[Finding]:
    """Find the comments that name no rule: each hides whatever its line will ever have."""
    comments = {(f.path, f.line): f for f in facts if isinstance(f, Suppression)}
    hidden: dict[tuple[str, int], list[Weakness]] = {}
    for issue in (one for one in _hidden(limits, facts) if one.blanket):
        hidden.setdefault((issue.path, issue.comment), []).append(issue)
    for (path, line), issues in hidden.items():
        rules = ", ".join(sorted({issue.rule for issue in issues}))
        written = comments.get((path, line))
        reason = f", though it says {written.reason!r}" if written and written.reason else ""
        yield Finding(
            slug="suppressions/blanket",
            outcome=Outcome.FAIL,
            where=f"{path}:{line}",
            message=f"a nosec names no rule{reason}, so it hides whatever Bandit finds here: "
            f"{rules} now ({issues[0].message})",
            next_step=f"mend what it hides, or name it: # nosec {rules}, then the reason",
        )


def _limit(
    judgement: Judgement,
    limit: Objective,
    found: Inspected | None,
    left_out: Rest,
    measured: Measurement,
    tolerance: Tolerance,
) -> GateRow:
    """Judge one limit, add what it finds to `judgement`, and return its row."""
    checked = [path for path in found.checked if limit.covers(path)] if found else []
    value = measured.value if checked else None
    new, accepted = tolerance.parted(measured.beyond if _is_broken(limit, value) else ())
    outcome = _outcome(limit, value, left_out, tolerated=bool(accepted) and not new)
    remark = "\n".join(filter(None, [_of_baseline(len(accepted)), measured.remark]))
    summary = _summary(limit, found, left_out, outcome, value, remark)
    judgement.findings.append(summary)
    new = new if outcome is Outcome.FAIL else []
    known = set(judgement.findings)  # limits overlap, and a place is told once
    listed = [*new[:MOST_FINDINGS], *accepted]
    judgement.findings.extend(finding for finding in listed if finding not in known)
    return GateRow(
        name=limit.text,
        gate=gate_of(limit),
        tool=found.tool if found else "",
        outcome=outcome,
        measured=summary.measured,
        limit=float(limit.limit),
        op=limit.op,
        unit=limit.unit,
        checked=len(checked),
        not_checked=list(left_out.missed),
        findings=len(new),
        accepted=len(accepted),
        waived=left_out.waived,
        excluded=left_out.excluded,
        remark=measured.remark,
    )


def _of_baseline(accepted: int) -> str:
    return f"{accepted} finding{'' if accepted == 1 else 's'} of the baseline" if accepted else ""


_WORD = {Outcome.PASS: "kept", Outcome.FAIL: "broken", Outcome.UNKNOWN: "undecided"}


def _summary(
    limit: Objective, found: Inspected | None, left_out: Rest, outcome: Outcome,
    value: Fraction | None, remark: str,
) -> Finding:  # fmt: skip
    told = limit.text if value is not None else f"{limit.text}: {_lacking(limit, found, left_out)}"
    remarks = [str(one) for one in (left_out, remark) if one]
    return Finding(
        slug=f"gates/limit-{_WORD[outcome]}",
        outcome=outcome,
        where=limit.pattern or gate_of(limit),
        message="\n".join([told, *remarks]),
        measured=None if value is None else float(value),
        limit=float(limit.limit),
        unit=limit.unit,
        next_step="" if value is not None or left_out.missed else _step(limit, found, left_out),
    )


def _step(limit: Objective, found: Inspected | None, left_out: Rest) -> str:
    """Say what would give the limit something to measure."""
    if left_out:
        return "a limit needs a file that is neither excluded nor waived"
    if found is None or not found.inventory:
        return "name a path with Python files in it"
    if any(map(limit.covers, found.checked)):
        return "name a path with code in it that is not excluded"
    return "a pattern holds whole paths, from here: 'src/*' is all below src"


def _lacking(limit: Objective, found: Inspected | None, left_out: Rest) -> str:
    """Say why there is nothing to measure."""
    if found is None:
        return "nothing was inspected"
    if not found.inventory:
        there = f"there is no Python file in {', '.join(found.paths)}"
        return f"{there} that is not excluded" if left_out.excluded else there
    files = [*found.checked, *(file.path for file in found.not_checked)]
    if not any(limit.covers(path) for path in files):
        return f"{limit.pattern} matches none of {found.inventory} files, such as {files[0]}"
    return "nothing was checked" if not found.checked else "no file has anything to measure"


def _outcome(
    limit: Objective, value: Fraction | None, left_out: Rest, *, tolerated: bool
) -> Outcome:
    """A limit is kept only if everything was checked, broken only if the rest cannot mend it."""
    if value is None:
        return Outcome.UNKNOWN
    holds = limit.holds(value) or tolerated
    if left_out.missed and (holds or not only_worsens(limit, value)):
        return Outcome.UNKNOWN
    return Outcome.PASS if holds else Outcome.FAIL
