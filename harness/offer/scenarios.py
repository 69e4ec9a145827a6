"""Molotov files as functional tests: which of the files that pytest is given are such.

One is collected where it lies in a path that was named, pytest would not take it for a module of
tests, and it imports `molotov` and registers a scenario. Nothing of it is imported to see that.
"""

from __future__ import annotations

import ast
import fnmatch
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    """Take a scenario file that was named itself, which pytest would take for a module."""
    return _collector(module_path, parent)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take a scenario file below a folder that was named."""
    config = parent.config
    named = (config.ArgsSource.ARGS, config.ArgsSource.TESTPATHS)
    if parent.session.isinitpath(file_path) or config.args_source not in named:
        return None
    return _collector(file_path, parent)


def _collector(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    patterns = [*parent.config.getini("python_files"), "conftest.py", "__init__.py"]
    if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns):
        return None
    if not registers_scenarios(path):
        return None
    from harness.offer.scenario import ScenarioFile  # not above: it imports Molotov

    file: pytest.Collector = ScenarioFile.from_parent(parent, path=path)
    return file


def registers_scenarios(path: Path) -> bool:
    """Tell by its text whether a file imports `molotov` and calls its `scenario`."""
    if path.suffix != ".py":
        return False
    try:
        text = path.read_bytes()
        if b"molotov" not in text:
            return False
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return False
    imports = any(_imports_molotov(node) for node in ast.walk(tree))
    return imports and any(_is_scenario(node) for node in ast.walk(tree))


def _imports_molotov(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(name.name.partition(".")[0] == "molotov" for name in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "molotov"


def _is_scenario(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == "scenario"
