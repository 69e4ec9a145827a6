"""Judging a load's objectives: what was promised, against what was measured.

- An objective speaks of all samples of its scope. `failures <= 0.1%` over ten requests of which
  none failed is met: it says what happened in this run, and nothing of the next.
- A percentile needs `histogram.samples_needed` samples. With fewer it is UNKNOWN, unless even
  the fastest sample breaks it.
- One in windows is missed where one window misses it, and met only where each of them meets it:
  a window with too few samples leaves it UNKNOWN.
- What is missed by figures that the generator may have spoiled is UNKNOWN: latencies where its
  loop lagged more than a tenth of the limit, failures of the kinds `SPOILED`, rates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from harness.histogram import samples_needed
from harness.judge import unknown
from harness.judge.checks import LAG
from harness.judge.health import Ailment, helps_lag
from harness.judge.measured import Measured
from harness.judge.scope import Scope, scope_of, windows_of
from harness.objective import DEFAULT_OBJECTIVE, Family, Objective, parse_objective
from harness.record import Omission
from harness.sample import FailureKind
from harness.tally import Tally
from harness.verdict import Finding, Outcome

SPOILED = frozenset(
    {FailureKind.TIMEOUT, FailureKind.DISCONNECTED, FailureKind.UNFINISHED, FailureKind.EXHAUSTED}
)
"""Kinds of failures that a generator in trouble makes by itself."""

_MS = 1_000_000
_WORD = {Outcome.PASS: "met", Outcome.FAIL: "missed", Outcome.UNKNOWN: "undecided"}


def defaults(measured: Measured, objectives: Sequence[Objective]) -> list[Objective]:
    """Return that none may fail, for each scenario whose failures no objective speaks of."""
    spoken_of: set[str] = set()
    for objective in objectives:
        if objective.indicator in ("failures", "completed"):
            scope = scope_of(measured, objective)
            spoken_of |= {t.scenario for t in (*scope.visits, *scope.steps)}
    none = parse_objective(DEFAULT_OBJECTIVE, Family.LOAD)
    return [
        replace(none, scenario=t.scenario, text=f"{' '.join(t.scenario.split())} {none.text}")
        for t in measured.visits if t.scenario not in spoken_of
    ]  # fmt: skip


def unjudged(part: str, measured: Measured, objectives: Sequence[Objective]) -> Iterable[Omission]:
    """List what looks like an error where nothing says whether it may be."""
    for indicator in ("4xx", "5xx"):
        some, of = _part_of(indicator, measured.steps, ())
        if some and indicator not in {objective.indicator for objective in objectives}:
            yield Omission(
                what=f"{part}: {some} of {of} requests were answered {indicator}",
                why="a status fails nothing by itself",
                next_step=f"assert it in the scenario, or add the objective '{indicator} == 0'",
            )
    yield from _coped_with(part, measured, objectives)


def _coped_with(
    part: str, measured: Measured, objectives: Sequence[Objective]
) -> Iterable[Omission]:
    """List requests that failed where objectives count visits alone."""
    counted: set[tuple[str, str | None]] = set()
    for one in objectives:
        if one.indicator == "failures" or (one.indicator == "completed" and one.step):
            counted |= {(t.scenario, t.step) for t in scope_of(measured, one).steps}
    left = [t for t in measured.steps if (t.scenario, t.step) not in counted]
    if some := sum(t.failed for t in left):
        yield Omission(
            what=f"{part}: {some} of {sum(t.sent for t in left)} requests failed",
            why="'completed' counts visits, and a scenario may cope with a failed request",
            next_step="add an objective on failures",
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """An objective read over one scope. `value` is None where there is nothing to read."""

    outcome: Outcome
    value: Fraction | None
    notes: tuple[str, ...]
    scope: Scope
    helps: str = ""


def judged(part: str, measured: Measured, objective: Objective, sick: Ailment) -> Finding:
    """Judge one objective."""
    whole = scope_of(measured, objective)
    in_windows = objective.window_s is not None and not whole.lacking
    read = _in_windows if in_windows else _reading
    reading = read(measured, objective, whole, sick)
    if reading.value is None and not in_windows:
        return unknown("load/no-samples", part, f"{objective.text}: {' '.join(reading.notes)}")
    notes = list(reading.notes)
    if reading.outcome is Outcome.FAIL and objective.indicator in ("failures", "completed"):
        notes.extend(_first_failures(measured, objective))
    return Finding(
        slug=f"load/objective-{_WORD[reading.outcome]}",
        outcome=reading.outcome,
        where=f"{measured.begun.load} ({measured.begun.scenarios})",
        message="\n".join([objective.text, *notes]),
        measured=None if reading.value is None else float(reading.value),
        limit=float(objective.limit),
        unit=objective.unit,
        next_step=reading.helps,
    )


def _in_windows(measured: Measured, objective: Objective, whole: Scope, sick: Ailment) -> _Reading:
    """Read an objective in each of its windows, and return the worst of them, with its time."""
    readings = [_reading(measured, objective, w, sick) for w in windows_of(measured, objective)]
    if not readings:
        told = f"the load lasted {measured.seconds:.4g} s, less than a window"
        return _Reading(Outcome.UNKNOWN, None, (told,), whole)
    worst = max(readings, key=lambda reading: _badness(objective, reading))
    counted = {word: sum(r.outcome is outcome for r in readings) for outcome, word in _WORD.items()}
    told = ", ".join(f"{number} {word}" for word, number in counted.items() if number)
    windows = f"worst {worst.scope.when}; of {len(readings)} windows: {told}"
    return replace(worst, notes=(windows, *worst.notes))


def _badness(objective: Objective, reading: _Reading) -> tuple[int, int, Fraction]:
    """Order readings: missed, then undecided, then met; each by how far on the wrong side."""
    rank = (Outcome.PASS, Outcome.UNKNOWN, Outcome.FAIL).index(reading.outcome)
    if reading.value is None:
        return rank, 1, Fraction(0)
    over = reading.value - objective.limit
    if objective.op in (">", ">="):
        over = -over
    return rank, 0, abs(over) if objective.op == "==" else over


def _reading(measured: Measured, objective: Objective, scope: Scope, sick: Ailment) -> _Reading:
    value, lacking = _value(objective, scope)
    if value is None:
        return _Reading(Outcome.UNKNOWN, None, (lacking,), scope)
    outcome = Outcome.PASS if objective.holds(value) else Outcome.FAIL
    if lacking and not (objective.unit == "ms" and _beyond_doubt(objective, scope)):
        return _Reading(Outcome.UNKNOWN, value, (lacking,), scope)
    if outcome is Outcome.FAIL and (spoiled := _spoiled(measured, objective, scope, sick, value)):
        told = f"neither met nor missed: {spoiled.why}"
        return _Reading(Outcome.UNKNOWN, value, (told,), scope, spoiled.helps)
    return _Reading(outcome, value, (), scope)


def _value(objective: Objective, scope: Scope) -> tuple[Fraction | None, str]:
    """Return the measured value, exact and in the objective's unit, and what it lacks."""
    if scope.lacking:
        return None, scope.lacking
    if objective.unit == "ms":
        return _latency(objective, scope)
    if objective.indicator == "rate":
        counted = sum(t.ok for t in scope.visits or scope.steps)
        return Fraction(counted) / Fraction(scope.seconds or 1), ""
    if objective.indicator == "bytes":
        return _mean_bytes(scope)
    if objective.indicator == "completed" and not objective.step:
        return _completed(objective, scope)
    return _count(objective, scope)


def _latency(objective: Objective, scope: Scope) -> tuple[Fraction | None, str]:
    histogram = scope.latency
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


def _mean_bytes(scope: Scope) -> tuple[Fraction | None, str]:
    answered = sum(n for t in scope.steps for n in t.statuses.values())
    if not answered:
        return None, "no request was answered, so there is no body to count"
    return Fraction(sum(t.bytes_in for t in scope.steps), answered), ""


def _completed(
    objective: Objective, scope: Scope, excused: Collection[str] = ()
) -> tuple[Fraction | None, str]:
    """Return the visits that succeeded, or their share of those that were due.

    Visits of an open pace that never began count against them, unless anything is excused.
    """
    failed, ended = _part_of("failures", scope.visits, excused)
    never = 0 if excused else scope.not_started
    if not ended + never:
        return None, "no visit ended"
    if objective.unit != "%":
        return Fraction(ended - failed), ""
    value = Fraction(100 * (ended - failed), ended + never)
    if not (never and scope.of_others and ended):
        return value, ""
    at_best = Fraction(100 * (ended - failed), ended)
    if objective.holds(value) == objective.holds(at_best):
        return value, ""
    told = f"{never} visits were due and never began, and nobody knows of which scenario"
    return value, told


def _count(
    objective: Objective, scope: Scope, excused: Collection[str] = ()
) -> tuple[Fraction | None, str]:
    """Count visits and requests, whichever look worse; failures that are `excused` do not count."""
    if objective.indicator == "completed" and not objective.step:
        return _completed(objective, scope, excused)
    counts = [_part_of(objective.indicator, tallies, excused)
              for tallies in (scope.visits, scope.steps)]  # fmt: skip
    counts = [(some, of) for some, of in counts if of]
    if objective.indicator in ("4xx", "5xx"):
        counts = counts[-1:] if scope.steps else []
    if not counts:
        return None, "there was nothing to count"
    return max(Fraction(100 * some, of) if objective.unit == "%" else Fraction(some)
               for some, of in counts), ""  # fmt: skip


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


def _spoiled(
    measured: Measured, objective: Objective, scope: Scope, sick: Ailment, value: Fraction
) -> Ailment:
    """Say how the generator may have caused a missed objective; nothing where it cannot have."""
    if objective.indicator in ("failures", "completed"):
        return _excuse(measured, objective, scope, sick)
    if objective.unit not in ("ms", "/s", "B"):
        return Ailment()
    if objective.unit == "ms" and sick.most_ms is not None:
        least = max(Fraction(0), value - Fraction(sick.most_ms))
        sick = sick if objective.holds(least) else Ailment()
    if sick or objective.unit != "ms":
        return sick
    if 100 * scope.lag_ms > LAG.limit * objective.limit:
        lagged = f"the generator's event loop lagged {scope.lag_ms:.1f} ms (p99)"
        told = f"{lagged}, over a tenth of the limit"
        return Ailment(told, helps_lag(measured))
    return Ailment()


def _excuse(measured: Measured, objective: Objective, scope: Scope, sick: Ailment) -> Ailment:
    """Say why the failures that are too many may not be the target's; nothing where they are."""
    excused = SPOILED if sick else {FailureKind.UNFINISHED} if measured.cut_short else ()
    left, _ = _count(objective, scope, excused)
    if not excused or left is None or not objective.holds(left):
        return Ailment()
    told = "what had not ended when the load was cut short is no failure of the target's"
    return sick or Ailment(told)


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
