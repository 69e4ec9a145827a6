"""A canned answer with its matcher: chosen for a call, or explained. Pure.

How often a stub was used is counted by the stand-in, which passes the counts in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec

from harness.document import Document, Step
from harness.errors import PlanError, UsageError, nearest
from harness.pace import parse_duration


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a call must look like. `query` and `headers` name what must be there; more may be."""

    method: str
    path: str
    query: dict[str, str | list[str]] = {}
    headers: dict[str, str] = {}
    json: Any = msgspec.UNSET


Status = Annotated[int, msgspec.Meta(ge=200, le=599)]


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is answered: `json` or `text`, after `delay` (``2s``, ``50ms``)."""

    status: Status = 200
    headers: dict[str, str] = {}
    json: Any = msgspec.UNSET
    text: str | None = None
    delay: str | None = None

    @property
    def delay_s(self) -> float:
        """The delay in seconds."""
        return float(parse_duration(self.delay)) if self.delay else 0.0

    def content(self) -> tuple[dict[str, str], bytes]:
        """Return the headers, with a content type where none is given, and the body."""
        if self.json is not msgspec.UNSET:
            kind, body = "application/json", msgspec.json.encode(self.json)
        else:
            kind, body = "text/plain; charset=utf-8", (self.text or "").encode()
        given = {name.lower() for name in self.headers}
        extra = {} if "content-type" in given or not body else {"Content-Type": kind}
        return {**extra, **self.headers}, body


class _Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stub as a file declares it."""

    name: str
    request: Request
    reply: Reply | None = None
    replies: tuple[Reply, ...] = ()


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


def parse_stubs(text: str, source: str) -> tuple[Stub, ...]:
    """Read a file of ``[[stub]]`` tables. Raises PlanError."""
    document = Document(text, source)
    unknown = [key for key in document.tables if key != "stub"]
    if unknown:
        raise document.error(
            "plan/unknown-key",
            f"unknown key {unknown[0]!r}",
            unknown,
            nearest(unknown[0], ["stub"]),
        )
    declared = document.tables.get("stub", [])
    if not isinstance(declared, list) or not declared:
        raise PlanError("stubs/none", "no [[stub]] in this file", where=source)
    stubs = tuple(_stub(document, raw, index) for index, raw in enumerate(declared))
    refuse_twins(stubs)
    return stubs


def _stub(document: Document, raw: object, index: int) -> Stub:
    path = ("stub", index)
    found = document.read(raw, _Declared, path)
    replies = found.replies or ((found.reply,) if found.reply else ())
    if not replies or (found.reply and found.replies):
        raise document.error(
            "stubs/reply", f"stub {found.name!r} needs either 'reply' or 'replies'", path
        )
    if not found.request.path.startswith("/") or "?" in found.request.path:
        raise document.error(
            "stubs/path",
            f"stub {found.name!r} can never match the path {found.request.path!r}",
            [*path, "request", "path"],
            "begin it with '/', and ask for a query as query = { name = 'value' }",
        )
    for number, reply in enumerate(replies):
        below = ["reply"] if found.reply else ["replies", number]
        _check_reply(document, found.name, reply, [*path, *below])
    return Stub(found.name, found.request, replies, document.where(path))


_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})


def _check_reply(document: Document, name: str, reply: Reply, path: Sequence[Step]) -> None:
    has_json = reply.json is not msgspec.UNSET
    if has_json and reply.text is not None:
        raise document.error("stubs/reply", f"stub {name!r} gives both 'json' and 'text'", path)
    if reply.status in (204, 304) and (has_json or reply.text):
        raise document.error(
            "stubs/reply", f"stub {name!r} gives a body, which a {reply.status} never has", path
        )
    for header, value in reply.headers.items():
        if header.lower() in _FRAMING or not _HEADER.fullmatch(f"{header}:{value}"):
            raise document.error(
                "stubs/header",
                f"stub {name!r} cannot send the header {header!r}: {value!r}",
                [*path, "headers", header],
                f"write one line; {', '.join(sorted(_FRAMING))} are the stand-in's own",
            )
    try:
        _ = reply.delay_s
    except UsageError as error:
        raise document.error(error.slug, error.message, [*path, "delay"], error.next_step) from None


_HEADER = re.compile(r"[!#$%&'*+.^_`|~\w-]+:[^\r\n\0]*", re.ASCII)


def refuse_twins(stubs: Iterable[Stub]) -> None:
    """Raise PlanError where two of these stubs have the same name."""
    seen: dict[str, Stub] = {}
    for stub in stubs:
        first = seen.setdefault(stub.name, stub)
        if first is not stub:
            raise PlanError(
                "stubs/twice",
                f"the stub {stub.name!r} is declared twice, first at {first.where}",
                where=stub.where,
            )
