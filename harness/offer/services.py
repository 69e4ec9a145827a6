"""The service under test, in its target: `client`, `webtest`, and what starts and stops it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from harness.errors import HarnessError
from harness.facts import Surprise
from harness.offer.session import RECORDER, bench_of, end_session, noting
from harness.recorder import service_of, uses_target
from harness.targets import Running
from harness.targets.client import Client

if TYPE_CHECKING:
    from harness.targets.wsgi import WebTest


@pytest.fixture
def harness_services(request: pytest.FixtureRequest) -> tuple[Running, ...]:
    """The service under test and those it calls, imported where no loop runs, not started."""
    try:
        with noting(request.config):
            return bench_of(request.config).services(service_of(request.node))
    except HarnessError as error:
        end_session(request.session, error)


@pytest.fixture(scope="session")
def harness_first(request: pytest.FixtureRequest) -> tuple[Running, ...]:
    """The services that run from the session's beginning on, imported, not started."""
    bench = bench_of(request.config)
    items = request.session.items
    wanted = {service_of(item) for item in items if uses_target(item)}
    try:
        with noting(request.config):
            first = [bench.beside(name) for name in sorted(wanted, key=str)]
            asked = {service_of(item) for item in items}
            first += [bench.reachable(name) for name in sorted(asked, key=str)]
    except HarnessError as error:
        end_session(request.session, error)
    return tuple(service for services in first for service in services)


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def harness_running(
    request: pytest.FixtureRequest, harness_first: tuple[Running, ...]
) -> AsyncIterator[Started]:
    """The services that are running: first those that other fixtures may need.

    They are stopped at the session's end, in reverse.
    """
    bench = bench_of(request.config)
    async with Started() as started:
        await _start(request, started, harness_first)
        yield started
        if started.any:
            with bench.around():
                bench.watch.before_stop()
                await started.aclose()
                await bench.watch.after_stop()
    recorder = request.config.stash.get(RECORDER, None)
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
        with noting(request.config):
            bench = bench_of(request.config)
            for service in services:
                with bench.around(), bench.starting(service):
                    await started.start(service)
    except HarnessError as error:
        end_session(request.session, error)


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
    return Client(harness_target, bench_of(pytestconfig).exchanges)


@pytest.fixture
def webtest(
    harness_target: Running, harness_running: Started, pytestconfig: pytest.Config
) -> WebTest:
    """A ``webtest.TestApp`` for synchronous tests, speaking to the session's target."""
    from harness.targets.wsgi import WebTest  # not above: few sessions need it

    return WebTest(harness_target, bench_of(pytestconfig).exchanges, harness_running.loop)
