"""One generator process: visits at their pace, counted, and written down every second."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice, repeat, takewhile
from random import Random

import msgspec

from harness.errors import EvidenceError, HarnessError
from harness.evidence import Part
from harness.load.alarm import Alarm
from harness.load.board import DRAIN_S, Board, Stop
from harness.load.book import Book
from harness.load.health import Checkup
from harness.load.job import Job
from harness.load.mix import Mix
from harness.load.molotov import Scenario, Scenarios
from harness.load.room import Room
from harness.load.visitor import Visitor, tell
from harness.pace import is_open, parse_pace, peak
from harness.schedule import Schedule, schedule, turns
from harness.snapshot import HistogramFact, Snapshot

MOST_AHEAD = 100
"""Visitors that a process of an open load sets up before its start, at most."""

LATE_S = 1.0
"""How long after its end an open load still starts the visits that it owes."""

HEARTBEAT_S = 0.02
_TICK_S = 0.05
_TICK_NS = 50_000_000
_LAST_WORDS_S = 1.0
_S = 1_000_000_000


class Generator:
    """Makes the visits of one process of a load. `run` is the whole of its life."""

    def __init__(
        self, job: Job, process: int, scenarios: Scenarios, arguments: Namespace, *,
        board: Board, book: Book, part: Part,
    ) -> None:  # fmt: skip
        self._job = job
        self._process = process
        self._scenarios = scenarios
        self._arguments = arguments
        self._board = board
        self._book = book
        self._part = part
        self._pace = parse_pace(job.pace)
        self._room = Room(job.in_flight)
        self._quota = job.quota(process)
        self._addresses = job.addresses
        self._random = Random(f"{job.seed}/{process}")  # noqa: S311 - a mix, not a secret
        self._visitors: list[Visitor] = []
        self._idle: list[Visitor] = []
        self._alarm: Alarm | None = None
        self._start_ns = 0
        self._cpu_s = 0.0
        self._checkup = Checkup(process, job.target)
        self._writer = ThreadPoolExecutor(1, "harness-writer")

    async def run(self) -> None:
        """Make the visits, drain, and write the last snapshot. Raises EvidenceError."""
        due = None
        if is_open(self._pace):
            due = schedule(self._pace, self._job.seed, self._job.visits)
            self._alarm = Alarm()
            await self._set_up_ahead(due)
        gc.collect()
        gc.freeze()  # what exists now lives as long as the load: not to be looked at again
        self._board.ready(self._process)
        self._start_ns = await self._posted_start()
        self._cpu_s = time.process_time()
        self._checkup.begin()
        self._book.warm_up(self._start_ns + int(self._job.warm_up_s * _S))
        try:
            await self._measured(due)
            await self._write(final=True)
        finally:
            await self._left()

    async def _measured(self, due: Schedule | None) -> None:
        """Make the visits, and beside them what watches over them."""
        beside = [asyncio.create_task(task) for task in (self._beat(), self._report())]
        if self._scenarios.listeners:
            beside.append(asyncio.create_task(self._tell_workers()))
        load = asyncio.create_task(self._arrivals(due) if due else self._workers())
        await self._until_over(load, due.ends_ns if due else self._ramp_ns + self._pace_ns)
        self._book.abandon()
        await self._cancelled(load, *beside)

    async def _left(self) -> None:
        if self._alarm is not None:
            self._alarm.close()
        leaving = [asyncio.create_task(visitor.leave()) for visitor in self._visitors]
        if leaving:
            await asyncio.wait(leaving, timeout=DRAIN_S)

    @property
    def _stopped(self) -> bool:
        return bool(self._board.level)  # naming Stop.NO would take four times as long

    @property
    def _over(self) -> bool:
        """Whether no visit is to begin any more: the load was stopped, or its count is reached."""
        return self._quota <= 0 or bool(self._board.level)

    @property
    def _ramp_ns(self) -> int:
        return int(self._job.ramp_up_s * _S)

    @property
    def _pace_ns(self) -> int:
        return int(self._pace.duration_s * _S)

    async def _posted_start(self) -> int:
        """Wait for the instant that all processes start at, and return it."""
        while (start_ns := self._board.start_ns) is None:
            if self._stopped:
                return self._book.now()
            await asyncio.sleep(HEARTBEAT_S / 4)
        await self._until(start_ns)
        return start_ns

    async def _until_over(self, load: asyncio.Task[None], lasts_ns: int) -> None:
        """Wait for the load and all its requests to end, for at most `DRAIN_S` after its time."""
        ends_ns = self._start_ns + lasts_ns
        while (not load.done() or self._book.busy) and self._board.level < Stop.CANCEL:
            await (asyncio.sleep(_TICK_S) if load.done() else asyncio.wait([load], timeout=_TICK_S))
            if self._stopped or load.done():
                ends_ns = min(ends_ns, self._book.now())
            if self._book.now() > ends_ns + DRAIN_S * _S:
                return

    async def _cancelled(self, *tasks: asyncio.Task[None]) -> None:
        """End tasks. One that had ended by an error raises it; one that will not end is left."""
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_LAST_WORDS_S)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def _until(self, at_ns: int) -> None:
        """Sleep until an instant, or until no visit is to begin any more."""
        while not self._over and (left_ns := at_ns - self._book.now()) > 0:  # noqa: ASYNC110 - by the clock
            await asyncio.sleep(min(left_ns / _S, _TICK_S))

    async def _until_due(self, due_ns: int) -> None:
        """Wait for an instant as precisely as can be, or until the load is stopped."""
        assert self._alarm is not None
        while not self._stopped and (now_ns := self._book.now()) < due_ns:
            await self._alarm.until(min(due_ns, now_ns + _TICK_NS))

    # Closed: workers, each with one visit at a time.

    async def _workers(self) -> None:
        async with asyncio.TaskGroup() as workers:
            for number in range(math.ceil(peak(self._pace))):
                workers.create_task(self._worker(number))

    async def _worker(self, number: int) -> None:
        """Be a worker: at work whenever the pace has so many of them."""
        most = self._job.visits_of(self._process, number)
        if most == 0:
            return
        begins_ns = self._start_ns + self._ramp_ns * number // math.ceil(peak(self._pace))
        random = Random(f"{self._job.seed}/{self._process}/{number}")  # noqa: S311
        visitor, choices = None, self._choices(most)
        for turn_ns, until_ns in turns(self._pace, number):
            await self._until(begins_ns + turn_ns)
            if self._over:
                return
            visitor = visitor or await self._visitor(number, random)
            if visitor is None or not await self._turn(visitor, choices, begins_ns + until_ns):
                return

    async def _turn(
        self, visitor: Visitor, choices: Iterator[Scenario | None], until_ns: int
    ) -> bool:
        """Visit in turn until an instant; tell whether there is more to choose then."""
        while not self._over and self._book.now() < until_ns:
            try:
                scenario = next(choices)
            except StopIteration:
                return False
            self._quota -= 1
            pause_s = await visitor.visit(scenario) + self._job.delay_s
            if pause_s:
                await self._until(min(until_ns, self._book.now() + int(pause_s * _S)))
        return True

    def _choices(self, most: int | None) -> Iterator[Scenario | None]:
        """Return the scenarios of a worker's visits, `most` at most; None: one to be picked."""
        each: Iterator[Scenario | None] = (
            iter(self._scenarios.each) if self._job.single_run else repeat(None)
        )
        return islice(each, most)

    # Open: visits at their times, whoever makes them.

    async def _arrivals(self, due: Schedule) -> None:
        """Start this process's share of the arrivals, which are numbered over all processes."""
        shared = range(self._process, due.arrivals, self._job.processes)
        async with asyncio.TaskGroup() as visits:
            try:
                await self._start_each(due, shared, visits)
            finally:
                self._turn_away(due, shared)
            await self._until(self._start_ns + due.ends_ns)

    async def _start_each(self, due: Schedule, shared: range, visits: asyncio.TaskGroup) -> None:
        late_ns = self._start_ns + due.ends_ns + int(LATE_S * _S)
        mix = Mix(self._scenarios.each, self._job.seed)
        for arrival in shared:
            due_ns = self._start_ns + due.due_ns(arrival)
            if due_ns > self._book.now():
                await self._until_due(due_ns)
            if self._room.is_full:
                await self._until_room(late_ns)
            if self._stopped or self._book.now() > late_ns:
                return
            self._room.enter(due_ns)
            chosen = None if self._scenarios.picker else mix.of(arrival)
            visits.create_task(self._arrive(due_ns, chosen))

    async def _until_room(self, late_ns: int) -> None:
        """Wait for a place, unless the load is stopped or it gets too late."""
        while self._room.is_full and not self._stopped and self._book.now() <= late_ns:  # noqa: ASYNC110 - by the clock
            await asyncio.sleep(0.001)
        self._room.freed(self._book.now())

    def _turn_away(self, due: Schedule, shared: range) -> None:
        """Count the arrivals that were due before now, and will not be started.

        What came due while the load was being stopped, and would have found room, is none of them.
        """
        if self._stopped and not self._room.is_full:
            return
        now_ns = self._book.now()
        times = (self._start_ns + due.due_ns(arrival) for arrival in shared[self._room.entered :])
        for due_ns in takewhile(lambda due_ns: due_ns < now_ns, times):
            self._room.turn_away(now_ns - due_ns)

    async def _set_up_ahead(self, due: Schedule) -> None:
        """Set up the visitors of a second at the highest rate.

        A visitor who is set up when a visit is due would delay it, as if the target were slow.
        """
        a_second = math.ceil(peak(self._pace) / self._job.processes)
        wanted = min(a_second, MOST_AHEAD, self._job.in_flight, due.arrivals)
        found = await asyncio.gather(*(self._another() for _ in range(wanted)))
        self._idle.extend(visitor for visitor in found if visitor is not None)

    async def _arrive(self, due_ns: int, scenario: Scenario | None) -> None:
        try:
            visitor = self._idle.pop() if self._idle else await self._another()
            if visitor is not None and not self._stopped:
                await visitor.visit(scenario, due_ns)
                self._idle.append(visitor)
        finally:
            self._room.leave()

    async def _another(self) -> Visitor | None:
        return await self._visitor(len(self._visitors), self._random)

    async def _visitor(self, number: int, random: Random) -> Visitor | None:
        """Set up one more visitor; where that fails, the load ends."""
        visitor = Visitor(
            number, self._scenarios, self._arguments, self._addresses, self._book, random
        )
        self._visitors.append(visitor)
        try:
            await visitor.arrive()
        except HarnessError as error:
            self._book.give_up(error, Stop.DRAIN)
            return None
        return visitor

    # Beside the visits.

    async def _beat(self) -> None:
        """Measure how late the loop runs what is due: whatever is late is late for visits, too."""
        every_ns = int(HEARTBEAT_S * _S)
        while True:
            due_ns, starved_ns = self._book.now() + every_ns, _starved_ns()
            await asyncio.sleep(HEARTBEAT_S)
            self._book.lagged(self._book.now() - due_ns, every_ns, _starved_ns() - starved_ns)

    async def _report(self) -> None:
        try:
            for second in count(1):
                await asyncio.sleep(max(0, self._start_ns + second * _S - self._book.now()) / _S)
                await self._write()
        except EvidenceError:
            self._board.stop(Stop.CANCEL)
            raise

    async def _write(self, *, final: bool = False) -> None:
        """Append a snapshot: taken here, encoded and forced to the disk on the writer's thread."""
        at_s = max(0, self._book.now() - self._start_ns) / _S
        cpu_s, vitals = time.process_time() - self._cpu_s, self._checkup.vitals()
        facts = self._book.facts(at_s, cpu_s, vitals, final=final)
        facts = [self._with_waits(fact) if isinstance(fact, Snapshot) else fact for fact in facts]
        loop = asyncio.get_running_loop()
        # Shielded: what is cancelled here, at the load's end, has left the book already.
        await asyncio.shield(loop.run_in_executor(self._writer, self._part.note, *facts))

    def _with_waits(self, snapshot: Snapshot) -> Snapshot:
        waited = self._room.waited()
        return msgspec.structs.replace(
            snapshot,
            blocked=HistogramFact.of(waited) if waited.count else None,
            not_started=self._room.not_started,
        )

    async def _tell_workers(self) -> None:
        while True:
            await tell(self._scenarios, "current_workers", workers=len(self._visitors))
            await asyncio.sleep(1)


def _starved_ns() -> int:
    """Return for how long this process has been ready to run and not running; 0 if unknown."""
    try:
        with open("/proc/self/schedstat", "rb") as file:  # Linux alone tells
            return int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
