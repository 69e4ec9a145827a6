"""Outcome, finding and verdict: PASS, FAIL or UNKNOWN, and each fact that was judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What was found out. UNKNOWN is not success: there is no evidence either way."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    UNKNOWN = "UNKNOWN"
    FAIL = "FAIL"

    @property
    def exit_code(self) -> int:
        """The exit code of a verb that ends in this outcome."""
        return {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.UNKNOWN: 2}[self]


_BADNESS = (Outcome.PASS, Outcome.UNKNOWN, Outcome.FAIL)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the worst: FAIL before UNKNOWN before PASS. Of none: UNKNOWN, nothing was judged."""
    return max(outcomes, key=_BADNESS.index, default=Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Waived:
    """Why a finding is tolerated, and through which day (ISO 8601).

    One of the baseline has its line there, and no such day.
    """

    reason: str
    until: str
    baseline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One judged fact.

    `where` is a place that a reader can open: ``file:line``, a test's name, a load's step.
    `symbol` is the qualified name of the function that it is in, or the pattern that it is about.
    `measured` and `limit` are numbers in `unit`; None where the fact has no number. `evidence` are
    texts of several lines, such as the exchanges of a failed test. One with a `waiver` is
    tolerated, and the verdict leaves it out.
    """

    slug: str
    outcome: Outcome
    where: str
    message: str
    measured: float | None = None
    limit: float | None = None
    unit: str | None = None
    next_step: str = ""
    evidence: tuple[str, ...] = ()
    waiver: Waived | None = None
    symbol: str = ""

    @property
    def counts_as(self) -> Outcome:
        """What it is to the verdict: bad evidence that is tolerated is evidence all the same."""
        return self.outcome if self.waiver is None else Outcome.PASS


def verdict(findings: Sequence[Finding]) -> Outcome:
    """Return the outcome of everything that was judged."""
    return worst(finding.counts_as for finding in findings)
