"""What the harness gives to tests: `client` and `webtest` in every target, stubs by mark.

A plugin of pytest's, registered only where the harness is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import pytest_asyncio

from harness import leash, secret, workers
from harness.bench import Bench
from harness.errors import HarnessError
from harness.facts import Surprise
from harness.loops import aside
from harness.manifest import parse_plan
from harness.plan import Plan
from harness.recorder import Recorder, service_of, uses_target
from harness.target import AppPath, Target, TargetKind, parse_targets, read_url
from harness.targets import Running
from harness.targets.client import Client

if TYPE_CHECKING:
    from harness.standins.group import StandIns
    from harness.standins.ledger import Asked
    from harness.standins.named import Routes
    from harness.targets.wsgi import WebTest

_PLAN = pytest.StashKey[str]()
_BENCH = pytest.StashKey[Bench]()
_RECORDER = pytest.StashKey[Recorder]()
_AROUND = pytest.StashKey[contextlib.ExitStack]()


def begin(config: pytest.Config, plan: str) -> None:
    """Register this module and, where a run records, what writes it down. `plan` is its name."""
    config.stash[_PLAN] = plan
    config.addinivalue_line(
        "markers", "stubs(*names): answer the outside calls of this test with these stubs"
    )
    config.addinivalue_line("markers", "service(name): the plan's service that `client` talks to")
    config.pluginmanager.register(sys.modules[__name__], "harness-offer")
    _repair(config)
    folder = config.getoption("--harness-folder")
    if folder:
        leash.hold()
        try:
            _record(config, Path(folder))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None


def _repair(config: pytest.Config) -> None:
    """Make aioresponses work, before a test imports it and until the session's end."""
    with contextlib.suppress(ImportError):  # it does not even import: for its users to see
        from harness.standins.aioresponses_repair import repaired

        repair = contextlib.ExitStack()
        repair.enter_context(repaired())
        config.add_cleanup(repair.close)


def _record(config: pytest.Config, folder: Path) -> None:
    bench = _bench(config, folder)
    recorder = Recorder(folder, bench, workers.name_of(config))
    config.stash[_RECORDER] = recorder
    config.pluginmanager.register(recorder, "harness-recorder")
    config.pluginmanager.register(workers, "harness-workers")
    workers.measure(config)
    if not workers.spreads(config):
        with recorder.noting():
            bench.start()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo what was started, also after a failure. Nothing of ours comes after this."""
    bench = config.stash.get(_BENCH, None)
    if bench is not None:
        bench.close()
    workers.save(config)
    recorder = config.stash.get(_RECORDER, None)
    if recorder is not None:
        recorder.close()


def _bench(config: pytest.Config, folder: Path | None = None) -> Bench:
    """Return the session's bench, made when it is first asked for."""
    if _BENCH not in config.stash:
        config.stash[_BENCH] = Bench(_plan(config), config.rootpath, _target(config), folder)
    return config.stash[_BENCH]


def _target(config: pytest.Config) -> Target:
    """Read the target from the options that name it. Raises UsageError."""
    urls: list[str] = config.getoption("--harness-url")
    if config.getoption("--harness-target") == TargetKind.LIVE and urls:
        pairs = (text.partition("=") for text in urls)
        return Target(TargetKind.LIVE, tuple((name, read_url(url)) for name, _, url in pairs))
    (target,) = parse_targets([config.getoption("--harness-target")], "")
    return target


def _plan(config: pytest.Config) -> Plan:
    """Read the plan, or make one of the application that was named."""
    named, app = config.getoption("--harness-plan"), config.getoption("--harness-app")
    path = Path(named) if named else config.rootpath / config.stash[_PLAN]
    plan = parse_plan(path.read_text(), path.name) if named or path.exists() else Plan()
    secret.keep(plan.variables)
    allowed = (*plan.allow_hosts, *config.getoption("--harness-allow-host"))
    plan = replace(plan, allow_hosts=allowed)
    return plan.with_app(AppPath.parse(app)) if app else plan


@contextlib.contextmanager
def _noting(config: pytest.Config) -> Iterator[None]:
    """Note an error of ours, so that the verdict names it and no test is blamed."""
    recorder = config.stash.get(_RECORDER, None)
    with recorder.noting() if recorder else contextlib.nullcontext():
        yield


def _fail(session: pytest.Session, error: HarnessError) -> NoReturn:
    """End the session: what kept one test from its target keeps them all."""
    session.shouldfail = "the tests have no target"
    raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture
def harness_services(request: pytest.FixtureRequest) -> tuple[Running, ...]:
    """The service under test and those it calls, imported where no loop runs, not started."""
    try:
        with _noting(request.config):
            return _bench(request.config).services(service_of(request.node))
    except HarnessError as error:
        _fail(request.session, error)


@pytest.fixture(scope="session")
def harness_first(request: pytest.FixtureRequest) -> tuple[Running, ...]:
    """The services that run from the session's beginning on, imported, not started."""
    bench = _bench(request.config)
    items = request.session.items
    wanted = {service_of(item) for item in items if uses_target(item)}
    try:
        with _noting(request.config):
            first = [bench.beside(name) for name in sorted(wanted, key=str)]
            asked = {service_of(item) for item in items}
            first += [bench.reachable(name) for name in sorted(asked, key=str)]
    except HarnessError as error:
        _fail(request.session, error)
    return tuple(service for services in first for service in services)


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def harness_running(
    request: pytest.FixtureRequest, harness_first: tuple[Running, ...]
) -> AsyncIterator[Started]:
    """The services that are running: first those that other fixtures may need.

    They are stopped at the session's end, in reverse.
    """
    bench = _bench(request.config)
    async with Started() as started:
        await _start(request, started, harness_first)
        yield started
        if started.any:
            with bench.around():
                await started.aclose()
    recorder = request.config.stash.get(_RECORDER, None)
    if recorder is not None:
        recorder.note(*started.troubles)
    elif started.troubles:
        told = "\n".join(f"{one.where}: {one.message}" for one in started.troubles)
        raise pytest.fail.Exception(told, pytrace=False)


@pytest_asyncio.fixture(loop_scope="session")
async def harness_target(
    request: pytest.FixtureRequest,
    harness_services: tuple[Running, ...],
    harness_running: Started,
) -> Running:
    """The service under test, running in the session's target, and those that it calls."""
    await _start(request, harness_running, harness_services)
    return harness_services[-1]


async def _start(
    request: pytest.FixtureRequest, started: Started, services: tuple[Running, ...]
) -> None:
    try:
        with _noting(request.config):
            bench = _bench(request.config)
            for service in services:
                with bench.around(), bench.starting(service):
                    await started.start(service)
    except HarnessError as error:
        _fail(request.session, error)


class Started(contextlib.AsyncExitStack):
    """Services, each started once, on the session's `loop`."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self._started: list[Running] = []

    async def start(self, service: Running) -> None:
        """Start a service, unless it is running. Raises TargetError."""
        if service not in self._started:
            self._started.append(service)
            await self.enter_async_context(service)

    @property
    def any(self) -> bool:
        """Tell whether there are any."""
        return bool(self._started)

    @property
    def troubles(self) -> list[Surprise]:
        """What went wrong when they were stopped."""
        return [service.trouble for service in self._started if service.trouble]


@pytest_asyncio.fixture(loop_scope="session")
async def client(harness_target: Running, pytestconfig: pytest.Config) -> Client:
    """Quart's test client, a new one for each test, speaking to the session's target."""
    return Client(harness_target, _bench(pytestconfig).exchanges)


@pytest.fixture
def webtest(
    harness_target: Running, harness_running: Started, pytestconfig: pytest.Config
) -> WebTest:
    """A ``webtest.TestApp`` for synchronous tests, speaking to the session's target."""
    from harness.targets.wsgi import WebTest  # not above: few sessions need it

    return WebTest(harness_target, _bench(pytestconfig).exchanges, harness_running.loop)


@pytest.fixture
def harness_standins(request: pytest.FixtureRequest) -> Iterator[StandIns]:
    """The plan's stand-ins. What a test declares is forgotten after it."""
    try:
        standins = _bench(request.config).start().standins
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    yield standins
    standins.select()


@pytest.fixture
def stub(harness_standins: StandIns) -> Callable[..., None]:
    """Declare a stub for this test: ``stub("weather", "GET", "/now", reply={"text": "fine"})``."""
    return harness_standins.declare


@pytest.fixture
def journal(harness_standins: StandIns) -> Callable[[str], Asked]:
    """Say what a stand-in or a stub was asked in this test: ``journal("weather").count``."""
    return harness_standins.asked


@pytest.fixture
def aioresponses(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The mock of aioresponses, with the stand-ins behind what a test adds to it."""
    from harness.standins.named import aioresponses_before

    with aioresponses_before(_routes(request)) as mock:
        yield mock


@pytest.fixture
def requests_mock(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The mock of requests-mock, with the stand-ins behind what a test adds to it."""
    from harness.standins.named import requests_mock_before

    try:
        case_sensitive = bool(request.config.getini("requests_mock_case_sensitive"))
    except ValueError:  # the library's own plugin, which declares this, is off
        case_sensitive = False
    with requests_mock_before(_routes(request), case_sensitive=case_sensitive) as mock:
        yield mock


def _routes(request: pytest.FixtureRequest) -> Routes:
    """Tell where the stand-in of each origin answers."""
    from harness.standins.named import Routes

    bench = _bench(request.config)
    try:
        addresses = bench.start().standins.addresses()
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    return Routes({one.origin: addresses[f"{one.name}.url"] for one in bench.plan.standins})


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Select the stubs that the test is marked with, or the stand-ins' defaults."""
    marks = list(item.iter_markers("stubs"))
    declares = "harness_standins" in getattr(item, "fixturenames", ())
    uses = bool(marks) or declares or uses_target(item) or _mocks(item)
    if not uses and _BENCH not in item.config.stash:
        return
    try:
        bench = _bench(item.config)
        rig = bench.start()
        around = item.stash[_AROUND] = contextlib.ExitStack()
        if uses:
            around.enter_context(bench.around())
        bench.under_test = service_of(item)
        _take_leftovers(item.config, bench)
        has_stubs = bool(marks) or declares or (uses_target(item) and _mocks(item))
        missing = bench.missing_live(service_of(item), has_stubs=has_stubs)
        if missing:
            pytest.skip(missing)
        rig.standins.select([name for mark in marks for name in mark.args] if marks else None)
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Take back what the test was lent, after its fixtures."""
    try:
        return (yield)
    finally:
        item.stash.get(_AROUND, contextlib.ExitStack()).close()


def _mocks(item: pytest.Item) -> bool:
    return not {"aioresponses", "requests_mock"}.isdisjoint(getattr(item, "fixturenames", ()))


def _take_leftovers(config: pytest.Config, bench: Bench) -> None:
    """What happened between two tests is no test's fault; a run notes it."""
    recorder = config.stash.get(_RECORDER, None)
    if recorder is None:
        bench.leftovers()
    else:
        recorder.note_leftovers()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that passed in spite of a surprise; show surprises beside other failures."""
    bench = item.config.stash.get(_BENCH, None)
    try:
        with _loop_turning(item):
            result = yield
    except BaseException:
        for told in bench.surprises() if bench else ():
            item.add_report_section("call", "harness", told)
        raise
    surprises = bench.surprises() if bench else []
    if surprises:
        pytest.fail("\n".join(surprises), pytrace=False)
    return result


@contextlib.contextmanager
def _loop_turning(item: pytest.Item) -> Iterator[None]:
    """Let the session's loop turn while a synchronous test uses a target that lives on it."""
    if not uses_target(item) or pytest_asyncio.is_async_test(item):
        yield
        return
    running: Started = item.funcargs["harness_running"]  # type: ignore[attr-defined]  # of functions, and only they use a target
    item.runtest = functools.partial(aside, running.loop, item.runtest)  # type: ignore[method-assign]  # for this one call
    try:
        yield
    finally:
        del item.runtest
