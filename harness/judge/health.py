"""Whether a load's own figures can be believed: the generator was well, and all of it is there.

A breach voids what it could change, and nothing else: see `promised`.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.judge import Judgement, unknown
from harness.judge.checks import (
    CPU,
    RATE,
    SCHEDULE,
    STARVED,
    UNSENT,
    WHOLE_LAG,
    WITHOUT_OTHERS,
    paused_ms,
    starved_percent,
    waited_ms,
)  # fmt: skip
from harness.judge.measured import Measured
from harness.verdict import Finding, Outcome


@dataclass(frozen=True, slots=True)
class Ailment:
    """Why the generator or the machine, not the target, may have made a figure, and what helps.

    There is none where `why` is empty. `most_ms` is what it can have added to a response time, None
    where nobody can tell.
    """

    why: str = ""
    helps: str = ""
    most_ms: float | None = None

    def __bool__(self) -> bool:
        return bool(self.why)


def sickness(measured: Measured) -> Ailment:
    """Say in which way the generator was the bottleneck."""
    if measured.cpu * 100 >= CPU.limit:
        told = f"a generator process used {measured.cpu:.0%} of a processor"
        return Ailment(told, CPU.helps)
    if (lag_ms := measured.lag_p99_ms()) > WHOLE_LAG.limit:
        return Ailment(f"its event loop lagged {lag_ms:.0f} ms (p99)", helps_lag(measured))
    if measured.unsent:
        return Ailment("it had no file or port left for a connection (ulimit -n)", UNSENT.helps)
    if (paused_ms(measured) or 0) > SCHEDULE.limit:
        told = "the scenarios' own pauses left no room for the visits that were due"
        return Ailment(told, SCHEDULE.helps)
    return Ailment()


def doubt(measured: Measured) -> Ailment:
    """Say why what was missed may not be the target's: the generator, or others on its machine."""
    if sick := sickness(measured):
        return sick
    if (starved := starved_percent(measured) or 0) > STARVED.limit:
        told = f"others had the processor in {starved:.0f} % of the time that the target was ready"
        return Ailment(told, STARVED.helps, waited_ms(measured))
    return Ailment()


def helps_lag(measured: Measured) -> str:
    """Say what helps a loop that runs late: it has too much to do, or others have its processor."""
    by_others = 2 * measured.blocked_p99_ms() < measured.lag_p99_ms()
    return WHOLE_LAG.helps if by_others else CPU.helps


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
    if (blocked_ms := measured.blocked_p99_ms()) > WITHOUT_OTHERS.limit:
        judgement.findings.append(
            Finding(
                slug="load/generator-blocked",
                outcome=Outcome.UNKNOWN,
                where=measured.begun.scenarios,
                message="the generator's event loop was blocked: visits did not run side by side",
                measured=blocked_ms,
                limit=float(WITHOUT_OTHERS.limit),
                unit="ms",
                next_step="look for time.sleep, a synchronous client or heavy work in a scenario; "
                "where there is none, the load is too much for a process: give it more (-p)",
            )
        )
    return judgement


def rate_reached(part: str, measured: Measured, sick: Ailment) -> Judgement:
    """Judge whether the visits that the pace asked for were started."""
    judgement = Judgement()
    due = measured.begun.visits
    if measured.begun.asked_rate is None or not due or not measured.newest or measured.stopped:
        return judgement
    if not measured.lasted:
        told = f"it lasted {measured.seconds:.1f} of {measured.begun.duration_s:g} s"
        judgement.findings.append(unknown("load/cut-short", part, told))
        return judgement
    reached = 100 * measured.started >= RATE.limit * due
    told = f"{measured.started} of {due} visits were started in time"
    cause = f"; {sick.why}" if sick else "; the generator was well, the target did not keep up"
    if measured.blocked.count and not sick:
        cause += f" with {measured.begun.in_flight} visits of a process at once (in_flight)"
    judgement.findings.append(
        Finding(
            slug="load/rate-reached" if reached else "load/rate-not-reached",
            outcome=Outcome.PASS if reached else Outcome.UNKNOWN if sick else Outcome.FAIL,
            where=part,
            message=told if reached else told + cause,
            measured=measured.begun.asked_rate * measured.started / due,
            limit=measured.begun.asked_rate,
            unit="/s",
            next_step="" if reached else sick.helps,
        )
    )
    return judgement


def stopped_at_failure(part: str, measured: Measured) -> Judgement:
    """Find a load that ended at its first failure: so few may be tolerated, but it did not last."""
    begun, judgement = measured.begun, Judgement()
    if (
        begun.stop_at_failure
        and not measured.lasted
        and any(t.failed for t in (*measured.visits, *measured.warming))
    ):
        told = f"it ended at its first failed visit, after {measured.seconds:.1f} s, as -x asks"
        judgement.findings.append(unknown("load/cut-short", part, told, "leave out -x"))
    return judgement
