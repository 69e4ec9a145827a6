"""How late an answer is: always the same, or drawn from a distribution. Pure.

A distribution is asked by a chance, a number from 0 to 1 that somebody else draws, and answers
with that part of itself: at 0.5 its median. So one sequence of chances is one of latencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import msgspec

from harness.errors import UsageError
from harness.pace import parse_duration

_NORMAL = NormalDist()
_P99 = _NORMAL.inv_cdf(0.99)
_LEAST = 2.0**-60  # a chance of 0 would be a latency of nothing, at no finite place


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A log-normal distribution by two of its percentiles, durations (``20ms``, ``1s``)."""

    p50: str
    p99: str


@dataclass(frozen=True, slots=True)
class Even:
    """Every latency from `least_s` to `most_s`, in seconds, is as likely."""

    least_s: float
    most_s: float

    def at(self, chance: float) -> float:
        """Return the latency, in seconds, that a part `chance` of all are below."""
        return min(self.most_s, self.least_s + chance * (self.most_s - self.least_s))


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Many near the median and a long tail, as services have; in seconds."""

    p50_s: float
    p99_s: float

    def at(self, chance: float) -> float:
        """Return the latency, in seconds, that a part `chance` of all are below."""
        sigma = math.log(self.p99_s / self.p50_s) / _P99
        return self.p50_s * math.exp(sigma * _NORMAL.inv_cdf(max(chance, _LEAST)))


Latency = Even | LogNormal


def parse_latency(told: str | Spread) -> Latency:
    """Read ``2s``, ``50ms..200ms`` or ``{ p50 = "20ms", p99 = "200ms" }``. Raises UsageError."""
    if isinstance(told, Spread):
        low, high = (float(parse_duration(text)) for text in (told.p50, told.p99))
        return LogNormal(*_in_order(low, high, "p50", "p99"))
    first, dots, last = told.partition("..")
    low = float(parse_duration(first))
    return Even(*_in_order(low, float(parse_duration(last)) if dots else low, first, last))


def _in_order(low: float, high: float, first: str, last: str) -> tuple[float, float]:
    if low <= high:
        return low, high
    raise UsageError(
        "stubs/delay", f"{first} is longer than {last}", next_step="write the shorter one first"
    )
