"""What the record holds of a load: a row for each step, and the load as a whole."""

from __future__ import annotations

from harness.facts import HistogramFact
from harness.judge.measured import Measured
from harness.judge.series import latency
from harness.record import LoadRow, LoadRun, Second
from harness.tally import Tally


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
    )  # fmt: skip


def row(measured: Measured, tally: Tally, sick: str, series: list[Second]) -> LoadRow:
    """Describe a step, or a scenario's visits. `sick` says how the generator was the bottleneck."""
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
