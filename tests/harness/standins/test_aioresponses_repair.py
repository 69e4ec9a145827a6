"""The plugin has repaired aioresponses for this session, as for any that uses the harness."""

from __future__ import annotations

import gzip
from typing import Any

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses, core

from harness.standins.aioresponses_repair import repaired

URL = "http://weather.example.org/now"


async def get(**options: Any) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(URL, **options) as response:
        return await response.read()


@pytest.mark.parametrize("size", [0, 1, 2**17, 2**17 + 1, 20_000_000])
async def test_a_body_of_any_size_is_answered(size: int) -> None:
    with aioresponses() as mock:
        mock.get(URL, body=b"x" * size)

        assert len(await get()) == size


async def test_a_large_body_can_be_read_in_pieces_or_not_at_all() -> None:
    with aioresponses() as mock:
        mock.get(URL, body=b"a line\n" * 50_000, repeat=True)
        async with aiohttp.ClientSession() as session:
            async with session.get(URL) as response:
                assert len([line async for line in response.content]) == 50_000
            async with session.get(URL) as response:
                chunks = [chunk async for chunk in response.content.iter_chunked(1000)]
                assert sum(map(len, chunks)) == 350_000
            async with session.get(URL):
                pass


async def test_content_that_calls_itself_gzip_is_given_as_it_is() -> None:
    body = gzip.compress(bytes(300_000))
    with aioresponses() as mock:
        mock.get(URL, body=body, headers={"Content-Encoding": "gzip"})

        assert await get() == body


async def test_a_response_class_of_ones_own_is_kept() -> None:
    class Mine(aiohttp.ClientResponse):
        pass

    with aioresponses() as mock:
        mock.get(URL, response_class=Mine, payload={"celsius": 15})
        async with aiohttp.ClientSession() as session, session.get(URL) as response:
            assert type(response) is Mine
            assert await response.json() == {"celsius": 15}


async def test_exceptions_callbacks_and_repetition_work() -> None:
    def echo(url: Any, **options: Any) -> CallbackResult:
        return CallbackResult(status=201, payload=options["json"])

    with aioresponses() as mock:
        mock.get(URL, exception=aiohttp.ServerDisconnectedError())
        mock.get(URL, body="twice", repeat=2)
        mock.post(URL, callback=echo)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await get()
        assert [await get(), await get(params={})] == [b"twice"] * 2
        with pytest.raises(aiohttp.ClientConnectionError):
            await get()
        async with aiohttp.ClientSession() as session, session.post(URL, json=[1]) as response:
            assert (response.status, await response.json()) == (201, [1])
        mock.assert_called_with(URL, method="POST", json=[1])


async def test_it_decorates() -> None:
    @aioresponses()
    async def decorated(mock: aioresponses) -> None:
        mock.get(URL, status=500)
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            with pytest.raises(aiohttp.ClientResponseError, match="500"):
                await session.get(URL)
        mock.assert_called_once_with(URL)

    await decorated()


def test_what_works_is_left_alone() -> None:
    before = (core.stream_reader_factory, core.RequestMatch._build_response)

    with repaired():
        assert (core.stream_reader_factory, core.RequestMatch._build_response) == before


def test_what_cannot_be_mended_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise LookupError

    stream = core.stream_reader_factory
    monkeypatch.setattr(core.RequestMatch, "_build_response", broken)

    with repaired():
        assert core.RequestMatch._build_response is broken
        assert core.stream_reader_factory is stream


def test_a_library_that_is_made_otherwise_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = core.stream_reader_factory
    monkeypatch.delattr(core.RequestMatch, "_build_response")

    with repaired():
        assert core.stream_reader_factory is stream
