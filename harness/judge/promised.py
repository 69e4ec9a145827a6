"""Judging a load's objectives: what was promised, against what was measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from harness.errors import nearest
from harness.histogram import Histogram, samples_needed
from harness.judge import unknown
from harness.judge.measured import Measured
from harness.objective import DEFAULT_OBJECTIVE, Family, Objective, parse_objective
from harness.record import Omission
from harness.sample import FailureKind
from harness.tally import Tally
from harness.verdict import Finding, Outcome

SPOILED = frozenset(
    {FailureKind.TIMEOUT, FailureKind.DISCONNECTED, FailureKind.UNFINISHED, FailureKind.EXHAUSTED}
)
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What an objective speaks of."""

    visits: list[Tally]
    steps: list[Tally]
    missing: str = ""


def _scope(measured: Measured, objective: Objective) -> Scope:
    def chosen(tallies: list[Tally]) -> list[Tally]:
        return [t for t in tallies if objective.scenario in (None, t.scenario)]

    visits, steps = chosen(measured.visits), chosen(measured.steps)
    if objective.scenario is not None and not visits:
        known = nearest(objective.scenario, {t.scenario for t in measured.visits})
        return Scope([], [], f"no visit of a scenario {objective.scenario!r}. {known}")
    if objective.step is None:
        return Scope(visits, steps)
    found = [t for t in steps if t.step == objective.step]
    if not found:
        known = nearest(objective.step, {t.step or "" for t in steps})
        return Scope([], [], f"no request of a step {objective.step!r}. {known}")
    return Scope([], found)


def defaults(measured: Measured, objectives: Sequence[Objective]) -> list[Objective]:
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


def unjudged(part: str, measured: Measured, objectives: Sequence[Objective]) -> Iterable[Omission]:
    """List answers that are errors by their status, where nothing says whether they may be."""
    for indicator in ("4xx", "5xx"):
        some, of = _part_of(indicator, measured.steps, ())
        if some and indicator not in {objective.indicator for objective in objectives}:
            yield Omission(
                what=f"{part}: {some} of {of} requests were answered {indicator}",
                why="a status fails nothing by itself",
                next_step=f"assert it in the scenario, or add the objective '{indicator} == 0'",
            )


def judged(part: str, measured: Measured, objective: Objective, sick: str) -> Finding:
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


def _value(measured: Measured, objective: Objective, scope: Scope) -> tuple[Fraction | None, str]:
    """Return the measured value, exact and in the objective's unit, and what it lacks."""
    if scope.missing:
        return None, scope.missing
    if objective.unit == "ms":
        return _latency(objective, scope)
    if objective.indicator == "rate":
        counted = sum(t.ok for t in scope.visits or scope.steps)
        return Fraction(counted) / Fraction(measured.rate_seconds), ""
    return _count(objective, scope)


def _latency(objective: Objective, scope: Scope) -> tuple[Fraction | None, str]:
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
    objective: Objective, scope: Scope, excused: Collection[str] = ()
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


def _beyond_doubt(objective: Objective, scope: Scope) -> bool:
    """Tell whether even the fastest sample breaks an upper limit: then few samples suffice."""
    fastest = min((t.response.min_ns for t in scope.steps if t.response.count), default=0)
    return objective.op in ("<", "<=") and not objective.holds(Fraction(fastest, _MS))


def _spoiled(measured: Measured, objective: Objective, scope: Scope, sick: str) -> str:
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


def _excuse(measured: Measured, objective: Objective, scope: Scope, sick: str) -> str:
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
