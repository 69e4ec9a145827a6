"""Judging a load: its rows, its objectives, and whether its own figures can be believed.

The limits and their numbers are in `checks`. The rules:

- A rate of which less than `checks.RATE` was started is FAIL where the generator was well, else
  UNKNOWN.
- The generator was not well where it was beyond a limit of `health.sickness`, or where its event
  loop's lag (p99) exceeds a tenth of the latency limit in question. Lag only ever lengthens
  latencies: an objective that is met stays met; one that is missed is then UNKNOWN.
- So it is where other processes kept the target from its processor, by no more than its whole wait.
- So is one on failures that is missed only by `promised.SPOILED`, kinds that such a generator
  makes, or, where the load was cut short, by what was under way.
- A loop that lagged, other processes' turns of the processor not counted, was blocked by the
  scenarios' own code: visits did not run side by side, and the load is UNKNOWN. One that others
  kept waiting spoils latencies and rates, but not the count of failures.
- Figures that contradict each other make the load UNKNOWN, whatever they say.
"""

from __future__ import annotations

from msgspec.structs import replace

from harness.facts import Fact
from harness.judge import Judgement, of_part, rehearsal, stopped
from harness.judge.checks import disagreement, validity
from harness.judge.health import doubt, evidence, rate_reached, sickness, stopped_at_failure
from harness.judge.measured import Measured
from harness.judge.promised import defaults, judged, unjudged
from harness.judge.rows import crowded, row, run
from harness.judge.series import ALL_REQUESTS, by_interval
from harness.judge.warmth import warm_up
from harness.objective import Family, parse_objective
from harness.record import LoadRow, LoadRun, Omission


def judge(
    part: str, facts: tuple[Fact, ...], below: tuple[Fact, ...]
) -> tuple[Judgement, LoadRun | None, list[LoadRow]]:
    """Judge one load."""
    judgement = of_part(part, facts, below)
    measured = Measured.of(facts, below)
    if measured is None or (judgement.findings and not measured.visits):
        return judgement, None, []  # what kept it from beginning has been said
    judgement.extend(before := rehearsal.judge(part, measured))
    if before.findings:
        return judgement, run(measured, []), []  # it was not driven
    objectives = [parse_objective(text, Family.LOAD) for text in measured.begun.objectives]
    objectives.extend(defaults(measured, objectives))
    sick, doubted = sickness(measured), doubt(measured)
    judgement.extend(evidence(part, measured))
    judgement.extend(rate_reached(part, measured, doubted))
    judgement.extend(stopped_at_failure(part, measured))
    judgement.extend(disagreement(part, measured))
    for objective in objectives:
        judgement.findings.append(judged(part, measured, objective, doubted))
    judgement.extend(stopped.judge(part, measured, objectives, judgement.findings))
    if sick:
        judgement.not_checked.append(
            Omission(
                what=f"{part}: what the target does beyond this load",
                why=f"the generator was the bottleneck: {sick.why}",
                next_step=sick.helps,
            )
        )
    judgement.not_checked.extend(unjudged(part, measured, objectives))
    series = by_interval(measured.snapshots)
    rows = [row(one, t, sick.why, series[t.scenario, t.step])
            for one in (measured, measured.warm_up) for t in one.tallies]  # fmt: skip
    judgement.notices.extend(crowded(part, measured))
    judgement.extend(warm_up(part, measured, below))
    whole = run(measured, series[ALL_REQUESTS])
    return judgement, replace(whole, validity=validity(measured, objectives)), rows
