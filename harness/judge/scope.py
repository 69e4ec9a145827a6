"""What an objective speaks of: the tallies of a scenario or a step, over the run or in windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from harness.errors import nearest
from harness.histogram import Histogram
from harness.judge.measured import Measured
from harness.objective import Objective
from harness.snapshot import Snapshot
from harness.tally import Tally

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The samples that an objective speaks of, and what is known of the time that they are of.

    Rates are taken over `seconds`; `lag_ms` is the loops' lag (p99) meanwhile. Of an open pace
    `not_started` visits were due and never begun; which scenario theirs would have been nobody
    knows where there are several, and `of_others` says that there are. `lacking` says why there
    is nothing here; `when` names a window.
    """

    visits: list[Tally]
    steps: list[Tally]
    seconds: float
    lag_ms: float
    not_started: int = 0
    of_others: bool = False
    lacking: str = ""
    when: str = ""

    @property
    def latency(self) -> Histogram:
        """The response times of the requests that succeeded."""
        whole = Histogram()
        for tally in self.steps:
            whole += tally.response  # in place: adding two makes a third
        return whole


def scope_of(measured: Measured, objective: Objective) -> Scope:
    """Find what an objective speaks of, over the whole run."""
    visits, steps = _chosen(measured.tallies, objective, with_step=False)
    scope = Scope(
        visits, steps, measured.rate_seconds + measured.late_seconds(visits),
        measured.lag_p99_ms(), measured.not_started,
        of_others=len(visits) < len(measured.visits),
    )  # fmt: skip
    if objective.scenario is not None and not visits:
        known = nearest(objective.scenario, {t.scenario for t in measured.visits})
        return _nothing(scope, f"no visit of a scenario {objective.scenario!r}. {known}")
    if objective.step is None:
        return scope
    found = [t for t in steps if t.step == objective.step]
    if not found:
        known = nearest(objective.step, {t.step or "" for t in steps})
        return _nothing(scope, f"no request of a step {objective.step!r}. {known}")
    return replace(scope, visits=[], steps=found)


def windows_of(measured: Measured, objective: Objective) -> list[Scope]:
    """Find what an objective speaks of in each of its windows, one after the other.

    A window holds the snapshots that it has the middle of: its edges are as exact as a second
    is. The last one takes what is left of the load, its drain included, so that nothing is left
    out; a load that is shorter than a window has none. They begin after the warm-up.
    """
    size_s, warm_s = objective.window_s or 1, measured.begun.warm_up_s
    number = int((measured.seconds - warm_s + _SNAPSHOT_S / 2) // size_s)
    parts: list[list[Snapshot]] = [[] for _ in range(number)]
    if not parts:
        return []
    for middle_s, snapshot in _middles(measured.snapshots):
        parts[min(number - 1, max(0, int((middle_s - warm_s) // size_s)))].append(snapshot)
    edges_s = [warm_s + size_s * n for n in range(number)] + [warm_s + measured.rate_seconds]
    return [
        _window(part, measured.tallied(part), objective, from_s, to_s)
        for part, from_s, to_s in zip(parts, edges_s, edges_s[1:], strict=False)
    ]


_SNAPSHOT_S = 1.0


def _middles(snapshots: Iterable[Snapshot]) -> Iterable[tuple[float, Snapshot]]:
    """Pair each snapshot with the middle of the time that it counts."""
    before_s: dict[int, float] = {}
    for snapshot in sorted(snapshots, key=lambda s: (s.process, s.number)):
        begins_s = before_s.get(snapshot.process, 0.0)
        before_s[snapshot.process] = snapshot.at_s
        yield (begins_s + snapshot.at_s) / 2, snapshot


def _window(
    part: Sequence[Snapshot], tallies: Iterable[Tally], objective: Objective,
    from_s: float, to_s: float,
) -> Scope:  # fmt: skip
    lag = sum((s.health.loop_lag.histogram() for s in part), start=Histogram())
    visits, steps = _chosen(tallies, objective, with_step=True)
    return Scope(
        visits, steps, to_s - from_s, (lag.quantile(Fraction(99, 100)) or 0) / _MS,
        lacking="" if part else "nothing was written down in it",
        when=f"from {from_s:g} to {to_s:.4g} s",
    )  # fmt: skip


def _chosen(
    tallies: Iterable[Tally], objective: Objective, *, with_step: bool
) -> tuple[list[Tally], list[Tally]]:
    """Return the tallies of visits and of requests of an objective's scenario, or of its step."""
    own = [t for t in tallies if objective.scenario in (None, t.scenario)]
    visits, steps = [t for t in own if t.step is None], [t for t in own if t.step is not None]
    if with_step and objective.step is not None:
        return [], [t for t in steps if t.step == objective.step]
    return visits, steps


def _nothing(scope: Scope, why: str) -> Scope:
    return replace(scope, visits=[], steps=[], lacking=why)
