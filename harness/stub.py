"""A canned answer with its matcher: chosen for a call, or explained. Pure.

How often a stub was used is counted by the stand-in, which passes the counts in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from harness.matcher import defect, fits, text_fits
from harness.reply import Defect, Reply

_NONE: Mapping[str, int] = MappingProxyType({})

Text = str | dict[str, str]
"""A text, or a matcher: ``{ pattern = "^ab" }``, ``{ any = "integer" }``."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a call must look like.

    `query`, `headers` and `form` name what must be there; more may be, but in the query not
    where that is `query_exact`. `json` is the whole body, `json_includes` a part of it.
    """

    method: str
    path: str | None = None
    query: dict[str, Text | list[str]] = {}
    headers: dict[str, Text] = {}
    json: Any = msgspec.UNSET
    path_prefix: str | None = None
    path_pattern: str | None = None
    query_exact: bool = False
    json_includes: Any = msgspec.UNSET
    form: dict[str, Text | list[str]] | None = None
    body: str | None = None

    def defect(self) -> Defect | None:
        """Return the first thing that no call could be like; None: there is none."""
        return self._path_defect() or self._body_defect() or self._matcher_defect()

    def _path_defect(self) -> Defect | None:
        given = {
            key: path
            for key in ("path", "path_prefix", "path_pattern")
            if (path := getattr(self, key)) is not None
        }
        if len(given) != 1:
            told = "needs one of 'path', 'path_prefix' and 'path_pattern'"
            return Defect("stubs/path", told, ["request"])
        ((key, path),) = given.items()
        if not path.startswith("/") or "?" in path:
            return Defect(
                "stubs/path",
                f"can never match the path {path!r}",
                ["request", key],
                "begin it with '/', and ask for a query as query = { name = 'value' }",
            )
        if key == "path_pattern" and not _TEMPLATE.fullmatch(path):
            return Defect(
                "stubs/path", f"has an unreadable pattern {path!r}", ["request", key],
                "write each part that varies as {name}",
            )  # fmt: skip
        return None

    @property
    def bodies(self) -> list[str]:
        """The keys that ask for a body."""
        given = {
            "json": self.json is not msgspec.UNSET,
            "json_includes": self.json_includes is not msgspec.UNSET,
            "form": self.form is not None,
            "body": self.body is not None,
        }
        return [key for key, is_given in given.items() if is_given]

    def _body_defect(self) -> Defect | None:
        given = self.bodies
        if len(given) < 2:
            return None
        told = f"asks for both {given[0]!r} and {given[1]!r} of one body"
        return Defect("stubs/request", told, ["request", given[1]])

    def _matcher_defect(self) -> Defect | None:
        texts: dict[str, Mapping[str, Any]] = {
            "query": self.query, "headers": self.headers, "form": self.form or {}
        }  # fmt: skip
        for key, values in texts.items():
            for name, value in values.items():
                if isinstance(value, dict) and not value.keys() & {"any", "pattern"}:
                    told = "is neither text nor { any = … } nor { pattern = … }"
                else:
                    told = defect(value, is_text=True)
                if told:
                    return Defect("stubs/request", f"{key} {name}: {told}", ["request", key, name])
        for key in ("json", "json_includes"):
            if told := defect(getattr(self, key)):
                return Defect("stubs/request", f"{key}: {told}", ["request", key])
        return None


class Times(NamedTuple):
    """How often a stub must answer, where it was selected by name, and how often it may."""

    least: int = 1
    most: int | None = None

    @classmethod
    def parse(cls, text: int | str) -> Times | None:
        """Read a number, ``2``, or a range, ``0..3``, ``1..``; None: it is neither."""
        found = re.fullmatch(r"(\d+)(\.\.(\d*))?", str(text), re.ASCII)
        if found is None:
            return None
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        is_possible = most is None or (most >= least and most > 0)
        return cls(least, most) if is_possible else None

    def __str__(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"{self.least}..{'' if self.most is None else self.most}"


@dataclass(frozen=True, slots=True)
class Stub:
    """A named answer. Of several replies each is given once, in order, the last for ever."""

    name: str
    request: Request
    replies: tuple[Reply, ...]
    where: str
    times: Times = Times()  # noqa: RUF009 - it is a tuple, which nothing changes
    compute: Callable[[Call], Reply] | None = None
    """Where it is there, it makes the reply to each call, and may raise whatever it likes."""

    def is_used_up(self, used: int) -> bool:
        """Tell whether a stub that has answered `used` times answers no more."""
        return self.times.most is not None and used >= self.times.most

    def reply(self, used: int) -> Reply:
        """Return the reply of a stub that has answered `used` times before."""
        return self.replies[min(used, len(self.replies) - 1)]


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stub as it is declared, which may be one that cannot be."""

    name: str
    request: Request
    reply: Reply | None = None
    replies: tuple[Reply, ...] = ()
    times: int | str | None = None

    @property
    def _all(self) -> tuple[Reply, ...]:
        return self.replies or ((self.reply,) if self.reply else ())

    def defect(self) -> Defect | None:
        """Return the first thing that the declaration cannot mean; None: it is sound."""
        if not self._all or (self.reply and self.replies):
            return Defect("stubs/reply", "needs either 'reply' or 'replies'")
        if found := self.request.defect():
            return found
        if self.times is not None and Times.parse(self.times) is None:
            return Defect(
                "stubs/times", f"cannot be called {self.times!r} times", ["times"],
                "write how often: 2, or a range, '1..' or '0..3'",
            )  # fmt: skip
        for number, reply in enumerate(self._all):
            below = ["reply"] if self.reply else ["replies", number]
            if found := reply.defect(self.request.method):
                return found._replace(path=[*below, *found.path])
        return None

    def stub(self, where: str) -> Stub:
        """Return what a sound declaration means."""
        times = Times() if self.times is None else Times.parse(self.times) or Times()
        return Stub(self.name, self.request, self._all, where, times)


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
    return (
        _path_difference(request, call)
        or _pairs_difference("query", request.query, call.pairs)
        or _extra_difference(request, call)
        or _header_difference(request, call)
        or _json_difference(request, call)
        or _text_difference(request, call)
    )


def _path_difference(request: Request, call: Call) -> str | None:
    if request.path_pattern is not None:
        wanted = request.path_pattern
        matches = _pattern(wanted).fullmatch(call.path) is not None
    elif request.path_prefix is not None:
        wanted, matches = f"{request.path_prefix}…", call.path.startswith(request.path_prefix)
    else:
        wanted, matches = f"{request.path}", call.path == request.path
    return None if matches else f"path: wanted {wanted}, got {call.path}"


_TEMPLATE = re.compile(r"(?:[^{}]|\{\w+\})*")


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    """Return the expression of ``/users/{id}``, in which a name is one segment or a part of it."""
    parts = re.split(r"\{\w+\}", template)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def _pairs_difference(
    field: str, wanted: Mapping[str, Text | list[str]], pairs: Sequence[tuple[str, str]]
) -> str | None:
    for name, value in wanted.items():
        got = [one for key, one in pairs if key == name]
        each = value if isinstance(value, list) else [value]
        if len(got) != len(each) or not all(map(text_fits, each, got)):
            told = ", ".join(map(repr, got)) or "nothing"
            return f"{field} {name}: wanted {value!r}, got {told}"
    return None


def _extra_difference(request: Request, call: Call) -> str | None:
    for name, value in call.pairs if request.query_exact else ():
        if name not in request.query:
            return f"query {name}: wanted nothing, got {value!r}"
    return None


def _header_difference(request: Request, call: Call) -> str | None:
    for name, wanted in request.headers.items():
        got = call.headers.get(name.lower())
        if got is None or not text_fits(wanted, got):
            return f"header {name}: wanted {wanted!r}, got {got!r}"
    return None


def _json_difference(request: Request, call: Call) -> str | None:
    is_part = request.json_includes is not msgspec.UNSET
    wanted = request.json_includes if is_part else request.json
    if wanted is msgspec.UNSET:
        return None
    field = "json_includes" if is_part else "json"
    try:
        got = msgspec.json.decode(call.body)
    except (ValueError, RecursionError):  # ValueError: not JSON, or not even UTF-8
        return f"{field}: wanted {wanted!r}, got a body that is not JSON"
    if fits(wanted, got, may_have_more=is_part):
        return None
    return f"{field}: wanted {wanted!r}, got {got!r}"


def _text_difference(request: Request, call: Call) -> str | None:
    if request.form is None and request.body is None:
        return None
    got = call.body.decode("utf-8", "surrogateescape")
    if request.form is not None:
        pairs = parse_qsl(got, keep_blank_values=True, errors="surrogateescape")
        return _pairs_difference("form", request.form, pairs)
    return None if got == request.body else f"body: wanted {request.body!r}, got {got!r}"


def choose(stubs: Sequence[Stub], call: Call, used: Mapping[str, int] = _NONE) -> Stub | None:
    """Return the first stub that matches and is not used up, or None.

    `used` is how often each, by name, has answered.
    """
    return next(
        (
            stub
            for stub in stubs
            if difference(stub.request, call) is None
            and not stub.is_used_up(used.get(stub.name, 0))
        ),
        None,
    )


def explain(stubs: Sequence[Stub], call: Call, used: Mapping[str, int] = _NONE) -> str:
    """Say why no stub answered: each candidate with the first field that differed, closest first.

    Those that are used up come last.
    """
    if not stubs:
        return f"no stub answers {call}: none is selected"
    lines = []
    for stub in stubs:
        told, count = difference(stub.request, call), used.get(stub.name, 0)
        if told is None and stub.is_used_up(count):
            told = f"used up: answered {count} of {stub.times.most}"
        if told is not None:
            lines.append((_closeness(told), f"  {stub.name} ({stub.where}): {told}"))
    return "\n".join([f"no stub answers {call}", *(line for _, line in sorted(lines))])


def _closeness(told: str) -> int:
    order = ("json", "json_includes", "form", "body", "header", "query", "path", "method", "used")
    return order.index(told.split(":")[0].split(" ")[0])
