"""A TOML text read strictly: what is not known is an error, with its line and the nearest name."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from harness.errors import PlanError, nearest

T = TypeVar("T")
Step = str | int


class Document:
    """The tables of one TOML text, which knows where its keys stand."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self._text = text
        try:
            self.tables: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PlanError(
                "plan/not-toml", str(error), where=source, next_step="see https://toml.io"
            ) from None

    def where(self, path: Sequence[Step]) -> str:
        """Return ``file:line`` of the key at `path`, or of its nearest table that has a line."""
        return f"{self.source}:{self._line(path)}" if path else self.source

    def error(
        self, slug: str, message: str, path: Sequence[Step], next_step: str = ""
    ) -> PlanError:
        """Make the error for the value at `path`."""
        return PlanError(slug, message, where=self.where(path), next_step=next_step)

    def read(self, raw: object, as_type: type[T], path: Sequence[Step]) -> T:
        """Convert `raw`, the value at `path`, to `as_type`. Raises PlanError."""
        try:
            return msgspec.convert(raw, as_type)
        except msgspec.ValidationError as error:
            raise self._explained(str(error), as_type, path) from None

    def _explained(self, reason: str, as_type: Any, path: Sequence[Step]) -> PlanError:
        told, _, below = reason.partition(" - at `$")
        inner = [*path, *_steps(below.rstrip("`"))]
        unknown = re.match(r"Object contains unknown field `(.+)`", told)
        if unknown:
            name = unknown[1]
            return self.error(
                "plan/unknown-key",
                f"unknown key {name!r} in {_dotted(inner)}",
                [*inner, name],
                nearest(name, _fields(as_type, inner[len(path) :])),
            )
        missing = re.match(r"Object missing required field `(.+)`", told)
        if missing:
            return self.error(
                "plan/missing-key", f"{_dotted(inner)} needs the key {missing[1]!r}", inner
            )
        return self.error(
            "plan/wrong-type", f"{_dotted(inner)}: {told[:1].lower()}{told[1:]}", inner
        )

    @functools.cached_property
    def _lines(self) -> tuple[dict[tuple[Step, ...], int], dict[tuple[Step, ...], int]]:
        """The first line that names each path, and the first that names it or what is below it."""
        named: dict[tuple[Step, ...], int] = {}
        begun: dict[tuple[Step, ...], int] = {}
        for number, keys in _positions(self._text):
            named.setdefault(tuple(keys), number)
            for depth in range(1, len(keys) + 1):
                begun.setdefault(tuple(keys[:depth]), number)
        return named, begun

    def _line(self, path: Sequence[Step]) -> int:
        named, begun = self._lines
        above = (tuple(path[:depth]) for depth in range(len(path) - 1, 0, -1))
        return begun.get(tuple(path)) or next((named[one] for one in above if one in named), 1)


def _steps(below: str) -> Iterator[Step]:
    """Read msgspec's path, such as ``.replies[0].status``; ``[...]`` names no key."""
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", below):
        yield name or int(index)


def _dotted(path: Sequence[Step]) -> str:
    names = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path)
    return names.lstrip(".") or "the top level"


def _fields(as_type: Any, below: Sequence[Step]) -> list[str]:
    """Return the names that the structure `below` a type may have."""
    for step in (step for step in below if isinstance(step, str)):
        kinds = {f.name: f.type for f in msgspec.inspect.type_info(as_type).fields}  # type: ignore[attr-defined]  # a struct's own info
        found = kinds.get(step)
        while found is not None and not isinstance(found, msgspec.inspect.StructType):
            parts = getattr(found, "types", None) or (getattr(found, "item_type", None),)
            found = next((p for p in parts if not isinstance(p, msgspec.inspect.NoneType)), None)
        if found is None:
            return []
        as_type = found.cls
    return [f.encode_name for f in msgspec.structs.fields(as_type)]


_HEADER = re.compile(r"""\s*(\[{1,2})((?:"[^"]*"|'[^']*'|[^]"'])+)\]""")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_NAME = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"""|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[\[\]{}\n]''',
    re.DOTALL,
)


def _positions(text: str) -> Iterator[tuple[int, list[Step]]]:
    """Yield each line that opens a table or sets a key, with the path that it names.

    Where a table lies below an array of tables, that is the array's newest one so far.
    """
    table: list[Step] = []
    newest: dict[tuple[Step, ...], int] = {}
    for number, statement in _statements(text):
        header, key = _HEADER.match(statement), _KEY.match(statement)
        if header:
            table = _opened(list(_names(header[2])), newest, is_array=header[1] == "[[")
            yield number, table
        elif key:
            yield number, [*table, *_names(key[1])]


def _opened(
    names: Sequence[str], newest: dict[tuple[Step, ...], int], *, is_array: bool
) -> list[Step]:
    """Return the path of a table that is opened, with an index after each array of tables."""
    path: list[Step] = []
    for depth, name in enumerate(names, 1):
        path.append(name)
        array = tuple(path)
        if is_array and depth == len(names):
            newest[array] = newest.get(array, -1) + 1
        if array in newest:
            path.append(newest[array])
    return path


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield what opens a table or sets a key, values over several lines whole, with its line."""
    number, start, depth = 1, 0, 0
    for token in _TOKEN.finditer(text + "\n"):
        depth += (token[0] in ("[", "{")) - (token[0] in ("]", "}"))
        if token[0] == "\n" and depth == 0:
            statement = text[start : token.start()]
            yield number, statement
            number, start = number + statement.count("\n") + 1, token.end()


def _names(dotted: str) -> Iterator[str]:
    return (name.strip("\"'") for name in _NAME.findall(dotted))
