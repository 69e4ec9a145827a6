"""Where findings are, so that they are known again after their lines have moved.

And how complex the functions of a changed file were, so that only what grew is new.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from harness.comparison import Before, Site
from harness.facts import Fact
from harness.fingerprint import Anatomy
from harness.gates import parsed
from harness.gates.complexity import Complexity
from harness.inspection import Block, Covered, NotChecked


def sites(root: Path, facts: Iterable[Fact]) -> Iterator[Site]:
    """Find the statements that facts are about; a block has its name, and needs none."""
    lines: dict[str, set[int]] = {}
    for fact in facts:
        if isinstance(fact, Covered):
            lines.setdefault(fact.path, set()).add(0)
        elif not isinstance(fact, Block) and hasattr(fact, "path") and hasattr(fact, "line"):
            lines.setdefault(fact.path, set()).add(fact.line)
    for path, wanted in sorted(lines.items()):
        yield from _of_file(root, path, wanted)


def _of_file(root: Path, path: str, wanted: Collection[int]) -> Iterator[Site]:
    tree = parsed(root, path)
    if isinstance(tree, NotChecked):
        return
    try:
        anatomy = Anatomy.of(tree, None if 0 in wanted else wanted)
    except RecursionError:
        return
    for line in sorted(wanted):
        if not line:
            yield Site(path=path, line=0, symbol="", snippet=anatomy.names)
            continue
        at = anatomy.at(line)
        yield Site(
            path=path, line=line, symbol=at.symbol, snippet=at.snippet, first=at.first, last=at.last
        )


def befores(sources: Mapping[str, bytes]) -> Iterator[Before]:
    """Count the blocks of files as they were. One that could not be parsed then has none."""
    with tempfile.TemporaryDirectory(prefix="harness-before-") as folder:
        names = {}
        for number, (path, source) in enumerate(sources.items()):
            names[f"{number}.py"] = path
            Path(folder, f"{number}.py").write_bytes(source)
        for fact in Complexity().inspect(Path(folder), ["."], sorted(names)):
            if isinstance(fact, Block):
                yield Before(path=names[fact.path], name=fact.name, complexity=fact.complexity)
