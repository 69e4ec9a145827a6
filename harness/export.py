"""What a run measured, for other tools: response times as an HdrHistogram interval log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from harness import hdr
from harness.errors import EvidenceError
from harness.evidence import Facts
from harness.facts import Begun
from harness.judge.measured import Measured
from harness.snapshot import Snapshot
from harness.tally import merged


def interval_log(facts: Facts) -> str:
    """Write the response times of successes, an interval and a step to a line.

    A line's tag is ``load:scenario:step``, its time counts from when the first load's processes
    began. Raises EvidenceError where no load was measured.
    """
    loads = sorted(_loads(facts), key=lambda one: one[0])
    if not loads:
        raise EvidenceError(
            "evidence/no-load",
            "no load was measured in this run",
            next_step="harness load, or name the folder of a run that has one",
        )
    first_s = loads[0][0]
    at = datetime.fromtimestamp(first_s).astimezone().isoformat(timespec="seconds")
    lines = [*hdr.opening(first_s, at)]
    for began_s, measured in loads:
        lines.extend(_intervals(began_s - first_s, measured))
    return "\n".join(lines) + "\n"


def _loads(facts: Facts) -> Iterator[tuple[float, Measured]]:
    """Give each load that was measured, and when its processes began."""
    for part in facts.by_part:
        below = facts.below(part)
        measured = Measured.of(facts.by_part[part], below)
        if measured is not None and measured.snapshots:
            began = [fact.at for fact in below if isinstance(fact, Begun)]
            yield min(datetime.fromisoformat(at).timestamp() for at in began), measured


def _intervals(began_s: float, measured: Measured) -> Iterator[str]:
    until_s = 0.0
    for number in sorted({snapshot.number for snapshot in measured.snapshots}):
        same: list[Snapshot] = [s for s in measured.snapshots if s.number == number]
        from_s, until_s = until_s, max(until_s, *(snapshot.at_s for snapshot in same))
        for tally in merged(fact.tally() for one in same for fact in one.tallies).values():
            if tally.response.count:
                tag = f"{measured.begun.load}:{tally.scenario}:{tally.step or '(visits)'}"
                yield hdr.interval(tag, began_s + from_s, until_s - from_s, tally.response)
