"""What a session of aiohttp's says and hears, noted as exchanges of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from harness.errors import TargetError
from harness.targets.exchange import Exchanges
from harness.targets.live import not_sent
from harness.targets.noted import Noted


async def echo(request: web.Request) -> web.Response:
    traced = request.headers.get("traceparent", "")
    return web.Response(text=f"{request.method} {await request.text()} {traced}")


async def away(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["status"]), headers={"Location": "/echo"})


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_route("*", "/echo", echo)
    app.router.add_route("*", "/away/{status}", away)
    async with TestServer(app) as server:
        yield server


async def unasked(method: str, url: URL) -> None: ...


async def only_reading(method: str, url: URL) -> None:
    if method != "GET":
        raise not_sent(method, url.path, str(url.origin()))


async def test_a_request_is_noted_as_it_was_sent_with_its_answer(server: TestServer) -> None:
    exchanges = Exchanges()
    noted = Noted(exchanges, str(server.make_url("/")), unasked)

    async with aiohttp.ClientSession(trace_configs=[noted.trace]) as session:
        url = server.make_url("/echo?a=b%20c")
        async with session.post(url, json={"a": 1}, headers={"X": "é"}) as response:
            said = await response.text()

    (one,) = exchanges.kept
    assert (one.method, one.path, one.query, one.status) == ("POST", "/echo", b"a=b%20c", 200)
    assert (b"X", "é".encode()) in one.headers
    assert (b"Content-Type", b"application/json") in one.headers
    assert one.body.kept == b'{"a": 1}'
    assert one.answer.kept.decode() == said == f'POST {{"a": 1}} {one.traceparent}'
    assert one.seconds is not None
    assert exchanges.answered == 1


@pytest.mark.parametrize(("status", "method"), [(302, "GET"), (307, "POST")])
async def test_a_redirect_is_two_exchanges_of_one_trace(
    server: TestServer, status: int, method: str
) -> None:
    exchanges = Exchanges()
    noted = Noted(exchanges, str(server.make_url("/")), unasked)

    async with aiohttp.ClientSession(trace_configs=[noted.trace]) as session:
        await (await session.post(server.make_url(f"/away/{status}"), data="a")).read()

    first, second = exchanges.kept
    assert (first.status, second.status, second.method) == (status, 200, method)
    assert first.traceparent == second.traceparent
    assert exchanges.answered == 2


async def test_a_request_that_must_not_be_sent_is_not(server: TestServer) -> None:
    exchanges = Exchanges()
    noted = Noted(exchanges, str(server.make_url("/")), only_reading)

    async with aiohttp.ClientSession(trace_configs=[noted.trace]) as session:
        with pytest.raises(TargetError, match="POST /echo was not sent"):
            await session.post(server.make_url("/echo"))
        await session.get(server.make_url("/echo"))

    assert [one.method for one in exchanges.kept] == ["GET"]


async def test_what_has_no_answer_says_why_and_another_server_s_answer_is_not_the_target_s(
    server: TestServer,
) -> None:
    exchanges = Exchanges()
    noted = Noted(exchanges, "http://127.0.0.1:1", unasked)

    async with aiohttp.ClientSession(trace_configs=[noted.trace]) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://127.0.0.1:1/")
        await session.get(server.make_url("/echo"))

    refused, elsewhere = exchanges.kept
    assert "ClientConnectorError" in refused.broke
    assert elsewhere.status == 200
    assert exchanges.answered == 0
