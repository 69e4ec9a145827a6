"""A client that has left, was cancelled or waits for ever: the application hears of it."""

from __future__ import annotations

import asyncio
from queue import SimpleQueue
from typing import Any

import pytest
from quart import Quart, Response, request

from harness.errors import TargetError
from harness.targets import Running
from harness.targets.client import Client


def application() -> Quart:
    """Waits, talks without end, and says how it ended."""
    app: Any = Quart(__name__)
    app.ends = SimpleQueue()

    @app.get("/waits")
    async def waits() -> str:
        return await _ended_by(app.ends, asyncio.sleep(20))

    @app.get("/events")
    async def events() -> Response:
        async def endless() -> Any:
            try:
                while True:
                    yield b"data: tick\n\n"
                    await asyncio.sleep(0.01)
            finally:
                app.ends.put("cancelled")

        response = Response(endless(), content_type="text/event-stream")
        response.timeout = None
        return response

    @app.post("/takes")
    async def takes() -> str:
        return await _ended_by(app.ends, request.get_data())

    @app.post("/counts")
    async def counts() -> Response:
        body = request.body

        async def answers() -> Any:
            async for part in body:
                yield b"%d;" % len(part) if part else b""

        return Response(answers())

    return app


async def _ended_by(ends: SimpleQueue[str], doing: Any) -> str:
    try:
        await doing
    except asyncio.CancelledError:
        ends.put("cancelled")
        raise
    ends.put("finished")
    return "finished"


async def _end(running: Running) -> str:
    app: Any = running.app
    return str(await asyncio.to_thread(app.ends.get, timeout=5))


async def test_38_a_request_that_a_test_gives_up_is_cancelled(
    client: Client, running: Running
) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get("/waits"), 0.2)

    assert await _end(running) == "cancelled"


async def test_38_a_client_that_leaves_cancels_its_request(
    client: Client, running: Running
) -> None:
    async with client.request("/waits") as connection:
        await connection.send_complete()
        await asyncio.sleep(0.2)
        await connection.disconnect()

    assert await _end(running) == "cancelled"


async def test_38_a_test_that_fails_while_it_reads_leaves(client: Client, running: Running) -> None:
    with pytest.raises(AssertionError):
        async with client.request("/events") as connection:
            assert await connection.receive() == b"nothing like this"

    assert await _end(running) == "cancelled"


async def test_38_a_stream_is_read_as_it_comes(client: Client, running: Running) -> None:
    async with client.request("/events") as connection:
        for _ in range(3):
            assert (await connection.receive()).startswith(b"data: tick")
        await connection.disconnect()

    assert (connection.status_code, await _end(running)) == (200, "cancelled")


async def test_38_an_answer_without_end_is_an_error(client: Client, running: Running) -> None:
    client.answer_s = 0.3
    with pytest.raises(TargetError, match="GET /events had not ended") as caught:
        await client.get("/events")

    assert (caught.value.slug, await _end(running)) == ("target/endless", "cancelled")


async def test_38_a_part_that_never_comes_is_waited_for_in_vain(client: Client) -> None:
    client.answer_s = 0.3
    connection = client.request("/waits")
    await connection.__aenter__()
    await connection.send_complete()
    with pytest.raises(TargetError, match="/waits sent nothing for 0"):
        await connection.receive()
    await connection.disconnect()
    await connection.__aexit__(None, None, None)


async def test_38_a_body_that_is_shorter_than_its_length_is_waited_for(
    client: Client, running: Running
) -> None:
    client.answer_s = 0.3
    with pytest.raises(TargetError, match="had not ended"):
        await client.post("/takes", data=b"ab", headers={"Content-Length": "9"})

    assert await _end(running) == "cancelled"


async def test_21_a_body_is_received_while_it_is_sent(client: Client) -> None:
    async with client.request("/counts", method="POST") as connection:
        for part in (b"one", b"three"):
            await connection.send(part)
            assert await connection.receive() == b"%d;" % len(part)
        await connection.send_complete()

    assert connection.status_code == 200


async def test_21_a_request_that_began_without_a_body_gets_none(client: Client) -> None:
    with pytest.raises(TargetError, match="has no body") as caught:
        async with client.request("/waits") as connection:
            await connection.send(b"late")

    assert caught.value.slug == "target/no-body"
