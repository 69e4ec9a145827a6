"""What one generator process has measured so far, and what it has yet to write down."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.evidence import problem
from harness.facts import Fact
from harness.guard import once
from harness.histogram import Histogram
from harness.load.address import outside_call
from harness.load.board import Board, Stop
from harness.load.example import Example, kept
from harness.load.failure import Places, first_cause, kind_of
from harness.load.health import InFlight
from harness.load.kept import Kept
from harness.sample import FailureKind, Sample
from harness.secret import redacted_start
from harness.snapshot import Health, HistogramFact, Snapshot, TallyFact, Vitals
from harness.tally import WARM_UP, Growing, Tallies

SLOW_EVERY = 10
"""Of so many snapshots one has the slowest successes; so do the last ones."""

_LONGEST_BODY = 120


class Visit(msgspec.Struct, eq=False):  # a dataclass takes several times as long to make
    """One run of a scenario that is under way. Times in ns on the book's clock.

    `last` is the request that was answered last, `running` the scenario's coroutine.
    """

    scenario: str
    due_ns: int
    began_ns: int
    asked: int = 0
    last: Step | None = None
    running: Any = None
    broken: list[tuple[Step, BaseException, Example | None]] = []  # each its own


class Step(msgspec.Struct, eq=False):
    """One request of a visit that is under way. `answered_ns` is when its headers came.

    `asked` is what is known of the request before it is sent, `response` what waits for its
    answer, `body` how an unwelcome answer begins.
    """

    visit: Visit
    name: str
    due_ns: int
    sent_ns: int
    asked: Any = None
    answered_ns: int = 0
    status: int | None = None
    response: Any = None
    body: bytes = b""


BEGUN_BY: ContextVar[Visit | None] = ContextVar("BEGUN_BY", default=None)
"""The visit that a task was begun in: what it still asks for when that has ended is of that."""


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
        self._alone: Step | None = None
        self._started = self._number = 0
        self._kept = Kept(process)
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
        self._in_flight.began(now_ns)
        self._started += 1
        return visit

    def end(self, visit: Visit, error: BaseException | None) -> None:
        """End a visit, by what it raised or by itself."""
        if self._closed:
            return
        now_ns = self.now()
        self._visits.discard(visit)
        growing = self._tallies.of(visit.scenario, None)
        self._in_flight.ended(now_ns)
        if error is None:
            growing.succeeded((visit.due_ns, visit.began_ns, 0, now_ns, None, 0, False))
        else:
            self._in_flight.failed(now_ns - visit.began_ns)
            self._end_in_vain(visit, first_cause(error), growing, now_ns)
        if visit.broken:  # the scenario coped, but they are failures all the same
            for step, broke, example in visit.broken:
                self._note_broken(step, broke, example)
            visit.broken.clear()
        if visit.last is not None:  # else each holds the other, and only the collector parts them
            visit.last.response = None
            visit.last = None

    def withdraw(self, visit: Visit, why: HarnessError) -> None:
        """Take back a visit that had nothing to do, and end the load: no visit begins any more."""
        if self._closed:
            return
        now_ns = self.now()
        self._visits.discard(visit)
        self._in_flight.ended(now_ns)
        self._in_flight.failed(now_ns - visit.began_ns)  # it took its time, and is in no tally
        self._started -= 1
        self.give_up(why, Stop.DRAIN)

    def _end_in_vain(
        self, visit: Visit, cause: BaseException, growing: Growing, now_ns: int
    ) -> None:
        """Count a visit as failed by `cause`, and keep what it came from."""
        kind = kind_of(cause)
        growing.add(
            Sample(visit.scenario, None, visit.due_ns, visit.began_ns, now_ns, failure=kind)
        )
        own = [one for one in visit.broken if kind_of(one[1]) is kind]  # they are why
        step, _, example = own[-1] if own else (visit.last, None, None)
        name = self._counted_as(step)
        if self._kept.wants(visit.scenario, name, kind):
            if step is not None and not own:
                example = kept(step, now_ns)
            told = self.places.told(cause) + _last_answer(visit.last)
            self._keep_failure(visit.scenario, name, told, cause, example)
        visit.broken = [one for one in visit.broken if one not in own]
        if self._stop_at_failure:
            self._board.stop(Stop.DRAIN)

    def _note_broken(self, step: Step, error: BaseException, example: Example | None) -> None:
        """Keep a failed request that failed no visit."""
        scenario, name = step.visit.scenario, self._counted_as(step)
        if self._kept.wants(scenario, name, kind_of(error)):
            told = f"{step.name}: {self.places.told(error)}"
            self._keep_failure(scenario, name, told, error, example)

    def _keep_failure(
        self, scenario: str, name: str | None, told: str, error: BaseException,
        example: Example | None,
    ) -> None:  # fmt: skip
        self._kept.failed(scenario, name, kind_of(error), told, self.places.of(error), example)
        if self._verbose:
            traceback.print_exception(error)

    def _counted_as(self, step: Step | None) -> str | None:
        """Return the name that a step is counted under: there are only so many."""
        return self._tallies.of(step.visit.scenario, step.name).step if step else None

    def ask(self, visit: Visit, name: str, asked: Any = None) -> Step:
        """Begin a request; `asked` is what can be told of it.

        The first one of a visit inherits the visit's lag: it is due when it would have been sent
        by a visit that had begun on time. Later ones are due when the scenario asks.
        """
        sent_ns = self.now()
        lag_ns = 0 if visit.asked else visit.began_ns - visit.due_ns
        visit.asked += 1
        step = Step(visit, name, sent_ns - lag_ns, sent_ns, asked)
        self._steps.add(step)
        if self._alone is None:
            self._alone = step
        return step

    def answered(self, step: Step, status: int) -> None:
        """Take down that the headers of an answer came."""
        self._answered(step, status, self.now())

    def came(self, step: Step, status: int, bytes_in: int) -> None:
        """End a request whose answer came whole: its head and its last byte at the same instant."""
        now_ns = self.now()
        self._answered(step, status, now_ns)
        self._end(step, None, bytes_in, now_ns)

    def _answered(self, step: Step, status: int, now_ns: int) -> None:
        step.status = status
        step.answered_ns = now_ns
        visit = step.visit
        before = visit.last
        if before is not step:
            if before is not None and before not in self._steps:
                before.response = None
            visit.last = step

    def explained(self, visit: Visit, status: int, body: bytes) -> None:
        """Take down how the body of an unwelcome answer begins, if it is the visit's last."""
        if visit.last is not None and visit.last.status == status:
            visit.last.body = body

    def done(self, step: Step, bytes_in: int, done_ns: int | None = None) -> None:
        """End a request whose answer was whole, or was not wanted whole."""
        self._end(step, None, bytes_in, done_ns)

    def failed(self, step: Step, error: BaseException, bytes_in: int = 0) -> None:
        """End a request by what the client raised. A mere status is no failure."""
        kind = kind_of(error)
        if kind is FailureKind.STATUS:
            if not step.answered_ns:
                self.answered(step, getattr(error, "status", 0))
            self._end(step, None, bytes_in)
            return
        if self._closed or step not in self._steps:
            return
        is_wanted = self._kept.wants(step.visit.scenario, self._counted_as(step), kind)
        example = kept(step, self.now()) if is_wanted else None
        self._end(step, kind, bytes_in)
        if step.visit in self._visits:
            step.visit.broken.append((step, error, example))
        else:  # of a task that outlived its visit
            self._note_broken(step, error, example)

    def forget(self, step: Step) -> None:
        """Drop a request that was never sent, since it could not be formed."""
        self._steps.discard(step)
        if self._alone is step:
            self._alone = None

    @property
    def busy(self) -> bool:
        """Whether a visit, or a request that one has left behind, is under way."""
        return bool(self._visits or self._steps)

    def abandon(self) -> None:
        """Count what is still under way as unfinished, and take nothing more down."""
        now_ns, kind = self.now(), FailureKind.UNFINISHED
        for step in self._steps:
            self._tallies.of(step.visit.scenario, step.name).add(_failed(step, now_ns, kind))
            waited_s = (now_ns - step.sent_ns) / 1_000_000_000
            told = f"{step.name} had no whole answer {waited_s:.1f} s after it was sent"
            self._note_unfinished(step.visit, step, told, now_ns)
        for visit in self._visits:
            self._in_flight.ended(now_ns)
            self._in_flight.failed(now_ns - visit.began_ns)
            self._tallies.of(visit.scenario, None).add(
                Sample(visit.scenario, None, visit.due_ns, visit.began_ns, now_ns, failure=kind)
            )
            waited_s = (now_ns - visit.began_ns) / 1_000_000_000
            told = f"still under way {waited_s:.1f} s after it began, when the load had ended"
            self._note_unfinished(visit, None, told, now_ns)
        self._closed = True

    def _note_unfinished(self, visit: Visit, step: Step | None, told: str, now_ns: int) -> None:
        name, kind = self._counted_as(step), FailureKind.UNFINISHED
        if self._kept.wants(visit.scenario, name, kind):
            example = kept(step, now_ns) if step else None
            where = self.places.at(visit.running)
            self._kept.failed(visit.scenario, name, kind, told, where, example)

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
        start_ns = self.now() - int(at_s * 1_000_000_000)
        health = Health(
            cpu_s=cpu_s, loop_lag=HistogramFact.of(self._loop_lag),
            blocked=HistogramFact.of(self._blocked), flight=self._in_flight.flight(self.now()),
            vitals=vitals,
        )  # fmt: skip
        self._loop_lag, self._blocked = Histogram(), Histogram()
        self._number += 1
        with_slow = self._number % SLOW_EVERY == 0
        noted += self._kept.facts(start_ns, with_slow=with_slow, final=final)
        snapshot = Snapshot(
            process=self._process, number=self._number, at_s=round(at_s, 3),
            started=self._started, final=final,
            tallies=[TallyFact.of(tally) for tally in self._tallies.taken()],
            health=health, rebased=dict(self._rebased), by_aiohttp=dict(self._by_aiohttp),
        )  # fmt: skip
        self._rebased.clear()
        self._by_aiohttp.clear()
        return [*noted, snapshot]

    def _end(
        self, step: Step, kind: FailureKind | None, bytes_in: int, done_ns: int | None = None
    ) -> None:
        """End a request, unless it has ended."""
        if self._closed or step not in self._steps:
            return
        self._steps.discard(step)
        if done_ns is None:
            done_ns = self.now()
        visit = step.visit
        if is_alone := self._alone is step:
            self._alone = None
        growing = self._tallies.of(visit.scenario, step.name)
        if kind is None:
            if done_ns - step.due_ns > growing.floor_ns:
                self._keep_slow(step, done_ns, growing)
            growing.succeeded(
                (step.due_ns, step.sent_ns, step.answered_ns, done_ns, step.status, bytes_in,
                 is_alone)
            )  # fmt: skip
        else:
            growing.add(_failed(step, done_ns, kind, bytes_in))
        if visit.last is not step:
            step.response = None

    def _keep_slow(self, step: Step, done_ns: int, growing: Growing) -> None:
        """Keep one of the slowest successes so far; from now on, only a slower one is."""
        where = self.places.at(step.visit.running)
        growing.floor_ns = self._kept.slow(
            step.visit.scenario, str(growing.step), where, kept(step, done_ns)
        )


def _failed(step: Step, done_ns: int, kind: FailureKind, bytes_in: int = 0) -> Sample:
    return Sample(
        step.visit.scenario, step.name, step.due_ns, step.sent_ns, done_ns, step.status, kind,
        bytes_in,
    )  # fmt: skip


def _last_answer(step: Step | None) -> str:
    """Say what the visit's last answer was, and how its body began."""
    if step is None:
        return ""
    began = " ".join(redacted_start(step.body.decode(errors="replace"), _LONGEST_BODY).split())
    return f" (last answer: {step.name}: {step.status}{f' {began}' if began else ''})"
