"""Judging a load: its rows, its objectives, and whether its own figures can be believed.

The limits and their numbers are in `checks`. The rules:

- A rate of which less than `checks.RATE` was started is FAIL where the generator was well, else
  UNKNOWN.
- The generator was not well where it was beyond a limit of `health.sickness`, or where its event
  loop's lag (p99) exceeds a tenth of the latency limit in question. Lag only ever lengthens
  latencies: an objective that is met stays met; one that is missed is then UNKNOWN.
- So is one on failures that is missed only by `promised.SPOILED`, kinds that such a generator
  makes, or, where the load was cut short, by what was under way.
- A loop that lagged, other processes' turns of the processor not counted, was blocked by the
  scenarios' own code: visits did not run side by side, and the load is UNKNOWN. One that others
  kept waiting spoils latencies and rates, but not the count of failures.
- Figures that contradict each other make the load UNKNOWN, whatever they say.
"""

from __future__ import annotations

from msgspec.structs import replace

from harness.facts import Fact, HistogramFact
from harness.judge import Judgement, of_part, rehearsal, stopped
from harness.judge.checks import disagreement, validity
from harness.judge.health import evidence, rate_reached, sickness, stopped_at_failure
from harness.judge.measured import Measured
from harness.judge.promised import defaults, judged, unjudged
from harness.judge.series import ALL_REQUESTS, by_interval, latency
from harness.judge.warmth import warm_up
from harness.objective import Family, parse_objective
from harness.record import LoadRow, LoadRun, Omission, Second
from harness.tally import Tally


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
        return judgement, _run(measured, []), []  # it was not driven
    objectives = [parse_objective(text, Family.LOAD) for text in measured.begun.objectives]
    objectives.extend(defaults(measured, objectives))
    sick = sickness(measured)
    judgement.extend(evidence(part, measured))
    judgement.extend(rate_reached(part, measured, sick))
    judgement.extend(stopped_at_failure(part, measured))
    judgement.extend(disagreement(part, measured))
    for objective in objectives:
        judgement.findings.append(judged(part, measured, objective, sick))
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
    rows = [_row(one, t, sick.why, series[t.scenario, t.step])
            for one in (measured, measured.warm_up) for t in one.tallies]  # fmt: skip
    judgement.extend(warm_up(part, measured, below))
    run = _run(measured, series[ALL_REQUESTS])
    return judgement, replace(run, validity=validity(measured, objectives)), rows


def _run(measured: Measured, series: list[Second]) -> LoadRun:
    begun = measured.begun
    return LoadRun(
        load=begun.load, scenarios=begun.scenarios, target=begun.target, pace=begun.pace,
        duration_s=measured.seconds, processes=begun.processes,
        queueing_visible=begun.asked_rate is not None,
        visits_due=begun.visits,
        visits_started=measured.started,
        generator_cpu=measured.cpu,
        loop_lag_ms=latency(measured.loop_lag),
        series=series, rebased=measured.rebased, by_aiohttp=measured.by_aiohttp,
        rehearsed={r.scenario: r.visits for r in measured.rehearsed if r.outcome == "passed"},
        blocked_ms=latency(measured.blocked) if measured.blocked.count else None,
        turned_away=measured.turned_away,
        stopped_by=measured.stopped.objective if measured.stopped else "",
    )  # fmt: skip


def _row(measured: Measured, tally: Tally, sick: str, series: list[Second]) -> LoadRow:
    asked = measured.begun.asked_rate if tally.step is None and len(measured.visits) == 1 else None
    return LoadRow(
        load=measured.begun.load,
        scenario=tally.scenario,
        step=tally.step,
        sent=tally.sent,
        ok=tally.ok,
        failed=tally.failed,
        failures=tally.failures,
        statuses=tally.statuses,
        bytes_in=tally.bytes_in,
        asked_rate=asked,
        achieved_rate=tally.sent / measured.rate_seconds,
        valid=not sick,
        invalid_because=sick,
        response_ms=latency(tally.response),
        service_ms=latency(tally.service),
        lag_ms=latency(tally.lag),
        series=series,
        histogram=HistogramFact.of(tally.response),
    )
