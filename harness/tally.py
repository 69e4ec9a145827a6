"""Samples folded into counts and histograms, per scenario and step. Adding two is exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.histogram import Histogram
from harness.sample import Sample

MOST_STEPS = 200
"""Steps kept apart in one process; what comes after them is counted under `OTHER_STEPS`."""

OTHER_STEPS = "(other)"

WARM_UP = " (warm-up)"
"""Ends the scenario's name under which visits are counted that were due in a load's warm-up."""

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


class Growing:
    """A tally that grows by samples, most of which are successes that were sent when due.

    Of those, one histogram says what the tally's three do. It is folded into them when the tally
    is looked at: the hot path of a load at a closed pace then records once and not thrice.
    """

    __slots__ = ("_bytes_in", "_statuses", "_tally", "_times")

    def __init__(self, scenario: str, step: str | None) -> None:
        self._tally = Tally(scenario, step)
        self._clear()

    def _clear(self) -> None:
        self._times = Histogram()
        self._statuses: dict[int | None, int] = {}
        self._bytes_in = 0

    def add(self, sample: Sample) -> None:
        """Fold one sample in."""
        if sample.failure is not None or sample.due_ns != sample.sent_ns:
            self._tally.add(sample)
        else:
            self.add_prompt(sample.service_ns, sample.status, sample.bytes_in)

    def add_prompt(self, service_ns: int, status: int | None, bytes_in: int) -> None:
        """Fold in a success that was sent when due."""
        self._times.record(service_ns)
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._bytes_in += bytes_in

    def tally(self) -> Tally:
        """Return the tally as if each sample had been added to it."""
        tally, count = self._tally, self._times.count
        tally.sent += count
        tally.ok += count
        tally.bytes_in += self._bytes_in
        for status, times in self._statuses.items():
            if status is not None:
                tally.statuses[str(status)] = tally.statuses.get(str(status), 0) + times
        tally.response += self._times
        tally.service += self._times
        tally.lag.record(0, count)
        self._clear()
        return tally


class Tallies:
    """The tallies of one generator process, by scenario and step, bounded in number."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Growing] = {}

    def add(self, sample: Sample) -> None:
        """Fold one sample into the tally of its scenario and step."""
        self.of(sample.scenario, sample.step).add(sample)

    def of(self, scenario: str, step: str | None) -> Growing:
        """Return what samples of a scenario's step are added to."""
        return self._by_key.get((scenario, step)) or self._new(scenario, step)

    def _new(self, scenario: str, step: str | None) -> Growing:
        if step is not None and len(self._by_key) >= MOST_STEPS:
            step = OTHER_STEPS
        return self._by_key.setdefault((scenario, step), Growing(scenario, step))

    def all(self) -> list[Tally]:
        """Return every tally, in the order in which their first samples came."""
        return [growing.tally() for growing in self._by_key.values()]


def merged(tallies: Iterable[Tally]) -> dict[Key, Tally]:
    """Add up the tallies of the same scenario and step: visits first, then their steps."""
    found: dict[Key, Tally] = {}
    for tally in tallies:
        key = (tally.scenario, tally.step)
        total = found.setdefault(key, Tally(*key))
        total += tally
    return {key: found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or ""))}
