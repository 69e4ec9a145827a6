from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import harness.load.session
from harness.load.stream import MOST_AHEAD

from .conftest import Measured
from .wire import Wire

Make = Callable[..., Measured]

SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"


async def test_a_body_that_ends_as_it_becomes_too_large_does_not_hold_up_the_next_request(
    measured: Make,
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_AHEAD + 100)
    async with Wire([[head, b"x" * (MOST_AHEAD - 100), 0.1, b"x" * 200], [SMALL]]) as wire:
        session = measured(wire.url).session
        unread = await session.get("/")
        async with asyncio.timeout(5):
            while not unread.content.is_eof():  # noqa: ASYNC110 - of the server's own
                await asyncio.sleep(0.01)
            async with session.get("/") as response:
                await response.read()
        assert len(await unread.read()) == MOST_AHEAD + 100

    assert wire.opened == 1


async def test_connections_that_nobody_wants_any_more_are_closed(
    measured: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness.load.session, "KEEPALIVE_S", 0.02)
    async with Wire([[SMALL]]) as before, Wire([[SMALL]]) as after:
        session = measured(before.url).session
        await asyncio.gather(*(session.get("/") for _ in range(3)))
        assert before.open == 3
        await asyncio.sleep(0.05)
        for _ in range(2):
            await (await session.get(f"{after.url}/")).read()
        async with asyncio.timeout(5):
            while before.open:  # noqa: ASYNC110 - of the server's own
                await asyncio.sleep(0.01)

    assert after.opened == 1


async def test_who_waits_for_an_answer_when_the_session_closes_is_told(measured: Make) -> None:
    async with Wire([[9.0]]) as wire:
        session = measured(wire.url).session
        waiting = asyncio.create_task(session.get("/"))
        async with asyncio.timeout(5):
            while not wire.received:  # noqa: ASYNC110 - of the server's own
                await asyncio.sleep(0.01)
        await session.close()
        with pytest.raises(Exception, match="Connection closed"):
            await asyncio.wait_for(waiting, 5)
