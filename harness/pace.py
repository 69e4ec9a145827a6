"""When the next visit is due. Pure: a pace is asked, it never sleeps.

Two models, as different types so that they cannot be mixed (Schroeder et al., "Open Versus
Closed: A Cautionary Tale", NSDI 2006): `Workers` is closed, the next visit starts when one
ends, and queueing in the target slows the load down; `Rate` is open, visits are due by the
clock, whatever the target does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from harness.errors import UsageError

DEFAULT_DURATION_S = Fraction(10)
DEFAULT_WORKERS = 1
UNTIMED_S = Fraction(86_400)
"""Where visits are counted and nothing else bounds a load: Molotov's own default duration."""


@dataclass(frozen=True, slots=True)
class Workers:
    """`count` workers, each with one visit at a time, for `duration_s` seconds."""

    count: int
    duration_s: Fraction

    def __str__(self) -> str:
        plural = "" if self.count == 1 else "s"
        return f"{self.count} worker{plural} for {duration_text(self.duration_s)}"


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` visits started each second for `duration_s` seconds, evenly spaced."""

    per_second: Fraction
    duration_s: Fraction

    @property
    def arrivals(self) -> int:
        """How many visits are due in all: those whose due time lies before the end."""
        return math.ceil(self.per_second * self.duration_s)

    def due_ns(self, arrival: int) -> int:
        """Return when arrival number `arrival`, from 0, is due, in ns after the start."""
        rate = self.per_second
        return arrival * 1_000_000_000 * rate.denominator // rate.numerator

    def __str__(self) -> str:
        return f"{_number(self.per_second)}/s for {duration_text(self.duration_s)}"


Pace = Workers | Rate

_UNITS_S = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)\s*\Z")
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*s\s+for\s+(.+)\Z")
_WORKERS = re.compile(r"\s*(\d+)\s+workers?\s+for\s+(.+)\Z")


def parse_duration(text: str) -> Fraction:
    """Read ``500ms``, ``15s``, ``2m`` or ``1h`` and return seconds. Raises UsageError."""
    found = _DURATION.match(text)
    if found is None or not Fraction(found[1]):
        raise UsageError(
            "plan/duration",
            f"cannot read the duration {text!r}",
            next_step="write a number above zero and a unit: 500ms, 15s, 2m, 1h",
        )
    return Fraction(found[1]) * _UNITS_S[found[2]]


def parse_pace(text: str) -> Pace:
    """Read ``20/s for 15s`` or ``50 workers for 1m``. Raises UsageError.

    >>> parse_pace("20/s for 15s").arrivals
    300
    """
    rate, workers = _RATE.match(text), _WORKERS.match(text)
    if rate and Fraction(rate[1]):
        return Rate(Fraction(rate[1]), parse_duration(rate[2]))
    if workers and int(workers[1]):
        return Workers(int(workers[1]), parse_duration(workers[2]))
    raise UsageError(
        "plan/pace",
        f"cannot read the pace {text!r}",
        next_step="write '20/s for 15s' (open: a rate) or '50 workers for 1m' (closed)",
    )


def duration_text(seconds: Fraction) -> str:
    """Write a duration as `parse_duration` reads it."""
    if seconds < 1:
        return f"{_number(seconds * 1000)}ms"
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{_number(seconds)}s"


def _number(value: Fraction) -> str:
    return f"{float(value):g}" if value.denominator != 1 else str(value)
