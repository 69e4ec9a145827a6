"""Radon's maintainability index of each file, where it has something to go by.

Radon counts only operators between operands. A file without any has no volume, and Radon gives
it 100 of 100, however long it is; here it has no index.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path

import radon
from radon.metrics import mi_compute, mi_parameters

from harness.facts import Fact
from harness.gates import account, content, fingerprint, not_parsed, parsed, tool_error
from harness.inspection import Maintained, NotChecked


@dataclass(frozen=True, slots=True)
class Maintainability:
    """The gate that finds a `Maintained` for every file."""

    name: str = "maintainability"

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Measure the files, with multi-line strings as comments, as ``radon mi`` does."""
        began = time.monotonic()
        found = [_measured(root, path) for path in files]
        inspected = account(
            self.name, f"radon {radon.__version__}", fingerprint("multi-line strings count"),
            root, paths, files, [one for one in found if isinstance(one, NotChecked)], began,
        )  # fmt: skip
        return [inspected, *(one for one in found if isinstance(one, Maintained))]


def _measured(root: Path, path: str) -> Maintained | NotChecked:
    source = content(root, path)
    if isinstance(source, NotChecked):
        return source
    try:
        volume, complexity, lines, comments = mi_parameters(decode_source(source), True)
    except RecursionError as error:
        return not_parsed(path, error)
    except Exception as error:
        # Radon's reader of lines fails at some code that Python parses.
        tree = parsed(root, path)
        return tree if isinstance(tree, NotChecked) else tool_error(path, error)
    index = mi_compute(volume, complexity, lines, comments) if volume > 0 and lines else None
    return Maintained(path=path, index=index)
