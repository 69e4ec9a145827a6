"""Samples folded into counts and histograms, per scenario and step. Adding two is exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.histogram import Histogram
from harness.sample import Sample

MOST_STEPS = 200
"""Steps kept apart in one process; what comes after them is counted under `OTHER_STEPS`."""

OTHER_STEPS = "(other)"

Key = tuple[str, str | None]
"""A scenario and its step; None: its visits."""


@dataclass(slots=True)
class Tally:
    """What happened to one step of one scenario, or to its visits (`step` None).

    The histograms hold successes only: a failure that comes back at once must not make a
    service look fast. `lag` holds every sample, since it is the generator's own.
    """

    scenario: str
    step: str | None
    sent: int = 0
    ok: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    response: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)
    lag: Histogram = field(default_factory=Histogram)

    @property
    def failed(self) -> int:
        """How many failed, in any way."""
        return self.sent - self.ok

    def add(self, sample: Sample) -> None:
        """Fold one sample in."""
        self.sent += 1
        self.bytes_in += sample.bytes_in
        self.lag.record(sample.lag_ns)
        if sample.status is not None:
            code = str(sample.status)
            self.statuses[code] = self.statuses.get(code, 0) + 1
        if sample.failure is not None:
            self.failures[sample.failure] = self.failures.get(sample.failure, 0) + 1
            return
        self.ok += 1
        self.response.record(sample.response_ns)
        self.service.record(sample.service_ns)

    def __iadd__(self, other: Tally) -> Tally:
        self.sent += other.sent
        self.ok += other.ok
        self.bytes_in += other.bytes_in
        for counts, more in ((self.failures, other.failures), (self.statuses, other.statuses)):
            for name, times in more.items():
                counts[name] = counts.get(name, 0) + times
        self.response += other.response
        self.service += other.service
        self.lag += other.lag
        return self


class Tallies:
    """The tallies of one generator process, by scenario and step, bounded in number."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Tally] = {}

    def add(self, sample: Sample) -> None:
        """Fold one sample into the tally of its scenario and step."""
        key = (sample.scenario, sample.step)
        tally = self._by_key.get(key)
        if tally is None:
            tally = self._new(*key)
        tally.add(sample)

    def _new(self, scenario: str, step: str | None) -> Tally:
        if step is not None and len(self._by_key) >= MOST_STEPS:
            step = OTHER_STEPS
        return self._by_key.setdefault((scenario, step), Tally(scenario, step))

    def all(self) -> list[Tally]:
        """Return every tally, in the order in which their first samples came."""
        return list(self._by_key.values())


def merged(tallies: Iterable[Tally]) -> dict[Key, Tally]:
    """Add up the tallies of the same scenario and step: visits first, then their steps."""
    found: dict[Key, Tally] = {}
    for tally in tallies:
        key = (tally.scenario, tally.step)
        total = found.setdefault(key, Tally(*key))
        total += tally
    return {key: found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or ""))}
