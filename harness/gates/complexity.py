"""How many ways lead through each function, by Radon's count, wherever the function is.

Radon's own reports leave out functions within functions, classes within functions and code
outside of functions. Here each is a block of its own, counted once, under Radon's rules; and the
handlers of ``except*`` and the guards of cases count, which Radon passes over.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import radon
from radon.visitors import ComplexityVisitor

from harness.facts import Fact
from harness.gates import account, fingerprint, not_parsed, parsed, tool_error
from harness.inspection import Block, NotChecked

MODULE = "<module>"
"""The name of the block that a module's own level is."""

CLASS_BODY = "<body>"
"""Ends the name of the block that a class's own level is: ``Order.<body>``."""

RULES = "Radon's, at any depth, with the handlers of except* and the guards of cases"
"""What is counted: a change of it changes what is found in the same code."""

_Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Complexity:
    """The gate that finds a `Block` for every function, module and deciding class body."""

    name: str = "complexity"

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Count the files' blocks. Ones that this interpreter cannot parse are not checked."""
        began = time.monotonic()
        blocks: list[Block] = []
        not_checked: list[NotChecked] = []
        for path in files:
            found = _counted(root, path)
            if isinstance(found, NotChecked):
                not_checked.append(found)
            else:
                blocks += found
        tool, told = f"radon {radon.__version__}", fingerprint(RULES)
        inspected = account(self.name, tool, told, root, paths, files, not_checked, began)
        return [inspected, *blocks]


def _counted(root: Path, path: str) -> list[Block] | NotChecked:
    tree = parsed(root, path)
    if isinstance(tree, NotChecked):
        return tree
    try:
        return sorted(_blocks(path, tree), key=lambda block: block.line)
    except RecursionError as error:
        return not_parsed(path, error)
    except Exception as error:
        return tool_error(path, error)


def _blocks(path: str, tree: ast.Module) -> Iterator[Block]:
    own, _, why = _own(tree)
    yield Block(path=path, line=1, name=MODULE, complexity=own, because=why)
    yield from _inside(path, tree, "", listed=True)


def _inside(path: str, scope: _Scope, prefix: str, *, listed: bool) -> Iterator[Block]:
    """Yield the blocks of every function and class in `scope`; `listed`: Radon lists them, too."""
    at_top = isinstance(scope, ast.Module)
    for child in _scopes(scope):
        name = prefix + child.name
        if isinstance(child, ast.ClassDef):
            inner = list(_inside(path, child, f"{name}.", listed=listed and at_top))
            yield from _class(path, child, name, inner if listed and at_top else None)
        else:
            inner = list(_inside(path, child, f"{name}.", listed=False))
            own, stock, why = _own(child)
            yield Block(
                path=path, line=child.lineno, name=name, complexity=own,
                radon=stock if listed else None, because=why if listed else _HIDDEN,
            )  # fmt: skip
        yield from inner


def _class(
    path: str, scope: ast.ClassDef, name: str, inner: Sequence[Block] | None
) -> Iterator[Block]:
    """Yield a class's own level, where it decides something, and the class where Radon lists it.

    `inner` are the blocks in it; None: Radon does not list it.
    """
    own, stock, why = _own(scope)
    if own > 1:
        body = f"{name}.{CLASS_BODY}"
        yield Block(path=path, line=scope.lineno, name=body, complexity=own, because=why)
    if inner is not None:
        methods = [block for block in inner if block.radon is not None]
        reasons = dict.fromkeys(filter(None, (why, *(block.because for block in methods))))
        yield Block(
            path=path, line=scope.lineno, name=name, is_class=True,
            complexity=_of_class(own, [block.complexity for block in methods]),
            radon=_of_class(stock, [block.radon or 0 for block in methods]),
            because="; ".join(reasons),
        )  # fmt: skip


_HIDDEN = "not listed: it is in a function, or in a class in a class"


def _of_class(own: int, methods: Sequence[int]) -> int:
    """Return what Radon calls a class's complexity: about the average of its methods."""
    total = own + sum(methods)
    return int(total / len(methods)) + (len(methods) > 1) if methods else total


class _Own(ComplexityVisitor):  # type: ignore[misc]  # Radon is untyped
    """Radon's visitor, kept out of the functions and classes in what it visits.

    They add nothing to its number, and visiting them for each scope around them is slow.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # noqa: N802 - ast's name
        pass

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:  # noqa: N802
        pass

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        pass


def _own(scope: _Scope) -> tuple[int, int, str]:
    """Count the ways through a scope without the functions and classes in it.

    Return the number, Radon's for the same, and what makes the difference. Radon counts
    neither the handlers of ``except*`` nor guards, and takes every ``case name if …`` for one
    that always matches.
    """
    visitor = _Own(off=False)
    for one in scope.body:
        visitor.visit(one)
    stock = 1 + int(visitor.complexity)
    stars = guards = 0
    for statement in _statements(scope):
        if isinstance(statement, ast.TryStar):
            stars += len(statement.handlers) + bool(statement.orelse)
        elif isinstance(statement, ast.Match):
            guards += _ways(statement) - _stock_ways(statement)
    told = {"except*": stars, "guards of cases": guards}
    why = " and ".join(f"{number} for {what}" for what, number in told.items() if number)
    return stock + stars + guards, stock, f"it leaves out {why}" if why else ""


def _ways(match: ast.Match) -> int:
    """Count a match: each case that may not match, and each guard."""
    return sum((not _is_any(case)) + (case.guard is not None) for case in match.cases)


def _stock_ways(match: ast.Match) -> int:
    """Count a match as Radon does."""
    return max(0, len(match.cases) - any(_is_any(case) for case in match.cases))


def _is_any(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def _statements(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements of a scope, those in functions and classes in it left out."""
    waiting: list[ast.AST] = list(getattr(scope, "body", ()))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _DEFINITIONS):
            waiting += (
                child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)
            )


_DEFINITIONS = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _scopes(scope: _Scope) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions and classes in a scope, those in them left out, in their order."""
    found = [node for node in _statements(scope) if isinstance(node, _DEFINITIONS)]
    yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))
