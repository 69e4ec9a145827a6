"""Judging a load: its rows, its objectives, and whether its own figures can be believed.

The rules, with their numbers:

- A rate of which less than `RATE_REACHED` was started is FAIL where the generator was well,
  else UNKNOWN.
- The generator was not well where one of its processes used `CPU_BUSY` of a processor or had no
  file or port left, where the scenarios' own pauses left no room for visits that were due, or
  where its event loop's lag (p99) exceeds a tenth of the latency limit in question. Lag only ever
  lengthens latencies: an objective that is met stays met; one that is missed is then UNKNOWN.
- So is one on failures that is missed only by `SPOILED`, kinds that such a generator makes, or,
  where the load was cut short, by what was under way.
- A loop that lagged more than `LAG_BLOCKED_MS` (p99), other processes' turns of the processor
  not counted, was blocked by the scenarios' own code: visits did not run side by side, and the
  load is UNKNOWN. One that others kept waiting spoils latencies and rates, but not the count of
  failures.
- A percentile needs `histogram.samples_needed` samples. With fewer, an objective on it is
  UNKNOWN, unless even the fastest sample breaks it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from harness.errors import nearest
from harness.facts import Fact
from harness.histogram import Histogram, samples_needed
from harness.judge import Judgement, of_part, unknown
from harness.judge.measured import Measured
from harness.judge.rows import crowded, row, run
from harness.judge.series import ALL_REQUESTS, by_interval
from harness.objective import DEFAULT_OBJECTIVE, Family, Objective, parse_objective
from harness.record import LoadRow, LoadRun, Omission
from harness.sample import FailureKind
from harness.tally import Tally
from harness.verdict import Finding, Outcome

RATE_REACHED = Fraction(99, 100)
CPU_BUSY = 0.9
LAG_BLOCKED_MS = 250
SPOILED = frozenset(
    {FailureKind.TIMEOUT, FailureKind.DISCONNECTED, FailureKind.UNFINISHED, FailureKind.EXHAUSTED}
)
_MS = 1_000_000


def judge(
    part: str, facts: tuple[Fact, ...], below: tuple[Fact, ...]
) -> tuple[Judgement, LoadRun | None, list[LoadRow]]:
    """Judge one load."""
    judgement = of_part(part, facts, below)
    measured = Measured.of(facts, below)
    if measured is None or (judgement.findings and not measured.visits):
        return judgement, None, []  # what kept it from beginning has been said
    objectives = [parse_objective(text, Family.LOAD) for text in measured.begun.objectives]
    objectives.extend(_defaults(measured, objectives))
    sick = _sickness(measured)
    judgement.extend(_evidence(part, measured))
    judgement.extend(_rate_reached(part, measured, sick))
    judgement.extend(_stopped_at_failure(part, measured))
    for objective in objectives:
        judgement.findings.append(_objective(part, measured, objective, sick))
    if sick:
        judgement.not_checked.append(
            Omission(
                what=f"{part}: what the target does beyond this load",
                why=f"the generator was the bottleneck: {sick}",
                next_step="give it more processes (-p), or a machine of its own",
            )
        )
    judgement.not_checked.extend(_errors(part, measured, objectives))
    judgement.notices.extend(crowded(part, measured))
    series = by_interval(measured.snapshots)
    rows = [row(measured, t, sick, series[t.scenario, t.step]) for t in measured.tallies]
    return judgement, run(measured, series[ALL_REQUESTS]), rows


def _sickness(measured: Measured) -> str:
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


def _evidence(part: str, measured: Measured) -> Judgement:
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


def _rate_reached(part: str, measured: Measured, sick: str) -> Judgement:
    """Judge whether the visits that the pace asked for were started."""
    judgement = Judgement()
    due = measured.begun.visits
    if measured.begun.asked_rate is None or not due or not measured.newest:
        return judgement
    if measured.seconds < float(RATE_REACHED) * measured.begun.duration_s:
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


def _stopped_at_failure(part: str, measured: Measured) -> Judgement:
    """Find a load that ended at its first failure: so few may be tolerated, but it did not last."""
    begun, judgement = measured.begun, Judgement()
    lasted = measured.seconds >= float(RATE_REACHED) * begun.duration_s
    if begun.stop_at_failure and not lasted and any(t.failed for t in measured.visits):
        told = f"it ended at its first failed visit, after {measured.seconds:.1f} s, as -x asks"
        judgement.findings.append(unknown("load/cut-short", part, told, "leave out -x"))
    return judgement


@dataclass(frozen=True, slots=True)
class _Scope:
    """What an objective speaks of."""

    visits: list[Tally]
    steps: list[Tally]
    missing: str = ""


def _scope(measured: Measured, objective: Objective) -> _Scope:
    def chosen(tallies: list[Tally]) -> list[Tally]:
        return [t for t in tallies if objective.scenario in (None, t.scenario)]

    visits, steps = chosen(measured.visits), chosen(measured.steps)
    if objective.scenario is not None and not visits:
        known = nearest(objective.scenario, {t.scenario for t in measured.visits})
        return _Scope([], [], f"no visit of a scenario {objective.scenario!r}. {known}")
    if objective.step is None:
        return _Scope(visits, steps)
    found = [t for t in steps if t.step == objective.step]
    if not found:
        known = nearest(objective.step, {t.step or "" for t in steps})
        return _Scope([], [], f"no request of a step {objective.step!r}. {known}")
    return _Scope([], found)


def _defaults(measured: Measured, objectives: Sequence[Objective]) -> list[Objective]:
    """Return that none may fail, for each scenario whose failures no objective speaks of."""
    spoken_of: set[str] = set()
    for objective in objectives:
        if objective.indicator in ("failures", "completed"):
            scope = _scope(measured, objective)
            spoken_of |= {t.scenario for t in (*scope.visits, *scope.steps)}
    none = parse_objective(DEFAULT_OBJECTIVE, Family.LOAD)
    return [
        replace(none, scenario=t.scenario, text=f"{' '.join(t.scenario.split())} {none.text}")
        for t in measured.visits if t.scenario not in spoken_of
    ]  # fmt: skip


def _errors(part: str, measured: Measured, objectives: Sequence[Objective]) -> Iterable[Omission]:
    """List answers that are errors by their status, where nothing says whether they may be."""
    for indicator in ("4xx", "5xx"):
        some, of = _part_of(indicator, measured.steps, ())
        if some and indicator not in {objective.indicator for objective in objectives}:
            yield Omission(
                what=f"{part}: {some} of {of} requests were answered {indicator}",
                why="a status fails nothing by itself",
                next_step=f"assert it in the scenario, or add the objective '{indicator} == 0'",
            )


def _objective(part: str, measured: Measured, objective: Objective, sick: str) -> Finding:
    """Judge one objective."""
    scope = _scope(measured, objective)
    value, lacking = _value(measured, objective, scope)
    if value is None:
        return unknown("load/no-samples", part, f"{objective.text}: {lacking}")
    outcome = Outcome.PASS if objective.holds(value) else Outcome.FAIL
    notes = []
    if lacking and not _beyond_doubt(objective, scope):
        outcome = Outcome.UNKNOWN
        notes.append(lacking)
    elif outcome is Outcome.FAIL and (spoiled := _spoiled(measured, objective, scope, sick)):
        outcome = Outcome.UNKNOWN
        notes.append(f"neither met nor missed: {spoiled}")
    elif outcome is Outcome.FAIL and objective.indicator in ("failures", "completed"):
        notes.extend(_first_failures(measured, objective))
    slug = {Outcome.PASS: "met", Outcome.FAIL: "missed", Outcome.UNKNOWN: "undecided"}[outcome]
    return Finding(
        slug=f"load/objective-{slug}",
        outcome=outcome,
        where=f"{measured.begun.load} ({measured.begun.scenarios})",
        message="\n".join([objective.text, *notes]),
        measured=float(value),
        limit=float(objective.limit),
        unit=objective.unit,
    )


def _value(measured: Measured, objective: Objective, scope: _Scope) -> tuple[Fraction | None, str]:
    """Return the measured value, exact and in the objective's unit, and what it lacks."""
    if scope.missing:
        return None, scope.missing
    if objective.unit == "ms":
        return _latency(objective, scope)
    if objective.indicator == "rate":
        counted = sum(t.ok for t in scope.visits or scope.steps)
        return Fraction(counted) / Fraction(measured.rate_seconds), ""
    return _count(objective, scope)


def _latency(objective: Objective, scope: _Scope) -> tuple[Fraction | None, str]:
    histogram = sum((t.response for t in scope.steps), start=Histogram())
    if not histogram.count:
        return None, "no request succeeded, so there is no latency"
    if objective.indicator == "mean":
        return Fraction(histogram.total_ns, histogram.count * _MS), ""
    q = objective.quantile or Fraction(1)
    value = histogram.quantile(q)
    needed = samples_needed(q)
    lacking = "" if histogram.count >= needed else (
        f"too few samples: {objective.indicator} needs {needed}, there are {histogram.count}"
    )  # fmt: skip
    return Fraction(value or 0, _MS), lacking


def _count(
    objective: Objective, scope: _Scope, excused: Collection[str] = ()
) -> tuple[Fraction | None, str]:
    """Count visits and requests, whichever look worse; failures that are `excused` do not count."""
    counts = [_part_of(objective.indicator, tallies, excused)
              for tallies in (scope.visits, scope.steps)]  # fmt: skip
    counts = [(some, of) for some, of in counts if of]
    if objective.indicator in ("4xx", "5xx"):
        counts = counts[-1:] if scope.steps else []
    if not counts:
        return None, "there was nothing to count"
    shares = [Fraction(100 * some, of) if objective.unit == "%" else Fraction(some)
              for some, of in counts]  # fmt: skip
    return (min(shares) if objective.indicator == "completed" else max(shares)), ""


def _part_of(indicator: str, tallies: Sequence[Tally], excused: Collection[str]) -> tuple[int, int]:
    """Return how many samples an indicator counts, and of how many."""
    sent = sum(t.sent for t in tallies)
    failed = sum(n for t in tallies for kind, n in t.failures.items() if kind not in excused)
    if indicator in ("failures", "completed"):
        return failed if indicator == "failures" else sent - failed, sent
    codes = [(code, n) for t in tallies for code, n in t.statuses.items()]
    return sum(n for code, n in codes if code[0] == indicator[0]), sent


def _beyond_doubt(objective: Objective, scope: _Scope) -> bool:
    """Tell whether even the fastest sample breaks an upper limit: then few samples suffice."""
    fastest = min((t.response.min_ns for t in scope.steps if t.response.count), default=0)
    return objective.op in ("<", "<=") and not objective.holds(Fraction(fastest, _MS))


def _spoiled(measured: Measured, objective: Objective, scope: _Scope, sick: str) -> str:
    """Say how the generator may have caused a missed objective; empty where it cannot have."""
    if objective.indicator in ("failures", "completed"):
        return _excuse(measured, objective, scope, sick)
    if objective.unit not in ("ms", "/s"):
        return ""
    if sick or objective.unit == "/s":
        return sick
    lag = measured.lag_p99_ms()
    if lag * 10 > objective.limit:
        return f"the generator's event loop lagged {lag:.1f} ms (p99), over a tenth of the limit"
    return ""


def _excuse(measured: Measured, objective: Objective, scope: _Scope, sick: str) -> str:
    """Say why the failures that are too many may not be the target's; empty where they are."""
    excused = SPOILED if sick else {FailureKind.UNFINISHED} if measured.cut_short else ()
    left, _ = _count(objective, scope, excused)
    if not excused or left is None or not objective.holds(left):
        return ""
    return sick or "what had not ended when the load was cut short is no failure of the target's"


def _first_failures(measured: Measured, objective: Objective) -> Iterable[str]:
    """Quote one failure of each kind and scenario, with its place."""
    quoted: set[tuple[str, str]] = set()
    for failure in measured.failures:
        key = (failure.scenario, failure.kind)
        if key in quoted or objective.scenario not in (None, failure.scenario):
            continue
        quoted.add(key)
        scenario = " ".join(failure.scenario.split())
        yield f"{failure.where} in {scenario}: {failure.kind}: {failure.message}"
