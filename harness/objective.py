"""Objectives of a load, limits of a gate and of tests: one grammar, parsed, never evaluated.

    objective = [scope] indicator op limit ["in every" duration]
    scope     = scenario [quoted step] | quoted step | path pattern
    indicator = p50 … p99.9 | mean | max | rate | failures | completed | 4xx | 5xx | bytes
              | complexity.max | complexity.average | maintainability.min | security.high …
              | coverage.lines … | suppressions | suppressions.blanket | suppressions.unreasoned
              | blocking.max | leaked.descriptors | leaked.tasks | leaked.sessions
              | coroutines.unawaited | secrets.shown
    op        = < | <= | > | >= | ==
    limit     = number [ms | s | % | /s | B | KiB | MiB] | letter

A letter is one of Radon's ranks: ``complexity.max <= B`` means 10, the worst of that rank. What
an indicator means is in ``docs/plan.md``; only a load's objectives have windows.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from harness.errors import SentenceError, UsageError, nearest
from harness.pace import parse_duration

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

_LATENCY, _RATE, _SHARE, _SIZE = ("ms", "s"), ("/s",), ("", "%"), ("B", "KiB", "MiB")
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
        "bytes": _SIZE,
    },
    Family.GATE: {
        "complexity.max": ("",),
        "complexity.average": ("",),
        "security.high": ("",),
        "security.medium": ("",),
        "security.low": ("",),
        "coverage.lines": ("%",),
        "coverage.branches": ("%",),
        "coverage.changed": ("%",),
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
_ONE: dict[str, tuple[str, int]] = {
    "s": ("ms", 1000), "KiB": ("B", 1024), "MiB": ("B", 1024 * 1024),
}  # fmt: skip
"""A unit that is another one many times; limits are kept in that other one."""

DEFAULT_OBJECTIVE = "failures == 0"
"""Of every scenario whose failures no objective speaks of."""

RADON_RANKS = {"A": 5, "B": 10, "C": 20, "D": 30, "E": 40}
"""The highest complexity of each of Radon's ranks; F has none."""

_SLUG = "plan/objective"
_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"|(?P<compares>[<>=!]+)|(?P<open>")|[^\s"<>=!]+')
_NUMBER = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)(.*)\Z", re.DOTALL)
_PERCENTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,6})?)\Z")
_NO_SIZES = "of sizes the mean alone is measured: write it as 'bytes < 64KiB'"
_COMPARISON = "a comparison: < <= > >= or =="


@dataclass(frozen=True, slots=True)
class Objective:
    """One parsed sentence; `text` is how it was written, and `str` how it is written plainly.

    `limit` is in `unit`: ``ms``, ``%``, ``/s``, ``B`` or, for a count, the empty string.
    `scenario` and `step` narrow an objective of a load, `pattern` a limit of a gate or of tests;
    None: everything. `window_s`: it is to hold in each so many seconds; None: over the whole run.
    """

    text: str = field(compare=False)
    indicator: str
    op: str
    limit: Fraction
    unit: str
    scenario: str | None = None
    step: str | None = None
    pattern: str | None = None
    window_s: int | None = None

    def holds(self, measured: Measured) -> bool:
        """Tell whether `measured`, exact and in `unit`, keeps to the limit."""
        return _OPERATORS[self.op](measured, self.limit)

    @property
    def tolerates_failures(self) -> bool:
        """Tell whether it speaks of failures, and some may be."""
        if self.indicator not in ("failures", "completed"):
            return False
        few = Fraction(1, 1_000_000) if self.unit == "%" else Fraction(1)
        if self.indicator == "failures":
            return self.holds(few)
        return self.unit != "%" or self.holds(100 - few)

    @property
    def quantile(self) -> Fraction | None:
        """The share of a percentile indicator, as 99/100 for ``p99``; None for the others."""
        return _quantile(self.indicator)

    def covers(self, path: str) -> bool:
        """Tell whether a limit applies to the file, or the route, at `path`."""
        return self.pattern is None or matches(self.pattern, path)

    def __str__(self) -> str:
        step = None if self.step is None else f'"{self.step}"'
        scope = [part for part in (self.pattern, self.scenario, step) if part is not None]
        limit = f"{_decimal(self.limit)}{self.unit}"
        window = [] if self.window_s is None else [f"in every {self.window_s}s"]
        return " ".join([*scope, self.indicator, self.op, limit, *window])


def matches(pattern: str, path: str) -> bool:
    """Match a path by a pattern in which ``*`` crosses folders: ``src/api/**`` holds all below."""
    return fnmatch.fnmatchcase(path, pattern)


def parse_objective(text: str, family: Family) -> Objective:
    """Read one sentence. Raises SentenceError: where, what was expected and found, what is known.

    >>> parse_objective('write "POST /users" p95 < 80ms', Family.LOAD).step
    'POST /users'
    """
    return _Sentence(text.strip(), family).objective()


class _Token(NamedTuple):
    """A word, a quoted name (with its quotes), or what compares; `column` counts from 0."""

    text: str
    column: int
    kind: str | None = None


class _Sentence:
    """Reads a sentence from its comparison to both sides."""

    def __init__(self, text: str, family: Family) -> None:
        self._text = text
        self._family = family
        self._units = _UNITS[family]
        self._tokens = [_Token(m[0], m.start(), m.lastgroup) for m in _TOKEN.finditer(text)]

    def objective(self) -> Objective:
        self._refuse_open_quote()
        left, compares, right = self._parts()
        indicator = self._indicator(left, compares)
        limit, unit, rest = self._limit(indicator.text, right)
        window_s = self._window(rest)
        scenario = step = pattern = None
        scope = left[:-1]
        if self._family is Family.LOAD:
            scenario, step = self._scope(scope)
        elif scope:
            pattern = self._written(scope)
        return Objective(
            self._text, indicator.text, compares.text, limit, unit, scenario, step, pattern,
            window_s,
        )  # fmt: skip

    def _error(self, at: _Token | None, expected: str, next_step: str) -> SentenceError:
        """Point at a token; None: something is missing at the end."""
        column = len(self._text) if at is None else at.column
        found = None if at is None else at.text
        return SentenceError(
            _SLUG, self._text, column, expected, found=found, next_step=next_step
        )  # fmt: skip

    def _refuse_open_quote(self) -> None:
        for token in self._tokens:
            if token.kind == "open":
                told = 'the end of the quote, as in "GET /"'
                raise self._error(token._replace(text=self._text[token.column :]), told, _EXAMPLE)

    def _parts(self) -> tuple[list[_Token], _Token, list[_Token]]:
        """Part the tokens by the last comparison: a scenario's name may have one, too."""
        places = [n for n, token in enumerate(self._tokens) if token.kind == "compares"]
        if not places:
            raise self._error(self._after_indicator(), _COMPARISON, _EXAMPLE)
        at = places[-1]
        found = self._tokens[at]
        if found.text not in _OPERATORS:
            raise self._error(found, _COMPARISON, nearest(found.text, _OPERATORS))
        return self._tokens[:at], found, self._tokens[at + 1 :]

    def _after_indicator(self) -> _Token | None:
        """Find what stands where a comparison is missing."""
        for token, following in zip(self._tokens, self._tokens[1:], strict=False):
            if self._units_of(token.text):
                return following
        return None

    def _indicator(self, left: Sequence[_Token], compares: _Token) -> _Token:
        if not left:
            raise self._error(compares, "an indicator before it", nearest("", self._units))
        found = left[-1]
        if found.kind or not self._units_of(found.text):
            raise self._error(found, "an indicator", nearest(found.text, self._units))
        return found

    def _units_of(self, indicator: str) -> tuple[str, ...]:
        """Return the units of an indicator's limits; none: it is no indicator."""
        is_percentile = self._family is Family.LOAD and _quantile(indicator) is not None
        return _LATENCY if is_percentile else self._units.get(indicator, ())

    def _limit(
        self, indicator: str, right: Sequence[_Token]
    ) -> tuple[Fraction, str, Sequence[_Token]]:
        """Return the limit, its unit, and what follows."""
        units = self._units_of(indicator)
        example = "write it as " + " or ".join(f"'{indicator} < 5{unit}'" for unit in units)
        if not right:
            raise self._error(None, "a number", example)
        number, rest = right[0], right[1:]
        if indicator.startswith("complexity.") and number.text in RADON_RANKS:
            return Fraction(RADON_RANKS[number.text]), "", rest
        if (read := _NUMBER.match(number.text)) is None:
            raise self._error(number, "a number", example)
        unit = _Token(read[2], number.column + read.start(2))
        if not unit.text and rest and rest[0].text != "in":
            unit, rest = rest[0], rest[1:]
        if unit.text not in units:
            raise self._unit_error(unit, units, rest, example)
        name, many = _ONE.get(unit.text, (unit.text, 1))
        if name == "%" and Fraction(read[1]) > 100:
            raise self._error(number, "a share up to 100%", example)
        return Fraction(read[1]) * many, name, rest

    def _unit_error(
        self, unit: _Token, units: Sequence[str], rest: Sequence[_Token], example: str
    ) -> SentenceError:
        """Point at a unit that is another one, or at what stands where one is missing."""
        expected = " or ".join(filter(None, units)) or "no unit: it is a count"
        if unit.text:
            return self._error(unit, expected, _NO_SIZES if unit.text in _SIZE else example)
        return self._error(rest[0] if rest else None, expected, example)

    def _window(self, rest: Sequence[_Token]) -> int | None:
        """Read ``in every 10s``: whole seconds, since a load is written down once a second."""
        if not rest:
            return None
        if self._family is not Family.LOAD:
            raise self._error(rest[0], "the end", "only the objectives of a load have windows")
        for position, word in enumerate(("in", "every")):
            found = rest[position] if position < len(rest) else None
            if found is None or found.text != word:
                told = f"'{word}', as in 'in every 10s'" + ("" if position else ", or the end")
                raise self._error(found, told, _EXAMPLE)
        told = "whole seconds or minutes, as 10s or 1m"
        if len(rest) < 3:
            raise self._error(None, told, _EXAMPLE)
        found = rest[2]._replace(text=self._written(rest[2:]))
        try:
            window_s = parse_duration(found.text)
        except UsageError:
            raise self._error(found, told, _EXAMPLE) from None
        if window_s.denominator != 1:
            raise self._error(found, told, "a load is written down once a second")
        return int(window_s)

    def _scope(self, scope: Sequence[_Token]) -> tuple[str | None, str | None]:
        """Return the names of a scenario and of a step, the last one in quotes."""
        has_step = bool(scope) and scope[-1].kind == "quoted"
        named, step = (scope[:-1], scope[-1].text[1:-1]) if has_step else (scope, None)
        for token in named:
            if token.kind == "quoted":
                after = self._tokens[self._tokens.index(token) + 1]
                raise self._error(after, "an indicator after the step", _EXAMPLE)
        if step == "":
            raise self._error(scope[-1], "the name of a step between the quotes", _EXAMPLE)
        return (self._written(named) if named else None), step

    def _written(self, tokens: Sequence[_Token]) -> str:
        """Return tokens as they were written, with what is between them."""
        return self._text[tokens[0].column : tokens[-1].column + len(tokens[-1].text)]


_EXAMPLE = (
    "write it as 'p99 < 250ms', 'checkout \"POST /cart\" p95 < 80ms' or 'p99 < 1s in every 10s'"
)


def _quantile(indicator: str) -> Fraction | None:
    found = _PERCENTILE.match(indicator)
    return (Fraction(found[1]) / 100 or None) if found else None


def _decimal(value: Fraction) -> str:
    """Write a number of the grammar with all of its digits."""
    whole, rest = divmod(value, 1)
    digits = ""
    while rest:
        digit, rest = divmod(rest * 10, 1)
        digits += str(digit)
    return f"{whole}.{digits}" if digits else str(whole)
