"""Values that a plan takes from the environment by name, and that no report may show.

A value is copied into the environment under a name of ours. So it is there for every child
process, and stays what it was where a service's own environment sets the variable anew.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from harness.errors import UsageError

SHORTEST = 6
"""Characters of the shortest value that counts as secret: a shorter one is part of many words."""

_PREFIX = "HARNESS_SECRET_"
_OURS = frozenset(
    ("type", "slug", "outcome", "kind", "part", "load", "service", "scenario", "scenarios",
     "objectives", "limits", "pace", "rule", "severity", "confidence", "gate")
)  # fmt: skip
"""Fields of facts whose words are the harness's or the plan's, and that judging compares."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that a plan takes a value from, with the key that it is for and its line."""

    name: str
    key: str
    where: str

    def value(self) -> str:
        """Return the value. Raises UsageError where the variable is not set, or empty."""
        found = os.environ.get(_PREFIX + self.name) or os.environ.get(self.name)
        if not found:
            told = "empty" if self.name in os.environ else "not set"
            raise UsageError(
                "plan/variable",
                f"{self.key} takes its value from {self.name}, which is {told}",
                where=self.where,
                next_step=f"export {self.name}=…",
            )
        return found


def keep(variables: Iterable[Variable]) -> None:
    """Take the values of `variables` to be secret, here and in every process started from here."""
    for name in {variable.name for variable in variables} & os.environ.keys():
        os.environ[_PREFIX + name] = os.environ[name]
    _known.cache_clear()


def redacted(text: str) -> str:
    """Return `text` with ``{env.NAME}`` for every secret value in it.

    A value is found as it is, and as Python, JSON and a URL write it.
    """
    known, pattern = _known()
    return pattern.sub(lambda found: known[found[0]], text) if known else text


def redacted_fact(encoded: bytes) -> bytes:
    """Return a fact, a JSON object, with ``{env.NAME}`` for every secret value in its texts."""
    known, pattern = _known()
    if not known or not pattern.search(encoded.decode()):
        return encoded
    return json.dumps(_without(json.loads(encoded)), ensure_ascii=False).encode()


def _without(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [_without(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _OURS else _without(item) for key, item in value.items()}
    return value


@functools.cache
def _known() -> tuple[dict[str, str], re.Pattern[str]]:
    """Return what stands for each writing of a secret, and the pattern that finds the longest."""
    known: dict[str, str] = {}
    for name, value in os.environ.items():
        if name.startswith(_PREFIX) and len(value) >= SHORTEST:
            known |= dict.fromkeys(_writings(value), f"{{env.{name.removeprefix(_PREFIX)}}}")
    longest_first = sorted(known, key=len, reverse=True)
    return known, re.compile("|".join(map(re.escape, longest_first)))


def _writings(value: str) -> set[str]:
    plain = {value, repr(value)[1:-1], quote_plus(value, errors="replace"), *_in_json(value)}
    plain |= {quote(value, safe, errors="replace") for safe in ("", "/")}
    return plain.union(*map(_in_json, plain))  # in the JSON of a fact, all of them


def _in_json(text: str) -> set[str]:
    return {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
