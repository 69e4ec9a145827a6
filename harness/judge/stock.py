"""Judging a run of the stock `molotov` command: visits succeeded, and none failed."""

from __future__ import annotations

from harness.facts import Fact, StockRan
from harness.judge import Judgement, of_part
from harness.verdict import Finding, Outcome


def judge(part: str, facts: tuple[Fact, ...], below: tuple[Fact, ...]) -> Judgement:
    """Judge one. It has no rows: the stock runner counts visits and measures nothing."""
    judgement = of_part(part, facts, below)
    for ran in (fact for fact in facts if isinstance(fact, StockRan)):
        outcome = Outcome.PASS if ran.successes else Outcome.UNKNOWN
        judgement.findings.append(
            Finding(
                slug="load/stock",
                outcome=Outcome.FAIL if ran.failures else outcome,
                where=ran.scenarios,
                message=f"under the stock runner {ran.successes} visits succeeded, "
                f"{ran.failures} failed: {ran.command}",
                next_step="" if ran.successes and not ran.failures else f"read logs/{part}.log",
            )
        )
    return judgement
