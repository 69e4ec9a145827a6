"""Waivers: bad evidence that a project tolerates for a while, with a reason and an end.

A FAIL can be waived: there is evidence, and somebody answers for it. An UNKNOWN, such as
``evidence/incomplete``, is no evidence at all, and no reason makes evidence of it; but for a
file that a gate could not check (`UNCHECKED`), which is then left out of what is judged.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import msgspec

from harness.errors import UsageError
from harness.verdict import Finding, Outcome, Waived

MOST_DAYS = 180
"""How far ahead a waiver may end: longer, and nobody remembers why."""

UNCHECKED = frozenset({"gates/not-parsed", "gates/unreadable", "gates/tool-error"})
"""What is found of a single file that a gate could not check."""

_SLUG = re.compile(r"[a-z0-9-]+/[\w.-]+\Z")
_LINE = re.compile(r":\d+\Z")


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """Tolerates findings of one slug at places that match `path`, through the day `until`.

    In `path`, ``*`` stands for any text, ``/`` included. `where` is the waiver's own line.
    """

    slug: str
    path: str
    reason: str
    until: date
    where: str = ""

    def covers(self, finding: Finding) -> bool:
        """Tell whether a finding is meant, its place with or without a line, whenever."""
        places = (finding.where, _LINE.sub("", finding.where))
        return (
            _can_be_waived(finding)
            and finding.slug == self.slug
            and any(fnmatch.fnmatchcase(place, self.path) for place in places)
        )


def checked(waiver: Waiver, today: date) -> Waiver:
    """Return a waiver that means something. Raises UsageError."""
    if not _SLUG.match(waiver.slug):
        raise _refusal(f"{waiver.slug!r} is no slug", "copy it from the report: 'family/name'")
    if waiver.slug.startswith("waivers/"):
        raise _refusal(f"{waiver.slug} is about waivers, and none waives it", "delete this one")
    if not waiver.path.strip():
        raise _refusal("its path is empty", "name the place, as in 'shop/*': '*' is everywhere")
    if not waiver.reason.strip():
        raise _refusal("its reason is empty", "say why this is tolerated, and who mends it")
    latest = today + timedelta(days=MOST_DAYS)
    if waiver.until > latest:
        raise _refusal(
            f"it ends on {waiver.until}, more than {MOST_DAYS} days ahead",
            f"let it end by {latest}, and look at it again then",
        )
    return waiver


def _refusal(said: str, next_step: str) -> UsageError:
    return UsageError("plan/waiver", f"a waiver makes no sense: {said}", next_step=next_step)


def _can_be_waived(finding: Finding) -> bool:
    return finding.outcome is Outcome.FAIL or (
        finding.outcome is Outcome.UNKNOWN and finding.slug in UNCHECKED
    )


def tolerated(finding: Finding, waivers: Iterable[Waiver], today: date) -> bool:
    """Tell whether a waiver that has not ended covers a finding."""
    return any(waiver.covers(finding) and today <= waiver.until for waiver in waivers)


def applied(
    findings: Iterable[Finding], waivers: Sequence[Waiver], today: date
) -> tuple[list[Finding], list[Waiver]]:
    """Return all findings, those that a waiver covers with it, and the waivers that cover none.

    The first that has not ended counts; where all have, the finding counts again and says so.
    """
    found, used = [], set()
    for finding in findings:
        covering = [waiver for waiver in waivers if waiver.covers(finding)]
        used.update(covering)
        found.append(_under(finding, covering, today))
    return found, [waiver for waiver in waivers if waiver not in used]


def _under(finding: Finding, covering: Sequence[Waiver], today: date) -> Finding:
    for waiver in covering:
        if today <= waiver.until:
            return replace(finding, waiver=Waived(waiver.reason, waiver.until.isoformat()))
    if covering:
        last = max(covering, key=lambda waiver: waiver.until)
        ended = f"its waiver ({last.where}) ended on {last.until}: {last.reason}"
        return replace(finding, message=f"{finding.message}\n{ended}")
    return finding
