"""The tokens that the plan names: `token` gets each when a test first asks for it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from harness import secret
from harness.bench import Bench
from harness.errors import HarnessError, TargetError
from harness.grant import Grant
from harness.loops import result_of
from harness.offer.services import Started
from harness.offer.session import bench_of, end_session, noting
from harness.plan import expanded, placeholders
from harness.scenarios import Token
from harness.target import TargetKind
from harness.targets import Running
from harness.targets.forward import SILENT_S, plain_session
from harness.targets.live import CONNECT_S


@pytest.fixture(scope="session")
def harness_dealers(request: pytest.FixtureRequest) -> tuple[Running, ...]:
    """The services that tokens are got of, imported where no loop runs, not started."""
    bench = bench_of(request.config)
    try:
        with noting(request.config):
            found = [one for grant in bench.plan.tokens for one in bench.dealing(grant.name)]
    except HarnessError as error:
        end_session(request.session, error)
    return tuple(found)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def token(
    request: pytest.FixtureRequest, harness_dealers: tuple[Running, ...], harness_running: Started
) -> Tokens:
    """Log in as the plan says, and give the header that shows it."""
    bench = bench_of(request.config)
    try:
        with noting(request.config):
            for service in harness_dealers:
                with bench.around(), bench.starting(service):
                    await harness_running.start(service)
    except HarnessError as error:
        end_session(request.session, error)
    return Tokens(bench, harness_running.loop)


class Tokens:
    """Gets the tokens of a plan, each once per loop and again after half its life."""

    def __init__(self, bench: Bench, loop: asyncio.AbstractEventLoop) -> None:
        self._bench = bench
        self._loop = loop
        self._known: dict[tuple[str, asyncio.AbstractEventLoop], Token] = {}

    def __call__(self, name: str) -> Any:
        """Return the header to send, ``{"Authorization": "Bearer …"}``; to be awaited, where async.

        Raises UsageError for a token that the plan has not, TargetError where it is not given.
        """
        getting = self._header(name)
        if asyncio._get_running_loop() is None:
            return result_of(self._loop, getting)
        return getting

    async def _header(self, name: str) -> dict[str, str]:
        grant = self._bench.plan.granted(name)
        values = self._values(grant)
        url = expanded(grant.url, values)
        key = (name, asyncio.get_running_loop())
        if key not in self._known:
            self._known[key] = _token(grant, url, values)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENT_S)
        try:
            async with plain_session(
                timeout, trace_configs=self._traces(url), skip_auto_headers=("Accept-Encoding",)
            ) as session:
                header = await self._known[key].header(session)
        except (AssertionError, aiohttp.ClientError, OSError, TypeError, ValueError) as error:
            raise _refused(grant, f"{url} gave {_said(error)}") from None
        secret.keep_token(name, header["Authorization"].partition(" ")[2])
        return header

    def _values(self, grant: Grant) -> dict[str, str]:
        """Return what the placeholders of a token stand for. Raises TargetError and UsageError."""
        known = self._bench.start().addresses
        known |= {f"env.{variable.name}": variable.value() for variable in grant.variables}
        if self._bench.target.kind is TargetKind.LIVE:
            for service in (one.name for one in self._bench.plan.services):
                asked = f"{service}.url" in placeholders(" ".join(grant.values.values()))
                if asked and self._bench.target.url_of(service) is None:
                    raise _refused(grant, f"no address of {service} was given")
        return known

    def _traces(self, url: str) -> list[aiohttp.TraceConfig]:
        """Let a request wait for its turn, where the host of `url` is under test and has turns."""
        turns = self._bench.turns_at(url)
        if turns is None:
            return []

        async def wait(*_: Any) -> None:
            await turns.wait()

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(wait)
        return [trace]


def _token(grant: Grant, url: str, values: dict[str, str]) -> Token:
    sent = grant.form if grant.json is None else grant.json
    filled = {key: expanded(value, values) for key, value in sent.items()}
    body = {"data": Token(url, **filled).form} if grant.json is None else {"json": filled}
    return Token.told(url, body, grant.field)


def _refused(grant: Grant, said: str) -> TargetError:
    return TargetError(
        "target/no-token",
        f"the token {grant.name!r} was not given: {said}",
        where=grant.where,
        next_step="see what the plan posts for it there, and whether the service answers",
    )


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
