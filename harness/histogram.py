"""Latencies in bounded memory, and the one definition of a percentile.

A histogram with the bucket arithmetic of HdrHistogram (Gil Tene, hdrhistogram.org): values
from 1 µs to 1 h, three significant digits, so a bucket is never wider than a thousandth of
its values. Buckets are counted in a dictionary, since one step's latencies touch a few
hundred of the 23,552. Adding two histograms is exact: it gives what recording both streams
into one would have given.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

DIGITS = 3
"""Significant digits that are told apart."""

_UNIT_NS = 1_000
_SUB_BUCKETS = 2_048  # the power of two that resolves 3 significant digits
_HALF = _SUB_BUCKETS // 2
HIGHEST_US = 3_600_000_000
"""The longest duration that is told apart: one hour."""


def _index(value_us: int) -> int:
    """Return the number of the bucket that holds `value_us`."""
    shift = max(0, value_us.bit_length() - 11)
    return shift * _HALF + (value_us >> shift)


def _middle_ns(index: int) -> int:
    """Return the middle of what bucket `index` holds."""
    shift = max(0, index // _HALF - 1)
    return (_highest_us(index) + 1) * _UNIT_NS - (_UNIT_NS << shift) // 2


def _highest_us(index: int) -> int:
    """Return the highest value that shares bucket `index` (HdrHistogram's *highest equivalent*)."""
    if index < _SUB_BUCKETS:
        return index
    shift = index // _HALF - 1
    return (((index - shift * _HALF) + 1) << shift) - 1


@dataclass(slots=True)
class Histogram:
    """Counts of durations in nanoseconds.

    `count`, `total_ns`, `min_ns` and `max_ns` are exact. A value above one hour is counted
    in the last bucket and in `clipped`; a negative one as zero and in `clipped`. None is dropped.
    """

    buckets: dict[int, int] = field(default_factory=dict)
    count: int = 0
    total_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0
    clipped: int = 0

    def record(self, value_ns: int, times: int = 1) -> None:
        """Count `value_ns`, `times` times."""
        if times <= 0:
            return
        if value_ns < 0:
            value_ns = 0
            self.clipped += times
        value_us = value_ns // _UNIT_NS
        if value_us > HIGHEST_US:
            value_us = HIGHEST_US
            self.clipped += times
        index = value_us if value_us < _SUB_BUCKETS else _index(value_us)
        self.buckets[index] = self.buckets.get(index, 0) + times
        if not self.count or value_ns < self.min_ns:
            self.min_ns = value_ns
        if value_ns > self.max_ns:
            self.max_ns = value_ns
        self.count += times
        self.total_ns += value_ns * times

    def record_all(self, values_ns: Collection[int]) -> None:
        """Count each of many values, as `record` would, in a fraction of its time."""
        if not values_ns:
            return
        low, high = min(values_ns), max(values_ns)
        if low < 0 or high > HIGHEST_US * _UNIT_NS:  # some of them are clipped
            for value_ns in values_ns:
                self.record(value_ns)
            return
        indexes = [value_ns // _UNIT_NS for value_ns in values_ns]
        if high >= _SUB_BUCKETS * _UNIT_NS:
            # `_index`, without a call of it and of `max` for each
            indexes = [
                value if value < _SUB_BUCKETS
                else ((shift := value.bit_length() - 11) * _HALF) + (value >> shift)
                for value in indexes
            ]  # fmt: skip
        buckets, known = self.buckets, self.buckets.get
        for index, times in Counter(indexes).items():
            buckets[index] = known(index, 0) + times
        self.min_ns = min(low, self.min_ns) if self.count else low
        self.max_ns = max(high, self.max_ns)
        self.count += len(values_ns)
        self.total_ns += sum(values_ns)

    def quantile(self, q: Fraction) -> int | None:
        """Return, in ns, the value that the share `q` of all values does not exceed.

        Nearest rank: the value at rank ``ceil(q * count)``, given as the highest value of
        its bucket, so a limit errs to the strict side only, and never above the exact
        maximum. `q` is in (0, 1]. Without values: None.
        """
        if not self.count:
            return None
        rank = max(1, math.ceil(q * self.count))
        for index in sorted(self.buckets):
            rank -= self.buckets[index]
            if rank <= 0:
                return max(self.min_ns, min(self.max_ns, (_highest_us(index) + 1) * _UNIT_NS - 1))
        return self.max_ns

    @property
    def mean_ns(self) -> float | None:
        """The arithmetic mean, from the exact sum; None without values."""
        return self.total_ns / self.count if self.count else None

    def each(self) -> Iterator[tuple[int, int]]:
        """Give, from the fastest on, the middle of each bucket in ns, and how many it holds."""
        for index in sorted(self.buckets):
            yield _middle_ns(index), self.buckets[index]

    @property
    def deviation_ns(self) -> float | None:
        """The sample standard deviation; None below two values.

        From the buckets' middles: each value is taken to be off by at most half a bucket, which
        is 0.5 µs, or a two thousandth of the value where that is more.
        """
        mean_ns = self.mean_ns
        if mean_ns is None or self.count < 2:
            return None
        squares = sum(times * (middle_ns - mean_ns) ** 2 for middle_ns, times in self.each())
        return math.sqrt(squares / (self.count - 1))

    def __iadd__(self, other: Histogram) -> Histogram:
        if not other.count:
            return self
        for index, times in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + times
        self.min_ns = min(self.min_ns, other.min_ns) if self.count else other.min_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        self.count += other.count
        self.total_ns += other.total_ns
        self.clipped += other.clipped
        return self

    def __add__(self, other: Histogram) -> Histogram:
        found = Histogram()
        found += self
        found += other
        return found


def samples_needed(q: Fraction) -> int:
    """Return how many samples the quantile `q` needs: below it, it is the maximum in disguise.

    >>> samples_needed(Fraction(99, 100))
    100
    """
    return math.ceil(1 / (1 - q)) if q < 1 else 1
