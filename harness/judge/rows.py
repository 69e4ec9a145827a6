"""What the record holds of a load: a row for each step, and the load as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from harness.facts import Exchanged
from harness.judge.measured import Measured
from harness.judge.series import latency
from harness.record import Example, LoadRow, LoadRun, Notice, Second
from harness.snapshot import HistogramFact
from harness.tally import MOST_STEPS, OTHER_STEPS, Tally

MOST_EXAMPLES = 5
"""How many failures of a kind, and how many slow successes, a row shows."""


def run(measured: Measured, series: list[Second]) -> LoadRun:
    """Describe a load as a whole; `series` is that of all its requests."""
    begun = measured.begun
    return LoadRun(
        load=begun.load,
        scenarios=begun.scenarios,
        target=begun.target,
        pace=begun.pace,
        duration_s=measured.seconds,
        processes=begun.processes,
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


def row(measured: Measured, tally: Tally, sick: str, series: list[Second]) -> LoadRow:
    """Describe a step, or a scenario's visits. `sick` says how the generator was the bottleneck."""
    is_open = measured.begun.asked_rate is not None
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
        first_byte_ms=latency(tally.first_byte),
        failed_ms=latency(tally.failed_response),
        uncorrected_ms=latency(tally.uncorrected) if is_open and tally.step else None,
        examples=[*_failures(measured, tally), *_slowest(measured, tally)],
        series=series,
        histogram=HistogramFact.of(tally.response),
    )


def _failures(measured: Measured, tally: Tally) -> Iterator[Example]:
    """Show the first failures of each kind, over all processes."""
    own = [f for f in measured.failures if (f.scenario, f.step) == (tally.scenario, tally.step)]
    own.sort(key=lambda failed: (failed.kind, _ended_s(failed.exchange)))
    for kind, same in groupby(own, key=lambda failed: failed.kind):
        for failed in list(same)[:MOST_EXAMPLES]:
            yield Example(
                failure=kind, message=failed.message, where=failed.where, process=failed.process,
                exchange=failed.exchange,
            )  # fmt: skip


def _slowest(measured: Measured, tally: Tally) -> Iterator[Example]:
    """Show the slowest successes of all processes, the slowest first."""
    own = [s for s in measured.slowest if (s.scenario, s.step) == (tally.scenario, tally.step)]
    own.sort(key=lambda slow: -slow.exchange.response_ms)
    for slow in own[:MOST_EXAMPLES]:
        yield Example(
            failure=None, message="", where=slow.where, process=slow.process,
            exchange=slow.exchange,
        )  # fmt: skip


def _ended_s(exchange: Exchanged | None) -> float:
    return exchange.due_s + exchange.response_ms / 1000 if exchange else 0.0


def crowded(part: str, measured: Measured) -> list[Notice]:
    """Tell that there were too many steps to count each by itself."""
    others = sum(tally.sent for tally in measured.steps if tally.step == OTHER_STEPS)
    if not others:
        return []
    told = (
        f"more than {MOST_STEPS} steps: {others:,} requests are counted together as {OTHER_STEPS}, "
        "and the rows of the rarest may lack some; name the routes: "
        'steps = ["/users/{id}"] in the plan, or --step'
    )
    return [Notice(slug="load/steps", where=part, message=told)]
