"""Samples folded into counts and histograms, per scenario and step. Adding two is exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress
from operator import sub

from harness.histogram import Histogram
from harness.sample import Sample

MOST_STEPS = 200
"""Steps kept apart, in one process and over all; the others are counted under `OTHER_STEPS`."""

OTHER_STEPS = "(other)"

WARM_UP = " (warm-up)"
"""Ends the scenario's name under which visits are counted that were due in a load's warm-up."""
MOST_PENDING = 256
"""Successes that are noted before they are folded in: folding many at once costs least."""

Key = tuple[str, str | None]
"""A scenario and its step; None: its visits."""

Success = tuple[int, int, int, int, int | None, int, bool]
"""When a request was due, sent, answered (0: not) and done, in ns; its status (None: a visit), the
bytes that came, and whether it was `Sample.alone`."""

_NEVER = 1 << 63


@dataclass(slots=True)
class Tally:
    """What happened to one step of one scenario, or to its visits (`step` None).

    `response`, `service` and `first_byte` (from sent to the answer's head) hold successes only: a
    failure that comes back at once must not make a service look fast. `failed_response` holds
    failures only, from due until they failed. `lag` holds every sample, since it is the
    generator's own. `uncorrected` holds the service times of those successes that a client would
    have had who waits for each answer before sending the next request: what is due meanwhile, it
    omits.
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
    first_byte: Histogram = field(default_factory=Histogram)
    failed_response: Histogram = field(default_factory=Histogram)
    uncorrected: Histogram = field(default_factory=Histogram)

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
            self.failed_response.record(sample.response_ns)
            return
        self.ok += 1
        self.response.record(sample.response_ns)
        self.service.record(sample.service_ns)
        if sample.answered_ns:
            self.first_byte.record(sample.answered_ns - sample.sent_ns)
        if sample.alone:
            self.uncorrected.record(sample.service_ns)

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
        self.first_byte += other.first_byte
        self.failed_response += other.failed_response
        self.uncorrected += other.uncorrected
        return self


class Growing:
    """A tally that grows by samples, most of which are successes: these are folded in together.

    `step` is the name that it is counted under. `floor_ns` is the response time beyond which a
    success is one of the slowest so far; who keeps those sets it. Of visits none is kept.
    """

    __slots__ = ("_alike", "_pending", "_tally", "floor_ns", "step")

    def __init__(self, scenario: str, step: str | None) -> None:
        self.step = step
        self.floor_ns = _NEVER if step is None else -1
        self._tally = Tally(scenario, step)
        self._pending: list[Success] = []
        self._alike = Histogram()  # of response, service and first byte

    def add(self, sample: Sample) -> None:
        """Fold one sample in."""
        if sample.failure is not None:
            self._tally.add(sample)
            return
        self.succeeded(
            (sample.due_ns, sample.sent_ns, sample.answered_ns, sample.done_ns, sample.status,
             sample.bytes_in, sample.alone)
        )  # fmt: skip

    def succeeded(self, success: Success) -> None:
        """Note a success."""
        self._pending.append(success)
        if len(self._pending) >= MOST_PENDING:
            self._fold()

    def _fold(self) -> None:
        """Fold in what was noted.

        Where all were sent when due and answered at once, one histogram stands for three.
        """
        if not self._pending:
            return
        dues, sents, answereds, dones, statuses, sizes, alones = zip(*self._pending, strict=True)
        self._pending.clear()
        tally = self._tally
        services = [*map(sub, dones, sents)]
        is_whole = answereds == dones and all(answereds)
        if dues == sents and (is_whole if self.step is not None else not any(answereds)):
            self._alike.record_all(services)
            tally.lag.record(0, len(dues))
        else:
            tally.response.record_all([*map(sub, dones, dues)])
            tally.service.record_all(services)
            tally.lag.record_all([*map(sub, sents, dues)])
            first = [one - sent for one, sent in zip(answereds, sents, strict=True) if one]
            tally.first_byte.record_all(first)
        tally.uncorrected.record_all([*compress(services, alones)])
        tally.sent += len(dues)
        tally.ok += len(dues)
        tally.bytes_in += sum(sizes)
        for status, times in Counter(statuses).items():
            if status is not None:
                tally.statuses[str(status)] = tally.statuses.get(str(status), 0) + times

    def taken(self) -> Tally:
        """Return the tally as if each sample had been added to it, and begin another."""
        self._fold()
        tally, self._tally = self._tally, Tally(self._tally.scenario, self._tally.step)
        tally.response += self._alike
        tally.service += self._alike
        if self.step is not None:  # visits are not answered
            tally.first_byte += self._alike
        self._alike = Histogram()
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

    def taken(self) -> list[Tally]:
        """Return what has grown since the last time, in the order in which first samples came.

        Totals would grow with the load, and taking them down would hold up its visits.
        """
        return [tally for one in self._by_key.values() if (tally := one.taken()).sent]


def merged(tallies: Iterable[Tally]) -> dict[Key, Tally]:
    """Add up the tallies of the same scenario and step: visits first, then their steps."""
    found: dict[Key, Tally] = {}
    for tally in tallies:
        key = (tally.scenario, tally.step)
        total = found.setdefault(key, Tally(*key))
        total += tally
    return {key: found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or ""))}


def beyond(tallies: Iterable[Tally]) -> frozenset[Key]:
    """Return which steps are more than `MOST_STEPS`: those with the fewest requests."""
    steps = [t for t in tallies if t.step not in (None, OTHER_STEPS)]
    steps.sort(key=lambda t: (-t.sent, t.scenario, t.step or ""))
    return frozenset((t.scenario, t.step) for t in steps[MOST_STEPS:])
