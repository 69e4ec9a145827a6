"""What happened in each interval of a load, and a distribution as the record has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from harness.histogram import Histogram, samples_needed
from harness.record import Latency, Second
from harness.snapshot import Snapshot
from harness.tally import Key, Tally, merged

MOST_POINTS = 600
"""Points of a series; a longer load is drawn in longer intervals."""

ALL_REQUESTS: Key = ("", None)
"""The key of the series of all requests together."""

_MS = 1_000_000


def latency(histogram: Histogram) -> Latency:
    """Describe a histogram in milliseconds. What too few samples support is None."""

    def percentile(per_mille: int) -> float | None:
        q = Fraction(per_mille, 1000)
        value = histogram.quantile(q) if histogram.count >= samples_needed(q) else None
        return None if value is None else value / _MS

    mean = histogram.mean_ns
    return Latency(
        count=histogram.count,
        mean=None if mean is None else mean / _MS,
        p50=percentile(500),
        p90=percentile(900),
        p95=percentile(950),
        p99=percentile(990),
        p99_9=percentile(999),
        max=histogram.max_ns / _MS if histogram.count else None,
        clipped=histogram.clipped,
    )


def by_interval(snapshots: Sequence[Snapshot]) -> dict[Key, list[Second]]:
    """Return a series per scenario and step, and one of `ALL_REQUESTS`.

    Each point is what all processes counted in one interval.
    """
    series: dict[Key, list[Second]] = {ALL_REQUESTS: []}
    for interval in _intervals(snapshots):
        counted = merged(fact.tally() for snapshot in interval for fact in snapshot.tallies)
        counted[ALL_REQUESTS] = _requests(counted.values())
        at_s = max(snapshot.at_s for snapshot in interval)
        for key in dict.fromkeys([*series, *counted]):
            point = _second(at_s, counted.get(key, Tally("", None)))
            series.setdefault(key, []).append(point)
    return series


def _intervals(snapshots: Sequence[Snapshot]) -> Iterable[list[Snapshot]]:
    """Group snapshots by their number, several numbers to a group in a long load."""
    numbers = sorted({snapshot.number for snapshot in snapshots})
    stride = -(-len(numbers) // MOST_POINTS) or 1
    group = {number: position // stride for position, number in enumerate(numbers)}
    grouped: dict[int, list[Snapshot]] = {}
    for snapshot in sorted(snapshots, key=lambda s: s.number):
        grouped.setdefault(group[snapshot.number], []).append(snapshot)
    return grouped.values()


def _requests(tallies: Iterable[Tally]) -> Tally:
    total = Tally(*ALL_REQUESTS)
    for tally in tallies:
        if tally.step is not None:
            total += tally
    return total


def _second(at_s: float, counted: Tally) -> Second:
    def at(q: Fraction) -> float | None:
        value = counted.response.quantile(q)
        return None if value is None else value / _MS

    return Second(
        t_s=at_s,
        sent=counted.sent,
        failed=counted.failed,
        p50_ms=at(Fraction(1, 2)),
        p99_ms=at(Fraction(99, 100)),
    )
