"""Living with findings: which of those beyond a limit the baseline tolerates, and what it lacks.

A finding that is in the baseline, and no worse, is tolerated and listed as such. A limit that is
broken by nothing else is kept. An average has no places, so no baseline holds one.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from msgspec.structs import replace as changed

from harness.baseline import matched
from harness.comparison import Accepted, Baseline, Changed, Site
from harness.facts import Fact
from harness.inspection import Inspected
from harness.judge.narrowed import is_touched
from harness.objective import Objective
from harness.record import Notice
from harness.verdict import Finding, Waived

_PLACE = re.compile(r"(?P<path>.*?)(?::(?P<line>\d+))?\Z", re.DOTALL)

_COUNTED = ("complexity/", "coverage/")
"""Findings that have a number which is worse the greater it is."""

_INDEX = "maintainability/limit"
"""Its number is worse the smaller it is: entries have what it lacks of 100, in whole points."""

Broken = Sequence[tuple[str, Sequence[Finding]]]
"""The indicators of the limits that are broken, each with the findings beyond it."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What the baseline says of a run's findings. Without a baseline, nothing is tolerated."""

    baseline: Baseline | None
    limits: Sequence[Objective]
    found: dict[Finding, Accepted]
    pairs: Mapping[Finding, int]
    inspected: Mapping[str, Inspected] = field(default_factory=dict)

    @classmethod
    def of(
        cls, facts: Sequence[Fact], limits: Sequence[Objective], broken: Broken
    ) -> Tolerance:  # fmt: skip
        """Compare all findings at once, so that an entry tolerates one of them, whatever limits."""
        baseline = next((fact for fact in facts if isinstance(fact, Baseline)), None)
        found = _identified(facts, broken)
        inspected = {fact.gate: fact for fact in facts if isinstance(fact, Inspected)}
        plain = cls(baseline, limits, found, {}, inspected)
        if baseline is None:
            return plain
        same: dict[Accepted, list[Finding]] = {}  # limits overlap: one place, several findings
        for finding, entry in found.items():
            same.setdefault(entry, []).append(finding)
        pairs = matched(list(same), baseline.entries, plain._looked_at)
        entries = list(same.values())
        told = {finding: entry for at, entry in pairs.items() for finding in entries[at]}
        return replace(plain, pairs=told)

    def under(self, finding: Finding) -> Finding:
        """Return a finding with what tolerates it or, where it became worse, with what did."""
        if self.baseline is None or finding not in self.pairs:
            return finding
        position = self.pairs[finding]
        entry = self.baseline.entries[position]
        place = f"{self.baseline.file}:{position + 2}"
        if _is_worse(self.found[finding], entry):
            told = f"{finding.message}\nworse than the {_shown(entry)} of the baseline ({place})"
            return replace(finding, message=told)
        return replace(finding, waiver=Waived(_why(entry), "", place))

    def parted(self, findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
        """Part findings into those that are new or worse, and those that are tolerated."""
        under = [self.under(finding) for finding in findings]
        return [one for one in under if not one.waiver], [one for one in under if one.waiver]

    def told(self) -> Iterator[Notice]:
        """Say which baseline was compared with, and what of it is no longer needed."""
        if self.baseline is None:
            return
        name, entries = self.baseline.file, self.baseline.entries
        yield Notice(
            slug="baseline/used", where=name,
            message=f"{len(entries)} findings are tolerated (sha256 {self.baseline.sha256[:12]})",
        )  # fmt: skip
        better = {at for finding, at in self.pairs.items()
                  if _is_worse(entries[at], self.found[finding])}  # fmt: skip
        if better:
            yield self._notice("baseline/better", better, "is better now than what is tolerated")
        if stale := self.stale:
            yield self._notice("baseline/stale", stale, "is gone, and still tolerated")

    def _notice(self, slug: str, positions: Iterable[int], said: str) -> Notice:
        assert self.baseline is not None
        first, *others = sorted(positions)
        more = f", and {len(others)} more" if others else ""
        return Notice(
            slug=slug, where=f"{self.baseline.file}:{first + 2}",
            message=f"{_named(self.baseline.entries[first])} {said}{more}; "
            "tighten it: harness gates --accept",
        )  # fmt: skip

    @property
    def stale(self) -> list[int]:
        """The positions of entries that nothing is found for, where this run would have."""
        if self.baseline is None:
            return []
        used = set(self.pairs.values())
        return [
            at for at, entry in enumerate(self.baseline.entries)
            if at not in used and self._is_asked(entry) and self._looked_at(entry)
        ]  # fmt: skip

    def _is_asked(self, entry: Accepted) -> bool:
        if entry.rule == "suppressions/blanket":  # is bad without a limit
            return True
        own = (limit for limit in self.limits if limit.indicator == entry.indicator)
        return any(limit.covers(entry.path) for limit in own)

    def _looked_at(self, entry: Accepted) -> bool:
        """Tell whether an entry's file was checked, or would have been and is gone."""
        found = self.inspected.get(entry.indicator.partition(".")[0])
        if found is None or any(file.path == entry.path for file in found.not_checked):
            return False
        place = PurePosixPath(entry.path)
        return any(
            place.is_relative_to(path) or (path == "." and not place.is_absolute())
            for path in map(posixpath.normpath, found.paths)
        )

    def proposal(self, since: str, commit: str, reason: str) -> Proposal:
        """Return what the baseline would be if all that is found were accepted."""
        old = self.baseline.entries if self.baseline else ()
        stale = set(self.stale)
        proposal = Proposal(gone=[old[at] for at in sorted(stale)])
        paired = {self.found[finding]: old[at] for finding, at in self.pairs.items()}
        for entry in dict.fromkeys(self.found.values()):
            gate = self.inspected.get(entry.indicator.partition(".")[0])
            tool = gate.tool if gate else ""
            fresh = changed(entry, since=since, commit=commit, tool=tool, reason=reason)
            proposal.take(fresh, paired.get(entry))
        used = {*self.pairs.values(), *stale}
        proposal.kept.extend(entry for at, entry in enumerate(old) if at not in used)
        return proposal


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new baseline, and how it differs from the one before."""

    kept: list[Accepted] = field(default_factory=list)
    new: list[Accepted] = field(default_factory=list)
    worse: list[tuple[Accepted, Accepted]] = field(default_factory=list)
    better: list[tuple[Accepted, Accepted]] = field(default_factory=list)
    gone: list[Accepted] = field(default_factory=list)

    def take(self, found: Accepted, known: Accepted | None) -> None:
        """Add a finding; `known` is what tolerates it already."""
        if known is None:
            self.new.append(found)
        elif _is_worse(found, known):
            self.worse.append((known, found))
        elif _is_worse(known, found):
            self.better.append((known, changed(found, reason=known.reason)))
        else:  # where it is may have changed, and who accepted it has not
            moved = {"path": found.path, "symbol": found.symbol, "snippet": found.snippet,
                     "occurrence": found.occurrence, "indicator": found.indicator}  # fmt: skip
            self.kept.append(changed(known, **moved))

    @property
    def loosens(self) -> bool:
        """Whether it tolerates what the one before did not."""
        return bool(self.new or self.worse)

    @property
    def entries(self) -> list[Accepted]:
        """All findings, those that are alike numbered anew."""
        found = [*self.kept, *self.new, *(now for _, now in (*self.worse, *self.better))]
        return _numbered(sorted(found, key=lambda entry: entry.occurrence))

    def lines(self) -> Iterator[str]:
        """Say what changes, a line each."""
        yield from (f"new: {_named(entry)}{_valued(entry)}" for entry in self.new)
        for word, pairs in (("worse", self.worse), ("better", self.better)):
            for was, now in pairs:
                yield f"{word}: {_named(now)}{_valued(now)}, was {_shown(was)}"
        yield from (f"gone: {_named(entry)}" for entry in self.gone)


def _identified(facts: Sequence[Fact], broken: Broken) -> dict[Finding, Accepted]:
    """Tell what each finding is known by. Of those that are alike, a change's come last."""
    change = next((fact for fact in facts if isinstance(fact, Changed)), None)
    sites = {(fact.path, fact.line): fact for fact in facts if isinstance(fact, Site)}
    places: dict[tuple[str, int, Accepted], list[Finding]] = {}
    for indicator, findings in broken:
        for finding in findings:
            path, line = _place(finding)
            site = sites.get((path, 0 if finding.slug.startswith("coverage/") else line))
            entry = _entry(finding, indicator, path, site)
            places.setdefault((path, line, entry), []).append(finding)
    found: dict[Finding, Accepted] = {}

    def order(item: tuple[tuple[str, int, Accepted], list[Finding]]) -> tuple[bool, str, int]:
        path, line, _ = item[0]
        return bool(change and is_touched(change, path, line, sites)), path, line

    ordered = sorted(places.items(), key=order)
    numbered = _numbered([entry for (_, _, entry), _ in ordered])
    for entry, (_, findings) in zip(numbered, ordered, strict=True):
        found.update(dict.fromkeys(findings, entry))
    return found


def _place(finding: Finding) -> tuple[str, int]:
    found = _PLACE.match(finding.where)
    assert found is not None
    return found["path"], int(found["line"] or 0)


def _entry(finding: Finding, indicator: str, path: str, site: Site | None) -> Accepted:
    snippet = site.snippet if site and not finding.symbol else ""
    return Accepted(
        path=path, rule=finding.slug, symbol=finding.symbol or (site.symbol if site else ""),
        snippet=snippet, occurrence=1,
        value=_value(finding),
        indicator=indicator, since="", commit="", tool="",
    )  # fmt: skip


def _value(finding: Finding) -> int | None:
    """Return what may not grow, if there is such a number."""
    if finding.measured is None:
        return None
    if finding.slug == _INDEX:
        return math.ceil(100 - finding.measured)
    return int(finding.measured) if finding.slug.startswith(_COUNTED) else None


def _numbered(entries: Sequence[Accepted]) -> list[Accepted]:
    """Number those that are alike, in the order in which they are given."""
    seen: dict[tuple[str, ...], int] = {}
    numbered = []
    for entry in entries:
        key = (entry.path, entry.rule, entry.symbol, entry.snippet)
        seen[key] = seen.get(key, 0) + 1
        numbered.append(changed(entry, occurrence=seen[key]))
    return numbered


def _is_worse(one: Accepted, other: Accepted) -> bool:
    return one.value is not None and other.value is not None and one.value > other.value


def _why(entry: Accepted) -> str:
    return entry.reason or f"accepted on {entry.since}" + (
        f" at {entry.commit}" if entry.commit else ""
    )


def _named(entry: Accepted) -> str:
    return f"{entry.rule} in {entry.path}" + (f", {entry.symbol}" if entry.symbol else "")


def _valued(entry: Accepted) -> str:
    return "" if entry.value is None else f", {_shown(entry)}"


def _shown(entry: Accepted) -> int:
    """Return an entry's value as its finding has it."""
    value = entry.value or 0
    return 100 - value if entry.rule == _INDEX else value
