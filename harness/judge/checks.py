"""The numbers by which a load's own figures are believed or not, and what helps where they are not.

``docs/load.md`` has the same table: a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.histogram import Histogram
from harness.judge import Judgement
from harness.judge.measured import LASTED, Measured
from harness.objective import Objective
from harness.record import Check, Shares, Validity
from harness.snapshot import Snapshot, Vitals
from harness.verdict import Finding, Outcome

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """What is measured, where it is to be, what a breach makes doubtful, and what helps."""

    what: str
    op: str
    limit: int
    unit: str
    doubtful: str
    helps: str

    def check(self, measured: float | None) -> Check:
        """Compare. What is not known is not beyond its limit."""
        beyond = measured is not None and _BEYOND[self.op](measured, self.limit)
        return Check(
            what=self.what, measured=measured, op=self.op, limit=self.limit, unit=self.unit,
            within=not beyond, helps=self.helps,
        )  # fmt: skip


_BEYOND: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda measured, limit: measured > limit,
    "<": lambda measured, limit: measured >= limit,
    ">=": lambda measured, limit: measured < limit,
}
_MISSED = "what is missed: a latency, a rate, a size, failures that such a generator makes"
_NOTHING = "nothing by itself: what finds none fails, and is counted"
_PROCESSES = "more processes (-p), or a machine of its own"

TIME = Limit(
    "time that the load lasted, of its time", ">=", round(100 * LASTED), "%",
    "the load", "no interruption; leave out -x",
)  # fmt: skip
RATE = Limit(
    "visits that were started, of those due", ">=", 99, "%",
    "the rate: FAIL, where the generator was well", "more processes (-p), or a lower rate",
)  # fmt: skip
SCHEDULE = Limit(
    "wait for room (p99), where visits mostly pause", "<=", 250, "ms",
    _MISSED, "more processes (-p): each has room of its own",
)  # fmt: skip
LAG = Limit(
    "event loop's lag (p99), of a latency's limit", "<=", 10, "%",
    "that latency, where it is missed", _PROCESSES,
)  # fmt: skip
WHOLE_LAG = Limit(
    "event loop's lag (p99)", "<=", 250, "ms",
    _MISSED, "let nothing else work on this machine meanwhile, the target included",
)  # fmt: skip
WITHOUT_OTHERS = Limit(
    "event loop's lag (p99) but for other processes' turns", "<=", 250, "ms",
    "the load", "no time.sleep, synchronous client or heavy work in scenarios; more processes (-p)",
)  # fmt: skip
CPU = Limit(
    "processor time of the busiest generator process", "<", 90, "%",
    _MISSED, _PROCESSES,
)  # fmt: skip
UNSENT = Limit(
    "requests without a file or port for a connection", "<=", 0, "",
    _MISSED, "more files (ulimit -n), or connections that are kept open",
)  # fmt: skip
DESCRIPTORS = Limit(
    "open files and sockets of a process, of its limit", "<=", 90, "%",
    _NOTHING, "more files: ulimit -n",
)  # fmt: skip
PORTS = Limit(
    "connections open or in TIME_WAIT, of the local ports", "<=", 90, "%",
    _NOTHING, "connections that are kept open; a wider net.ipv4.ip_local_port_range",
)  # fmt: skip
STARVED = Limit(
    "target's wait for a processor that others had, of its time ready", "<=", 25, "%",
    "what is missed: a latency, a rate, a size, failures that such a wait makes",
    "let nothing else work on this machine meanwhile",
)  # fmt: skip
LITTLE = Limit(
    "visits in flight by Little's law, off those counted", "<=", 5, "%",
    "the load", "keep the run folder: it was damaged, or the harness has miscounted",
)  # fmt: skip

OTHERS_SHARE = 0.25
"""Of a machine's processors: where others used less, it is not for them that a target waited."""

LIMITS = (
    TIME, RATE, SCHEDULE, LAG, WHOLE_LAG, WITHOUT_OTHERS, CPU, UNSENT, DESCRIPTORS, PORTS,
    STARVED, LITTLE,
)  # fmt: skip


def validity(measured: Measured, objectives: Sequence[Objective]) -> Validity:
    """Describe whether a load can be believed, figure by figure."""
    counted = _in_flight(measured)
    most = [s.health.flight.most for s in measured.snapshots if s.health.flight]
    return Validity(
        checks=list(_checks(measured, objectives)),
        cpus=measured.cpus,
        in_flight=None if counted is None else counted[0],
        most_in_flight=max(most, default=None),
        machine=_shares(measured),
    )


def disagreement(part: str, measured: Measured) -> Judgement:
    """Find a load whose figures contradict each other, so that none of them can be believed."""
    judgement = Judgement()
    off = _off_little(measured)
    if off is not None and off > LITTLE.limit:
        counted, by_law = _in_flight(measured) or (0.0, 0.0)
        judgement.findings.append(
            Finding(
                slug="load/figures-disagree",
                outcome=Outcome.UNKNOWN,
                where=part,
                message=f"{counted:.3g} visits were in flight on average; their rate and "
                f"duration make {by_law:.3g} (Little's law)",
                measured=off,
                limit=float(LITTLE.limit),
                unit=LITTLE.unit,
                next_step=LITTLE.helps,
            )
        )
    return judgement


def _checks(measured: Measured, objectives: Sequence[Objective]) -> Iterable[Check]:
    due, asked = measured.begun.visits, measured.begun.asked_rate
    if due and asked is not None:
        yield TIME.check(100 * measured.seconds / measured.begun.duration_s)
        yield RATE.check(100 * measured.started / due)
        yield SCHEDULE.check(paused_ms(measured) or 0)
    lag_ms = measured.lag_p99_ms()
    least_ms = min((o.limit for o in objectives if o.unit == "ms"), default=Fraction(0))
    if least_ms:
        yield LAG.check(100 * lag_ms / float(least_ms))
    yield WHOLE_LAG.check(lag_ms)
    yield WITHOUT_OTHERS.check(measured.blocked_p99_ms())
    yield CPU.check(100 * measured.cpu)
    yield UNSENT.check(measured.unsent)
    vitals = [s.health.vitals for s in measured.snapshots if s.health.vitals]
    yield DESCRIPTORS.check(max(filter(None, map(_full, vitals)), default=None))
    yield PORTS.check(_ports_used(measured.snapshots))
    if (starved := starved_percent(measured)) is not None:
        yield STARVED.check(starved)
    yield LITTLE.check(_off_little(measured))


def paused_ms(measured: Measured) -> float | None:
    """Return how long visits waited for a place that others took up by their own pauses (p99).

    None where requests took up most of it: then the wait is the target's.
    """
    visits_ns = sum(t.service.total_ns for t in measured.visits)
    requests_ns = sum(t.service.total_ns for t in measured.steps)
    coped = any(t.failed for t in measured.steps)  # their time is in no histogram
    if coped or 2 * requests_ns >= visits_ns:
        return None
    waited = sum((t.lag for t in measured.visits), start=Histogram())
    return (waited.quantile(Fraction(99, 100)) or 0) / _MS


def _full(vitals: Vitals) -> float | None:
    if vitals.descriptors is None or not vitals.most_descriptors:
        return None
    return 100 * vitals.descriptors / vitals.most_descriptors


def _ports_used(snapshots: Sequence[Snapshot]) -> float | None:
    """Return at most how much of the local ports was used, in percent.

    The machine's connections in TIME_WAIT, and what the generators have open, each at its most.
    """
    vitals = [(s.process, s.health.vitals) for s in snapshots if s.health.vitals]
    ports = max((v.ports for _, v in vitals if v.ports), default=0)
    waiting = max((v.waiting for _, v in vitals if v.waiting is not None), default=None)
    if not ports or waiting is None:
        return None
    most: dict[int, int] = {}
    for process, v in vitals:
        most[process] = max(most.get(process, 0), v.descriptors or 0)
    return 100 * (waiting + sum(most.values())) / ports


def _in_flight(measured: Measured) -> tuple[float, float] | None:
    """Return the mean number of visits in flight: as counted, and by Little's law.

    N = X * R (J. D. C. Little, "A Proof for the Queuing Formula: L = λW", 1961): the visits' rate
    by their mean duration. Of visits that failed the tallies have no durations: their time was
    added up apart. None where a process did not say the last of it.
    """
    last = [s.health.flight for s in measured.newest if s.final and s.health.flight]
    whole = len(last) == len(measured.newest) == measured.begun.processes and not measured.lost
    lasted_s = max((s.at_s for s in measured.newest), default=0.0)
    if not whole or not lasted_s:
        return None
    visits = [*measured.visits, *measured.warm_up.visits]
    ended_s = sum(t.service.total_ns for t in visits) / 1_000_000_000
    by_law = (ended_s + sum(flight.failed_s for flight in last)) / lasted_s
    return sum(flight.visits_s for flight in last) / lasted_s, by_law


def _off_little(measured: Measured) -> float | None:
    """Return by how much the two differ, in percent of the greater one; None: not known."""
    found = _in_flight(measured)
    if found is None or not max(found):
        return None
    return 100 * abs(found[0] - found[1]) / max(found)


def starved_percent(measured: Measured) -> float | None:
    """Return how much of the time in which the target could work others kept it from it.

    None where that is not known, and where those others were mostly the generator, or the
    target's own threads: that the load shares its machine decides nothing.
    """
    shares = _shares(measured)
    if shares is None or shares.starved is None or not shares.target:
        return None
    if shares.others < OTHERS_SHARE * shares.processors:
        return 0.0
    return 100 * shares.starved / (shares.starved + shares.target)


def waited_ms(measured: Measured) -> float:
    """Return how long the target's threads waited for a processor, all together, until the end."""
    found = [s.health.vitals.machine for s in measured.snapshots if s.health.vitals]
    return 1000 * max((one.starved_s or 0.0 for one in found if one is not None), default=0.0)


def _shares(measured: Measured) -> Shares | None:
    """Return who used the machine until the drain; None where it does not tell."""
    until = measured.until_drain
    told = [(s.at_s, s.health.vitals.machine) for s in until
            if s.health.vitals and s.health.vitals.machine and s.at_s > 0]  # fmt: skip
    if not told:
        return None
    at_s, machine = told[0]
    generator = sum(measured.cpus)
    target = None if machine.target_s is None else machine.target_s / at_s
    others = machine.busy_s / at_s - generator - (target or 0)
    starved = None if machine.starved_s is None else machine.starved_s / at_s
    return Shares(
        processors=machine.processors, generator=generator, target=target,
        others=max(0.0, others), starved=starved,
    )  # fmt: skip
