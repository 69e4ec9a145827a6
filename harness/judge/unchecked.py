"""Files that a gate was given and did not check: each is named, and UNKNOWN unless waived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.inspection import Exclusion, Inspected, NotChecked
from harness.judge import Judgement, unknown
from harness.objective import Objective
from harness.record import Notice, Omission
from harness.verdict import Finding

Tolerated = Callable[[Finding], bool]
"""Tells whether a waiver that has not ended covers a finding."""

_REMEDY = {
    "gates/not-parsed": "mend it, or run the harness on the Python that it is written for",
    "gates/unreadable": "make it readable, or name paths without it",
    "gates/tool-error": "try another version of the tool, or waive it",
    "coverage/no-data": "run functional tests, inproc or served, in the same run: harness run",
    "coverage/bad-data": "run it all again: harness run",
    "coverage/other-code": "run it all again: harness run",
}
_OF_ALL = ("coverage/no-data", "coverage/bad-data")
"""Reasons that are a gate's and not a file's: one finding names the first and counts the rest."""


def gate_of(limit: Objective) -> str:
    """Return the name of the gate that measures a limit's indicator."""
    return limit.indicator.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Rest:
    """The files that a limit is judged without: unknown, or with somebody's reason."""

    missed: tuple[NotChecked, ...]
    waived: int
    excluded: int

    def __str__(self) -> str:
        told = {"excluded by the plan": self.excluded, "waived": self.waived}
        words = [f"{number} {how}" for how, number in told.items() if number]
        files = "file" if self.excluded + self.waived == 1 else "files"
        return f"judged without {self.excluded + self.waived} {files}: {', '.join(words)}"

    def __bool__(self) -> bool:
        return bool(self.waived or self.excluded)


def rest(
    limit: Objective, found: Inspected | None, exclude: Sequence[Exclusion], tolerated: Tolerated
) -> Rest:
    """Return what a limit that covers it is judged without."""
    lost = [file for file in found.not_checked if limit.covers(file.path)] if found else []
    missed = tuple(file for file in lost if not tolerated(_finding(file, (gate_of(limit),))))
    excluded = sum(limit.covers(path) for one in exclude for path in one.files)
    return Rest(missed, len(lost) - len(missed), excluded)


def judge(limits: Sequence[Objective], inspected: Mapping[str, Inspected]) -> Judgement:
    """List every file that a gate did not check; one that a limit applies to is a finding."""
    judgement = Judgement()
    same: dict[NotChecked, list[str]] = {}
    for gate, found in inspected.items():
        own = [limit for limit in limits if gate_of(limit) == gate]
        for file in found.not_checked if own else ():
            judgement.not_checked.append(Omission(what=f"{file.path} ({gate})", why=file.reason))
            if any(limit.covers(file.path) for limit in own):
                same.setdefault(file, []).append(gate)
    judgement.findings.extend(_findings(same))
    judgement.findings.extend(_changed(inspected))
    return judgement


def _findings(same: Mapping[NotChecked, Sequence[str]]) -> Iterator[Finding]:
    for slug in dict.fromkeys(file.slug for file in same):
        files = [file for file in same if file.slug == slug]
        if slug in _OF_ALL and files[1:]:
            more = f"{files[0].path} and {len(files) - 1} more"
            yield _finding(files[0], same[files[0]], more)
        else:
            yield from (_finding(file, same[file]) for file in files)


def _finding(file: NotChecked, gates: Sequence[str], where: str = "") -> Finding:
    told = f"not checked ({', '.join(gates)}): {file.reason}"
    return unknown(file.slug, where or file.path, told, _REMEDY.get(file.slug, ""))


def _changed(inspected: Mapping[str, Inspected]) -> Iterator[Finding]:
    """Find that gates saw the same files with other content: somebody wrote meanwhile."""
    seen: dict[tuple[str, ...], set[str]] = {}
    for found in inspected.values():
        if found.content:
            seen.setdefault(found.checked, set()).add(found.content)
    if any(len(contents) > 1 for contents in seen.values()):
        yield unknown(
            "gates/changed",
            "gates",
            "the code changed while the gates were looking at it",
            "run them again on code that nobody writes meanwhile",
        )


def excluded(exclude: Sequence[Exclusion]) -> Judgement:
    """List what the plan takes out of the inventory, and notice what takes out nothing."""
    judgement = Judgement()
    for one in exclude:
        if one.files:
            files = f"{len(one.files)} file{'s' if one.files[1:] else ''}"
            why = f"excluded by the plan: {one.reason}"
            judgement.not_checked.append(Omission(what=f"{one.path} ({files})", why=why))
        else:
            told = f"{one.path!r} excludes nothing; 'vendor/*' is all below vendor"
            judgement.notices.append(
                Notice(slug="gates/exclude-unused", where=one.where, message=told)
            )
    return judgement
