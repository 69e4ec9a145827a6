"""Quart's test connections, which end as a real client's do: left, cancelled, refused, overdue."""

from __future__ import annotations

import asyncio
from typing import Any

from quart import Quart, Response
from quart.testing import connections
from quart.testing.connections import (
    TestHTTPConnection,
    TestWebsocketConnection,
    WebsocketResponseError,
)
from quart.utils import decode_headers

from harness.errors import TargetError
from harness.targets import Message

ANSWER_S = 60.0
"""How long an answer may take to its end where a test waits for all of it."""

LEAVING_S = 5.0
"""What an application has to end in once its client has gone."""

_END = object()  # of a body
_LENGTHS = (b"content-length", b"transfer-encoding")
_TICK_S = 1.0
_ABNORMAL = 1006  # RFC 6455, section 7.1.5: it ended without a close frame


class WebsocketDisconnectError(
    getattr(connections, "WebsocketDisconnectError", Exception)  # type: ignore[misc]  # until 0.22
):
    """The service closed a WebSocket. `code` is its close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class HttpConnection(TestHTTPConnection):
    """A request that is under way. Who leaves it, or is cancelled, is gone for the service, too."""

    __test__ = False
    answer_s = ANSWER_S
    _patience: _Patience | None = None

    async def __aenter__(self) -> HttpConnection:
        self._task = asyncio.ensure_future(self._answered())
        return self

    async def _answered(self) -> None:
        """Call the application. Its end is told from here: a callback is a turn of the loop."""
        try:
            await self.app(self.scope, self._asgi_receive, self._asgi_send)
        finally:
            self._receive_queue.put_nowait(_END)
            if self._patience is not None:
                self._patience.end()

    async def __aexit__(self, *error: Any) -> None:
        """Wait for the answer's end, or leave. Raises TargetError where it has none in time."""
        if error[0] is None:
            await _ended(self)
        else:
            await _left(self)
        while not self._receive_queue.empty():
            data = self._receive_queue.get_nowait()
            if isinstance(data, bytes):
                self.response_data.extend(data)

    async def send(self, data: bytes) -> None:
        """Send a part of the body. Raises TargetError where the request has none."""
        if data and not any(name in _LENGTHS for name, _ in self.scope["headers"]):
            raise TargetError(
                "target/no-body",
                f"{self.scope['method']} {self.scope['path']} has begun, and has no body",
                next_step="give it the header 'Transfer-Encoding: chunked', or a Content-Length",
            )
        await super().send(data)

    async def as_response(self) -> Response:
        """Return the answer. One to HEAD, and a 304, keep the length of what they leave out."""
        declared = self.headers.get("content-length") if self.headers else None  # Quart mends it
        response: Response = await super().as_response()
        if declared and (self.scope["method"] == "HEAD" or self.status_code == 304):
            response.headers["Content-Length"] = declared
        return response

    def send_whole(self, body: bytes) -> None:
        """Send all of a body, and that it is all."""
        self._send_queue.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def receive(self) -> bytes:
        """Return the next part of the body; when it has ended, nothing, or raise what ended it.

        Raises TargetError where nothing comes in time.
        """
        data = await _next(self)
        if data is _END:
            self._receive_queue.put_nowait(_END)
            await self._task
            return b""
        return data  # type: ignore[no-any-return]  # a queue of Quart's, without a type

    def overdue(self) -> TargetError:
        """Return the error of one that does not end."""
        asked = f"{self.scope['method']} {self.scope['path']}"
        return TargetError(
            "target/endless",
            f"the answer to {asked} had not ended after {self.answer_s:g} s",
            next_step="read a stream part by part, 'async with client.request(…)', and leave it; "
            "or give slow answers more, client.answer_s",
        )


class WebsocketConnection(TestWebsocketConnection):
    """A WebSocket. `headers` are those of its handshake, `subprotocol` what the service chose."""

    __test__ = False
    answer_s = ANSWER_S

    def __init__(self, app: Quart, scope: Any) -> None:
        super().__init__(app, scope)
        self.subprotocol: str | None = None
        self._answered = asyncio.Event()
        self._over: Exception | None = None
        self._told = False

    async def __aenter__(self) -> WebsocketConnection:
        await super().__aenter__()
        task: asyncio.Task[None] = self._task  # type: ignore[assignment]  # Quart says: awaitable
        task.add_done_callback(self._failed)
        return self

    async def __aexit__(self, *error: Any) -> None:
        """Leave. Raises what the service answered where it refused and the test does not know."""
        await self.disconnect()
        if error[0] is not None:
            await _left(self)
            return
        await _ended(self)
        if not self._told and isinstance(self._over, WebsocketResponseError):
            raise self._over

    async def send(self, data: str | bytes) -> None:
        """Send a message, once the service has accepted. Raises WebsocketResponseError."""
        await self._opened()
        told: Message = {"type": "websocket.receive", "bytes": None, "text": None}
        told["text" if isinstance(data, str) else "bytes"] = data
        self._send_queue.put_nowait(told)

    async def receive(self) -> str | bytes:
        """Return the next message. Raises how it ended, each time, once it has.

        Raises TargetError where nothing comes in time.
        """
        ended = self._over is not None and self._receive_queue.empty()
        data: Any = self._over if ended else await _next(self)
        if isinstance(data, Exception):
            self._told = True
            raise data
        message: str | bytes = data
        return message

    async def close(self, code: int) -> None:
        """Close it with a code: for the application the client has gone."""
        await self._opened()
        self._send_queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self._end(WebsocketDisconnectError(code))

    async def disconnect(self) -> None:
        """Leave it, with 1000."""
        self._send_queue.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def _opened(self) -> None:
        """Wait for the handshake's answer, before which no client can say anything."""
        if not self._answered.is_set():
            waiting = asyncio.ensure_future(self._answered.wait())
            try:
                done, _ = await asyncio.wait({waiting}, timeout=self.answer_s)
            finally:
                waiting.cancel()
            if not done:
                raise self.overdue()
        if self._over is not None and not self.accepted:
            self._told = True
            raise self._over

    def _failed(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self._end(error if isinstance(error, Exception) else WebsocketDisconnectError(_ABNORMAL))

    async def _asgi_send(self, message: Any) -> None:
        match message["type"]:
            case "websocket.accept":
                self.accepted = True
                self.subprotocol = message.get("subprotocol")
                self.headers = decode_headers(message.get("headers", []))
                self._answered.set()
            case "websocket.send":
                data = message.get("bytes")
                self._receive_queue.put_nowait(message["text"] if data is None else data)
            case "websocket.close":
                self._end(WebsocketDisconnectError(message.get("code", 1000)))
            case "websocket.http.response.start":
                self.headers = decode_headers(message["headers"])
                self.status_code = message["status"]
            case "websocket.http.response.body":
                self.response_data.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    body = bytes(self.response_data)
                    answer = self.app.response_class(body, self.status_code, self.headers)
                    self._end(WebsocketResponseError(answer))

    def _end(self, how: Exception) -> None:
        if self._over is None:
            self._over = how
            self._receive_queue.put_nowait(how)
            self._answered.set()

    def overdue(self) -> TargetError:
        """Return the error of one that does not end."""
        return TargetError(
            "target/endless",
            f"the WebSocket {self.scope['path']} was not answered, or did not end once its client "
            f"had gone, after {self.answer_s:g} s",
            next_step="accept it, and end when it has disconnected; see the service's log",
        )


async def _next(connection: HttpConnection | WebsocketConnection) -> Any:
    """Return what comes next. Raises TargetError where nothing does in time."""
    queue = connection._receive_queue
    if not queue.empty():
        return queue.get_nowait()
    try:
        async with asyncio.timeout(connection.answer_s):
            return await queue.get()
    except TimeoutError:
        raise TargetError(
            "target/endless",
            f"{connection.scope['path']} sent nothing for {connection.answer_s:g} s",
            next_step="see whether the service waits for the test, and its log; "
            "or give it more, client.answer_s",
        ) from None


async def _ended(connection: HttpConnection | WebsocketConnection) -> None:
    """Wait for a conversation's end, and raise what ended it.

    It is waited for by ticks: a debugger that stops the loop for minutes takes one of them. Who is
    cancelled meanwhile, as by ``asyncio.wait_for``, has left. Raises TargetError where it is
    overdue.
    """
    task: Any = connection._task
    try:
        if not task.done():
            patience = _Patience(connection.answer_s)
            if isinstance(connection, HttpConnection):
                connection._patience = patience
            else:
                task.add_done_callback(patience.end)
            if not await patience.kept:
                raise connection.overdue()
    except (asyncio.CancelledError, TargetError):
        await _left(connection)
        raise
    task.result()


class _Patience:
    """Waits for `end` and cancels nothing. `kept` becomes whether it came in time.

    asyncio.wait does so, too, at four times the cost.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._remaining_s = seconds
        self._timer = self._loop.call_later(min(_TICK_S, seconds), self._tick)
        self.kept: asyncio.Future[bool] = self._loop.create_future()

    def end(self, _: object = None) -> None:
        self._timer.cancel()
        if not self.kept.done():
            self.kept.set_result(True)

    def _tick(self) -> None:
        self._remaining_s -= _TICK_S
        if self._remaining_s > 0:
            self._timer = self._loop.call_later(min(_TICK_S, self._remaining_s), self._tick)
        elif not self.kept.done():
            self.kept.set_result(False)


async def _left(connection: HttpConnection | WebsocketConnection) -> None:
    """Leave a conversation, and let the application end. What it raises then, no client hears."""
    task: Any = connection._task
    await connection.disconnect()
    await asyncio.wait({task}, timeout=LEAVING_S)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=LEAVING_S)
    if task.done() and not task.cancelled():
        task.exception()  # it has been looked at
