"""A load's facts added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

import msgspec

from harness.facts import Ended, Fact, Failed, LoadBegun, LoadStopped, Problem, Rehearsed, Slow
from harness.histogram import Histogram
from harness.sample import FailureKind
from harness.snapshot import Snapshot, TallyFact
from harness.tally import OTHER_STEPS, WARM_UP, Key, Tally, beyond, merged

LASTED = 0.99
"""The share of its time that a load lasts; one that lasted less was cut short."""

S = TypeVar("S", TallyFact, Failed, Slow)

_MS = 1_000_000
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """The facts of one load, folded. `newest` holds the last snapshot of each process.

    `tallies` are those that count, `warming` those of its warm-up, where one was asked for.
    """

    begun: LoadBegun
    newest: list[Snapshot]
    tallies: list[Tally]
    failures: list[Failed]
    slowest: list[Slow]
    cut_short: bool
    rehearsed: list[Rehearsed]
    snapshots: list[Snapshot] = field(repr=False)
    warming: list[Tally] = field(default_factory=list)
    is_warm_up: bool = False
    told_to_stop: LoadStopped | None = None

    @classmethod
    def of(cls, facts: Sequence[Fact], below: Sequence[Fact]) -> Measured | None:
        """Fold a load's facts; None where it never began."""
        begun = next((fact for fact in facts if isinstance(fact, LoadBegun)), None)
        if begun is None:
            return None
        numbered = {(s.number, s.process): s for s in below if isinstance(s, Snapshot)}
        snapshots = [numbered[key] for key in sorted(numbered)]
        tallies = _merged(snapshots)
        if others := beyond(tallies):  # of each process only, its own are not too many
            snapshots = [_bounded(snapshot, others) for snapshot in snapshots]
            tallies = _merged(snapshots)
        newest = {snapshot.process: snapshot for snapshot in snapshots}
        cut_short = not any(isinstance(fact, Ended) for fact in facts) or any(
            isinstance(fact, Problem) for fact in (*facts, *below)
        )
        found = cls(
            begun, list(newest.values()), tallies,
            [_within(fact, others) for fact in below if isinstance(fact, Failed)],
            [_within(fact, others) for fact in below if isinstance(fact, Slow)], cut_short,
            [fact for fact in below if isinstance(fact, Rehearsed)], snapshots,
            told_to_stop=next((fact for fact in facts if isinstance(fact, LoadStopped)), None),
        )  # fmt: skip
        return found if not begun.warm_up_s else found._warmed()

    def _warmed(self) -> Measured:
        """Set apart what belongs to the warm-up."""
        counts, warming = (
            [t for t in self.tallies if self._counts(t.scenario) == wanted]
            for wanted in (True, False)
        )
        failures = [f for f in self.failures if self._counts(f.scenario)]
        return replace(self, tallies=counts, warming=warming, failures=failures)

    def _counts(self, scenario: str) -> bool:
        return not (self.begun.warm_up_s and scenario.endswith(WARM_UP))

    def tallied(self, snapshots: Iterable[Snapshot]) -> list[Tally]:
        """Add up what some of the snapshots counted, but for the warm-up."""
        return [tally for tally in _merged(snapshots) if self._counts(tally.scenario)]

    @property
    def warm_up(self) -> Measured:
        """The load's warm-up, as if it were a load."""
        return replace(self, tallies=self.warming, warming=[], is_warm_up=True)

    @property
    def visits(self) -> list[Tally]:
        """The tallies of visits, by scenario."""
        return [t for t in self.tallies if t.step is None]

    @property
    def steps(self) -> list[Tally]:
        """The tallies of requests, by scenario and step."""
        return [t for t in self.tallies if t.step is not None]

    @property
    def started(self) -> int:
        """How many visits were started."""
        return sum(snapshot.started for snapshot in self.newest)

    @property
    def not_started(self) -> int:
        """How many visits of an open pace were due and never began, in a load that lasted."""
        due = self.begun.visits
        if self.begun.asked_rate is None or due is None or not self.lasted:
            return 0  # one that did not last is cut short, and says so
        return max(0, due - self.started)

    @property
    def unsent(self) -> int:
        """How many visits and requests found no file or port left for a connection."""
        return sum(t.failures.get(FailureKind.EXHAUSTED, 0) for t in (*self.tallies, *self.warming))

    @property
    def stopped(self) -> LoadStopped | None:
        """Why the load ended before its time, where it had lost an objective; else None."""
        return None if self.lasted else self.told_to_stop

    @property
    def lasted(self) -> bool:
        """Whether the load went on until its time was over, or nearly so."""
        return self.seconds >= LASTED * self.begun.duration_s

    @property
    def seconds(self) -> float:
        """How long visits were started: the load's duration, or less where it ended before."""
        return min(self._lasted, self.begun.duration_s) or self._lasted

    @property
    def rate_seconds(self) -> float:
        """Over how long rates are taken. Of workers, until their last visits ended.

        Each may have ended one visit after the load's time: within it, they were not so fast.
        """
        lasted_s = self._lasted if self.begun.asked_rate is None else self.seconds
        warm_s = min(lasted_s, self.begun.warm_up_s)
        return (warm_s if self.is_warm_up else lasted_s - warm_s) or 1

    def late_seconds(self, chosen: Iterable[Tally]) -> float:
        """How much later than they should the `chosen` visits of a rate ended, after its time.

        A target that answers fewer than it is sent ends them after the load's time, each later
        than the one before. Not late is what takes as long as visits of the load's first half
        did, or as the fastest, and a second more (in a short load, half of its time).
        """
        if self.begun.asked_rate is None or not self.lasted or self.is_warm_up:
            return 0.0
        visits = [t for t in chosen if t.response.count]
        half = [s for s in self.snapshots if s.at_s <= self.seconds / 2]
        names = {t.scenario for t in visits}
        early = [
            t for t in _merged(half) if not t.step and t.scenario.removesuffix(WARM_UP) in names
        ]
        longest = max((t.response.max_ns for t in visits), default=0)
        usual = [t.response.max_ns for t in early]
        usual += [t.response.min_ns for t in visits]
        drain_s = min(self._lasted - self.seconds, longest / _SECOND)
        return max(0.0, drain_s - max(usual, default=0) / _SECOND - min(1.0, self.seconds / 2))

    @property
    def _lasted(self) -> float:
        return max((snapshot.at_s for snapshot in self.newest), default=0.0)

    @property
    def loop_lag(self) -> Histogram:
        """How late the generators' event loops ran, all processes together."""
        lag = Histogram()
        for snapshot in self.snapshots:
            lag += snapshot.health.loop_lag.histogram()
        return lag

    @property
    def blocked(self) -> Histogram:
        """How long visits that were due waited for room, of those that did."""
        facts = (s.blocked for s in self.snapshots if s.blocked is not None)
        return sum((fact.histogram() for fact in facts), start=Histogram())

    @property
    def turned_away(self) -> int:
        """How many visits were due before the load ended, however early, and never started."""
        return sum(s.not_started for s in self.newest)

    def blocked_p99_ms(self) -> float:
        """The loops' lag but for what other processes took of the processor, p99, in ms."""
        blocked = Histogram()
        for snapshot in self.snapshots:
            blocked += (snapshot.health.blocked or snapshot.health.loop_lag).histogram()
        return (blocked.quantile(Fraction(99, 100)) or 0) / _MS

    @property
    def until_drain(self) -> list[Snapshot]:
        """The snapshot of each process in which the load's time was over, or else its last."""
        until = {s.process: s for s in self.newest}
        for s in reversed(self.snapshots):
            if s.at_s >= self.begun.duration_s:
                until[s.process] = s
        return [until[process] for process in sorted(until)]

    @property
    def cpus(self) -> list[float]:
        """The share of a processor that each generator process used, until the drain."""
        return [s.health.cpu_s / s.at_s for s in self.until_drain if s.at_s > 0]

    @property
    def cpu(self) -> float:
        """The share of a processor that the busiest generator process used, until the drain."""
        return max(self.cpus, default=0.0)

    @property
    def lost(self) -> int:
        """How many snapshots are missing before the newest of their process."""
        return sum(snapshot.number for snapshot in self.newest) - len(self.snapshots)

    @property
    def rebased(self) -> dict[str, int]:
        """How many requests were sent to the target instead of each origin."""
        return dict(sum((Counter(snapshot.rebased) for snapshot in self.snapshots), Counter()))

    @property
    def by_aiohttp(self) -> dict[str, int]:
        """How many requests aiohttp sent, by the reason why the load's own client did not."""
        return dict(sum((Counter(snapshot.by_aiohttp) for snapshot in self.snapshots), Counter()))

    def lag_p99_ms(self) -> float:
        """The event loops' lag, p99, in milliseconds; 0 where none was measured."""
        return (self.loop_lag.quantile(Fraction(99, 100)) or 0) / _MS


def _merged(snapshots: Iterable[Snapshot]) -> list[Tally]:
    found = merged(fact.tally() for snapshot in snapshots for fact in snapshot.tallies)
    return list(found.values())


def _bounded(snapshot: Snapshot, others: frozenset[Key]) -> Snapshot:
    tallies = [_within(tally, others) for tally in snapshot.tallies]
    return msgspec.structs.replace(snapshot, tallies=tallies)


def _within(fact: S, others: frozenset[Key]) -> S:
    """Return a fact of a step under the name that it is counted under."""
    is_other = (fact.scenario, fact.step) in others
    return msgspec.structs.replace(fact, step=OTHER_STEPS) if is_other else fact
