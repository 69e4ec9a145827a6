"""What tells one finding from another, whatever line it has moved to: a name and a statement.

A finding is known by its rule, the qualified name of the function around it and a hash of its
statement as Python understands it: blank space, comments, quotes and parentheses do not count, nor
does the version of Python. Of a compound statement only the head counts: ``if x:``.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

_BLOCKS = frozenset({"body", "orelse", "finalbody", "handlers", "cases"})
_DIGITS = 12

_Scope = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_HEADED = ast.stmt | ast.ExceptHandler | ast.match_case


@dataclass(frozen=True, slots=True)
class Place:
    """The qualified name around a line, a hash of its statement, and that one's lines.

    The hash is empty, and the lines are the line itself, where no statement is.
    """

    symbol: str
    snippet: str
    first: int
    last: int


@dataclass(slots=True)
class Anatomy:
    """Which statements stand on which lines of a module, and in which function."""

    _heads: dict[int, list[ast.AST]] = field(default_factory=dict)
    _symbols: dict[int, str] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, tree: ast.Module, lines: Collection[int] | None = None) -> Anatomy:
        """Look through a module, at any depth: all of it, or what the `lines` are in."""
        anatomy = cls()
        wanted = None if lines is None else sorted(lines)
        waiting: list[tuple[ast.AST, str]] = [(tree, "")]
        while waiting:
            node, symbol = waiting.pop()
            if isinstance(node, _Scope):
                symbol = f"{symbol}.{node.name}" if symbol else node.name
                anatomy._names.append(symbol)
                end = node.end_lineno or node.lineno
                lines = range(_first(node), end + 1)
                anatomy._symbols.update(dict.fromkeys(lines, symbol))
            if isinstance(node, _HEADED):
                for line in range(_first(node), _last(node) + 1):
                    anatomy._heads.setdefault(line, []).append(node)
            below = reversed(list(_statements(node)))
            waiting += [(child, symbol) for child in below if _holds(child, wanted)]
        return anatomy

    def at(self, line: int) -> Place:
        """Return what stands at a line, counted from 1."""
        symbol = self._symbols.get(line, "<module>")
        found = self._heads.get(line)
        if not found:
            return Place(symbol, "", line, line)
        shape = " ".join(part for node in found for part in _shape(node))
        return Place(symbol, _hash(shape), min(map(_first, found)), max(map(_last, found)))

    @property
    def names(self) -> str:
        """A hash of the names defined in what was looked through; empty where there are none."""
        return _hash("\n".join(sorted(self._names))) if self._names else ""


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_DIGITS]


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements directly below one; expressions hold none."""
    for name, value in ast.iter_fields(node):
        if name in _BLOCKS and isinstance(value, list):
            yield from value


def _holds(node: ast.AST, wanted: Sequence[int] | None) -> bool:
    """Tell whether a statement has any of the lines."""
    if wanted is None or isinstance(node, ast.match_case):  # that has no lines of its own
        return True
    at = bisect_left(wanted, _first(node))
    return at < len(wanted) and wanted[at] <= (getattr(node, "end_lineno", None) or wanted[at])


def _first(node: ast.AST) -> int:
    """Return the line on which a statement begins: a function does with its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([*(one.lineno for one in decorators), _began(node)])


def _began(node: ast.AST) -> int:
    began: int = getattr(node.pattern if isinstance(node, ast.match_case) else node, "lineno", 1)
    return began


def _last(node: ast.AST) -> int:
    """Return the line on which a statement, or its head, ends."""
    began = _began(node)
    if not any(True for _ in _statements(node)):
        return getattr(node, "end_lineno", None) or began
    ends = [began]
    waiting = list(_head(node))
    while waiting:
        part = waiting.pop()
        ends.append(getattr(part, "end_lineno", None) or began)
        waiting += ast.iter_child_nodes(part)
    return max(ends)


def _head(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST) and not _is_block(node, name):
                yield part


def _is_block(node: ast.AST, name: str) -> bool:
    return isinstance(node, _HEADED) and name in _BLOCKS


def _shape(node: ast.AST) -> Iterator[str]:
    """Write a statement down, the same on every Python: what is left out there is not written."""
    waiting: list[ast.AST | str] = [node]
    while waiting:  # and no recursion: expressions run deep
        part = waiting.pop()
        if isinstance(part, str):
            yield part
            continue
        yield f"({type(part).__name__}"
        waiting.append(")")
        for name, value in reversed(list(ast.iter_fields(part))):
            if not (_is_block(part, name) or name in ("ctx", "kind", "type_comment")):
                waiting += reversed(list(_written(part, name, value)))


def _written(part: ast.AST, name: str, value: object) -> Iterator[ast.AST | str]:
    if isinstance(part, ast.Constant):
        yield repr(value)
    elif value is not None and value != []:
        yield f"{name}="
        for item in value if isinstance(value, list) else [value]:
            yield item if isinstance(item, ast.AST) else repr(item)
