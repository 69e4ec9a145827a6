"""Stubs as files and tests declare them, read strictly."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.document import Document, Step
from harness.errors import PlanError, nearest
from harness.reply import Reply
from harness.stub import STARTED, Call, Declared, Stub


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
    stubs = tuple(_read(document, raw, ("stub", index)) for index, raw in enumerate(declared))
    refuse_twins(stubs)
    return stubs


def _read(document: Document, raw: object, path: Sequence[Step]) -> Stub:
    declared = document.read(raw, Declared, path)
    defect = declared.defect()
    if defect is not None:
        told = f"stub {declared.name!r} {defect.message}"
        raise document.error(defect.slug, told, [*path, *defect.path], defect.next_step)
    return declared.stub(document.where(path))


def read_stub(
    where: str,
    method: str | None,
    path: str | None,
    *,
    reply: Any,
    name: str = "",
    times: int | str | None = None,
    after: str | None = None,
    needs: Mapping[str, str] | None = None,
    sets: Mapping[str, str] | None = None,
    contradicts: str | None = None,
    **request: Any,
) -> Stub:
    """Read a stub that a test declares at `where`, in the words that a file has.

    `reply` is one as in a file, a list of them, or a function that makes one of a call. Without
    a `name` it is called by method and path. Raises PlanError.
    """
    replies = [{}] if callable(reply) else reply if isinstance(reply, list) else [reply]
    asked = {"method": method, **({} if path is None else {"path": path}), **request}
    told_path = next((asked[key] for key in asked if key.startswith("path")), "")
    is_refusal = method is None and path is None and not request
    raw = {
        "name": name or ("refused" if is_refusal else f"{method} {told_path}"),
        "request": None if is_refusal else asked, "replies": replies,
        "times": times, "after": after, "needs": needs or {}, "sets": sets or {},
        "contradicts": contradicts,
    }  # fmt: skip
    with _at(where):
        stub = _read(Document("", where), raw, ())
        return replace(stub, compute=_computed(stub, reply) if callable(reply) else None)


def _computed(stub: Stub, function: Callable[[Call], Any]) -> Callable[[Call], Reply]:
    def compute(call: Call) -> Reply:
        with _at(stub.where):
            return _reply(Document("", stub.where), function(call), stub.request.method)

    return compute


def _reply(document: Document, raw: object, method: str) -> Reply:
    reply = document.read(raw, Reply, ())
    if found := reply.defect(method):
        raise document.error(found.slug, f"the reply {found.message}", (), found.next_step)
    return reply


@contextlib.contextmanager
def _at(where: str) -> Iterator[None]:
    """Tell of an error only the line of a test: there is no text with lines of its own."""
    try:
        yield
    except PlanError as error:
        error.where = where
        raise


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


def refuse_unreachable(stubs: Sequence[Stub]) -> None:
    """Raise PlanError where one of a stand-in's stubs waits for what none of them does."""
    names = {stub.name for stub in stubs}
    values: dict[str, set[str]] = {}
    for stub in stubs:
        for state, value in stub.sets.items():
            values.setdefault(state, {STARTED}).add(value)
    for stub in stubs:
        if stub.after is not None and stub.after not in names - {stub.name}:
            told = f"stub {stub.name!r} comes after {stub.after!r}, which is no other stub"
            raise _unreachable(stub, told, nearest(stub.after, names - {stub.name}))
        for state, value in stub.needs.items():
            if state not in values:
                told = f"stub {stub.name!r} needs the state {state!r}, which no stub sets"
                raise _unreachable(stub, told, nearest(state, values))
            if value not in values[state]:
                told = f"stub {stub.name!r} needs {state} to be {value!r}, to which no stub sets it"
                raise _unreachable(stub, told, nearest(value, values[state]))
    _refuse_circle(stubs)


def _refuse_circle(stubs: Sequence[Stub]) -> None:
    after = {stub.name: stub for stub in stubs if stub.after is not None}
    sound: set[str] = set()
    for first in after:
        path: dict[str, None] = {}
        name: str | None = first
        while name in after and name not in sound and name not in path:
            path[name] = None
            name = after[name].after
        if name in path:
            names = list(path)
            told = " after ".join([*names[names.index(name) :], name])
            raise _unreachable(
                after[name], f"stub {name!r} comes after itself: {told}",
                "let one of them come first, without 'after'",
            )  # fmt: skip
        sound.update(path)


def _unreachable(stub: Stub, told: str, next_step: str) -> PlanError:
    return PlanError("stubs/unreachable", told, where=stub.where, next_step=next_step)
