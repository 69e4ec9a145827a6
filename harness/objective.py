"""Objectives of a load, limits of a gate and of tests: one grammar, parsed, never evaluated.

    objective = [scope] indicator op limit
    scope     = scenario [quoted step] | path pattern
    indicator = p50 … p99.9 | mean | max | rate | failures | completed | 4xx | 5xx
              | complexity.max | complexity.average | maintainability.min | security.high …
              | coverage.lines … | suppressions | suppressions.blanket | suppressions.unreasoned
              | blocking.max | leaked.descriptors | leaked.tasks | leaked.sessions
              | coroutines.unawaited | secrets.shown
    op        = < | <= | > | >= | ==
    limit     = number [ms | s | % | /s] | letter

A letter is one of Radon's ranks: ``complexity.max <= B`` means 10, the worst of that rank.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from harness.errors import UsageError, nearest

Measured = Fraction


class Family(StrEnum):
    """What an indicator is measured on."""

    LOAD = "load"
    GATE = "gate"
    TEST = "test"


_OPERATORS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}

_LATENCY, _RATE, _SHARE = ("ms", "s"), ("/s",), ("", "%")
_LEVELS = ("high", "medium", "low")
_UNITS: dict[Family, dict[str, tuple[str, ...]]] = {
    Family.LOAD: {
        "p50": _LATENCY,
        "p90": _LATENCY,
        "p95": _LATENCY,
        "p99": _LATENCY,
        "p99.9": _LATENCY,
        "mean": _LATENCY,
        "max": _LATENCY,
        "rate": _RATE,
        "failures": _SHARE,
        "completed": _SHARE,
        "4xx": _SHARE,
        "5xx": _SHARE,
    },
    Family.GATE: {
        "complexity.max": ("",),
        "complexity.average": ("",),
        "security.high": ("",),
        "security.medium": ("",),
        "security.low": ("",),
        "coverage.lines": ("%",),
        "coverage.branches": ("%",),
        "maintainability.min": ("",),
        "suppressions": ("",),
        "suppressions.blanket": ("",),
        "suppressions.unreasoned": ("",),
        **{
            f"security.{severity}.{confidence}": ("",)
            for severity in _LEVELS
            for confidence in _LEVELS
        },
    },
    Family.TEST: {
        "blocking.max": _LATENCY,
        "leaked.descriptors": ("",),
        "leaked.tasks": ("",),
        "leaked.sessions": ("",),
        "coroutines.unawaited": ("",),
        "secrets.shown": ("",),
    },
}

DEFAULT_OBJECTIVE = "failures == 0"
"""Of every scenario whose failures no objective speaks of."""

RADON_RANKS = {"A": 5, "B": 10, "C": 20, "D": 30, "E": 40}
"""The highest complexity of each of Radon's ranks; F has none."""

_SENTENCE = re.compile(r"(?P<left>.*?)\s*(?P<op><=|>=|==|<|>)\s*(?P<limit>\S.*?)\s*\Z", re.DOTALL)
_LEFT = re.compile(r"(?:(?P<scope>.*)\s+)?(?P<indicator>\S+)\Z", re.DOTALL)
_LIMIT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|%|/s)?\Z")
_QUOTED = re.compile(r'(?P<scenario>[^"]*)"(?P<step>[^"]+)"\Z')
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)\Z")


@dataclass(frozen=True, slots=True)
class Objective:
    """One parsed sentence.

    `limit` is in `unit`: ``ms``, ``%``, ``/s`` or, for a count, the empty string. `scenario`
    and `step` narrow an objective of a load, `pattern` a limit of a gate or of tests; None:
    everything.
    """

    text: str
    indicator: str
    op: str
    limit: Fraction
    unit: str
    scenario: str | None = None
    step: str | None = None
    pattern: str | None = None

    def holds(self, measured: Measured) -> bool:
        """Tell whether `measured`, exact and in `unit`, keeps to the limit."""
        return _OPERATORS[self.op](measured, self.limit)

    @property
    def quantile(self) -> Fraction | None:
        """The share of a percentile indicator, as 99/100 for ``p99``; None for the others."""
        found = _PERCENTILE.match(self.indicator)
        return Fraction(found[1]) / 100 if found else None

    def covers(self, path: str) -> bool:
        """Tell whether a limit applies to the file, or the route, at `path`."""
        return self.pattern is None or matches(self.pattern, path)


def matches(pattern: str, path: str) -> bool:
    """Match a path by a pattern in which ``*`` crosses folders: ``src/api/**`` holds all below."""
    return fnmatch.fnmatchcase(path, pattern)


def parse_objective(text: str, family: Family) -> Objective:
    """Read one sentence. Raises UsageError, which says what was found and what is known.

    >>> parse_objective('write "POST /users" p95 < 80ms', Family.LOAD).step
    'POST /users'
    """
    sentence = _SENTENCE.match(text.strip())
    left = _LEFT.match(sentence["left"]) if sentence else None
    if sentence is None or left is None:
        raise _error(text, "it has no comparison", "write it as 'p99 < 250ms' or 'failures == 0'")
    indicator = left["indicator"]
    units = _UNITS[family]
    if indicator not in units:
        raise _error(text, f"unknown indicator {indicator!r}", nearest(indicator, units))
    limit, unit = _limit(text, sentence["limit"], indicator, units[indicator])
    scenario = step = pattern = None
    scope = (left["scope"] or "").strip() or None
    if family is not Family.LOAD:
        pattern = scope
    elif scope is not None:
        quoted = _QUOTED.match(scope)
        scenario = (quoted["scenario"].strip() or None) if quoted else scope
        step = quoted["step"] if quoted else None
    return Objective(text.strip(), indicator, sentence["op"], limit, unit, scenario, step, pattern)


def _limit(text: str, written: str, indicator: str, units: tuple[str, ...]) -> tuple[Fraction, str]:
    if indicator.startswith("complexity.") and written in RADON_RANKS:
        return Fraction(RADON_RANKS[written]), ""
    found = _LIMIT.match(written)
    unit = (found["unit"] or "") if found else ""
    if found is None or unit not in units:
        known = " or ".join(f"'{indicator} < 5{u}'" for u in units)
        raise _error(text, f"cannot read the limit {written!r}", f"write it as {known}")
    if unit == "s":
        return Fraction(found["number"]) * 1000, "ms"
    return Fraction(found["number"]), unit


def _error(text: str, found: str, next_step: str) -> UsageError:
    return UsageError("plan/objective", f"in {text.strip()!r}: {found}", next_step=next_step)
