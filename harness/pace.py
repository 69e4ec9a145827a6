"""What visits are asked for over time: a pace, read and written back. `schedule` says when.

Two models, as different types so that they cannot be mixed (Schroeder et al., "Open Versus
Closed: A Cautionary Tale", NSDI 2006): `Workers` is closed, the next visit starts when one
ends, and queueing in the target slows the load down; `Rate` is open, visits are due by the
clock, whatever the target does. `Stages` are several stretches of one or the other.

    pace   = ["poisson"] stage {"," stage}
    stage  = level "for" duration | "spike" level "for" duration
           | "ramp" number ("→" | "->") level "over" duration | "hold" duration
    level  = number "/s" | number "workers"

A pace has levels of one kind; only rates can be ``poisson``. ``hold`` keeps the level that the
stage before ended at, or, after a ``spike``, the level from before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from harness.errors import SentenceError, UsageError

DEFAULT_DURATION_S = Fraction(10)
DEFAULT_WORKERS = 1
UNTIMED_S = Fraction(86_400)
"""Where visits are counted and nothing else bounds a load: Molotov's own default duration."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch in which the level goes evenly from `start` to `end`, in `duration_s` seconds.

    `word` is what it was called: ``ramp``, ``hold``, ``spike``, or empty.
    """

    start: Fraction
    end: Fraction
    duration_s: Fraction
    word: str = ""


@dataclass(frozen=True, slots=True)
class Workers:
    """`count` workers, each with one visit at a time, for `duration_s` seconds."""

    count: int
    duration_s: Fraction

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One, of as many workers throughout."""
        return (Stage(Fraction(self.count), Fraction(self.count), self.duration_s),)

    def __str__(self) -> str:
        return f"{_level(Fraction(self.count), is_rate=False)} for {duration_text(self.duration_s)}"


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` visits started each second for `duration_s` seconds: evenly, or `poisson`."""

    per_second: Fraction
    duration_s: Fraction
    poisson: bool = False

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One, of one rate throughout."""
        return (Stage(self.per_second, self.per_second, self.duration_s),)

    def __str__(self) -> str:
        poisson = "poisson " if self.poisson else ""
        level = _level(self.per_second, is_rate=True)
        return f"{poisson}{level} for {duration_text(self.duration_s)}"


@dataclass(frozen=True, slots=True)
class Stages:
    """Stretches one after the other, of rates or else of workers. Rates may be `poisson`."""

    stages: tuple[Stage, ...]
    is_rate: bool
    poisson: bool = False

    @property
    def duration_s(self) -> Fraction:
        """How long they take together, in seconds."""
        return sum((stage.duration_s for stage in self.stages), start=Fraction(0))

    def __str__(self) -> str:
        told = ", ".join(self._told(stage) for stage in self.stages)
        return f"poisson {told}" if self.poisson else told

    def _told(self, stage: Stage) -> str:
        level, lasts = _level(stage.end, is_rate=self.is_rate), duration_text(stage.duration_s)
        if stage.word == "hold":
            return f"hold {lasts}"
        if stage.word == "ramp":
            return f"ramp {_number(stage.start)}→{level} over {lasts}"
        return f"{stage.word} {level} for {lasts}".lstrip()


Pace = Workers | Rate | Stages


def is_open(pace: Pace) -> bool:
    """Tell whether visits are due by the clock."""
    return isinstance(pace, Rate) or (isinstance(pace, Stages) and pace.is_rate)


def peak(pace: Pace) -> Fraction:
    """Return the highest level: visits a second, or workers."""
    return max(level for stage in pace.stages for level in (stage.start, stage.end))


_UNITS_S = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}
_NUMBER = r"(\d+(?:\.\d+)?(?:/[1-9]\d*)?)"
_DURATION = re.compile(rf"{_NUMBER}\s*(ms|s|m|h)\b", re.ASCII)
_LEVEL = re.compile(rf"{_NUMBER}\s*(?:(/\s*s)|workers?)\b", re.ASCII)
_FROM = re.compile(rf"{_NUMBER}\s*(?:→|->)", re.ASCII)
_WORD = re.compile(r"\w+|\S")


def parse_duration(text: str) -> Fraction:
    """Read ``500ms``, ``15s``, ``2m`` or ``1h`` and return seconds. Raises UsageError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not _exact(found[1]):
        raise UsageError(
            "plan/duration",
            f"cannot read the duration {text!r}",
            next_step="write a number above zero and a unit: 500ms, 15s, 2m, 1h",
        )
    return _exact(found[1]) * _UNITS_S[found[2]]


def parse_pace(text: str) -> Pace:
    """Read ``20/s for 15s``, ``50 workers for 1m``, or stages. Raises UsageError.

    >>> parse_pace("ramp 0->50/s over 30s, hold 2m").duration_s
    Fraction(150, 1)
    """
    return _Reader(text).pace()


class _Reader:
    """Reads one pace from left to right; where it cannot go on, it points at the column."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._is_rate: bool | None = None
        self._held: Fraction | None = None  # the level that a hold keeps

    def pace(self) -> Pace:
        poisson = self._takes("poisson")
        stages = [self._stage()]
        while self._takes(","):
            stages.append(self._stage())
        self._skip()
        if self._at < len(self._text):
            self._fail("a comma and another stage, or the end")
        if not any(stage.start or stage.end for stage in stages):
            self._at = 0
            self._fail("a level above zero: it asks for no visit")
        if poisson and not self._is_rate:
            self._at = 0
            self._fail("a rate after 'poisson': workers begin a visit when one ends")
        first = stages[0]
        if len(stages) > 1 or first.word:
            return Stages(tuple(stages), bool(self._is_rate), poisson)
        if self._is_rate:
            return Rate(first.end, first.duration_s, poisson)
        return Workers(int(first.end), first.duration_s)

    def _stage(self) -> Stage:
        self._skip()
        begins = self._at
        if self._takes("ramp"):
            start = _exact(self._matches(_FROM, "a number and an arrow, as in 'ramp 0→50/s'")[1])
            end = self._held = self._level()
            return Stage(start, end, self._lasting("over"), "ramp")
        if self._takes("hold"):
            if self._held is None:
                self._at = begins
                self._fail("a level before 'hold': write '50/s for 2m'")
            return Stage(self._held, self._held, self._duration(), "hold")
        if self._takes("spike"):
            level = self._level()
            self._held = level if self._held is None else self._held
            return Stage(level, level, self._lasting("for"), "spike")
        level = self._held = self._level("a rate ('20/s'), workers ('50 workers'), ramp, hold "
                                         "or spike")  # fmt: skip
        return Stage(level, level, self._lasting("for"))

    def _level(self, expected: str = "a rate ('20/s') or workers ('50 workers')") -> Fraction:
        self._skip()
        begins = self._at
        found = self._matches(_LEVEL, expected)
        level, is_rate = _exact(found[1]), found[2] is not None
        if self._is_rate not in (None, is_rate):
            self._at = begins
            self._fail("a rate, as before" if self._is_rate else "workers, as before")
        if not is_rate and level.denominator != 1:
            self._at = begins
            self._fail("a whole number of workers")
        self._is_rate = is_rate
        return level

    def _lasting(self, word: str) -> Fraction:
        if not self._takes(word):
            self._fail(f"'{word}' and a duration")
        return self._duration()

    def _duration(self) -> Fraction:
        self._skip()
        begins = self._at
        found = self._matches(_DURATION, "a duration: 500ms, 15s, 2m, 1h")
        if not _exact(found[1]):
            self._at = begins
            self._fail("a duration above zero")
        return _exact(found[1]) * _UNITS_S[found[2]]

    def _takes(self, word: str) -> bool:
        """Go past `word` where it comes next; tell whether it does."""
        self._skip()
        found = _WORD.match(self._text, self._at)
        if found is None or found[0] != word:
            return False
        self._at = found.end()
        return True

    def _matches(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        self._skip()
        found = pattern.match(self._text, self._at)
        if found is None:
            self._fail(expected)
        self._at = found.end()
        return found

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _fail(self, expected: str) -> NoReturn:
        rest = self._text[self._at :].split(",")[0].strip() or self._text[self._at :].strip()
        raise SentenceError(
            "plan/pace", self._text, self._at, expected, found=rest or None,
            next_step="write '20/s for 15s' (open: a rate), '50 workers for 1m' (closed), or "
            "stages: 'ramp 0→50/s over 30s, hold 2m, spike 300/s for 10s'",
        )  # fmt: skip


def _exact(written: str) -> Fraction:
    number, _, divisor = written.partition("/")
    return Fraction(number) / int(divisor or 1)


def duration_text(seconds: Fraction) -> str:
    """Write a duration exactly, as `parse_duration` reads it."""
    if seconds < 1:
        return f"{_number(seconds * 1000)}ms"
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{_number(seconds)}s"


def _level(value: Fraction, *, is_rate: bool) -> str:
    if is_rate:
        return f"{_number(value)}/s"
    return f"{_number(value)} worker{'' if value == 1 else 's'}"


def _number(value: Fraction) -> str:
    """Write a number exactly: as a decimal where it is one, else as a fraction."""
    scale = 0
    while (value * 10**scale).denominator > 1 and scale < _MOST_DECIMALS:
        scale += 1
    scaled = value * 10**scale
    if scaled.denominator > 1:
        return str(value)
    whole, rest = divmod(int(scaled), 10**scale)
    return f"{whole}.{rest:0{scale}d}" if scale else str(whole)


_MOST_DECIMALS = 9
