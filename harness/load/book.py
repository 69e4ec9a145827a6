"""What one generator process has measured so far, and what it has yet to write down."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.evidence import problem
from harness.facts import Fact, Failed, Health, HistogramFact, Snapshot, TallyFact, Vitals
from harness.guard import once
from harness.histogram import Histogram
from harness.load.address import outside_call
from harness.load.board import Board, Stop
from harness.load.failure import Places, first_cause, kind_of
from harness.load.health import InFlight
from harness.sample import FailureKind, Sample
from harness.tally import WARM_UP, Tallies, Tally

FIRST_FAILURES = 5
"""How many failures of one kind are written down, of each scenario."""


@dataclass(slots=True, eq=False)
class Visit:
    """One run of a scenario that is under way. Times in ns on the book's clock."""

    scenario: str
    due_ns: int
    began_ns: int
    asked: int = 0
    answered: str = ""
    broken: list[tuple[Step, BaseException]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Step:
    """One request of a visit that is under way. `answered_ns` is when its headers came."""

    visit: Visit
    name: str
    due_ns: int
    sent_ns: int
    answered_ns: int = 0
    status: int | None = None


class Book:
    """Takes down visits and steps as they begin and end. `now` gives ns on a monotonic clock."""

    def __init__(
        self, process: int, places: Places, board: Board, *,
        stop_at_failure: bool = False, verbose: bool = False,
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:  # fmt: skip
        self.places = places
        self.now = now
        self._loop_lag, self._blocked = Histogram(), Histogram()
        self._process = process
        self._board = board
        self._stop_at_failure = stop_at_failure
        self._verbose = verbose
        self._tallies = Tallies()
        self._visits: set[Visit] = set()
        self._in_flight = InFlight()
        self._warm_ns = 0
        self._steps: set[Step] = set()  # also those that a visit's own tasks left behind it
        self._started = self._number = 0
        self._noted: Counter[tuple[str, FailureKind]] = Counter()
        self._rebased: Counter[str] = Counter()
        self._by_aiohttp: Counter[str] = Counter()
        self._facts: list[Fact] = []
        self.outside = once(self._outside)
        self._closed = False

    def warm_up(self, until_ns: int) -> None:
        """Count visits apart, with all that they ask for, that are due before an instant."""
        self._warm_ns = until_ns

    def begin(self, scenario: str, due_ns: int | None) -> Visit:
        """Begin a visit; `due_ns` None: it is due now. One due in the warm-up is counted apart."""
        now_ns = self.now()
        due_ns = now_ns if due_ns is None else due_ns
        visit = Visit(scenario + WARM_UP if due_ns < self._warm_ns else scenario, due_ns, now_ns)
        self._visits.add(visit)
        self._in_flight.became(len(self._visits), now_ns)
        self._started += 1
        return visit

    def end(self, visit: Visit, error: BaseException | None) -> None:
        """End a visit, by what it raised or by itself."""
        if self._closed:
            return
        now_ns = self.now()
        self._visits.discard(visit)
        cause = first_cause(error) if error else None
        kind = kind_of(cause) if cause else None
        self._in_flight.became(len(self._visits), now_ns)
        if kind:
            self._in_flight.failed(now_ns - visit.began_ns)
        self._add(visit, None, visit.due_ns, visit.began_ns, now_ns, failure=kind)
        if cause and kind:
            last = f" (last answer: {visit.answered})" if visit.answered else ""
            self._note(visit.scenario, kind, self.places.told(cause) + last, cause)
            if self._stop_at_failure:
                self._board.stop(Stop.DRAIN)
            return
        for step, broke in visit.broken:  # the scenario coped, but they are failures all the same
            told = f"{step.name}: {self.places.told(broke)}"
            self._note(visit.scenario, kind_of(broke), told, broke)

    def withdraw(self, visit: Visit, why: HarnessError) -> None:
        """Take back a visit that had nothing to do, and end the load: no visit begins any more."""
        if self._closed:
            return
        now_ns = self.now()
        self._visits.discard(visit)
        self._in_flight.became(len(self._visits), now_ns)
        self._in_flight.failed(now_ns - visit.began_ns)  # it took its time, and is in no tally
        self._started -= 1
        self.give_up(why, Stop.DRAIN)

    def ask(self, visit: Visit, name: str) -> Step:
        """Begin a request.

        The first one of a visit inherits the visit's lag: it is due when it would have been sent
        by a visit that had begun on time. Later ones are due when the scenario asks.
        """
        sent_ns = self.now()
        lag_ns = 0 if visit.asked else visit.began_ns - visit.due_ns
        visit.asked += 1
        step = Step(visit, name, sent_ns - lag_ns, sent_ns)
        self._steps.add(step)
        return step

    def answered(self, step: Step, status: int) -> None:
        """Take down that the headers of an answer came."""
        step.status = status
        step.answered_ns = self.now()
        step.visit.answered = f"{step.name}: {status}"

    def explained(self, visit: Visit, status: int, body: bytes) -> None:
        """Take down how the body of an unwelcome answer begins, if it is the visit's last."""
        if body and visit.answered.endswith(f": {status}"):
            visit.answered += f" {' '.join(body.decode(errors='replace').split())}"

    def done(self, step: Step, bytes_in: int, done_ns: int | None = None) -> None:
        """End a request whose answer was whole, or was not wanted whole."""
        self._end(step, None, bytes_in, done_ns)

    def failed(self, step: Step, error: BaseException, bytes_in: int = 0) -> None:
        """End a request by what the client raised. A mere status is no failure."""
        kind = kind_of(error)
        if kind is FailureKind.STATUS:
            status = getattr(error, "status", 0)
            self.answered(step, status)
            self._end(step, None, bytes_in)
            return
        if not self._end(step, kind, bytes_in):
            return
        if step.visit in self._visits:
            step.visit.broken.append((step, error))
        else:  # of a task that outlived its visit
            told = f"{step.name}: {self.places.told(error)}"
            self._note(step.visit.scenario, kind, told, error)

    def forget(self, step: Step) -> None:
        """Drop a request that was never sent, since it could not be formed."""
        self._steps.discard(step)

    @property
    def busy(self) -> bool:
        """Whether a visit, or a request that one has left behind, is under way."""
        return bool(self._visits or self._steps)

    def abandon(self) -> None:
        """Count what is still under way as unfinished, and take nothing more down."""
        now_ns, kind = self.now(), FailureKind.UNFINISHED
        for step in self._steps:
            self._add(step.visit, step.name, step.due_ns, step.sent_ns, now_ns, step.status, kind)
            waited_s = (now_ns - step.sent_ns) / 1_000_000_000
            told = f"{step.name} had no whole answer {waited_s:.1f} s after it was sent"
            self._note(step.visit.scenario, kind, told)
        for visit in self._visits:
            self._in_flight.failed(now_ns - visit.began_ns)
            self._add(visit, None, visit.due_ns, visit.began_ns, now_ns, failure=kind)
            waited_s = (now_ns - visit.began_ns) / 1_000_000_000
            told = f"still under way {waited_s:.1f} s after it began, when the load had ended"
            self._note(visit.scenario, kind, told)
        self._in_flight.became(0, now_ns)
        self._closed = True

    def give_up(self, error: HarnessError, level: Stop) -> None:
        """Take down why the load cannot go on, and stop all of it. The first reason counts."""
        if self._board.level < level:
            self._facts.append(problem(error))
            self._board.stop(level)

    def _outside(self, host: str, port: int | None) -> None:
        """Take down a call that was refused. May be called on any thread."""
        self._facts.append(outside_call(host, port, self.places.shown(self.places.file, 0)))

    def rebased(self, origin: str) -> None:
        """Count a request for `origin` that is sent to the target."""
        self._rebased[origin] += 1

    def by_aiohttp(self, why: str) -> None:
        """Count a request that aiohttp sends, and why it has to."""
        self._by_aiohttp[why] += 1

    def lagged(self, lag_ns: int, every_ns: int, starved_ns: int = 0) -> None:
        """Take down how late the loop ran what was due `every_ns` after the time before.

        For `starved_ns` of that this process was ready, and others had the processor. What would
        have been due meanwhile was late, too: else one long block were one sample.
        """
        for lag, late_ns in ((self._loop_lag, lag_ns), (self._blocked, lag_ns - starved_ns)):
            lag.record(max(0, late_ns))
            for meanwhile_ns in range(late_ns - every_ns, 0, -every_ns):
                lag.record(meanwhile_ns)

    def facts(
        self, at_s: float, cpu_s: float, vitals: Vitals | None = None, *, final: bool = False
    ) -> list[Fact]:
        """Return what was noted and counted since the last call."""
        noted, self._facts = self._facts, []
        health = Health(
            cpu_s=cpu_s, loop_lag=HistogramFact.of(self._loop_lag),
            blocked=HistogramFact.of(self._blocked), flight=self._in_flight.flight(self.now()),
            vitals=vitals,
        )  # fmt: skip
        self._loop_lag, self._blocked = Histogram(), Histogram()
        self._number += 1
        snapshot = Snapshot(
            process=self._process, number=self._number, at_s=round(at_s, 3),
            started=self._started, final=final,
            tallies=[_taken(tally) for tally in self._tallies.all() if tally.sent],
            health=health, rebased=dict(self._rebased), by_aiohttp=dict(self._by_aiohttp),
        )  # fmt: skip
        self._rebased.clear()
        self._by_aiohttp.clear()
        return [*noted, snapshot]

    def _end(
        self, step: Step, kind: FailureKind | None, bytes_in: int, done_ns: int | None = None
    ) -> bool:
        """End a request, unless it has ended; tell which."""
        if self._closed or step not in self._steps:
            return False
        self._steps.discard(step)
        done_ns = self.now() if done_ns is None else done_ns
        self._add(step.visit, step.name, step.due_ns, step.sent_ns, done_ns, step.status, kind,
                  bytes_in)  # fmt: skip
        return True

    def _add(
        self, visit: Visit, step: str | None, due_ns: int, sent_ns: int, done_ns: int,
        status: int | None = None, failure: FailureKind | None = None, bytes_in: int = 0,
    ) -> None:  # fmt: skip
        growing = self._tallies.of(visit.scenario, step)
        if failure is None and due_ns == sent_ns:  # most are
            growing.add_prompt(done_ns - sent_ns, status, bytes_in)
        else:
            growing.add(
                Sample(visit.scenario, step, due_ns, sent_ns, done_ns, status, failure, bytes_in)
            )

    def _note(
        self, scenario: str, kind: FailureKind, told: str, error: BaseException | None = None
    ) -> None:
        self._noted[scenario, kind] += 1
        if self._noted[scenario, kind] > FIRST_FAILURES:
            return
        where = self.places.of(error) if error else self.places.shown(self.places.file, 0)
        self._facts.append(
            Failed(process=self._process, scenario=scenario, kind=kind, message=told, where=where)
        )
        if error and self._verbose:
            traceback.print_exception(error)


def _taken(tally: Tally) -> TallyFact:
    """Take down a tally and empty it: a snapshot holds what was counted since the one before.

    Cumulative ones would grow with the load, and taking them would hold up its visits.
    """
    fact = TallyFact.of(tally)
    tally.sent = tally.ok = tally.bytes_in = 0
    tally.failures, tally.statuses = {}, {}
    tally.response, tally.service, tally.lag = Histogram(), Histogram(), Histogram()
    return fact
