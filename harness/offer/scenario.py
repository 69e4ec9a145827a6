"""One Molotov file as functional tests: each scenario visited once, by a worker of its own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from yarl import URL

from harness.bench import Bench
from harness.demand import Load
from harness.errors import HarnessError
from harness.facts import Failed, Problem
from harness.load.address import Addresses
from harness.load.board import Board
from harness.load.book import Book, Visit
from harness.load.job import Job
from harness.load.molotov import Registries, Scenario, Scenarios, load
from harness.load.visitor import Visitor
from harness.manners import SAFE
from harness.offer.session import bench_of
from harness.pace import UNTIMED_S, Workers
from harness.plan import target_variable
from harness.rig import environment
from harness.target import TargetKind
from harness.targets import Running
from harness.targets.live import not_sent
from harness.targets.noted import Noted

NO_SOCKET = "a scenario's session speaks over a socket, which a service in process has not"


class ScenarioFile(pytest.Module):
    """Collects an item for each scenario, under its name."""

    _stage: Stage | None = None

    def _getobj(self) -> ModuleType:
        """Return what pytest looks into: a module of one function for each scenario."""
        try:
            stage = self._stage = Stage.of(self.path, bench_of(self.config), self.config.rootpath)
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        module: Any = ModuleType(self.path.stem)
        module.pytestmark = stage.marks
        for scenario in stage.scenarios.each:
            setattr(module, scenario.name, stage.test_of(scenario))
        return module  # type: ignore[no-any-return]  # it is one

    def istestfunction(self, obj: object, name: str) -> bool:
        """Tell a test from what else is in the module."""
        return inspect.iscoroutinefunction(obj)

    def istestclass(self, obj: object, name: str) -> bool:
        """A file has scenarios and no classes of tests."""
        return False

    def teardown(self) -> None:
        """Run the file's ``global_teardown``, after its last scenario."""
        if self._stage is not None:
            self._stage.end()


class _Page(Book):
    """A book of one visit, which keeps what that raised and shows answers that were not read."""

    def __init__(self, scenarios: Scenarios, bench: Bench) -> None:
        super().__init__(0, scenarios.places, Board(1))
        self.raised: BaseException | None = None
        self._bench = bench

    def end(self, visit: Visit, error: BaseException | None) -> None:
        """End the visit, by what it raised or by itself."""
        self.raised = error
        super().end(visit, error)

    def explained(self, visit: Visit, status: int, body: bytes) -> None:
        """Take down how the body of an unwelcome answer begins."""
        super().explained(visit, status, body)
        exchanges = list(self._bench.exchanges.kept)
        if exchanges and exchanges[-1].status == status and not exchanges[-1].answer.length:
            last = exchanges[-1]
            last.answer.add(body)
            told = dict(last.answer_headers).get(b"content-length", b"0")
            last.answer.length = max(len(body), int(told) if told.isdigit() else 0)


class Stage:
    """A scenario file that was imported, with Molotov's registries and its environment."""

    def __init__(self, bench: Bench, root: Path, file: Path, service: str) -> None:
        self._bench = bench
        self._root = root
        self._service = service
        self._url, self._told = _addresses(bench, service)
        self._registries = Registries()
        self._begun: bool | HarnessError = False
        with self._in_place():
            self.scenarios = load(str(file), root, self._meant(self._url))

    @classmethod
    def of(cls, file: Path, bench: Bench, root: Path) -> Stage:
        """Import a file for the service that a load of the plan drives with it, or the first.

        Raises HarnessError. Skips it where the service is nowhere.
        """
        loads = (one for one in bench.plan.loads if (root / one.scenarios).resolve() == file)
        service = next((one.service for one in loads if one.service), "")
        if missing := bench.missing_live(service or None, has_stubs=False):
            pytest.skip(missing, allow_module_level=True)
        return cls(bench, root, file, service)

    @property
    def marks(self) -> list[pytest.MarkDecorator]:
        """Return what all its tests are marked with."""
        marks = [pytest.mark.asyncio(loop_scope="session")]
        if self._service:
            marks.append(pytest.mark.service(self._service))
        if self._bench.target.kind is TargetKind.INPROC:
            marks.append(pytest.mark.skip(reason=NO_SOCKET))
        return marks

    def test_of(self, scenario: Scenario) -> Callable[..., Awaitable[None]]:
        """Return a test function for pytest, with the scenario's marks and place."""

        async def visit(harness_target: Running) -> None:
            __tracebackhide__ = True
            await self._visit(scenario, harness_target)

        made: Any = visit
        made.__signature__ = inspect.signature(visit)
        made.__wrapped__ = scenario.func  # pytest shows its place, and tracebacks from there on
        made.pytestmark = _marks(scenario.func)
        return visit

    def end(self) -> None:
        """Run ``global_teardown`` where ``global_setup`` was reached."""
        if self._begun is True:
            self._begun = False
            with self._in_place():
                self.scenarios.end()

    async def _visit(self, scenario: Scenario, running: Running) -> None:
        __tracebackhide__ = True
        page = _Page(self.scenarios, self._bench)
        with self._in_place():
            try:
                await asyncio.to_thread(self._begin)  # it may run a loop of its own, as in Molotov
                visitor = Visitor(
                    0, replace(self.scenarios, setup=self._setting_up(running)), self._arguments,
                    self._meant(running.url), page, Random(0),  # noqa: S311 - picks nothing
                )  # fmt: skip
                try:
                    await visitor.arrive()
                    await visitor.visit(scenario)
                finally:
                    await visitor.leave()
            except HarnessError as error:
                raise pytest.fail.Exception(str(error), pytrace=False) from None
        self._judge(page)

    def _judge(self, page: _Page) -> None:
        """Raise what the visit raised, with the line that did not hold and the last answer."""
        __tracebackhide__ = True
        facts = page.facts(0, 0)
        for fact in facts:
            if isinstance(fact, Problem):  # such as an address that is not to be called
                told = HarnessError(fact.slug, fact.message, where=fact.where,
                                    next_step=fact.next_step)  # fmt: skip
                raise pytest.fail.Exception(str(told), pytrace=False)
        if page.raised is None:
            return
        for fact in facts:
            if isinstance(fact, Failed):
                page.raised.add_note(fact.message)
                break
        raise page.raised

    def _begin(self) -> None:
        """Run ``global_setup`` once. Raises HarnessError, and again for each scenario."""
        if not self._begun:
            self._begun = True
            try:
                self.scenarios.begin(self._arguments)
            except HarnessError as error:
                self._begun = error
        if isinstance(self._begun, HarnessError):
            raise self._begun

    def _setting_up(self, running: Running) -> Callable[[int, Any], Awaitable[object]]:
        """Wrap the file's ``setup`` so that the session's exchanges are noted."""
        noted = Noted(self._bench.exchanges, running.url, self._may_be_sent)

        async def setup(worker_id: int, arguments: Any) -> object:
            own = self.scenarios.setup
            options = await own(worker_id, arguments) if own else None
            if options is not None and not isinstance(options, Mapping):
                return options  # which is refused as in a load
            options = dict(options or {})
            options["trace_configs"] = [*(options.get("trace_configs") or ()), noted.trace]
            return options

        return setup

    async def _may_be_sent(self, method: str, url: URL) -> None:
        """Wait for a deployment's turn. Raises TargetError where it must not be written to."""
        bench = self._bench
        writes = bench.target.kind is TargetKind.LIVE and method not in SAFE
        if writes and not bench.plan.manners.lets_write(str(url)):
            raise not_sent(method, url.path, str(url.origin()))
        turns = bench.turns_at(str(url))
        if turns is not None:
            await turns.wait()

    def _meant(self, target: str) -> Addresses:
        plan = self._bench.plan
        return Addresses(target, rebase=plan.rebase, allow_hosts=plan.allow_hosts)

    @property
    def _arguments(self) -> Namespace:
        pace = Workers(1, Fraction(UNTIMED_S))
        one = Load("test", self.scenarios.places.file, pace, (), single_run=True)
        return Job.of(one, target=self._url, root=self._root, folder=self._root).arguments()

    @contextlib.contextmanager
    def _in_place(self) -> Iterator[None]:
        with environment(self._told), self._registries.in_place():
            yield


def _marks(scenario: Any) -> list[Any]:
    """Return a scenario's own marks, written above or below Molotov's decorator, and its file's."""
    found = getattr(scenario, "__globals__", {})
    decorated = found.get(scenario.__name__, scenario)
    of_file = found.get("pytestmark", [])
    return [*getattr(decorated, "pytestmark", []),
            *(of_file if isinstance(of_file, list) else [of_file])]  # fmt: skip


def _addresses(bench: Bench, service: str) -> tuple[str, dict[str, str]]:
    """Return the address of the target, and the variables that tell scenarios all there are."""
    rig = bench.start()
    urls = {name: port.url for name, port in rig.ports.items()}
    if bench.target.kind is TargetKind.LIVE:
        urls = {name: url for name, url in bench.target.urls if name}
        target = bench.address_of(service or None)
    else:
        target = urls[service or bench.plan.service.name]
    told = {target_variable(name): url for name, url in urls.items()}
    return target, {**told, "HARNESS_TARGET": target}
