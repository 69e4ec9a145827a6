"""The operations of an OpenAPI document: their paths, parameters and responses. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.schema import Place, Schemas
from harness.stub import Request

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_NAME = re.compile(r"\{([^{}/]*)\}")
_STATUS = re.compile(r"[1-5](\d\d|XX)|default", re.IGNORECASE)
_ANY = "\0"
"""Stands for a text that is not known, and is part of no path."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `where` is ``path``, ``query``, ``header`` or ``cookie``."""

    name: str
    where: str
    is_required: bool
    place: Place


@dataclass(frozen=True, eq=False)
class Operation:
    """A method at a path, which begins with a server's `base`. `responses` by status as written."""

    method: str
    base: str
    path: str
    place: Place
    path_place: Place
    parameters: tuple[Parameter, ...]
    responses: dict[str, Place]
    has_free_query: bool = False

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.base}{self.path}"

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses that are documented: ``200``, ``4XX``, ``default``."""
        return tuple(self.responses)

    def status_key(self, status: int) -> str | None:
        """Return the documented status that one falls under; None: there is none."""
        known = {key.lower(): key for key in self.responses}
        keys = (str(status), f"{status // 100}xx", "default")
        return next((known[key] for key in keys if key in known), None)

    def response(self, status: int) -> Place | None:
        """Return what is documented of a status; None: nothing is."""
        key = self.status_key(status)
        return None if key is None else self.responses[key]

    def parameter(self, where: str, name: str) -> Parameter | None:
        """Return a parameter; of ``filter[a]`` and ``list[]`` what stands before the bracket."""

        def known(text: str) -> str:
            return text.lower() if where == "header" else text

        named = {known(one.name): one for one in self.parameters if one.where == where}
        found = named.get(known(name))
        return found or named.get(name.partition("[")[0]) if where == "query" else found

    def names_in(self, where: str) -> list[str]:
        """Return the names of the parameters there."""
        return [one.name for one in self.parameters if one.where == where]

    @property
    def vagueness(self) -> tuple[int, ...]:
        """How little each part of the path says; what is written out comes before what varies."""
        return tuple(
            2 if _NAME.fullmatch(part) else int("{" in part)
            for part in f"{self.base}{self.path}".split("/")
        )

    def fits(self, request: Request) -> bool:
        """Tell whether a request that a stub asks for, or one of them, goes to this path."""
        own = f"{self.base}{self.path}".split("/")
        ((key, path),) = request.paths.items()
        asked = path.split("/")
        if key == "path":
            return len(own) == len(asked) and all(map(_matches, own, asked))
        if key == "path_prefix":
            *whole, last = asked
            return len(own) >= len(asked) and all(map(_is_alike, own, whole)) and (
                "{" in own[len(whole)] or unquote(own[len(whole)]).startswith(last)
            )  # fmt: skip
        return len(own) == len(asked) and all(map(_is_alike, own, asked))

    def texts_in(self, path: str) -> dict[str, str]:
        """Return what stands in a path for each name in this one's; empty where it is another."""
        own = f"{self.base}{self.path}"
        found = _expression(own).fullmatch(path)
        return dict(zip(_NAME.findall(own), found.groups(), strict=True)) if found else {}


def operations_of(schemas: Schemas) -> tuple[Operation, ...]:
    """Return every operation of a document, once for each base path. Raises UsageError."""
    keys = {
        place.value["name"]
        for place in schemas.below(schemas.root, "components", "securitySchemes").values()
        if _has(place, "in", "query") and isinstance(place.value.get("name"), str)
    }
    return tuple(
        operation
        for path, at_path in schemas.below(schemas.root, "paths").items()
        for method, place in schemas.below(at_path).items()
        if method in _METHODS and isinstance(place.value, dict)
        for operation in _operations(schemas, path, at_path, method, place, keys)
    )


def _operations(
    schemas: Schemas, path: str, at_path: Place, method: str, place: Place, keys: set[str]
) -> Iterator[Operation]:
    found = {}
    for holder in (at_path, place):
        for one in schemas.each(holder, "parameters"):
            if isinstance(one.value, dict) and isinstance(one.value.get("name"), str):
                name, where = one.value["name"], str(one.value.get("in"))
                is_required = one.value.get("required") is True
                found[name, where] = Parameter(name, where, is_required, one)
    for key in keys:
        found.setdefault((key, "query"), Parameter(key, "query", False, place))
    is_free = any(
        one.where in ("query", "querystring") and _is_table(schemas, one) for one in found.values()
    )
    for base in _bases(schemas, place, at_path, schemas.root):
        yield Operation(
            method, base, path, place, at_path, tuple(found.values()),
            _responses(schemas, place), is_free,
        )  # fmt: skip


def _responses(schemas: Schemas, place: Place) -> dict[str, Place]:
    found = schemas.below(place, "responses")
    return {key: one for key, one in found.items() if _STATUS.fullmatch(key)}


def _is_table(schemas: Schemas, parameter: Parameter) -> bool:
    """Tell whether a parameter's own name is not what is sent, but those of its properties."""
    if parameter.where == "querystring":
        return True
    schema, about = schemas.at(parameter.place, "schema"), parameter.place.value
    is_spread = about.get("style", "form") == "form" and about.get("explode", True) is True
    return (
        is_spread
        and schema is not None
        and (_has(schema, "type", "object") or bool(schemas.below(schema, "properties")))
    )


def _has(place: Place, key: str, value: Any) -> bool:
    return isinstance(place.value, dict) and place.value.get(key) == value


def _bases(schemas: Schemas, *holders: Place) -> list[str]:
    """Return the paths below which the first of these that says so has its own."""
    for holder in holders:
        bases = []
        for server in schemas.each(holder, "servers"):
            url = schemas.at(server, "url")
            if url is not None and isinstance(url.value, str):
                text = url.value
                for name, about in schemas.below(server, "variables").items():
                    default = schemas.at(about, "default")
                    text = text.replace(f"{{{name}}}", str(default.value) if default else "")
                bases.append(_path_of(text))
        if bases:
            return list(dict.fromkeys(bases))
    return [""]


def _path_of(url: str) -> str:
    try:
        path = urlsplit(url).path
    except ValueError:  # of brackets that do not match
        path = ""
    path = path.lstrip(".").rstrip("/")
    return path if path.startswith("/") or not path else f"/{path}"


@functools.cache
def _expression(template: str) -> re.Pattern[str]:
    """Return the expression of a path, or a part of one, in which a name is not empty."""
    parts = _NAME.split(template)[::2]
    return re.compile("([^/]+)".join(re.escape(unquote(part)) for part in parts))


def _matches(template: str, text: str) -> bool:
    return _expression(template).fullmatch(text) is not None


def _is_alike(template: str, other: str) -> bool:
    """Tell whether there may be a text that two parts of paths with names in them both match."""
    expression = "([^/]+)".join(map(re.escape, _NAME.split(other)[::2]))
    own = unquote(_NAME.sub(_ANY, template))
    return _matches(template, _NAME.sub(_ANY, other)) or bool(re.fullmatch(expression, own))
