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
from urllib.parse import quote

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
    names, pattern = _known()
    return pattern.sub(lambda found: names[(found.lastindex or 0) - 1], text) if names else text


def redacted_fact(encoded: bytes) -> bytes:
    """Return a fact, a JSON object, with ``{env.NAME}`` for every secret value in its texts."""
    names, pattern = _known()
    if not names or not pattern.search(encoded.decode()):
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
def _known() -> tuple[list[str], re.Pattern[str]]:
    """Return what stands for each secret, and a pattern with a group for each, longest first."""
    values = {
        name.removeprefix(_PREFIX): value
        for name, value in os.environ.items()
        if name.startswith(_PREFIX) and len(value) >= SHORTEST
    }
    longest_first = sorted(values, key=lambda name: len(values[name]), reverse=True)
    groups = ("".join(map(_written, values[name])) for name in longest_first)
    pattern = "|".join(f"({group})" for group in groups)
    return [f"{{env.{name}}}" for name in longest_first], re.compile(pattern)


@functools.cache
def _written(character: str) -> str:
    """Return a pattern for all writings of a character: which ones a URL quotes, clients differ."""
    if character.isascii() and character.isalnum():
        return character
    quoted = quote(character, "", errors="replace")
    plain = {character, repr(character)[1:-1], ascii(character)[1:-1], quoted, quoted.lower()}
    plain |= {"+"} if character == " " else {f"\\{character}"} if character in "'\"" else set()
    plain |= {text for one in plain for text in _in_json(one)}
    plain |= {text for one in plain for text in _in_json(one)}  # a text of JSON, in that of a fact
    return f"(?:{'|'.join(map(re.escape, sorted(plain, key=len, reverse=True)))})"


def _in_json(text: str) -> set[str]:
    return {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
