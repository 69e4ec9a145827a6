"""A canned answer, the call that it is for, and how a call differs from that. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from harness.matcher import defect, fits, text_fits
from harness.reply import OF_A_CONNECTION, Defect, Reply

STARTED = "started"
"""What a state is until a stub sets it."""

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

    @property
    def paths(self) -> dict[str, str]:
        """What the path must be like, under the key that says it; in a sound request, one."""
        return {
            key: path
            for key in ("path", "path_prefix", "path_pattern")
            if (path := getattr(self, key)) is not None
        }

    def _path_defect(self) -> Defect | None:
        given = self.paths
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


_NO_REQUEST = Request("")
"""No call is like it."""


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
    after: str | None = None
    """The stub of this stand-in that must have answered before."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """What states of the stand-in must be."""
    sets: Mapping[str, str] = field(default_factory=dict)
    """What states are once it has answered."""

    @property
    def refuses(self) -> bool:
        """Whether it is no answer, but has every connection fail while it is selected."""
        return self.replies[0].fault in OF_A_CONNECTION

    contradicts: str = ""
    """Why it is to be wrong by the stand-in's OpenAPI document; empty: it is not."""
    checked: date | None = None
    """When somebody last saw that the service answers so."""
    given: str = ""
    """``module:function``, which prepares the provider for the request."""

    def is_used_up(self, used: int) -> bool:
        """Tell whether a stub that has answered `used` times answers no more."""
        return self.times.most is not None and used >= self.times.most

    def reply(self, used: int) -> Reply:
        """Return the reply of a stub that has answered `used` times before."""
        return self.replies[min(used, len(self.replies) - 1)]


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stub as it is declared, which may be one that cannot be."""

    name: str
    request: Request | None = None
    reply: Reply | None = None
    replies: tuple[Reply, ...] = ()
    times: int | str | None = None
    after: str | None = None
    needs: dict[str, str] = {}
    sets: dict[str, str] = {}
    contradicts: Annotated[str, msgspec.Meta(pattern=r"\S")] | None = None
    checked: date | None = None
    given: str = ""

    @property
    def _all(self) -> tuple[Reply, ...]:
        return self.replies or ((self.reply,) if self.reply else ())

    def defect(self) -> Defect | None:
        """Return the first thing that the declaration cannot mean; None: it is sound."""
        if self.request is None:
            return self._refusal_defect()
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

    def _refusal_defect(self) -> Defect | None:
        fault = self._all[0].fault if self._all else None
        if len(self._all) > 1 or fault not in OF_A_CONNECTION:
            told, known = "needs the key 'request'", " and ".join(map(repr, OF_A_CONNECTION))
            return Defect("plan/missing-key", told, [], f"only the faults {known} go without")
        is_plain = self._all[0] == Reply(fault=fault)
        if not is_plain or self.times is not None or self.after or self.needs or self.sets:
            return Defect("stubs/fault", f"gives more than the fault {fault!r}, which has no call")
        return None

    def stub(self, where: str) -> Stub:
        """Return what a sound declaration means."""
        times = Times() if self.times is None else Times.parse(self.times) or Times()
        return Stub(
            self.name, self.request or _NO_REQUEST, self._all, where, times,
            after=self.after, needs=self.needs, sets=self.sets,
            contradicts=self.contradicts or "", checked=self.checked, given=self.given,
        )  # fmt: skip


class Call(msgspec.Struct, frozen=True):
    """A request that reached a stand-in.

    `path` is decoded, `query` is raw, header names are lower case.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return _on_one_line(f"{self.method} {self.path}{'?' + self.query if self.query else ''}")

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """The query's decoded pairs."""
        return _pairs(self.query) if len(self.query) < _LONG else _parsed(self.query)


def _on_one_line(text: str) -> str:
    """Write as Python does what cannot be seen, such as the end of a line."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


_LONG = 1000
"""Characters of a query that is too long to be remembered."""


def _parsed(query: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(query, keep_blank_values=True))


_pairs = functools.lru_cache(maxsize=256)(_parsed)


def difference(request: Request, call: Call) -> str | None:
    """Return the first field in which `call` differs from what a stub asks for; None: a match."""
    if call.method != request.method and call.method.upper() != request.method.upper():
        return f"method: wanted {request.method.upper()}, got {call.method.upper()}"
    return (
        path_difference(request, call)
        or _query_difference(request, call)
        or _header_difference(request, call)
        or _json_difference(request, call)
        or _text_difference(request, call)
    )


def path_difference(request: Request, call: Call) -> str | None:
    """Return how the path of `call` differs from what a stub asks for; None: it does not."""
    if request.path_pattern is not None:
        wanted = request.path_pattern
        matches = _pattern(wanted).fullmatch(call.path) is not None
    elif request.path_prefix is not None:
        wanted, matches = f"{request.path_prefix}…", call.path.startswith(request.path_prefix)
    else:
        wanted, matches = request.path or "", call.path == request.path
    return None if matches else f"path: wanted {wanted}, got {_on_one_line(call.path)}"


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


def _query_difference(request: Request, call: Call) -> str | None:
    if not request.query and not request.query_exact:
        return None
    pairs = call.pairs
    if told := _pairs_difference("query", request.query, pairs):
        return told
    for name, value in pairs if request.query_exact else ():
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
