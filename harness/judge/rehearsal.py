"""Judging what came before a load: each scenario must have passed once."""

from __future__ import annotations

from harness.judge import Judgement
from harness.judge.measured import Measured
from harness.record import Omission
from harness.sample import FailureKind
from harness.verdict import Finding, Outcome


def judge(part: str, measured: Measured) -> Judgement:
    """Find the scenarios that failed, so that the load was not driven, and those left out.

    A generator without files or ports left cannot show that a scenario is broken.
    """
    judgement = Judgement()
    for one in measured.rehearsed:
        scenario = " ".join(one.scenario.split())
        if one.outcome == "undecided":
            judgement.not_checked.append(
                Omission(what=f"{part}: that {scenario} passes once before the load",
                         why=one.message)
            )  # fmt: skip
        if one.outcome == "failed":
            exhausted = one.kind == FailureKind.EXHAUSTED
            often = f" {one.visits} times" if one.visits > 1 else ""
            judgement.findings.append(
                Finding(
                    slug="load/rehearsal-failed",
                    outcome=Outcome.UNKNOWN if exhausted else Outcome.FAIL,
                    where=one.where,
                    message=f"{scenario} failed{often} before the load, which was not driven: "
                    f"{one.kind}: {one.message}",
                    next_step=f"harness load {measured.begun.scenarios} --single-run -v",
                )
            )
    return judgement
