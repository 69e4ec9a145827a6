"""Whether a load's own figures can be believed: the generator was well, and all of it is there.

A breach voids what it could change, and nothing else: see `promised`.
"""

from __future__ import annotations

from fractions import Fraction

from harness.histogram import Histogram
from harness.judge import Judgement, unknown
from harness.judge.measured import Measured
from harness.sample import FailureKind
from harness.verdict import Finding, Outcome

RATE_REACHED = Fraction(99, 100)
CPU_BUSY = 0.9
LAG_BLOCKED_MS = 250
_MS = 1_000_000


def sickness(measured: Measured) -> str:
    """Say in which way the generator was the bottleneck; empty where it was well."""
    if measured.cpu >= CPU_BUSY:
        return f"a generator process used {measured.cpu:.0%} of a processor"
    if measured.lag_p99_ms() > LAG_BLOCKED_MS:
        return f"its event loop lagged {measured.lag_p99_ms():.0f} ms (p99)"
    if any(FailureKind.EXHAUSTED in t.failures for t in measured.tallies):
        return "it had no file or port left for a connection (ulimit -n)"
    if _crowded_out(measured):
        return "the scenarios' own pauses left no room for the visits that were due"
    return ""


def _crowded_out(measured: Measured) -> bool:
    """Tell whether visits waited for room that others took up, mostly by their own pauses."""
    waited = sum((t.lag for t in measured.visits), start=Histogram()).quantile(Fraction(99, 100))
    visits_ns = sum(t.service.total_ns for t in measured.visits)
    requests_ns = sum(t.service.total_ns for t in measured.steps)
    coped = any(t.failed for t in measured.steps)  # their time is in no histogram
    is_late = (waited or 0) > LAG_BLOCKED_MS * _MS
    return is_late and not coped and 2 * requests_ns < visits_ns


def evidence(part: str, measured: Measured) -> Judgement:
    """Judge whether there is anything to judge."""
    judgement = Judgement()
    visits = sum(t.sent for t in measured.visits)
    if not visits:
        judgement.findings.append(
            unknown("load/no-visits", part, "no visit ended, so nothing was measured")
        )
    elif not measured.steps:
        judgement.findings.append(
            unknown(
                "load/no-requests",
                part,
                f"{visits} visits, and no request through the session that they were given",
                "let the scenarios use the session that is their argument",
            )
        )
    unfinished = [s.process for s in measured.newest if not s.final]
    lost = measured.begun.processes - len(measured.newest)
    if unfinished or lost:
        judgement.findings.append(
            unknown(
                "load/cut-short",
                part,
                f"{len(unfinished) + lost} of {measured.begun.processes} generator processes "
                "did not end by themselves; what they had counted is included",
            )
        )
    if measured.lost:
        told = f"{measured.lost} snapshots are missing; what was counted in them is not included"
        judgement.findings.append(unknown("load/cut-short", part, told))
    if (blocked_ms := measured.blocked_p99_ms()) > LAG_BLOCKED_MS:
        judgement.findings.append(
            Finding(
                slug="load/generator-blocked",
                outcome=Outcome.UNKNOWN,
                where=measured.begun.scenarios,
                message="the generator's event loop was blocked: visits did not run side by side",
                measured=blocked_ms,
                limit=LAG_BLOCKED_MS,
                unit="ms",
                next_step="look for time.sleep, a synchronous client or heavy work in a scenario; "
                "where there is none, the load is too much for a process: give it more (-p)",
            )
        )
    return judgement


def rate_reached(part: str, measured: Measured, sick: str) -> Judgement:
    """Judge whether the visits that the pace asked for were started."""
    judgement = Judgement()
    due = measured.begun.visits
    if measured.begun.asked_rate is None or not due or not measured.newest:
        return judgement
    if not measured.lasted:
        told = f"it lasted {measured.seconds:.1f} of {measured.begun.duration_s:g} s"
        judgement.findings.append(unknown("load/cut-short", part, told))
        return judgement
    reached = measured.started >= RATE_REACHED * due
    told = f"{measured.started} of {due} visits were started in time"
    cause = f"; {sick}" if sick else "; the generator was well, the target did not keep up"
    judgement.findings.append(
        Finding(
            slug="load/rate-reached" if reached else "load/rate-not-reached",
            outcome=Outcome.PASS if reached else Outcome.UNKNOWN if sick else Outcome.FAIL,
            where=part,
            message=told if reached else told + cause,
            measured=measured.begun.asked_rate * measured.started / due,
            limit=measured.begun.asked_rate,
            unit="/s",
        )
    )
    return judgement


def stopped_at_failure(part: str, measured: Measured) -> Judgement:
    """Find a load that ended at its first failure: so few may be tolerated, but it did not last."""
    begun, judgement = measured.begun, Judgement()
    if begun.stop_at_failure and not measured.lasted and any(t.failed for t in measured.visits):
        told = f"it ended at its first failed visit, after {measured.seconds:.1f} s, as -x asks"
        judgement.findings.append(unknown("load/cut-short", part, told, "leave out -x"))
    return judgement
