"""What a stub wants of a value: this one, one of a type, or text of a pattern. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

KINDS: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda got: isinstance(got, list),
    "boolean": lambda got: isinstance(got, bool),
    "integer": lambda got: isinstance(got, int) and not isinstance(got, bool),
    "number": lambda got: isinstance(got, int | float) and not isinstance(got, bool),
    "object": lambda got: isinstance(got, dict),
    "string": lambda got: isinstance(got, str),
}
"""The types of JSON, as JSON Schema calls them."""

_WRITTEN = {
    "boolean": re.compile("true|false"),
    "integer": re.compile(r"[+-]?\d+", re.ASCII),
    "number": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII),
    "string": re.compile(".*", re.DOTALL),
}
"""How these are written where all values are text: in queries, headers and forms."""


def _matcher(wanted: Any) -> tuple[str, Any] | None:
    """Return the word and the value of a table that is a matcher: ``{ any = "integer" }``."""
    if isinstance(wanted, dict) and len(wanted) == 1:
        ((word, value),) = wanted.items()
        return (word, value) if word in ("any", "pattern") else None
    return None


def defect(wanted: Any, *, is_text: bool = False) -> str:
    """Say what is wrong with the first matcher in a wanted value; empty: nothing."""
    found = _matcher(wanted)
    if found is None:
        below = wanted.values() if isinstance(wanted, dict) else wanted
        told = (defect(one) for one in below) if isinstance(below, list | type({}.values())) else ()
        return next(filter(None, told), "")
    word, value = found
    kinds = _WRITTEN if is_text else KINDS
    if word == "any":
        is_known = isinstance(value, str) and value in kinds
        return "" if is_known else f"any: knows no {value!r}, but {', '.join(sorted(kinds))}"
    try:
        re.compile(value)
    except (re.error, TypeError) as error:
        return f"pattern: {value!r} is no regular expression: {error}"
    return ""


_EXAMPLES: Mapping[str, Any] = {
    "array": [], "boolean": True, "integer": 1, "number": 1, "object": {}, "string": "text"
}  # fmt: skip


def examples_of(wanted: Any) -> tuple[Any, list[tuple[str | int, ...]]]:
    """Return a value that is wanted with an example for each matcher, and the steps to these."""
    found = _matcher(wanted)
    if found is not None:
        return _EXAMPLES[found[1] if found[0] == "any" else "string"], [()]
    if not isinstance(wanted, dict | list):
        return wanted, []
    pairs: list[tuple[Any, Any]] = list(
        wanted.items() if isinstance(wanted, dict) else enumerate(wanted)
    )
    made, steps = {}, []
    for key, one in pairs:
        made[key], below = examples_of(one)
        steps += [(key, *path) for path in below]
    return (made if isinstance(wanted, dict) else list(made.values())), steps


def has_pattern(wanted: Any) -> bool:
    """Tell whether a wanted value holds a pattern, of which no example is known."""
    found = _matcher(wanted)
    if found is not None:
        return found[0] == "pattern"
    below = wanted.values() if isinstance(wanted, dict) else wanted
    return isinstance(wanted, dict | list) and any(map(has_pattern, below))


def fits(wanted: Any, got: Any, *, may_have_more: bool = False) -> bool:
    """Compare as JSON does, to which ``true`` is not 1, as it is to Python; 1 and 1.0 are one.

    With `may_have_more`, objects may have keys that are not wanted.
    """
    found = _matcher(wanted)
    if found is not None:
        word, value = found
        if word == "any":
            return KINDS[value](got)
        return isinstance(got, str) and re.search(value, got) is not None
    if isinstance(wanted, dict) and isinstance(got, dict):
        has_keys = wanted.keys() <= got.keys() if may_have_more else wanted.keys() == got.keys()
        return has_keys and all(
            fits(wanted[key], got[key], may_have_more=may_have_more) for key in wanted
        )
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(
            fits(one, other, may_have_more=may_have_more)
            for one, other in zip(wanted, got, strict=True)
        )
    return isinstance(wanted, bool) is isinstance(got, bool) and bool(wanted == got)


def text_fits(wanted: str | dict[str, str], got: str) -> bool:
    """Compare a text with what is wanted of it: a number is the text that is written as one."""
    if isinstance(wanted, str):
        return wanted == got
    found = _matcher(wanted)
    if found is None or found[0] == "pattern":
        return fits(wanted, got)
    return _WRITTEN[found[1]].fullmatch(got) is not None
