"""A load's facts added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import msgspec

from harness.facts import Ended, Fact, Failed, LoadBegun, Problem, Slow, Snapshot, TallyFact
from harness.histogram import Histogram
from harness.tally import OTHER_STEPS, Key, Tally, beyond, merged

S = TypeVar("S", TallyFact, Failed, Slow)

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """The facts of one load, folded. `newest` holds the last snapshot of each process."""

    begun: LoadBegun
    newest: list[Snapshot]
    tallies: list[Tally]
    failures: list[Failed]
    slowest: list[Slow]
    cut_short: bool
    snapshots: list[Snapshot] = field(repr=False)

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
        return cls(
            begun, list(newest.values()), tallies,
            [_within(fact, others) for fact in below if isinstance(fact, Failed)],
            [_within(fact, others) for fact in below if isinstance(fact, Slow)],
            cut_short, snapshots,
        )  # fmt: skip

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
    def seconds(self) -> float:
        """How long visits were started: the load's duration, or less where it ended before."""
        return min(self._lasted, self.begun.duration_s) or self._lasted

    @property
    def rate_seconds(self) -> float:
        """Over how long rates are taken. Of workers, until their last visits ended.

        Each may have ended one visit after the load's time: within it, they were not so fast.
        """
        return (self._lasted if self.begun.asked_rate is None else self.seconds) or 1

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

    def blocked_p99_ms(self) -> float:
        """The loops' lag but for what other processes took of the processor, p99, in ms."""
        blocked = Histogram()
        for snapshot in self.snapshots:
            blocked += (snapshot.health.blocked or snapshot.health.loop_lag).histogram()
        return (blocked.quantile(Fraction(99, 100)) or 0) / _MS

    @property
    def cpu(self) -> float:
        """The share of a processor that the busiest generator process used, until the drain."""
        until = {s.process: s for s in self.newest}
        for s in reversed(self.snapshots):
            if s.at_s >= self.begun.duration_s:
                until[s.process] = s
        return max((s.health.cpu_s / s.at_s for s in until.values() if s.at_s > 0), default=0.0)

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


def _merged(snapshots: Sequence[Snapshot]) -> list[Tally]:
    found = merged(fact.tally() for snapshot in snapshots for fact in snapshot.tallies)
    return list(found.values())


def _bounded(snapshot: Snapshot, others: frozenset[Key]) -> Snapshot:
    tallies = [_within(tally, others) for tally in snapshot.tallies]
    return msgspec.structs.replace(snapshot, tallies=tallies)


def _within(fact: S, others: frozenset[Key]) -> S:
    """Return a fact of a step under the name that it is counted under."""
    is_other = (fact.scenario, fact.step) in others
    return msgspec.structs.replace(fact, step=OTHER_STEPS) if is_other else fact
