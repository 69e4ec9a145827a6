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

from harness.facts import LoadBegun
from harness.histogram import Histogram
from harness.judge.health import doubt
from harness.judge.measured import Measured
from harness.judge.promised import defaults, judged
from harness.judge.scope import scope_of
from harness.objective import Family, Objective, parse_objective
from harness.snapshot import HistogramFact, Snapshot, TallyFact
from harness.tally import WARM_UP, Key, Tally
from harness.verdict import Finding, Outcome


class Prospect:
    """Follows a load by its snapshots, each given once."""

    def __init__(self, begun: LoadBegun) -> None:
        self._begun = begun
        self._tallies: dict[Key, Tally] = {}
        self._newest: dict[int, Snapshot] = {}
        self._lag, self._blocked = Histogram(), Histogram()

    def take(self, snapshot: Snapshot) -> None:
        """Add what one process counted since its snapshot before."""
        self._newest[snapshot.process] = snapshot
        for fact in snapshot.tallies:
            if self._begun.warm_up_s and fact.scenario.endswith(WARM_UP):
                continue  # no objective speaks of it
            total = self._tallies.setdefault(
                (fact.scenario, fact.step), Tally(fact.scenario, fact.step)
            )
            total += fact.tally()
        health = snapshot.health
        self._lag += health.loop_lag.histogram()
        self._blocked += (health.blocked or health.loop_lag).histogram()

    def lost(self) -> str:
        """Return the text of an objective that cannot be met any more; empty where all can."""
        newest = [self._with_lag(number, s) for number, s in enumerate(self._newest.values())]
        measured = Measured(
            self._begun, newest, list(self._tallies.values()), [], [], cut_short=True, rehearsed=[],
            snapshots=newest,
        )  # fmt: skip
        objectives = [parse_objective(text, Family.LOAD) for text in self._begun.objectives]
        objectives.extend(defaults(measured, objectives))
        return next((one.text for one in objectives if _is_lost(measured, one)), "")

    def _with_lag(self, number: int, snapshot: Snapshot) -> Snapshot:
        """Return what a newest snapshot says of its process, the first with the lag of all."""
        lag, blocked = (Histogram(), Histogram()) if number else (self._lag, self._blocked)
        health = structs.replace(
            snapshot.health, loop_lag=HistogramFact.of(lag), blocked=HistogramFact.of(blocked)
        )
        return structs.replace(snapshot, tallies=[], health=health)


_COUNTS = ("failures", "4xx", "5xx")
_UPPER, _LOWER = ("<", "<="), (">", ">=")


def _is_lost(measured: Measured, objective: Objective) -> bool:
    """Tell whether an objective is missed, and stays so whatever follows."""
    part, sick = f"load-{measured.begun.load}", doubt(measured)
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
    scope = scope_of(measured, objective)
    visits = {t.scenario: t.sent for t in measured.visits}
    requests = max(
        (
            math.ceil(Fraction(t.sent, visits[t.scenario]))
            for t in _by_scenario(scope.steps)
            if visits.get(t.scenario)
        ),
        default=0,
    )
    added = {id(t): left for t in scope.visits[:1]}  # any of them will do
    added |= {id(t): left * requests for t in scope.steps[:1]}
    newest = [structs.replace(s, started=0 if n else due) for n, s in enumerate(measured.newest)]
    tallies = [_with_good(t, added[id(t)]) if id(t) in added else t for t in measured.tallies]
    return replace(measured, newest=newest, tallies=tallies)


def _by_scenario(steps: Iterable[Tally]) -> list[Tally]:
    """Return how many requests each scenario made, whatever their steps."""
    found: dict[str, Tally] = {}
    for step in steps:
        found.setdefault(step.scenario, Tally(step.scenario, None)).sent += step.sent
    return list(found.values())


def _with_good(tally: Tally, good: int) -> Tally:
    """Return a tally with `good` more samples, which succeeded in no time."""
    copy = TallyFact.of(tally).tally()
    copy.sent += good
    copy.ok += good
    copy.response.record(0, good)
    return copy
