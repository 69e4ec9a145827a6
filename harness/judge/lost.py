"""Objectives that a load can no longer meet, whatever follows: found while it runs.

What has been measured so far is judged as at the end. Where an objective is missed, the best that
may still come is added (each visit that is left succeeds, its requests take no time) and it is
judged again, by the same code; one that is missed even then is lost. So:

- a count that only grows (``failures``, ``4xx``, ``5xx``), and ``max``, is lost once it is
  beyond its limit;
- a share, a percentile or a mean is lost where the visits that are left are too few to mend it.
  How many are left must be known: at a rate, or where visits are counted. As to requests, each
  visit that is left is taken to make as many as those of its scenario made so far;
- ``rate``, ``in every``, and what only more failures could meet, are never lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from msgspec import structs

from harness.facts import Health, HistogramFact, LoadBegun, Snapshot, TallyFact
from harness.histogram import Histogram
from harness.judge.health import sickness
from harness.judge.measured import Measured
from harness.judge.promised import defaults, judged
from harness.judge.scope import scope_of
from harness.objective import Family, Objective, parse_objective
from harness.tally import Key, Tally, merged
from harness.verdict import Finding, Outcome


class Prospect:
    """Follows a load by its snapshots, each given once."""

    def __init__(self, begun: LoadBegun) -> None:
        self._begun = begun
        self._newest: dict[int, Snapshot] = {}
        self._tallies: dict[int, dict[Key, Tally]] = {}
        self._lag: dict[int, tuple[Histogram, Histogram]] = {}

    def take(self, snapshot: Snapshot) -> None:
        """Add what one process counted since its snapshot before."""
        self._newest[snapshot.process] = snapshot
        so_far = self._tallies.get(snapshot.process, {}).values()
        self._tallies[snapshot.process] = merged(
            [*so_far, *(fact.tally() for fact in snapshot.tallies)]
        )
        lag, blocked = self._lag.setdefault(snapshot.process, (Histogram(), Histogram()))
        lag += snapshot.health.loop_lag.histogram()
        blocked += (snapshot.health.blocked or snapshot.health.loop_lag).histogram()

    def lost(self) -> str:
        """Return the text of an objective that cannot be met any more; empty where all can."""
        measured = Measured.of((self._begun,), [self._total(process) for process in self._newest])
        assert measured is not None
        objectives = [parse_objective(text, Family.LOAD) for text in self._begun.objectives]
        objectives.extend(defaults(measured, objectives))
        return next((one.text for one in objectives if _is_lost(measured, one)), "")

    def _total(self, process: int) -> Snapshot:
        """Return one snapshot that says what all of a process say together."""
        newest, (lag, blocked) = self._newest[process], self._lag[process]
        tallies = [TallyFact.of(tally) for tally in self._tallies[process].values()]
        health = Health(
            cpu_s=newest.health.cpu_s, loop_lag=HistogramFact.of(lag),
            blocked=HistogramFact.of(blocked),
        )  # fmt: skip
        return Snapshot(
            process=process, number=1, at_s=newest.at_s, started=newest.started,
            final=newest.final, tallies=tallies, health=health,
        )  # fmt: skip


_COUNTS = ("failures", "4xx", "5xx")
_UPPER, _LOWER = ("<", "<="), (">", ">=")


def _is_lost(measured: Measured, objective: Objective) -> bool:
    """Tell whether an objective is missed, and stays so whatever follows."""
    part, sick = f"load-{measured.begun.load}", sickness(measured)
    missed = judged(part, measured, objective, sick)
    if missed.outcome is not Outcome.FAIL or not _only_gets_worse(objective, missed):
        return False
    if objective.indicator == "max" or (objective.indicator in _COUNTS and not objective.unit):
        return True
    best = _best_future(measured, objective)
    return best is not None and judged(part, best, objective, sick).outcome is Outcome.FAIL


def _only_gets_worse(objective: Objective, missed: Finding) -> bool:
    """Tell whether nothing but good visits could mend what is missed."""
    if objective.window_s is not None or (missed.measured is None):
        return False
    if objective.indicator == "completed":
        return objective.op in _LOWER
    if objective.op == "==":
        return objective.indicator in _COUNTS and missed.measured > float(objective.limit)
    known = objective.indicator in _COUNTS or objective.unit == "ms"
    return known and objective.op in _UPPER


def _best_future(measured: Measured, objective: Objective) -> Measured | None:
    """Return what will have been measured if all visits that are left go well; None: who knows."""
    due = measured.begun.visits
    ended = sum(t.sent for t in measured.visits)
    if due is None or not ended:
        return None
    left = max(0, due - ended)
    future = replace(
        measured,
        tallies=[TallyFact.of(t).tally() for t in measured.tallies],
        newest=[
            structs.replace(s, started=due if not n else 0) for n, s in enumerate(measured.newest)
        ],
    )
    scope = scope_of(future, objective)
    visits = {t.scenario: t.sent for t in future.visits}
    requests = max(
        (math.ceil(Fraction(t.sent, visits[t.scenario]))
         for t in _by_scenario(scope.steps) if visits.get(t.scenario)), default=0,
    )  # fmt: skip
    _add(scope.visits, left)
    _add(scope.steps, left * requests)
    return future


def _by_scenario(steps: Iterable[Tally]) -> list[Tally]:
    """Return how many requests each scenario made, whatever their steps."""
    found: dict[str, Tally] = {}
    for step in steps:
        found.setdefault(step.scenario, Tally(step.scenario, None)).sent += step.sent
    return list(found.values())


def _add(tallies: list[Tally], good: int) -> None:
    """Add `good` samples that succeeded in no time to the first of `tallies`."""
    if tallies:
        tallies[0].sent += good
        tallies[0].ok += good
        tallies[0].response.record(0, good)
