"""The quality gates: what each establishes about the files of the inventory.

A gate measures and never judges. Its first fact is an `Inspected`, which accounts for every
file that it was given: checked, or not checked and why. Code that cannot be read, parsed or
analysed is such a reason and no exception.
"""

from __future__ import annotations

import ast
import platform
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.facts import Fact, NotChecked


class Gate(Protocol):
    """One way of looking at code."""

    @property
    def name(self) -> str:
        """Its name in facts and limits: ``complexity``, ``security``, ``coverage``."""
        ...

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Look at `files`, the inventory below `paths`, all of them relative to `root`."""
        ...


def content(root: Path, path: str) -> bytes | NotChecked:
    """Read a file. A pipe, which would be waited for, and a device, which may not end, are none."""
    try:
        if not stat.S_ISREG((root / path).stat().st_mode):
            return NotChecked(path=path, slug="gates/unreadable", reason="not a regular file")
        return (root / path).read_bytes()
    except OSError as error:
        return NotChecked(path=path, slug="gates/unreadable", reason=error.strerror or str(error))


def parsed(root: Path, path: str) -> ast.Module | NotChecked:
    """Parse a file as this interpreter would: byte order marks and coding cookies count."""
    source = content(root, path)
    if isinstance(source, NotChecked):
        return source
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(source, filename=path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return not_parsed(path, error)


def not_parsed(path: str, error: Exception) -> NotChecked:
    """Say why a file could not be parsed, and on which Python."""
    if isinstance(error, SyntaxError):
        told = f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    elif isinstance(error, RecursionError | MemoryError):
        told = "nested too deeply"
    else:
        told = str(error)
    reason = f"{told} (Python {platform.python_version()})"
    return NotChecked(path=path, slug="gates/not-parsed", reason=writable(reason))


def tool_error(path: str, error: object) -> NotChecked:
    """Say that a tool failed at a file which it should have understood."""
    told = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else str(error)
    return NotChecked(path=path, slug="gates/tool-error", reason=writable(told))


def writable(text: str) -> str:
    """Escape what UTF-8 cannot hold: tools quote code, and code may hold lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
