"""The quality gates: what each establishes about the files of the inventory.

A gate measures and never judges. Its first fact is an `Inspected`, which accounts for every
file that it was given: checked, or not checked and why. Code that cannot be read, parsed or
analysed is such a reason and no exception.
"""

from __future__ import annotations

import ast
import json
import platform
import stat
import time
import warnings
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from harness.evidence import tree_hash
from harness.facts import Fact
from harness.inspection import Inspected, NotChecked


class Gate(Protocol):
    """One way of looking at code."""

    @property
    def name(self) -> str:
        """Its name in facts and limits: ``complexity``, ``security``, ``coverage``."""
        ...

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Look at `files`, the inventory below `paths`, all of them relative to `root`."""
        ...


def account(
    gate: str, tool: str, configuration: str, root: Path, paths: Sequence[str],
    files: Sequence[str], lost: Sequence[NotChecked], began: float,
) -> Inspected:  # fmt: skip
    """Account for every file: checked are those that are not `lost`. `began` is monotonic."""
    left_out = {entry.path for entry in lost}
    checked = tuple(path for path in files if path not in left_out)
    return Inspected(
        gate=gate,
        tool=tool,
        paths=tuple(paths),
        inventory=len(files),
        checked=checked,
        not_checked=tuple(lost),
        duration_s=time.monotonic() - began,
        python=platform.python_version(),
        configuration=configuration,
        content=tree_hash(root, checked),
    )


def fingerprint(told: Any) -> str:
    """Hash what a tool was told, in JSON's words."""
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


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
