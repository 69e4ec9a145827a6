"""When each arrival of an open pace is due, and when each worker of a closed one works.

Pure, and the same in every process: arrival number g is due at the time at which the integral of
the rate has reached g (evenly), or the g-th point of a Poisson process of rate 1 (poisson). Its
inverse is computed in integers, so that it is exact but for the last nanosecond or two.

A Poisson process of rate 1 is made in blocks. How long `BLOCK` arrivals take together is a sum of
that many exponential gaps, which one stream of random numbers gives for all blocks in turn; where
the arrivals of a block lie within it is a stream of its own, keyed by the seed and the block:
given the last of n points, those before it are n - 1 uniform ones, sorted. Carried to the time at
which the rate's integral reaches them, they are a Poisson process of that rate (Cinlar,
"Introduction to Stochastic Processes", 1975, ch. 4). So an arrival costs a share of one block, and
nothing has to be known of the others but how long they take.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Protocol

from harness.pace import Pace, Stage

_NS = 1_000_000_000

BLOCK = 64
"""Arrivals of a Poisson process that are made together."""

_FINE = 1 << 32
"""Into how many parts the expected time between two arrivals is divided, where it is random."""


class Schedule(Protocol):
    """The arrivals of an open pace, numbered over all processes from 0."""

    @property
    def arrivals(self) -> int:
        """How many are due in all: those before the end, and no more than were asked for."""

    @property
    def ends_ns(self) -> int:
        """When it is over: at the pace's end, or when the first that is not wanted were due."""

    def due_ns(self, arrival: int) -> int:
        """Return when arrival number `arrival` is due, in ns after the start. It never goes back.

        For `arrivals`, the end; beyond that it is not defined.
        """


def schedule(pace: Pace, seed: int = 0, most: int | None = None) -> Schedule:
    """Return the schedule of an open pace: at most `most` arrivals; `seed` is for poisson ones."""
    return (_Poisson if getattr(pace, "poisson", False) else _Even)(pace.stages, seed, most)


def turns(pace: Pace, worker: int) -> list[tuple[int, int]]:
    """Return from when to when worker number `worker`, from 0, works, in ns after the start.

    It does while there are to be more workers than its number: over a ramp from 0 to 50 in 30 s,
    worker 1 begins after 0.6 s, as in Molotov.
    """
    found: list[tuple[int, int]] = []
    begins = Fraction(0)
    for stage in pace.stages:
        low, high = sorted((stage.start, stage.end))
        if high > worker:
            share = (worker - low) / (high - low) if low <= worker else Fraction(0)
            away = share * stage.duration_s
            first, last = (away, stage.duration_s) if stage.end >= stage.start else (
                Fraction(0), stage.duration_s - away)  # fmt: skip
            turn = (int((begins + first) * _NS), int((begins + last) * _NS))
            if found and found[-1][1] == turn[0]:
                turn = (found.pop()[0], turn[1])
            found.append(turn)
        begins += stage.duration_s
    return found


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stage in integers: with u units reached, x = u * `scale` - `before` have come in it.

    Its rate is (`rate` + `slope` t) / `scale` units a second.
    """

    begins_ns: int
    rate: int
    slope: int
    scale: int
    before: int

    def at_ns(self, units: int) -> int:
        """Solve rate t + slope t² / 2 = x for t, rounded down to a nanosecond."""
        x = units * self.scale - self.before
        if not self.slope:
            return self.begins_ns + x * _NS // self.rate
        squared = self.rate * self.rate + 2 * self.slope * x
        if self.slope > 0:
            root = math.isqrt(squared * _NS * _NS)
            return self.begins_ns + (root - self.rate * _NS) // self.slope
        root = math.isqrt(squared * _NS * _NS - 1) + 1 if squared > 0 else 0  # rounded up
        return self.begins_ns + (self.rate * _NS - root) // -self.slope


class _Curve:
    """How many units have been reached at a time, and its inverse. A visit is `units` of them."""

    def __init__(self, stages: Sequence[Stage], units: int) -> None:
        self._pieces: list[_Piece] = []
        self._firsts: list[int] = []  # the first whole unit that lies in each piece
        reached, begins = Fraction(0), Fraction(0)
        for stage in stages:
            if stage.start or stage.end:
                self._add(stage, reached, begins, units)
            reached += (stage.start + stage.end) / 2 * stage.duration_s * units
            begins += stage.duration_s
        self.total, self.ends_ns = reached, int(begins * _NS)

    def _add(self, stage: Stage, reached: Fraction, begins: Fraction, units: int) -> None:
        rate = stage.start * units
        slope = (stage.end - stage.start) / stage.duration_s * units
        scale = math.lcm(rate.denominator, slope.denominator, reached.denominator)
        self._pieces.append(
            _Piece(int(begins * _NS), int(rate * scale), int(slope * scale), scale,
                   int(reached * scale))
        )  # fmt: skip
        self._firsts.append(math.ceil(reached))

    def at_ns(self, units: int) -> int:
        """Return the last time at which no more than `units` have been reached."""
        return self._pieces[bisect_right(self._firsts, units) - 1].at_ns(units)


class _Even:
    """Arrivals where the integral of the rate is whole."""

    def __init__(self, stages: Sequence[Stage], seed: int, most: int | None) -> None:
        self._curve = _Curve(stages, 1)
        due = math.ceil(self._curve.total)
        self.arrivals = due if most is None else min(due, most)
        self.ends_ns = self._curve.ends_ns if self.arrivals == due else self.due_ns(self.arrivals)

    def due_ns(self, arrival: int) -> int:
        """See `Schedule`."""
        return self._curve.at_ns(arrival)


class _Poisson:
    """Arrivals where the integral of the rate reaches the points of a Poisson process."""

    def __init__(self, stages: Sequence[Stage], seed: int, most: int | None) -> None:
        self._curve = _Curve(stages, _FINE)
        self._seed = seed
        self._lengths = Random(f"{seed}/blocks")  # noqa: S311 - a schedule, not a secret
        self._ends = array("d", [0.0])  # of the blocks, in expected arrivals
        self._block, self._points = -1, [0]
        self.arrivals = self._count(most)
        self.ends_ns = self._curve.ends_ns
        if self.arrivals == most:
            self.ends_ns = self.due_ns(self.arrivals)

    def due_ns(self, arrival: int) -> int:
        """See `Schedule`."""
        block, place = divmod(arrival, BLOCK)
        if block != self._block:
            self._enter(block)
        units = self._points[place]
        return self._curve.at_ns(units) if units < self._curve.total else self._curve.ends_ns

    def _count(self, most: int | None) -> int:
        """Make blocks up to the end, or until there are `most` arrivals, and count the arrivals."""
        total = self._curve.total
        while self._ends[-1] * _FINE < total + 1 and (
            most is None or (len(self._ends) - 2) * BLOCK < most
        ):
            gaps = math.prod(1.0 - self._lengths.random() for _ in range(BLOCK))
            self._ends.append(self._ends[-1] - math.log(gaps))
        block = len(self._ends) - 2
        self._enter(block)
        due = block * BLOCK + bisect_left(self._points, total)
        return due if most is None else min(due, most)

    def _enter(self, block: int) -> None:
        begins, ends = self._ends[block], self._ends[block + 1]
        random = Random(f"{self._seed}/{block}").random  # noqa: S311 - a schedule, not a secret
        points = sorted([begins + (ends - begins) * random() for _ in range(BLOCK - 1)])
        self._points = [int(point * _FINE) for point in (*points, ends)]
        self._block = block
