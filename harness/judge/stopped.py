"""What a load did not start, or had to wait with; and one that was stopped since it had lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from harness.judge import Judgement, unknown
from harness.judge.measured import Measured
from harness.judge.scope import scope_of
from harness.objective import Objective
from harness.record import Notice
from harness.verdict import Finding, Outcome

_MS = 1_000_000


def judge(
    part: str, measured: Measured, objectives: Sequence[Objective], judged: Iterable[Finding]
) -> Judgement:
    """Tell of visits that waited for room or were never started, and of an early end."""
    judgement = Judgement()
    if told := "; ".join(_waits(measured)):
        judgement.notices.append(Notice(slug="load/blocked", where=part, message=told))
    outcomes = {finding.message.splitlines()[0]: finding.outcome for finding in judged}
    for objective in objectives:
        if outcomes.get(objective.text) is Outcome.PASS and _may_hide(measured, objective):
            judgement.findings.append(_not_started(part, measured, objective))
    if measured.stopped is not None:
        judgement.extend(_stopped(part, measured, outcomes))
    return judgement


def _waits(measured: Measured) -> Iterator[str]:
    blocked, never = measured.blocked, measured.turned_away
    if blocked.count:
        p99 = blocked.quantile(Fraction(99, 100)) or 0
        yield (
            f"{_due(blocked.count)} waited for room, since "
            f"{measured.begun.in_flight} were under way in a process: "
            f"{blocked.total_ns / 1e9:.3g} s in all, p99 {p99 / _MS:.4g} ms"
        )
    if never:
        yield f"{_due(never)} {'was' if never == 1 else 'were'} never started"


def _due(visits: int) -> str:
    return f"{visits} visit that was due" if visits == 1 else f"{visits} visits that were due"


def _may_hide(measured: Measured, objective: Objective) -> bool:
    """Tell whether a percentile is met only because visits that were due were never started.

    Each is taken to have made one request of the objective's scope, beyond the limit.
    """
    q = objective.quantile
    if not measured.turned_away or q is None or objective.op not in ("<", "<="):
        return False
    scope = scope_of(measured, objective)
    worst = scope.latency
    worst.record(math.ceil(objective.limit * _MS) * 2, measured.turned_away)
    return not objective.holds(Fraction(worst.quantile(q) or 0, _MS))


def _not_started(part: str, measured: Measured, objective: Objective) -> Finding:
    due, left = measured.begun.visits, measured.turned_away
    return unknown(
        "load/not-started",
        part,
        f"{left} of {due} visits that were due never started, and {objective.text!r} might "
        "not be met with them",
        "allow more visits at once (in_flight), give it more processes, or ask for a lower rate",
    )


def _stopped(part: str, measured: Measured, outcomes: dict[str, Outcome]) -> Judgement:
    """Tell of an early end. Its reason is a missed objective, which has a finding of its own."""
    judgement, stopped = Judgement(), measured.stopped
    assert stopped is not None
    told = (
        f"it was stopped after {measured.seconds:.1f} of {measured.begun.duration_s:g} s: "
        f"{stopped.objective!r} could not be met any more"
    )
    judgement.notices.append(Notice(slug="load/stopped-early", where=part, message=told))
    if outcomes.get(stopped.objective) is not Outcome.FAIL:
        judgement.findings.append(unknown("load/cut-short", part, told, "run it again"))
    return judgement
