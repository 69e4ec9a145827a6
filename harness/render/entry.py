"""A finding where a report has one entry for each: its place, its words, what it is known by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from harness.record import Record
from harness.render import outline
from harness.render.plain import block, line
from harness.verdict import Finding, Outcome, Waived

_FILE = (
    r"[^\n:*?]+\.(?:cfg|html|ini|json|jsonl|md|py|pyi|toml|txt|ya?ml)"  # a host's ending is none
)
_PLACES = (
    re.compile(rf"(?P<path>{_FILE})(?::(?P<line>[1-9]\d{{0,8}}))?(?:::.*)?\Z", re.DOTALL),
    re.compile(rf"[^\n(]*\((?P<path>{_FILE})\)\Z"),  # a load: its name, and its file in brackets
)
_LONGEST_PATH = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """A file, as the record has it, and a line of it where one is known."""

    path: str
    line: int | None = None


def place(where: str) -> Place | None:
    """Return the file that a finding's `where` names; None where it names something else.

    >>> place("shop/app.py:12"), place("mix (scenarios/mix.py)").path, place("http://a.py:80")
    (Place(path='shop/app.py', line=12), 'scenarios/mix.py', None)
    """
    for pattern in _PLACES:
        found = pattern.match(where) if len(where) <= _LONGEST_PATH else None
        if found:
            number = found.groupdict().get("line")
            return Place(found["path"].removeprefix("./"), int(number) if number else None)
    return None


def worst_first(record: Record) -> list[Finding]:
    """Return the findings that count against the run: every FAIL, then every UNKNOWN."""
    bad = (Outcome.FAIL, Outcome.UNKNOWN)
    return [finding for outcome in bad for finding in outline.of_outcome(record, outcome)]


def waived(record: Record) -> list[Finding]:
    """Return the findings that the project tolerates."""
    return [finding for finding in record.findings if finding.waiver is not None]


def title(finding: Finding) -> str:
    """Name a finding in a few words: the first line of its message, or else its slug."""
    return line(finding.message.strip().partition("\n")[0], 200) or line(finding.slug)


def said(finding: Finding, lines: int, width: int = 400) -> Iterator[str]:
    """Say all that a reader needs: message, measured and limit, waiver, and what to type next."""
    yield from block(finding.message, lines, width) or [line(finding.slug)]
    if compared := outline.comparison(finding):
        yield f"measured {compared[0]}, limit {compared[1]}"
    if finding.waiver is not None:
        yield f"waived {through(finding.waiver)}: {line(finding.waiver.reason, width)}"
    if finding.next_step:
        yield f"next: {line(finding.next_step, width)}"


def through(waiver: Waived) -> str:
    """Say until when a finding is tolerated, or by which line of the baseline."""
    return f"by {line(waiver.baseline)}" if waiver.baseline else f"until {line(waiver.until)}"


class Fingerprints:
    """Names findings so that the next run knows them again, wherever their lines have moved.

    What is alike in slug, file and message but for its numbers is told apart by its turn.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, finding: Finding) -> str:
        """Return the fingerprint of the next finding."""
        found = place(finding.where)
        first = re.sub(r"\d+", "#", finding.message.strip().partition("\n")[0])
        parts = (finding.slug, found.path if found else finding.where, first)
        digest = sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
        self._seen[digest] = turn = self._seen.get(digest, 0) + 1
        return f"{digest}:{turn}"
