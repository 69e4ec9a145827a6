"""The stand-ins that answer a test's outside calls: `stub`, `journal`, named libraries' mocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError
from harness.offer.session import bench_of

if TYPE_CHECKING:
    from harness.standins.group import StandIns
    from harness.standins.ledger import Asked
    from harness.standins.named import Routes


@pytest.fixture
def harness_standins(request: pytest.FixtureRequest) -> Iterator[StandIns]:
    """The plan's stand-ins. What a test declares is forgotten after it."""
    try:
        standins = bench_of(request.config).start().standins
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    yield standins
    standins.select()


@pytest.fixture
def stub(harness_standins: StandIns) -> Callable[..., None]:
    """Declare a stub for this test: ``stub("weather", "GET", "/now", reply={"text": "fine"})``."""
    return harness_standins.declare


class Questions:
    """What the stand-ins were asked in a test, and in which order."""

    def __init__(self, standins: StandIns) -> None:
        self._standins = standins

    def __call__(self, name: str) -> Asked:
        """Say what a stand-in or a stub was asked: ``journal("weather").count``."""
        return self._standins.asked(name)

    @property
    def order(self) -> tuple[str, ...]:
        """The stubs that answered, in the order of the calls to all stand-ins."""
        return self._standins.order


@pytest.fixture
def journal(harness_standins: StandIns) -> Questions:
    """Say what the stand-ins were asked in this test: ``journal("weather").count``."""
    return Questions(harness_standins)


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

    bench = bench_of(request.config)
    try:
        addresses = bench.start().standins.addresses()
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    return Routes({one.origin: addresses[f"{one.name}.url"] for one in bench.plan.standins})
