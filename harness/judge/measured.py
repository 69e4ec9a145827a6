"""A load's facts added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from harness.facts import Ended, Fact, Failed, LoadBegun, Problem, Rehearsed, Snapshot
from harness.histogram import Histogram
from harness.tally import Tally, merged

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """The facts of one load, folded. `newest` holds the last snapshot of each process."""

    begun: LoadBegun
    newest: list[Snapshot]
    tallies: list[Tally]
    failures: list[Failed]
    cut_short: bool
    rehearsed: list[Rehearsed]
    snapshots: list[Snapshot] = field(repr=False)

    @classmethod
    def of(cls, facts: Sequence[Fact], below: Sequence[Fact]) -> Measured | None:
        """Fold a load's facts; None where it never began."""
        begun = next((fact for fact in facts if isinstance(fact, LoadBegun)), None)
        if begun is None:
            return None
        numbered = {(s.number, s.process): s for s in below if isinstance(s, Snapshot)}
        snapshots = [numbered[key] for key in sorted(numbered)]
        newest = {snapshot.process: snapshot for snapshot in snapshots}
        tallies = merged(fact.tally() for snapshot in snapshots for fact in snapshot.tallies)
        failures = [fact for fact in below if isinstance(fact, Failed)]
        cut_short = not any(isinstance(fact, Ended) for fact in facts) or any(
            isinstance(fact, Problem) for fact in (*facts, *below)
        )
        return cls(
            begun, list(newest.values()), list(tallies.values()), failures, cut_short,
            [fact for fact in below if isinstance(fact, Rehearsed)], snapshots,
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
