"""What a load's warm-up was like: no objective speaks of it, and none of it is hidden."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from harness.facts import Fact, Failed
from harness.histogram import Histogram, samples_needed
from harness.judge import Judgement
from harness.judge.measured import Measured
from harness.record import Notice, Omission
from harness.tally import WARM_UP

_P99 = Fraction(99, 100)
_MS = 1_000_000
_MOST = 5


def warm_up(part: str, measured: Measured, below: Iterable[Fact]) -> Judgement:
    """Tell what was left out, where that was asked, and the first of its failures."""
    judgement, begun = Judgement(), measured.begun
    if not begun.warm_up_s:
        return judgement
    visits, requests = measured.warm_up.visits, measured.warm_up.steps
    told = f"{sum(t.sent for t in visits)} visits, {sum(t.failed for t in visits)} failed"
    if failed := sum(t.failed for t in requests):
        told += f", {failed} failed requests"
    response = sum((t.response for t in requests), start=Histogram())
    p99 = response.quantile(_P99) if response.count >= samples_needed(_P99) else None
    if p99 is not None:
        told += f", requests' p99 {p99 / _MS:.4g} ms"
    judgement.not_checked.append(
        Omission(
            what=f"{part}: {begun.warm_up_s:g} s of warm-up: {told}",
            why="it was asked for, so no objective speaks of it",
            next_step="leave out the warm-up",
        )
    )
    failures = [f for f in below if isinstance(f, Failed) and f.scenario.endswith(WARM_UP)]
    for one in failures[:_MOST]:
        said = f"{' '.join(one.scenario.split())}: {one.kind}: {one.message}"
        judgement.notices.append(Notice(slug="load/warm-up-failed", where=one.where, message=said))
    return judgement
