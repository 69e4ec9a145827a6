"""One user of a load: a Molotov worker with a session of its own, who makes visits in turn."""

from __future__ import annotations

import asyncio
import traceback
from argparse import Namespace
from collections.abc import Mapping
from random import Random
from types import SimpleNamespace
from typing import Any

from harness.errors import HarnessError
from harness.load.address import Addresses
from harness.load.book import BEGUN_BY, Book
from harness.load.failure import first_cause
from harness.load.molotov import Scenario, Scenarios
from harness.load.session import Session
from harness.scenarios import NoRowsLeft

NO_SCENARIO = "(scenario_picker)"
"""What visits are counted under for which the file's own picker named no scenario."""


class Context(SimpleNamespace):
    """What ``molotov.get_context(session)`` returns: `args`, `worker_id`, `step`, `statsd`."""

    def attach(self, name: str, value: object) -> None:
        """Keep something of the scenario file's own, as Molotov's documentation shows."""
        setattr(self, name, value)


class Visitor:
    """Sets itself up as the scenario file says, visits, and tears down.

    `number` is Molotov's worker id: it counts from 0 in each process. `random` chooses scenarios.
    """

    def __init__(
        self, number: int, scenarios: Scenarios, arguments: Namespace, addresses: Addresses,
        book: Book, random: Random,
    ) -> None:  # fmt: skip
        self._number = number
        self._scenarios = scenarios
        self._arguments = arguments
        self._addresses = addresses
        self._book = book
        self._random = random
        alone = len(scenarios.each) == 1 and scenarios.picker is None
        self._only = scenarios.each[0] if alone else None  # then there is nothing to choose
        self._context = Context(args=arguments, worker_id=number, step=0, statsd=None)
        self._session: Session | None = None

    async def arrive(self) -> None:
        """Run ``setup`` and ``setup_session``. Raises HarnessError where one fails."""
        doing = "setup()"
        try:
            options = await self._options()
            doing = "aiohttp.ClientSession(), with what setup() returned,"
            tell = self._tell if self._scenarios.listeners else None
            session = Session(self._book, self._addresses, self._context, tell, **options)
            self._session = session
            doing = "setup_session()"
            if self._scenarios.setup_session is not None:
                await self._scenarios.setup_session(self._number, session)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            places = self._scenarios.places
            raise HarnessError(
                "load/set-up-failed",
                f"{doing} of worker {self._number} raised {places.told(error)}",
                where=places.of(error),
                next_step="make the fixture succeed; without it, no visit means anything",
            ) from error

    async def visit(self, scenario: Scenario | None = None, due_ns: int | None = None) -> float:
        """Visit once; `scenario` None: one is picked; `due_ns` None: due now.

        Returns the pause in seconds that the scenario asks for. Whatever it raises is counted.
        """
        session = self._session
        assert session is not None
        self._context.step += 1
        try:
            scenario = scenario or self._only or self._pick()
        except BaseException as error:  # the file's own code may raise anything
            self._book.end(self._book.begin(NO_SCENARIO, due_ns), error)
            await asyncio.sleep(0)
            return 0.0
        visit = session.visit = self._book.begin(scenario.name, due_ns)
        BEGUN_BY.set(visit)
        is_told = self._scenarios.listeners
        if is_told:
            await self._tell("scenario_start", scenario=scenario.entry, wid=self._number)
        raised = None
        try:
            visit.running = scenario.visit(session)
            await visit.running
        except BaseException as error:  # a failed visit, whatever it is, such as pytest's outcomes
            _raise_if_over(error)
            raised = error
        if session.unread:
            await session.finish(visit, raised)
        has_waited = visit.last is not None
        cause = None if raised is None else first_cause(raised)
        if isinstance(cause, NoRowsLeft):
            self._book.withdraw(visit, _rows_used_up(cause, self._scenarios))
        else:
            self._book.end(visit, raised)
        session.visit = None
        BEGUN_BY.set(None)
        if is_told:
            await self._tell_end(scenario, raised)
        if not has_waited:
            await asyncio.sleep(0)  # it need not have waited for anything
        return scenario.delay_s

    async def _tell_end(self, scenario: Scenario, raised: BaseException | None) -> None:
        entry = scenario.entry
        if raised is None:
            await self._tell("scenario_success", scenario=entry, wid=self._number)
        else:
            await self._tell("scenario_failure", scenario=entry, exception=raised, wid=self._number)

    async def leave(self) -> None:
        """Run ``teardown_session`` and ``teardown``; what they raise is printed."""
        try:
            if self._session is not None and self._scenarios.teardown_session is not None:
                await self._scenarios.teardown_session(self._number, self._session)
        except asyncio.CancelledError:
            raise
        except BaseException:  # what was measured is not the worse for it
            traceback.print_exc()
        finally:
            if self._session is not None:
                await self._session.close()
        try:
            if self._scenarios.teardown is not None:
                self._scenarios.teardown(self._number)
        except BaseException:
            traceback.print_exc()

    def _pick(self) -> Scenario:
        return self._scenarios.pick(self._random, self._number, self._context.step)

    async def _options(self) -> dict[str, Any]:
        if self._scenarios.setup is None:
            return {}
        options = await self._scenarios.setup(self._number, self._arguments)
        if options is None:
            return {}
        if not isinstance(options, Mapping):
            raise TypeError(f"setup() must return a dict, or None; it returned {options!r}")
        return dict(options)

    async def _tell(self, event: str, **info: Any) -> None:
        await tell(self._scenarios, event, **info)


def _rows_used_up(raised: NoRowsLeft, scenarios: Scenarios) -> HarnessError:
    return HarnessError(
        "load/rows-used-up",
        f"the load ended before its time: {raised} in this process",
        where=scenarios.places.of(raised),
        next_step="add rows; or say how many visits there are to be (visits, --visits)",
    )


def _raise_if_over(error: BaseException) -> None:
    """Raise what cancels this task: then it is the load that ends, and no visit that fails."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


async def tell(scenarios: Scenarios, event: str, **info: Any) -> None:
    """Give an event to the file's listeners; what they raise is printed, as Molotov does."""
    for listener in scenarios.listeners:
        try:
            await listener(event, **info)
        except Exception:  # as Molotov does
            traceback.print_exc()
