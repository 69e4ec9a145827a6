"""The visits before a load: each scenario must pass once before it is driven.

They are made by one worker of the first process, with a session of its own and Molotov's worker
id 0, who has left before the load begins. They are in the same process and on the same loop as
the load, so a counter or a row that makes data unique is used up by them, and listeners hear of
them. Nothing of them is measured, and the random source of the load's mix is not asked.
"""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from itertools import repeat
from random import Random
from typing import Any

from harness.errors import HarnessError
from harness.evidence import Part
from harness.facts import Failed, Problem, Rehearsed
from harness.load.board import DRAIN_S, REHEARSAL_S, Board, Stop
from harness.load.book import Book
from harness.load.job import Job
from harness.load.molotov import Scenario, Scenarios
from harness.load.visitor import Visitor
from harness.sample import FailureKind
from harness.snapshot import Snapshot

PICKS = 3
"""A scenario_picker is asked so many times for each scenario, at most, until it named them all."""

_TICK_S = 0.05
_LAST_WORDS_S = 1.0


@dataclass(slots=True)
class _Tried:
    """What came of one scenario so far."""

    visits: int = 0
    passed: bool = False
    failed: Failed | None = None


class Rehearsal:
    """Visits each scenario until it passed once, at most `job.tries` times; `run` is all of it.

    `limit_s` is how long it may last.
    """

    def __init__(
        self, job: Job, scenarios: Scenarios, arguments: Namespace, *, board: Board, part: Part,
        limit_s: float = REHEARSAL_S,
    ) -> None:  # fmt: skip
        self._tries = job.tries
        self._scenarios = scenarios
        self._board = board
        self._part = part
        self._book = Book(0, scenarios.places, board, verbose=job.verbose > 0)
        self._visitor = Visitor(
            0, scenarios, arguments, job.addresses, self._book, Random(job.seed)  # noqa: S311 - a mix
        )  # fmt: skip
        self._limit_s = limit_s
        self._ends_s = time.monotonic() + limit_s
        self._tried = {scenario.name: _Tried() for scenario in scenarios.each}
        self._hindered = False

    async def run(self) -> None:
        """Make the visits, note what came of them and, where a scenario failed, stop the load."""
        why_not = await self._all_visits()
        self._take()  # of what was cut short
        await self._within(DRAIN_S, self._visitor.leave())
        self._take()  # what its fixtures did
        if self._hindered:
            return  # a problem was noted, which says why there is no load
        facts = [self._outcome(name, tried, why_not) for name, tried in self._tried.items()]
        self._part.note(*facts)
        if any(fact.outcome == "failed" for fact in facts):
            self._board.stop(Stop.DRAIN)

    async def _all_visits(self) -> str:
        """Visit until all passed, or as often as may be; say what came between."""
        try:
            if not await self._within(self._left_s, self._visitor.arrive()):
                return self._why_over
        except HarnessError as error:
            self._book.give_up(error, Stop.DRAIN)
            return ""
        for scenario in self._choices():
            is_over = self._board.level > Stop.NO or self._left_s <= 0
            if is_over or not await self._within(self._left_s, self._visitor.visit(scenario)):
                return self._why_over
            self._take()
        return "scenario_picker() did not name it" if self._scenarios.picker else ""

    def _choices(self) -> Iterator[Scenario | None]:
        """Return what is visited next, while something is left; None: the file's own choice.

        A file that picks by itself may have its reasons, such as to log in first.
        """
        each = self._scenarios.each
        rounds: Iterator[Scenario | None] = repeat(None, PICKS * len(each))
        if self._scenarios.picker is None:
            rounds = (scenario for _ in range(self._tries) for scenario in each
                      if not self._tried[scenario.name].passed)  # fmt: skip
        for choice in rounds:
            if all(tried.passed for tried in self._tried.values()):
                return
            yield choice

    async def _within(self, seconds: float, doing: Coroutine[Any, Any, object]) -> bool:
        """Tell whether it ended in time, and before the load was cancelled; if not, end it."""
        ends_s = time.monotonic() + seconds
        task = asyncio.create_task(doing)
        while not task.done():
            left_s = ends_s - time.monotonic()
            if left_s <= 0 or self._board.level >= Stop.CANCEL:
                self._book.abandon()  # says what it waited for
                task.cancel()
                await asyncio.wait([task], timeout=_LAST_WORDS_S)
                return False
            await asyncio.wait([task], timeout=min(left_s, _TICK_S))
        task.result()
        return True

    @property
    def _left_s(self) -> float:
        return self._ends_s - time.monotonic()

    @property
    def _why_over(self) -> str:
        if self._board.level > Stop.NO:
            return "the load was told to end"
        return f"the {self._limit_s:g} s for it were over"

    def _take(self) -> None:
        """Take over from the book what has ended, and note what is not about scenarios."""
        *noted, snapshot = self._book.facts(0, 0)
        assert isinstance(snapshot, Snapshot)
        told = [fact for fact in noted if not isinstance(fact, Failed)]
        self._hindered = self._hindered or any(isinstance(fact, Problem) for fact in told)
        if told:
            self._part.note(*told)
        failures = {fact.scenario: fact for fact in reversed(noted) if isinstance(fact, Failed)}
        answered = {tally.scenario for tally in snapshot.tallies if tally.step and tally.statuses}
        asked = {tally.scenario for tally in snapshot.tallies if tally.step}
        for visit in (tally for tally in snapshot.tallies if tally.step is None):
            tried = self._tried.setdefault(visit.scenario, _Tried())
            tried.visits += visit.sent
            tried.passed = tried.passed or visit.ok > 0
            unanswered = visit.scenario in asked and visit.scenario not in answered
            if FailureKind.UNFINISHED in visit.failures and not (unanswered and self._left_s <= 0):
                continue  # it is long, or was told to end: nothing says that it is broken
            tried.failed = failures.get(visit.scenario, tried.failed)

    def _outcome(self, name: str, tried: _Tried, why_not: str) -> Rehearsed:
        if tried.passed:
            return Rehearsed(scenario=name, visits=tried.visits, outcome="passed")
        if tried.failed is not None:
            return Rehearsed(
                scenario=name, visits=tried.visits, outcome="failed", kind=tried.failed.kind,
                message=tried.failed.message, where=tried.failed.where,
            )  # fmt: skip
        return Rehearsed(scenario=name, visits=tried.visits, outcome="undecided", message=why_not)
