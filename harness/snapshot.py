"""What one generator process of a load has counted, as a fact: tallies and its own health."""

from __future__ import annotations

import msgspec

from harness.errors import EvidenceError
from harness.histogram import Histogram
from harness.tally import Tally


class HistogramFact(msgspec.Struct, frozen=True, array_like=True):
    """A histogram on one line: the exact figures, then bucket numbers and counts in turn."""

    count: int
    total_ns: int
    min_ns: int
    max_ns: int
    clipped: int
    buckets: list[int]

    @classmethod
    def of(cls, h: Histogram) -> HistogramFact:
        """Take down a histogram."""
        flat = [number for pair in sorted(h.buckets.items()) for number in pair]
        return cls(h.count, h.total_ns, h.min_ns, h.max_ns, h.clipped, flat)

    def histogram(self) -> Histogram:
        """Return the histogram that was taken down. Raises EvidenceError for a damaged one."""
        if len(self.buckets) % 2:
            raise EvidenceError("evidence/unreadable", "a histogram's buckets are not pairs")
        buckets = dict(zip(self.buckets[::2], self.buckets[1::2], strict=True))
        return Histogram(buckets, self.count, self.total_ns, self.min_ns, self.max_ns, self.clipped)


_EMPTY = HistogramFact(0, 0, 0, 0, 0, [])


class TallyFact(msgspec.Struct, frozen=True, kw_only=True):
    """A tally on one line."""

    scenario: str
    step: str | None
    sent: int
    ok: int
    failures: dict[str, int]
    statuses: dict[str, int]
    bytes_in: int
    response: HistogramFact
    service: HistogramFact
    lag: HistogramFact
    first_byte: HistogramFact = _EMPTY
    failed_response: HistogramFact = _EMPTY
    uncorrected: HistogramFact = _EMPTY

    @classmethod
    def of(cls, t: Tally) -> TallyFact:
        """Take down a tally as it stands."""
        return cls(
            scenario=t.scenario, step=t.step, sent=t.sent, ok=t.ok, failures=dict(t.failures),
            statuses=dict(t.statuses), bytes_in=t.bytes_in, response=HistogramFact.of(t.response),
            service=HistogramFact.of(t.service), lag=HistogramFact.of(t.lag),
            first_byte=HistogramFact.of(t.first_byte),
            failed_response=HistogramFact.of(t.failed_response),
            uncorrected=HistogramFact.of(t.uncorrected),
        )  # fmt: skip

    def tally(self) -> Tally:
        """Return the tally that was taken down."""
        return Tally(
            self.scenario, self.step, self.sent, self.ok, self.failures, self.statuses,
            self.bytes_in, self.response.histogram(), self.service.histogram(),
            self.lag.histogram(), self.first_byte.histogram(), self.failed_response.histogram(),
            self.uncorrected.histogram(),
        )  # fmt: skip


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """Visits under way, added up over time apart from the tallies: in visit-seconds.

    They count from the start, `failed_s` those of visits that failed. `most` is the most visits
    that were under way at once since the snapshot before.
    """

    visits_s: float
    failed_s: float
    most: int


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time that a machine used since a load's start, in seconds of one processor.

    `target_s` is that of the processes that listen at the load's target, `starved_s` how long
    their threads were ready while others had the processors; None: not known.
    """

    processors: int
    busy_s: float
    target_s: float | None
    starved_s: float | None = None


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What a generator process has left. None: not known here, or left to the first process.

    `descriptors` are open files and sockets. `waiting` counts the machine's connections in
    TIME_WAIT, `ports` the local ports that connections can be given.
    """

    descriptors: int | None = None
    most_descriptors: int | None = None
    waiting: int | None = None
    ports: int | None = None
    machine: Machine | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The generator's own state: processor time used, and how late its event loop ran.

    `blocked` is the lag without the time in which other processes had the processor; None: where
    it is not known.
    """

    cpu_s: float
    loop_lag: HistogramFact
    blocked: HistogramFact | None = None
    flight: Flight | None = None
    vitals: Vitals | None = None


class Snapshot(msgspec.Struct, tag="snapshot", frozen=True, kw_only=True):
    """What one generator process counted since its snapshot before: increments, which add up.

    Numbered from 1, so that a lost one shows. `at_s`, `started` (visits) and the processor time
    count from the start. `final` is set on the last one, after the drain. `rebased` counts, by
    their origin, requests that were sent to the target instead, `by_aiohttp` by the reason those
    that the load's own client does not send. `blocked` holds how long arrivals of an open pace
    waited for room, of those that did: until they got it or, never started, until the load ended.
    `not_started` counts these; it is known at the end.
    """

    process: int
    number: int
    at_s: float
    started: int
    final: bool
    tallies: list[TallyFact]
    health: Health
    rebased: dict[str, int] = {}
    by_aiohttp: dict[str, int] = {}
    blocked: HistogramFact | None = None
    not_started: int = 0
