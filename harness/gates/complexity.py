"""How many ways lead through each function, by Radon's count, wherever the function is.

Radon's own reports leave out functions within functions, classes within functions and code
outside of functions. Here each is a block of its own, counted once, under Radon's rules.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import radon
from radon.visitors import ComplexityVisitor

from harness.facts import Block, Fact, Inspected, NotChecked
from harness.gates import not_parsed, parsed, tool_error

MODULE = "<module>"
"""The name of the block that a module's own level is."""

CLASS_BODY = "<body>"
"""Ends the name of the block that a class's own level is: ``Order.<body>``."""

_Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Complexity:
    """The gate that finds a `Block` for every function, module and deciding class body."""

    name: str = "complexity"

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Count the files' blocks. Ones that this interpreter cannot parse are not checked."""
        began = time.monotonic()
        blocks: list[Block] = []
        checked: list[str] = []
        not_checked: list[NotChecked] = []
        for path in files:
            found = _counted(root, path)
            if isinstance(found, NotChecked):
                not_checked.append(found)
            else:
                checked.append(path)
                blocks += found
        inspected = Inspected(
            gate=self.name,
            tool=f"radon {radon.__version__}",
            paths=tuple(paths),
            inventory=len(files),
            checked=tuple(checked),
            not_checked=tuple(not_checked),
            duration_s=time.monotonic() - began,
        )
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
    yield Block(path=path, line=1, name=MODULE, complexity=_own_complexity(tree))
    for name, scope in _scopes(tree, ""):
        complexity = _own_complexity(scope)
        if not isinstance(scope, ast.ClassDef):
            yield Block(path=path, line=scope.lineno, name=name, complexity=complexity)
        elif complexity > 1:
            body = f"{name}.{CLASS_BODY}"
            yield Block(path=path, line=scope.lineno, name=body, complexity=complexity)


def _own_complexity(scope: _Scope) -> int:
    """Count as Radon counts a function: its body, without the functions and classes in it."""
    visitors = (ComplexityVisitor.from_ast(statement, off=False) for statement in scope.body)
    return 1 + sum(int(visitor.complexity) for visitor in visitors)


def _scopes(
    node: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function and class below `node` with its qualified name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
            yield from _scopes(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):  # expressions hold no definitions, and run deep
            yield from _scopes(child, prefix)
