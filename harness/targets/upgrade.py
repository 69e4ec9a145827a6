"""A WebSocket in process, as Hypercorn (0.18) leads it between a client and an application."""

from __future__ import annotations

from enum import Enum

from harness.targets import Message, Receive, Scope, Send

MESSAGE_LIMIT = 16 * 1024 * 1024
"""Hypercorn's ``websocket_max_message_size``: a longer one ends the connection with 1009."""

_ABNORMAL, _TOO_BIG, _INTERNAL = 1006, 1009, 1011


class _State(Enum):
    HANDSHAKE = "asked"
    CONNECTED = "accepted"
    OVER = "refused or closed"


class Upgrade:
    """What is said on a WebSocket, put as a server puts it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._offered = scope["subprotocols"]
        self._receive = receive
        self._send = send
        self._begun = False
        self._state = _State.HANDSHAKE

    async def receive(self) -> Message:
        """Pass on what the client says, after its wish to connect."""
        if not self._begun:
            self._begun = True
            return {"type": "websocket.connect"}
        message = await self._receive()
        if message["type"] == "websocket.receive":
            if len(message.get("bytes") or message.get("text") or "") <= MESSAGE_LIMIT:
                return message
            await self._end({"type": "websocket.close", "code": _TOO_BIG})
            return {"type": "websocket.disconnect", "code": _ABNORMAL}
        # Hypercorn does not pass on the client's code: it is 1006 unless the application closed.
        code = 1000 if self._state is _State.OVER else _ABNORMAL
        return {"type": "websocket.disconnect", "code": code}

    async def send(self, message: Message) -> None:
        """Pass on what the application says. Raises ValueError for a subprotocol not offered."""
        if self._state is _State.OVER and message["type"] != "websocket.http.response.body":
            return
        match message["type"]:
            case "websocket.accept":
                chosen = message.get("subprotocol")
                if chosen is not None and chosen not in self._offered:
                    raise ValueError(f"the subprotocol {chosen!r} is none of {self._offered}")
                self._state = _State.CONNECTED
                await self._send(message)
            case "websocket.close" if self._state is _State.HANDSHAKE:
                await self._refuse(403)
            case "websocket.close":
                await self._end(message)
            case "websocket.http.response.start":
                self._state = _State.OVER
                await self._send(message)
            case _:
                await self._send(message)

    async def complete(self) -> None:
        """Answer where the application returned and had not."""
        if self._state is _State.HANDSHAKE:
            await self._refuse(500)
        elif self._state is _State.CONNECTED:
            await self._end({"type": "websocket.close", "code": _INTERNAL})

    async def _refuse(self, status: int) -> None:
        await refuse({"type": "websocket"}, self._send, status)
        self._state = _State.OVER

    async def _end(self, message: Message) -> None:
        self._state = _State.OVER
        await self._send(message)


async def refuse(scope: Scope, send: Send, status: int) -> None:
    """Answer with a status and nothing else."""
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"", "more_body": False})
