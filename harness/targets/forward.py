"""ASGI on one side, a real connection on the other: how Quart's client reaches a server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
from collections.abc import AsyncIterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from harness.errors import BrokenOffError, TargetError
from harness.targets import Message, Receive, Scope, Send
from harness.targets.request import BY_HAND, NO_BODY

SILENT_S = 60.0
"""How long a service may say nothing while a test waits for it. nginx gives up as late."""

_NOT_OURS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_HANDSHAKE = frozenset(
    {"connection", "upgrade", "sec-websocket-key", "sec-websocket-version",
     "sec-websocket-extensions", "sec-websocket-protocol"}
)  # fmt: skip
_FRAMING = frozenset({"transfer-encoding"})  # which aiohttp writes where it does it
_MANY = 2**20  # bytes of which aiohttp warns
_Body: TypeAlias = bytes | io.BytesIO | AsyncIterator[bytes] | None
_LENGTHS = (b"content-length", b"transfer-encoding")
_MESSAGES = {aiohttp.WSMsgType.TEXT: "text", aiohttp.WSMsgType.BINARY: "bytes"}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_REQUEST = aiohttp.ClientSession._request


class Forward:
    """An ASGI application that passes each request to the server at `url`, byte for byte.

    Nothing is followed, decoded, retried or kept: cookies and redirects are the client's.
    `connect_s` and `silent_s` bound connecting, with TLS, and each wait for a server's next byte.
    """

    def __init__(
        self, url: str, *, connect_s: float | None = None, silent_s: float | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._scheme = urlsplit(url).scheme
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_s, sock_read=silent_s
        )
        self._home: tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one conversation. Raises TargetError where nothing answers, or breaks off."""
        self._refuse_what_no_wire_carries(scope)
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
        except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError) as error:
            raise BrokenOffError(f"{scope.get('method', 'WEBSOCKET')} {scope['path']}") from error

    def _refuse_what_no_wire_carries(self, scope: Scope) -> None:
        if scope.get("_quart._preserve_context"):
            raise TargetError(
                "target/no-context",
                "'async with client:' keeps a request's context, and that is in the server",
                where=self.url,
                next_step="ask for what the test needs by a request, or run it inproc only",
            )
        ours = {"scheme": _SCHEMES[scope["scheme"]], "http_version": scope["http_version"]}
        ours["root_path"] = scope["root_path"]
        wire = {"scheme": self._scheme, "http_version": "1.1", "root_path": ""}
        by_hand = [*scope.get(BY_HAND, ()), *(key for key in ours if ours[key] != wire[key])]
        if by_hand:
            raise TargetError(
                "target/scope",
                f"the test sets {', '.join(by_hand)} of the request, and here its server does",
                where=self.url,
                next_step="say it by the plan (tls = true) or by headers, or run it inproc only",
            )

    def _unreachable(self, said: str) -> TargetError:
        return TargetError(
            "target/unreachable",
            f"nothing answers: {said}",
            where=self.url,
            next_step="see whether the service is still running, and its log",
        )

    def open(self) -> None:
        """Keep connections for the running loop until `close`."""
        self._home = (asyncio.get_running_loop(), plain_session(self._timeout))

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
            async with plain_session(self._timeout) as session:
                yield session

    def _address(self, scope: Scope) -> URL:
        raw = scope.get("raw_path") or scope["path"].encode()
        query = scope.get("query_string", b"").decode("latin-1")
        text = self.url + raw.decode("latin-1") + (f"?{query}" if query else "")
        return URL(text, encoded=True)

    def _headers(self, scope: Scope, leave_out: frozenset[str] = frozenset()) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = CIMultiDict()
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "surrogateescape")
            if name.lower() not in leave_out:
                headers.add(name, value)
        return headers

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        try:
            body = await _body(scope, receive, parts)
        except _GoneError:
            return
        here: Any = asyncio.current_task()
        leaving = asyncio.ensure_future(_leaving(receive, parts))
        leaving.add_done_callback(lambda task: task.cancelled() or here.cancel())
        try:
            last = await self._exchange(scope, body, send)
        except asyncio.CancelledError:
            if not leaving.done() or here.uncancel():  # and not, or not only, because it left
                raise
        else:
            leaving.cancel()  # who has heard all of it may leave
            await send({"type": "http.response.body", "body": last, "more_body": False})
        finally:
            leaving.cancel()

    async def _exchange(self, scope: Scope, body: _Body, send: Send) -> bytes:
        """Pass on what is said to a request, but for the last part of the answer's body."""
        async with (
            self._session() as session,
            session.request(
                scope["method"],
                self._address(scope),
                data=body,
                headers=self._headers(scope, _FRAMING),
                allow_redirects=False,
            ) as response,
        ):
            headers = list(response.raw_headers)
            start = {"type": "http.response.start", "status": response.status, "headers": headers}
            await send(start)
            while True:
                chunk = await response.content.readany()
                if response.content.at_eof():
                    return chunk
                await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not from those kept: one on which a handshake was refused Hypercorn closes unannounced.
        unkept = aiohttp.TCPConnector(limit=0, force_close=True)
        async with plain_session(self._timeout, connector=unkept) as session:
            try:
                socket = await session.ws_connect(
                    self._address(scope),
                    headers=self._headers(scope, _HANDSHAKE),
                    protocols=scope.get("subprotocols", ()),
                    max_msg_size=0,
                    autoclose=False,  # it takes an answer that comes too late for the close code
                )
            except aiohttp.WSServerHandshakeError as error:
                await _refuse(error, send)
            else:
                async with socket:
                    await _talk(socket, receive, send)


def plain_session(timeout: aiohttp.ClientTimeout, **options: Any) -> aiohttp.ClientSession:
    """Return a client that adds, keeps and repeats nothing, and that no mock takes for a test's.

    `options` of aiohttp's session are stronger.
    """
    plain: dict[str, Any] = {
        "auto_decompress": False,
        "cookie_jar": aiohttp.DummyCookieJar(),
        "connector": options.get("connector") or aiohttp.TCPConnector(limit=0),
        "skip_auto_headers": _NOT_OURS,
        "timeout": timeout,
    }
    session = aiohttp.ClientSession(**(plain | options))
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
    # aiohttp has the handshake's headers, and no name for them that is public.
    accept = {"type": "websocket.accept", "subprotocol": socket.protocol}
    await send({**accept, "headers": list(socket._response.raw_headers)})
    down = asyncio.ensure_future(_to_client(socket, send))
    up = asyncio.ensure_future(_to_server(socket, receive))
    await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
    for task in (down, up):
        task.cancel()
    left = await asyncio.gather(down, up, return_exceptions=True)
    await socket.close(code=left[1] if isinstance(left[1], int) else 1000)


class _GoneError(Exception):
    """The client left before it had said anything."""


async def _body(scope: Scope, receive: Receive, parts: asyncio.Queue[bytes | None]) -> _Body:
    """Return a request's body: in memory, where it has come whole, or else in parts, as it comes.

    Raises _GoneError.
    """
    told = {name: value for name, value in scope["headers"] if name in _LENGTHS}
    if not told and scope["method"] in NO_BODY:
        return None
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _GoneError
    said = message.get("body", b"")
    if not message.get("more_body", False) or len(said) >= int(told.get(b"content-length", 2**63)):
        return (said if len(said) < _MANY else io.BytesIO(said)) if said else None
    parts.put_nowait(said)
    return _flowing(parts)


async def _flowing(parts: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (part := await parts.get()) is not None:
        yield part


async def _leaving(receive: Receive, parts: asyncio.Queue[bytes | None]) -> None:
    """Take up what comes of a body until the client leaves."""
    while (message := await receive())["type"] != "http.disconnect":
        if message.get("body"):
            parts.put_nowait(message["body"])
        if not message.get("more_body", False):
            parts.put_nowait(None)


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
    code = 1006
    while (message := await socket.receive()).type in _MESSAGES:
        told: dict[str, Any] = {"type": "websocket.send", _MESSAGES[message.type]: message.data}
        await send(told)
    if message.type is aiohttp.WSMsgType.CLOSE:
        code = message.data or 1005  # RFC 6455, section 7.1.5: a close frame without a code
    await send({"type": "websocket.close", "code": code})
