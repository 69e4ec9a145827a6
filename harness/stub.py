"""A canned answer with its matcher: chosen for a call, or explained. Pure.

How often a stub was used is counted by the stand-in, which passes the counts in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from harness.reply import Defect, Reply


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a call must look like. `query` and `headers` name what must be there; more may be."""

    method: str
    path: str
    query: dict[str, str | list[str]] = {}
    headers: dict[str, str] = {}
    json: Any = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Stub:
    """A named answer. Of several replies each is given once, in order, the last for ever."""

    name: str
    request: Request
    replies: tuple[Reply, ...]
    where: str

    def reply(self, used: int) -> Reply:
        """Return the reply of a stub that has answered `used` times before."""
        return self.replies[min(used, len(self.replies) - 1)]


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stub as it is declared, which may be one that cannot be."""

    name: str
    request: Request
    reply: Reply | None = None
    replies: tuple[Reply, ...] = ()

    @property
    def _all(self) -> tuple[Reply, ...]:
        return self.replies or ((self.reply,) if self.reply else ())

    def defect(self) -> Defect | None:
        """Return the first thing that the declaration cannot mean; None: it is sound."""
        if not self._all or (self.reply and self.replies):
            return Defect("stubs/reply", "needs either 'reply' or 'replies'")
        if not self.request.path.startswith("/") or "?" in self.request.path:
            return Defect(
                "stubs/path",
                f"can never match the path {self.request.path!r}",
                ["request", "path"],
                "begin it with '/', and ask for a query as query = { name = 'value' }",
            )
        for number, reply in enumerate(self._all):
            below = ["reply"] if self.reply else ["replies", number]
            if found := reply.defect(self.request.method):
                return found._replace(path=[*below, *found.path])
        return None

    def stub(self, where: str) -> Stub:
        """Return what a sound declaration means."""
        return Stub(self.name, self.request, self._all, where)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that reached a stand-in.

    `path` is decoded, `query` is raw, header names are lower case.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}{'?' + self.query if self.query else ''}"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query's decoded pairs."""
        return parse_qsl(self.query, keep_blank_values=True)


def difference(request: Request, call: Call) -> str | None:
    """Return the first field in which `call` differs from what a stub asks for; None: a match."""
    if call.method.upper() != request.method.upper():
        return f"method: wanted {request.method.upper()}, got {call.method.upper()}"
    if call.path != request.path:
        return f"path: wanted {request.path}, got {call.path}"
    return (
        _query_difference(request, call)
        or _header_difference(request, call)
        or _json_difference(request, call)
    )


def _query_difference(request: Request, call: Call) -> str | None:
    for name, wanted in request.query.items():
        values = [value for key, value in call.pairs if key == name]
        if values != ([wanted] if isinstance(wanted, str) else wanted):
            got = ", ".join(map(repr, values)) or "nothing"
            return f"query {name}: wanted {wanted!r}, got {got}"
    return None


def _header_difference(request: Request, call: Call) -> str | None:
    for name, wanted in request.headers.items():
        got = call.headers.get(name.lower())
        if got != wanted:
            return f"header {name}: wanted {wanted!r}, got {got!r}"
    return None


def _json_difference(request: Request, call: Call) -> str | None:
    if request.json is msgspec.UNSET:
        return None
    try:
        got = msgspec.json.decode(call.body)
    except (ValueError, RecursionError):  # ValueError: not JSON, or not even UTF-8
        return f"json: wanted {request.json!r}, got a body that is not JSON"
    return None if _equal(request.json, got) else f"json: wanted {request.json!r}, got {got!r}"


def _equal(wanted: Any, got: Any) -> bool:
    """Compare as JSON does, to which ``true`` is not 1, as it is to Python; 1 and 1.0 are one."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() == got.keys() and all(_equal(wanted[k], got[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(_equal, wanted, got))
    return isinstance(wanted, bool) is isinstance(got, bool) and bool(wanted == got)


def choose(stubs: Sequence[Stub], call: Call) -> Stub | None:
    """Return the first stub that matches, or None."""
    return next((stub for stub in stubs if difference(stub.request, call) is None), None)


def explain(stubs: Sequence[Stub], call: Call) -> str:
    """Say why no stub matched: each candidate with the first field that differed, closest first."""
    if not stubs:
        return f"no stub answers {call}: none is selected"
    lines = sorted(
        ((_closeness(told), f"  {stub.name} ({stub.where}): {told}"))
        for stub in stubs
        if (told := difference(stub.request, call)) is not None
    )
    return "\n".join([f"no stub answers {call}", *(line for _, line in lines)])


def _closeness(told: str) -> int:
    order = ("json", "header", "query", "path", "method")
    return order.index(told.split(":")[0].split(" ")[0])
