"""docs/divergences.md: each row names tests that are there and hold in both targets."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]
_ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)
_BOTH = {"client", "running", "target", "both"}
"""Fixtures and parameters that are each target in turn."""


def _rows() -> dict[int, list[str]]:
    text = (_ROOT / "docs" / "divergences.md").read_text(encoding="utf-8")
    return {int(number): cells.split("|") for number, cells in _ROW.findall(text)}


def _tests() -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in _HERE.glob("test_*.py")]
    return {
        one.name: one
        for tree in trees
        for one in tree.body
        if isinstance(one, ast.AsyncFunctionDef | ast.FunctionDef)
    }


@pytest.mark.parametrize(("number", "cells"), _rows().items())
def test_a_row_names_tests_that_hold_in_both_targets(number: int, cells: list[str]) -> None:
    here, named = cells[-2].strip(), re.findall(r"`(test_\w+)…?`", cells[-1])
    found = [one for name, one in _tests().items() if name.startswith(tuple(named))]

    assert re.match(r"(closed|flagged|stated)\b", here)
    assert found if named else here.startswith("stated"), f"row {number} has no test"
    for test in found:
        asked = {argument.arg for argument in test.args.args}
        # What has no target, such as a limit that is a number, needs no loop either.
        assert asked & _BOTH or isinstance(test, ast.FunctionDef), test.name


def test_a_test_with_a_number_has_its_row() -> None:
    numbers = {int(found[1]) for name in _tests() if (found := re.match(r"test_(\d+)_", name))}

    assert numbers <= set(_rows())
