"""A module's `application()`, started once in each target: its tests hold in both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import MappingProxyType

import pytest
import pytest_asyncio

from harness.targets import Running
from harness.targets.client import Client, Exchanges
from harness.targets.inproc import Inproc
from harness.targets.served import Served

TARGETS = MappingProxyType({"inproc": Inproc, "served": Served})


@pytest_asyncio.fixture(params=list(TARGETS), scope="module", loop_scope="session")
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """The module's application, in one target and then in the other."""
    async with TARGETS[request.param](request.module.application(), "shop") as service:
        yield service


@pytest.fixture
def client(running: Running) -> Client:
    """A client of its own for each test, without cookies."""
    return Client(running, Exchanges())
