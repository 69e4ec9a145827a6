"""WebSockets: what is offered, refused, closed and too long is so in process, too."""

from __future__ import annotations

import asyncio
import contextlib
from queue import SimpleQueue
from typing import Any

import pytest
from quart.testing.connections import WebsocketResponseError

from harness.errors import TargetError
from harness.targets import Running
from harness.targets.client import Client, Exchanges
from harness.targets.connections import WebsocketDisconnectError


class _Talker:
    """An application of no framework, and the codes by which its clients left."""

    def __init__(self) -> None:
        self.codes: SimpleQueue[int] = SimpleQueue()
        self.scopes: SimpleQueue[Any] = SimpleQueue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise NotImplementedError(scope["type"])
        self.scopes.put(scope)
        assert (await receive())["type"] == "websocket.connect"
        match scope["path"]:
            case "/refused":
                await send({"type": "websocket.close", "code": 4000})
            case "/answered":
                await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
                await send({"type": "websocket.http.response.body", "body": b"who?"})
            case "/silent":
                return
            case _:
                await self._talk(scope, receive, send)

    async def _talk(self, scope: Any, receive: Any, send: Any) -> None:
        chosen = scope["subprotocols"][-1] if scope["subprotocols"] else None
        headers = [(b"x-greeting", b"hello")]
        await send({"type": "websocket.accept", "subprotocol": chosen, "headers": headers})
        if scope["path"] == "/over":
            return
        if scope["path"] == "/closed":
            await send({"type": "websocket.close", "code": 4001})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({**message, "type": "websocket.send"})
        self.codes.put(message["code"])


def application() -> _Talker:
    """What the tests of this module talk to."""
    return _Talker()


def _heard(running: Running) -> int:
    app: Any = running.app
    return int(app.codes.get(timeout=5))


async def test_39_subprotocols_are_offered_and_one_is_chosen(client: Client) -> None:
    async with client.websocket("/", subprotocols=["chat", "x"]) as socket:
        await socket.send("hello")
        assert (socket.subprotocol, socket.headers["x-greeting"]) == ("x", "hello")

    async with client.websocket("/") as socket:
        await socket.send("hello")
        assert socket.subprotocol is None


async def test_40_a_handshake_has_what_opens_a_websocket(client: Client, running: Running) -> None:
    app: Any = running.app
    while not app.scopes.empty():
        app.scopes.get()
    async with client.websocket("/%2F?q=é", subprotocols=["chat", "x"]) as socket:
        await socket.send("hello")

    scope = app.scopes.get(timeout=5)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    assert (scope["raw_path"], scope["query_string"]) == (b"/%2F", b"q=%C3%A9")
    assert (scope["subprotocols"], scope["scheme"]) == (["chat", "x"], "ws")
    assert (headers["upgrade"], headers["sec-websocket-version"]) == ("websocket", "13")
    assert f"http://{headers['host']}" == running.url
    assert "method" not in scope


async def test_39_messages_come_back_as_they_were_sent(client: Client) -> None:
    async with client.websocket("/") as socket:
        for message in ("text", b"bytes", "", b""):
            await socket.send(message)
            assert await socket.receive() == message


async def test_39_the_application_hears_that_its_client_closed(
    client: Client, running: Running
) -> None:
    async with client.websocket("/") as socket:
        await socket.send("hello")
        await socket.receive()
        await socket.close(4002)
        with pytest.raises(WebsocketDisconnectError, match="4002"):
            await socket.receive()
        assert await asyncio.to_thread(_heard, running) == 1006  # Hypercorn's: it keeps the code


async def test_39_a_client_hears_by_which_code_it_was_closed(client: Client) -> None:
    async with client.websocket("/closed") as socket:
        for _ in range(2):
            with pytest.raises(WebsocketDisconnectError) as caught:
                await socket.receive()
            assert caught.value.code == 4001


async def test_40_an_application_that_returns_closes_with_an_error(client: Client) -> None:
    async with client.websocket("/over") as socket:
        with pytest.raises(WebsocketDisconnectError, match="1011"):
            await socket.receive()


@pytest.mark.parametrize(
    ("path", "status"), [("/refused", 403), ("/answered", 401), ("/silent", 500)]
)
async def test_40_a_refused_handshake_is_noticed(client: Client, path: str, status: int) -> None:
    async def sends(socket: Any) -> None:
        await socket.send("hello")

    async def receives(socket: Any) -> None:
        await socket.receive()

    async def leaves(socket: Any) -> None:
        """Do nothing with it."""

    for what in (sends, receives, leaves):
        with pytest.raises(WebsocketResponseError) as caught:
            async with client.websocket(path) as socket:
                await what(socket)
        assert caught.value.response.status_code == status


async def test_40_a_refusal_that_a_test_expects_is_told_once(client: Client) -> None:
    async with client.websocket("/refused") as socket:
        with pytest.raises(WebsocketResponseError):
            await socket.receive()


async def test_40_a_message_that_is_too_long_closes_with_1009(client: Client) -> None:
    async with client.websocket("/") as socket:
        await socket.send(b"x" * (16 * 1024 * 1024 + 1))
        with pytest.raises(WebsocketDisconnectError, match="1009"):
            await socket.receive()


async def test_38_a_message_that_never_comes_is_waited_for_in_vain(client: Client) -> None:
    client.answer_s = 0.3
    async with client.websocket("/") as socket:
        await socket.send("one")
        assert await socket.receive() == "one"
        with pytest.raises(TargetError, match="sent nothing for 0") as caught:
            await socket.receive()

    assert caught.value.slug == "target/endless"


async def test_40_each_websocket_is_an_exchange(running: Running) -> None:
    exchanges = Exchanges()
    client = Client(running, exchanges)
    for path in ("/", "/refused"):
        async with client.websocket(path) as socket:
            with contextlib.suppress(WebsocketResponseError):
                await socket.send("hello")

    assert [one.status for one in exchanges.take()] == [101, 403]
