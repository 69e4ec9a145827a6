"""docs/divergences.md, Errors."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import pytest
from quart import Quart, Response, websocket

from harness.errors import BrokenOffError, TargetError
from harness.targets.client import Client

QUART = tuple(int(number) for number in version("quart").split(".")[:2])


def application() -> Quart:
    """An application under test as tutorials make it, whose handlers go wrong."""
    app = Quart(__name__)
    app.testing = True

    @app.errorhandler(500)
    async def sorry(error: Exception) -> tuple[dict[str, str], int]:
        return {"error": "ours"}, 500

    @app.get("/raises")
    async def raises() -> str:
        raise ValueError("no stock")

    @app.get("/cancelled")
    async def cancelled() -> str:
        raise asyncio.CancelledError

    @app.get("/half")
    async def half() -> Response:
        async def parts():  # type: ignore[no-untyped-def]
            yield b"half"
            raise ValueError("in the middle")

        return Response(parts())

    @app.websocket("/ws")
    async def ws() -> None:
        await websocket.send("one")
        raise ValueError("in the middle")

    return app


async def test_8_an_error_handler_answers_also_while_testing(client: Client) -> None:
    response = await client.get("/raises")

    assert (response.status_code, await response.get_json()) == (500, {"error": "ours"})


async def test_8_the_exception_is_logged_for_the_test_that_failed(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await client.get("/raises")

    assert "ValueError: no stock" in caplog.text


async def test_9_an_exception_that_a_project_lets_through_is_a_500_as_on_a_server(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "TESTING", False)
    monkeypatch.setitem(client.app.config, "PROPAGATE_EXCEPTIONS", True)

    response = await client.get("/raises")

    assert (response.status_code, await response.get_data()) == (500, b"")


async def test_9_testing_with_exceptions_let_through_keeps_quarts_own_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.app.config, "PROPAGATE_EXCEPTIONS", True)

    response = await client.get("/raises")

    assert response.status_code == 500
    assert b"no stock" in await response.get_data()


@pytest.mark.skipif(QUART >= (0, 23), reason="from 0.23 on Quart gives no answer")
async def test_10_a_handler_that_is_cancelled_has_answered_500(client: Client) -> None:
    response = await client.get("/cancelled")

    assert (response.status_code, await response.get_data()) == (500, b"")


@pytest.mark.skipif(QUART < (0, 23), reason="before 0.23 it is a 500")
async def test_10_a_handler_that_is_cancelled_never_answers(client: Client) -> None:
    client.answer_s = 0.3

    with pytest.raises(TargetError) as caught:
        await client.get("/cancelled")

    assert caught.value.slug == "target/endless"


async def test_11_an_error_in_the_middle_cuts_the_answer_off(client: Client) -> None:
    with pytest.raises(BrokenOffError, match="GET /half broke off"):
        await client.get("/half")

    with pytest.raises(ConnectionError):
        await client.get("/half")


async def test_12_an_error_in_a_websocket_closes_it_with_1000(client: Client) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011, PT012 - Quart's own, when it is left
        async with client.websocket("/ws") as socket:
            assert await socket.receive() == "one"
            await socket.receive()

    assert (type(caught.value).__name__, caught.value.args) == ("WebsocketDisconnectError", (1000,))
