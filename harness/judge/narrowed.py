"""Judging what a change adds: facts and limits narrowed to the lines that it touches.

A finding is the change's where its statement is touched, a function's complexity where it grew.
Coverage is that of the lines touched. What only a whole can have, an average or branches, is not
judged, and listed as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from msgspec.structs import replace as changed

from harness.comparison import Before, Changed, Site
from harness.facts import Fact
from harness.inspection import Block, Covered, Inspected
from harness.judge import Judgement, unknown
from harness.objective import Objective
from harness.record import Notice, Omission
from harness.verdict import Finding

_OF_CHANGES = "coverage.changed"
_OF_A_WHOLE = ("complexity.average", "coverage.branches", "maintainability.min")


def narrowed(
    limits: Sequence[Objective], facts: tuple[Fact, ...], judgement: Judgement
) -> tuple[list[Objective], tuple[Fact, ...]]:
    """Return the limits to judge and the facts to judge them by: all, or those of a change.

    What is left out is noted in `judgement`.
    """
    change = next((fact for fact in facts if isinstance(fact, Changed)), None)
    if change is None:
        judgement.findings.extend(_without_change(limits))
        return [limit for limit in limits if limit.indicator != _OF_CHANGES], facts
    judgement.notices.append(_notice(change))
    judgement.not_checked.extend(_omitted(limits, change))
    kept = [_of_change(limit) for limit in limits if limit.indicator not in _OF_A_WHOLE]
    if not kept:
        told = "none of the limits speaks of what a change adds"
        step = "add one to [gates], such as 'coverage.changed >= 90%' or 'complexity.max <= 10'"
        judgement.findings.append(unknown("gates/limit-undecided", "gates", told, step))
    return kept, tuple(_Narrowing(change, facts).facts())


def _without_change(limits: Iterable[Objective]) -> Iterator[Finding]:
    for limit in limits:
        if limit.indicator == _OF_CHANGES:
            told = f"{limit.text}: no change is named"
            step = "harness gates --new-only BASE"
            yield unknown("coverage/no-change", "coverage", told, step)


def _notice(change: Changed) -> Notice:
    lines = sum(last - first + 1 for ranges in change.files.values() for first, last in ranges)
    return Notice(
        slug="gates/new-only", where=change.base,
        message=f"only what was added since {change.merge_base[:10]} is judged: "
        f"{lines} line{'' if lines == 1 else 's'} of Python, in {len(change.files)} of the files",
    )  # fmt: skip


def _omitted(limits: Iterable[Objective], change: Changed) -> Iterator[Omission]:
    for limit in limits:
        if limit.indicator in _OF_A_WHOLE:
            yield Omission(
                what=limit.text, why="a change alone has none: --new-only", next_step="harness run"
            )
    for path in change.outside:
        yield Omission(
            what=path, why="changed, and not among the paths that are inspected",
            next_step="name it, or its folder, in gates.paths",
        )  # fmt: skip


def _of_change(limit: Objective) -> Objective:
    if limit.indicator != "coverage.lines":
        return limit
    text = limit.text.replace("coverage.lines", _OF_CHANGES)
    return replace(limit, indicator=_OF_CHANGES, text=text)


def is_touched(
    change: Changed, path: str, line: int, sites: Mapping[tuple[str, int], Site]
) -> bool:
    """Tell whether any line of the statement at a place was added or changed."""
    site = sites.get((path, line))
    first, last = (site.first, site.last) if site else (line, line)
    ranges = change.files.get(path, ())
    return any(begins <= last and first <= ends for begins, ends in ranges)


class _Narrowing:
    """The facts of a run, as far as they are about a change."""

    def __init__(self, change: Changed, facts: tuple[Fact, ...]) -> None:
        self._change = change
        self._facts = facts
        self._sites = {(fact.path, fact.line): fact for fact in facts if isinstance(fact, Site)}
        self._before: dict[tuple[str, str], int] = {}
        for fact in facts:
            if isinstance(fact, Before):
                known = self._before.get((fact.path, fact.name), 0)
                self._before[fact.path, fact.name] = max(known, fact.complexity)

    def facts(self) -> Iterator[Fact]:
        for fact in self._facts:
            if isinstance(fact, Inspected):
                yield self._inspected(fact)
            elif isinstance(fact, Covered):
                if fact.path in self._change.files:
                    yield self._covered(fact)
            elif self._is_added(fact):
                yield fact

    def _is_added(self, fact: Fact) -> bool:
        """Tell whether a finding is the change's. What is no finding, is as it was."""
        if isinstance(fact, Block):
            return fact.path in self._change.files and self._grew(fact)
        is_finding = hasattr(fact, "line") and not isinstance(fact, Site)
        return not is_finding or self._is_touched(fact)

    def _is_touched(self, fact: Fact) -> bool:
        path, line = str(getattr(fact, "path", "")), int(getattr(fact, "line", 0))
        return is_touched(self._change, path, line, self._sites)

    def _grew(self, block: Block) -> bool:
        return block.complexity > self._before.get((block.path, block.name), 0)

    def _covered(self, file: Covered) -> Covered:
        ranges = self._change.files[file.path]
        touched = {line for first, last in ranges for line in range(first, last + 1)}
        missing = tuple(line for line in file.missing if line in touched)
        ran = tuple(line for line in file.ran if line in touched)
        return changed(
            file, statements=len(ran) + len(missing), covered=len(ran), missing=missing, ran=ran,
            branches=0, covered_branches=0,
        )  # fmt: skip

    def _inspected(self, found: Inspected) -> Inspected:
        """Leave out what could not be checked before either; where nothing could, keep it."""
        if not found.checked:
            return found
        missed = tuple(one for one in found.not_checked if one.path in self._change.files)
        return changed(found, not_checked=missed)
