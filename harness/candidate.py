"""Which of the selected stubs answers a call, or why none of them does. Pure.

What went before is counted by the stand-in, which passes it in: how often each of the stubs,
by name, has answered, and what each state is.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import NamedTuple

from harness.stub import STARTED, Call, Stub, difference, path_difference

_NONE: Mapping[str, int] = MappingProxyType({})
_NO_STATES: Mapping[str, str] = MappingProxyType({})

_ORDER = (
    "after", "state", "json", "json_includes", "form", "body", "header", "query",
    "method of this path", "path", "method",
)  # fmt: skip
"""Fields, those first in which a call differs that is otherwise as a stub wants it."""

_COMPARED = 200
"""Characters of a path that are looked at to tell how like it is."""


def choose(
    stubs: Sequence[Stub],
    call: Call,
    used: Mapping[str, int] = _NONE,
    states: Mapping[str, str] = _NO_STATES,
) -> Stub | None:
    """Return the first stub that matches, is due and is not used up, or None."""
    for stub in stubs:
        if (
            difference(stub.request, call) is None
            and not stub.is_used_up(used.get(stub.name, 0))
            and _hindrance(stub, used, states) is None
        ):
            return stub
    return None


def _hindrance(stub: Stub, used: Mapping[str, int], states: Mapping[str, str]) -> str | None:
    """Return what must have happened before the stub answers; None: it may."""
    if stub.after is not None and not used.get(stub.after):
        told = "has not answered" if stub.after in used else "is not selected"
        return f"after: wanted {stub.after!r} first, which {told}"
    for name, wanted in stub.needs.items():
        got = states.get(name, STARTED)
        if got != wanted:
            return f"state {name}: wanted {wanted!r}, is {got!r}"
    return None


class _Candidate(NamedTuple):
    """A line that says why a stub did not answer, with what it is sorted by."""

    is_used_up: bool
    rank: int
    unlikeness: float
    line: str


def explain(
    stubs: Sequence[Stub],
    call: Call,
    used: Mapping[str, int] = _NONE,
    states: Mapping[str, str] = _NO_STATES,
) -> str:
    """Say why no stub answered: each candidate with the first field that differed, closest first.

    Of those with another path, the most alike are closest. Those that are used up come last.
    """
    if not stubs:
        return f"no stub answers {call}: none is selected"
    candidates = sorted(_candidate(stub, call, used, states) for stub in stubs)
    return "\n".join([f"no stub answers {call}", *(one.line for one in candidates)])


def _candidate(
    stub: Stub, call: Call, used: Mapping[str, int], states: Mapping[str, str]
) -> _Candidate:
    told = difference(stub.request, call) or _hindrance(stub, used, states) or ""
    count = used.get(stub.name, 0)
    rank, unlikeness = _distance(stub, call, told) if told else (0, 0.0)
    is_used_up = stub.is_used_up(count)
    if is_used_up:
        spent = f"used up: answered {count} of {stub.times.most}"
        told = f"{spent}; {told}" if told else spent
    return _Candidate(is_used_up, rank, unlikeness, f"  {stub.name} ({stub.where}): {told}")


def _distance(stub: Stub, call: Call, told: str) -> tuple[int, float]:
    field = told.split(":")[0].split(" ")[0]
    if field not in ("path", "method"):
        return _ORDER.index(field), 0.0
    if path_difference(stub.request, call) is None:
        return _ORDER.index("method of this path"), 0.0
    asked = stub.request
    wanted = asked.path or asked.path_prefix or asked.path_pattern or ""
    return _ORDER.index(field), _unlikeness(wanted[:_COMPARED], call.path[:_COMPARED])


@functools.lru_cache(maxsize=1024)
def _unlikeness(wanted: str, got: str) -> float:
    return 1 - SequenceMatcher(None, wanted, got).ratio()
