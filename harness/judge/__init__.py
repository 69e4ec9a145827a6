"""Judging: facts in, a record out. Pure, so that a verdict can be computed again at any time.

A member of the family judges one kind of part: `functional`, `load` or `gates`. What they
share is the shape of their answer, `Judgement`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.facts import Ended, Fact, Problem, Surprise
from harness.record import Notice, Omission
from harness.verdict import Finding, Outcome


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, what was not looked at, and what is only told."""

    findings: list[Finding] = field(default_factory=list)
    not_checked: list[Omission] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def extend(self, other: Judgement) -> None:
        """Take over another judgement."""
        self.findings.extend(other.findings)
        self.not_checked.extend(other.not_checked)
        self.notices.extend(other.notices)


def of_part(part: str, facts: tuple[Fact, ...], below: tuple[Fact, ...] = ()) -> Judgement:
    """Judge what every part shares: whether it ended by itself, its errors, its surprises.

    `below` are the facts of its processes.
    """
    judgement = Judgement()
    problems = list(dict.fromkeys(f for f in (*facts, *below) if isinstance(f, Problem)))
    for told in problems:
        judgement.findings.append(
            unknown(told.slug, told.where or part, told.message, told.next_step)
        )
    for surprise in (fact for fact in (*facts, *below) if isinstance(fact, Surprise)):
        judgement.findings.append(
            Finding(
                slug=surprise.slug,
                outcome=Outcome.FAIL,
                where=surprise.where,
                message=surprise.message,
            )
        )
    if not problems and not any(isinstance(fact, Ended) for fact in facts):
        judgement.findings.append(
            unknown(
                "evidence/incomplete",
                part,
                "this part did not end by itself: it was interrupted, was killed or crashed",
                "run it again; what it had recorded is counted",
            )
        )
    return judgement


def unknown(slug: str, where: str, message: str, next_step: str = "") -> Finding:
    """Make a finding for what could not be established."""
    return Finding(
        slug=slug, outcome=Outcome.UNKNOWN, where=where, message=message, next_step=next_step
    )
