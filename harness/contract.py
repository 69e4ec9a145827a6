"""What an OpenAPI document promises, and where a stub or an answer contradicts it. Pure.

Nothing is demanded that the document does not say: headers of a request are free, and so is what a
stub leaves open. A request that is only ever refused, by replies of 4xx, may be wrong: that is why.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from harness.errors import PlanError, UsageError
from harness.matcher import examples_of
from harness.operation import Operation, Parameter, operations_of
from harness.reply import Reply
from harness.schema import Place, Schemas, Sent, Wrong, pointer
from harness.stub import Call, Request, Stub

_FORM = "application/x-www-form-urlencoded"
_MOST = 5
_NOTHING: Any = msgspec.UNSET


class Contradiction(NamedTuple):
    """Where in a stub or an answer something is wrong, by which place of the document, and why."""

    at: str
    document: str
    told: str

    def __str__(self) -> str:
        return f"{self.at}: {self.told} ({self.document})"


class Contract:
    """The operations of a document, and what they allow. Raises UsageError for one that is broken.

    `source` is its path. Every method raises UsageError for a part of the document that it needs
    and that cannot be used.
    """

    def __init__(self, tables: Mapping[str, Any], source: str) -> None:
        try:
            self._schemas = Schemas(tables, source)
            self.operations = operations_of(self._schemas)
        except RecursionError:
            raise UsageError(
                "plan/openapi", "the document is nested too deeply", where=source
            ) from None
        self.source = source

    def meant(self, request: Request) -> list[Operation]:
        """Return the operations that a stub's request may be for: of a whole path, one at most."""
        methods = {request.method.lower(), "get" if request.method.upper() == "HEAD" else ""}
        fitting = [one for one in self.operations if one.method in methods and one.fits(request)]
        if request.path is None or not fitting:
            return fitting
        return [min(fitting, key=lambda one: (one.vagueness, one.method != request.method.lower()))]

    def checked(self, stub: Stub) -> Stub:
        """Return a stub whose computed replies are checked as they are made.

        Raises PlanError where it contradicts the document by what it declares.
        """
        __tracebackhide__ = True
        if stub.contradicts or stub.refuses:
            return stub
        self._refuse(stub, self.contradictions(stub))
        return replace(stub, compute=self._checking(stub)) if stub.compute else stub

    def _checking(self, stub: Stub) -> Any:
        def compute(call: Call) -> Reply:
            assert stub.compute is not None
            reply = stub.compute(call)
            self._refuse(stub, self.contradictions(replace(stub, replies=(reply,), compute=None)))
            return reply

        return compute

    def _refuse(self, stub: Stub, found: list[Contradiction]) -> None:
        __tracebackhide__ = True
        if found:
            more = f"\n  and {len(found) - _MOST} more" if len(found) > _MOST else ""
            raise PlanError(
                "stubs/contradiction",
                f"the stub {stub.name!r} contradicts {self.source}"
                + "".join(f"\n  {one}" for one in found[:_MOST]) + more,
                where=stub.where,
                next_step="change the stub or the document, or say why it is to be wrong: "
                "contradicts = 'REASON'",
            )  # fmt: skip

    def contradictions(self, stub: Stub) -> list[Contradiction]:
        """Return what of a stub the document does not allow, whatever the stub says of that.

        Of several operations that its request may be for, the one that allows most counts.
        """
        found = self.meant(stub.request)
        if not found:
            return [self._no_operation(stub.request)]
        return min((list(self._of(stub, one)) for one in found), key=len)

    def _no_operation(self, request: Request) -> Contradiction:
        at_path = [one for one in self.operations if one.fits(request)]
        if at_path:
            known = ", ".join(sorted({one.method.upper() for one in at_path}))
            told = f"expected {known}, found {request.method.upper()}"
            return Contradiction("/request/method", at_path[0].path_place.pointer, told)
        ((key, path),) = request.paths.items()
        bases = sorted({one.base for one in self.operations} - {""})
        below = f", which are below {' and '.join(bases)}" if bases else ""
        told = f"found {path!r}, expected one of the document's paths{below}"
        return Contradiction(f"/request/{key}", "#/paths", told)

    def _of(self, stub: Stub, operation: Operation) -> Iterator[Contradiction]:
        if not stub.compute and not all(400 <= one.status < 500 for one in stub.replies):
            yield from self._asked(stub.request, operation)
        if not stub.compute:
            is_head = stub.request.method.upper() == "HEAD"
            for number, reply in enumerate(stub.replies):
                at = "/reply" if len(stub.replies) == 1 else f"/replies/{number}"
                yield from self._replied(reply, operation, at, is_head=is_head)

    # a request

    def _asked(self, request: Request, operation: Operation) -> Iterator[Contradiction]:
        for name, text in operation.texts_in(request.path or "").items():
            yield from self._text(operation.parameter("path", name), text, "/request/path")
        yield from self._query(request, operation)
        for name, wanted in request.headers.items():
            found = operation.parameter("header", name)
            yield from self._text(found, wanted, f"/request/headers{pointer([name])}")
        yield from self._request_body(request, operation)

    def _query(self, request: Request, operation: Operation) -> Iterator[Contradiction]:
        for name, wanted in request.query.items():
            at = f"/request/query{pointer([name])}"
            found = operation.parameter("query", name)
            if found is None and not operation.has_free_query:
                known = ", ".join(operation.names_in("query")) or "no query"
                yield Contradiction(
                    at, operation.place.pointer, f"found {name!r}, expected {known}"
                )
            yield from self._text(found, wanted, at)
        for one in operation.parameters if request.query_exact else ():
            if one.where == "query" and one.is_required and one.name not in request.query:
                told = f"expected {one.name!r}, which is required, found nothing and 'query_exact'"
                yield Contradiction("/request/query", one.place.pointer, told)

    def _text(self, parameter: Parameter | None, wanted: Any, at: str) -> Iterator[Contradiction]:
        """Check a text, or by the type that it carries a matcher, against a parameter's schema."""
        schema = self._schemas.at(parameter.place, "schema") if parameter else None
        if schema is None:
            return
        sample, is_example = wanted, isinstance(wanted, dict)
        if is_example:
            sample = {"integer": "1", "number": "1", "boolean": "true"}.get(wanted.get("any", ""))
            if sample is None:
                return
        yield from self._text_at(schema, sample, at, [()] if is_example else [])

    def _text_at(
        self,
        schema: Place,
        text: str | list[str],
        at: str,
        examples: Collection[tuple[Any, ...]] = (),
    ) -> Iterator[Contradiction]:
        """Check a text, or several of one name, as whatever they may be the writing of."""
        found: list[Wrong] = []
        for value in _readings(schema, text):
            found = self._schemas.wrong(schema, value, Sent.REQUEST, examples)
            if not found:
                return
        for one in found:
            yield Contradiction(at, one.document, one.told)

    def _request_body(self, request: Request, operation: Operation) -> Iterator[Contradiction]:
        for key in request.bodies:
            wanted = getattr(request, key)
            at = f"/request/{key}"
            kinds = self._schemas.below(operation.place, "requestBody", "content")
            if not kinds:
                yield Contradiction(at, operation.place.pointer, "found a body, expected none")
                continue
            found = _kind(kinds, _asked_kind(request, key))
            if found is None and key != "body":
                told = f"found {key}, expected {', '.join(kinds)}"
                yield Contradiction(at, f"{operation.place.pointer}/requestBody/content", told)
            schema = self._schemas.at(found, "schema")
            if schema is None:
                continue
            if key == "form":
                yield from self._form(schema, wanted)
            elif key != "body":
                sent = Sent.PART if key == "json_includes" else Sent.REQUEST
                value, examples = examples_of(wanted)
                yield from self._value(schema, value, sent, at, examples)

    def _form(self, schema: Place, wanted: Mapping[str, Any]) -> Iterator[Contradiction]:
        known = self._schemas.below(schema, "properties")
        is_closed = isinstance(schema.value, dict) and schema.value.get("additionalProperties")
        for name, text in wanted.items():
            at = f"/request/form{pointer([name])}"
            if name in known and isinstance(text, str):
                yield from self._text_at(known[name], text, at)
            elif name not in known and is_closed is False:
                told = f"found {name!r}, expected {', '.join(known)}"
                yield Contradiction(at, schema.pointer, told)

    # a reply

    def _replied(
        self, reply: Reply, operation: Operation, at: str, *, is_head: bool
    ) -> Iterator[Contradiction]:
        if reply.fault:
            return
        headers, body = reply.content()
        kind, key = "", "text" if reply.json is msgspec.UNSET else "json"
        value: Any = _NOTHING
        if body:
            kind = next(value for name, value in headers.items() if name.lower() == "content-type")
            value = body.decode()
        if body and is_json(kind):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                told = f"expected JSON, as Content-Type says, found {value[:60]!r}"
                yield Contradiction(f"{at}/{key}", operation.place.pointer, told)
                return
        body_at = None if is_head else f"{at}/{key}"
        yield from self.answered(operation, reply.status, headers, kind, value, at, body_at)

    def answered(
        self, operation: Operation, status: int, headers: Mapping[str, str], kind: str = "",
        value: Any = _NOTHING, at: str = "", body_at: str | None = "/body",
    ) -> Iterator[Contradiction]:  # fmt: skip
        """Yield what of an answer an operation does not allow.

        `kind` is the media type of the body and `value` what it says: of JSON the value, of
        others a text or what it was read as. `at` is where the answer stands, `body_at` its body;
        None: it has none.
        """
        response = operation.response(status)
        if response is None:
            known = ", ".join(operation.statuses)
            told = f"found {status}, expected {known}"
            yield Contradiction(f"{at}/status", f"{operation.place.pointer}/responses", told)
            return
        yield from self._headers(response, headers, at)
        kinds = self._schemas.below(response, "content")
        is_text = not kind and not all(map(is_json, kinds))  # and an empty one is a text, too
        if body_at is None or not kinds or is_text:
            return
        found = _kind(kinds, kind)
        if found is None:
            told = f"found {kind or 'no body'}, expected {', '.join(kinds)}"
            where = body_at if value is _NOTHING else f"{at}/headers/Content-Type"
            yield Contradiction(where, f"{response.pointer}/content", told)
            return
        schema = self._schemas.at(found, "schema")
        if schema is not None and value is not _NOTHING:
            yield from self._value(schema, value, Sent.REPLY, body_at)

    def _headers(
        self, response: Place, headers: Mapping[str, str], at: str
    ) -> Iterator[Contradiction]:
        given = {name.lower(): (name, value) for name, value in headers.items()}
        for name, place in self._schemas.below(response, "headers").items():
            schema = self._schemas.at(place, "schema")
            if name.lower() == "content-type" or not isinstance(place.value, dict):
                continue
            if name.lower() not in given:
                if place.value.get("required") is True:
                    told = f"expected the header {name}, found none"
                    yield Contradiction(f"{at}/headers", place.pointer, told)
            elif schema is not None:
                shown, value = given[name.lower()]
                yield from self._text_at(schema, value, f"{at}/headers{pointer([shown])}")

    def _value(
        self, schema: Place, value: Any, sent: Sent, at: str,
        examples: Collection[tuple[Any, ...]] = (),
    ) -> Iterator[Contradiction]:  # fmt: skip
        for one in self._schemas.wrong(schema, value, sent, examples):
            yield Contradiction(f"{at}{pointer(one.steps)}", one.document, one.told)


def is_json(kind: str) -> bool:
    """Tell whether a media type is JSON's: ``application/problem+json`` is."""
    name = kind.partition(";")[0].strip().lower()
    return name == "application/json" or name.endswith("+json")


def _asked_kind(request: Request, key: str) -> str:
    """Return the media type of the body that a stub asks for; empty: any."""
    for name, value in request.headers.items():
        if name.lower() == "content-type" and isinstance(value, str):
            return value
    return {"form": _FORM, "body": ""}.get(key, "application/json")


def _kind(kinds: Mapping[str, Place], asked: str) -> Place | None:
    """Return what is documented for a media type, or for JSON of any name; the nearest first."""
    names = {key.partition(";")[0].strip().lower(): place for key, place in kinds.items()}
    name = asked.partition(";")[0].strip().lower()
    for wanted in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if wanted in names:
            return names[wanted]
    alike = [place for key, place in names.items() if is_json(key)]
    return alike[0] if name == "application/json" and alike else None


def _readings(schema: Place, text: str | list[str]) -> Iterator[Any]:
    """Yield the values that a text in a query, a header or a form may be the writing of."""
    if isinstance(text, list) and len(text) == 1:
        text = text[0]
    kinds = schema.value.get("type", "array") if isinstance(schema.value, dict) else ""
    kinds = kinds if isinstance(kinds, str | list) else ""
    if "object" in kinds:
        return
    if "array" in kinds or isinstance(text, list):
        parts = text if isinstance(text, list) else text.split(",")
        yield parts
        yield [[part, *_scalars(part)][-1] for part in parts]
    if isinstance(text, str):
        yield text
        yield from _scalars(text)


def _scalars(text: str) -> Iterator[Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return
    if isinstance(value, bool | int | float) or value is None:
        yield value
