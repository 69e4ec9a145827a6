"""What gates write down so that findings can be compared: with a baseline, with an earlier commit.

These are facts, members of `harness.facts.Fact`, as what the gates find is.
"""

from __future__ import annotations

import msgspec


class Site(msgspec.Struct, tag="site", frozen=True, kw_only=True):
    """What stands at a line: the qualified name around it, and a hash of its statement.

    `first` and `last` are the statement's lines. Line 0 is the file, its hash that of the names
    that it defines.
    """

    path: str
    line: int
    symbol: str
    snippet: str
    first: int = 0
    last: int = 0


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding that the baseline tolerates, in the order in which its line has them.

    `occurrence` counts, from 1, findings that are alike but for their line. `value` is what may
    not grow: a complexity, a number of lines, what an index lacks of 100. `since` (ISO 8601),
    `commit` and `tool` say when and by what it was found, and `reason` why it was accepted later
    than the others.
    """

    path: str
    rule: str
    symbol: str
    snippet: str
    occurrence: int
    value: int | None
    indicator: str
    since: str
    commit: str
    tool: str
    reason: str = ""


class Baseline(msgspec.Struct, tag="baseline", frozen=True, kw_only=True):
    """What the project tolerates, as its `file` has it; `sha256` is that of the file's bytes."""

    file: str
    sha256: str
    entries: tuple[Accepted, ...]


class Changed(msgspec.Struct, tag="changed", frozen=True, kw_only=True):
    """What a change adds since its merge base with `base`: by file, ranges of lines.

    A range holds whole statements, of which any line was added or changed. `outside` are Python
    files that it changes and that are not inspected.
    """

    base: str
    merge_base: str
    files: dict[str, tuple[tuple[int, int], ...]]
    outside: tuple[str, ...] = ()


class Before(msgspec.Struct, tag="before", frozen=True, kw_only=True):
    """How complex a function of a changed file was in the merge base; `path` is today's."""

    path: str
    name: str
    complexity: int
