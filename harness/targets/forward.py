"""ASGI on one side, a real connection on the other: how Quart's client reaches a server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from harness.errors import TargetError
from harness.targets import Message, Receive, Scope, Send

SILENT_S = 60.0
"""How long a service may say nothing while a test waits for it. nginx gives up as late."""

_DEFAULT_HOST = "localhost"  # what Quart's client sends where a test says nothing
_NOT_OURS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_HANDSHAKE = frozenset(
    {"connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "host",
     "sec-websocket-extensions", "sec-websocket-protocol"}
)  # fmt: skip
_REQUEST = aiohttp.ClientSession._request


class Forward:
    """An ASGI application that passes each request to the server at `url`, byte for byte.

    Nothing is followed, decoded, retried or kept: cookies and redirects are the client's.
    `connect_s` and `silent_s` bound connecting, with TLS, and each wait for a server's next byte.
    """

    def __init__(
        self, url: str, *, connect_s: float | None = None, silent_s: float | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._netloc = urlsplit(url).netloc.rpartition("@")[2]
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_s, sock_read=silent_s
        )
        self._home: tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one conversation. Raises TargetError where nothing answers."""
        if scope.get("_quart._preserve_context"):
            raise TargetError(
                "target/no-context",
                "'async with client:' keeps a request's context, and that is in the server",
                where=self._url,
                next_step="ask for what the test needs by a request, or run it inproc only",
            )
        carry = self._websocket if scope["type"] == "websocket" else self._http
        try:
            await carry(scope, receive, send)
        except aiohttp.ClientConnectorError as error:
            raise self._unreachable(error.os_error.strerror or str(error)) from error
        except aiohttp.ConnectionTimeoutError as error:
            said = f"no connection within {self._timeout.sock_connect:g} s"
            raise self._unreachable(said) from error
        except aiohttp.SocketTimeoutError as error:
            said = f"it was silent for {self._timeout.sock_read:g} s"
            raise self._unreachable(said) from error

    def _unreachable(self, said: str) -> TargetError:
        return TargetError(
            "target/unreachable",
            f"nothing answers: {said}",
            where=self._url,
            next_step="see whether the service is still running, and its log",
        )

    def open(self) -> None:
        """Keep connections for the running loop until `close`."""
        self._home = (asyncio.get_running_loop(), _session(self._timeout))

    async def close(self) -> None:
        """Close the connections that were kept."""
        if self._home is not None:
            _, session = self._home
            self._home = None
            await session.close()

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Lend a session of the running loop: loops that come and go with a test keep nothing."""
        if self._home is not None and self._home[0] is asyncio.get_running_loop():
            yield self._home[1]
        else:
            async with _session(self._timeout) as session:
                yield session

    def _address(self, scope: Scope) -> URL:
        raw = scope.get("raw_path") or scope["path"].encode()
        query = scope.get("query_string", b"").decode("latin-1")
        text = self._url + raw.decode("latin-1") + (f"?{query}" if query else "")
        return URL(text, encoded=True)

    def _headers(self, scope: Scope, leave_out: frozenset[str] = frozenset()) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = CIMultiDict()
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "surrogateescape")
            if name.lower() == "host" and value == _DEFAULT_HOST:
                value = self._netloc  # as a real client would
            if name.lower() not in leave_out:
                headers.add(name, value)
        return headers

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, gone = await _body(receive)
        if gone:
            return
        exchange = asyncio.ensure_future(self._exchange(scope, body, send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({exchange, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not exchange.done():
                exchange.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await exchange
        finally:
            leaving.cancel()
            exchange.cancel()

    async def _exchange(self, scope: Scope, body: bytes, send: Send) -> None:
        async with (
            self._session() as session,
            session.request(
                scope["method"],
                self._address(scope),
                data=io.BytesIO(body) if body else None,  # of large bytes aiohttp would warn
                headers=self._headers(scope),
                allow_redirects=False,
            ) as response,
        ):
            headers = list(response.raw_headers)
            start = {"type": "http.response.start", "status": response.status, "headers": headers}
            await send(start)
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._session() as session:
            try:
                socket = await session.ws_connect(
                    self._address(scope),
                    headers=self._headers(scope, _HANDSHAKE),
                    protocols=scope.get("subprotocols", ()),
                    max_msg_size=0,
                )
            except aiohttp.WSServerHandshakeError as error:
                await _refuse(error, send)
            else:
                async with socket:
                    await _talk(socket, receive, send)


def _session(timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0),
        skip_auto_headers=_NOT_OURS,
        timeout=timeout,
    )
    # aiohttp sends an idempotent request again on a dropped connection, unseen
    # (aiohttp#10790): a test must see what happened.
    session._retry_connection = False
    # A test that mocks aiohttp (aioresponses) means its application's calls, not ours. Not by
    # assignment, of which aiohttp warns in development mode.
    vars(session)["_request"] = functools.partial(_REQUEST, session)
    return session


async def _refuse(error: aiohttp.WSServerHandshakeError, send: Send) -> None:
    headers = [(k.encode(), v.encode()) for k, v in (error.headers or {}).items()]
    start = {"type": "websocket.http.response.start", "status": error.status}
    await send({**start, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"", "more_body": False})


async def _talk(socket: aiohttp.ClientWebSocketResponse, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept", "subprotocol": socket.protocol, "headers": []})
    down = asyncio.ensure_future(_to_client(socket, send))
    up = asyncio.ensure_future(_to_server(socket, receive))
    await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
    for task in (down, up):
        task.cancel()
    left = await asyncio.gather(down, up, return_exceptions=True)
    await socket.close(code=left[1] if isinstance(left[1], int) else 1000)


async def _body(receive: Receive) -> tuple[bytes, bool]:
    """Collect a request's body; True where the client left before it had sent all of it."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body), True
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body), False


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _to_server(socket: aiohttp.ClientWebSocketResponse, receive: Receive) -> int:
    """Pass on what the client says until it leaves, and return its close code."""
    while True:
        message: Message = await receive()
        if message["type"] == "websocket.disconnect":
            return int(message.get("code") or 1000)
        if message["type"] == "websocket.connect":
            continue  # which ASGI has first, and Quart's client leaves out
        if message.get("text") is not None:
            await socket.send_str(message["text"])
        else:
            await socket.send_bytes(message.get("bytes") or b"")


async def _to_client(socket: aiohttp.ClientWebSocketResponse, send: Send) -> None:
    """Pass on what the server says until it closes, and how it did."""
    async for message in socket:
        told: dict[str, Any] = {"type": "websocket.send"}
        if message.type is aiohttp.WSMsgType.TEXT:
            await send({**told, "text": message.data})
        elif message.type is aiohttp.WSMsgType.BINARY:
            await send({**told, "bytes": message.data})
    await send({"type": "websocket.close", "code": socket.close_code or 1006})
