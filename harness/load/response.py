"""What a scenario sees of an answer: `aiohttp.ClientResponse`'s documented surface.

https://docs.aiohttp.org/en/stable/client_reference.html#response-object
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Protocol

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from harness.load.connection import Connection
from harness.load.encoding import Decoder
from harness.load.head import REDIRECTS, Head
from harness.load.request import Defaults, Request
from harness.load.stream import Stream
from harness.load.view import View, codec_of, is_of
from harness.load.waiter import Waiter

_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # known to all but typeshed


def loaded(text: str) -> Any:
    """Return, or raise, what `json.loads` does: for a small body, half of its time is spent in it.

    >>> loaded('{"a": 1}')
    {'a': 1}
    """
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else json.loads(text)


class Witness(Protocol):
    """What is told of the answer to each step when it comes, and not when a scenario looks."""

    def now(self) -> int:
        """Return the time in ns."""
        ...

    def answered(self, step: Any, status: int) -> None:
        """Know that a head has come."""
        ...

    def came(self, step: Any, status: int, bytes_in: int) -> None:
        """Know that a whole answer has come at once."""
        ...

    def done(self, step: Any, bytes_in: int, done_ns: int | None = None) -> None:
        """Know that the last byte has come; None: now."""
        ...

    def failed(self, step: Any, error: BaseException, bytes_in: int = 0) -> None:
        """Know that the body broke off."""
        ...


class Client(Protocol):
    """What sent a request. `under_way` is what has yet to come."""

    loop: asyncio.AbstractEventLoop
    defaults: Defaults
    witness: Witness
    under_way: set[Response]


class Response(View):
    """The answer to `request`, which comes over `connection` and is a `step` to its witness.

    `beginning` is over when its head has come, and raises aiohttp's exceptions and TimeoutError
    where none does. While it comes it is `under_way`, at most until its deadline. Where it
    `follows` a redirect, it is done with what that leads to, or when it is settled.
    """

    bytes_in = 0
    is_over = False
    history: tuple[Response, ...] = ()
    _decoder: Decoder | None = None
    _at_once: bytes | None = None  # a body that came with its head, and was not asked for yet
    _stream: Stream | None = None
    _body: bytes | None = None
    _is_released = _in_context = False
    _held_ns = 0

    def __init__(
        self, request: Request, connection: Connection, client: Client, step: Any,
        deadline: float, *, follows: bool,
    ) -> None:  # fmt: skip
        self.request = request
        self.is_head = request.method == "HEAD"
        self.beginning = Waiter(client.loop)
        self.step = step
        self.deadline = deadline
        self._connection = connection
        self._client = client
        self._follows = follows

    # What its connection tells it.

    def came(self, head: Head, body: bytes) -> None:
        """Take an answer that is whole."""
        if head.is_final:
            self.head = head
            self.status = head.status
            self._at_once = body
            self.bytes_in = len(body)
            self.is_over = True
            self._client.under_way.discard(self)
            self._client.witness.came(self.step, head.status, self.bytes_in)
        else:
            self._begin(head)
            self.fed(body)
            self.ended()
        self.beginning.end()

    def begun(self, head: Head) -> None:
        """Take the head. The body may have come with it, so whoever waits is woken after that."""
        self._begin(head)
        self._client.loop.call_soon(self.beginning.end)

    def _begin(self, head: Head) -> None:
        self.head = head
        self.status = head.status
        if head.coding:
            self._decoder = Decoder.of(head.coding)
        self._client.witness.answered(self.step, head.status)

    def fed(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.is_over:
            return
        self.bytes_in += len(data)
        if self._decoder is not None:
            try:
                data = self._decoder.decode(data)
            except HttpProcessingError as error:
                self._connection.close()
                self.broke(error)
                return
        if data and not self._is_released:
            self.content.feed(data)

    def split(self) -> None:
        """Know that a chunk of the transfer coding ended."""
        self.content.split()

    def ended(self) -> None:
        """Know that the answer is whole, unless its coding is not."""
        if self.is_over:
            return
        if self._decoder is not None and self.bytes_in:
            try:
                self._decoder.end()
            except HttpProcessingError as error:
                self.broke(error)
                return
        self._over()
        if self._follows and self.status in REDIRECTS:
            self._held_ns = self._client.witness.now()  # there may be more to come
        else:
            self._client.witness.done(self.step, self.bytes_in)
        self.content.feed_eof()

    def settle(self) -> None:
        """Know that this redirect leads nowhere."""
        if self._held_ns:
            self._client.witness.done(self.step, self.bytes_in, self._held_ns)

    def broke(self, error: Exception) -> None:
        """Know that the answer will not be whole."""
        self._over()
        if not self.status:
            self.beginning.end(self._of_head(error))
            return
        told = _of_body(error)
        self.content.set_exception(told)
        self._client.witness.failed(self.step, told, self.bytes_in)

    def expired(self) -> None:
        """Know that its time is up."""
        if self.is_over:
            return
        self._connection.close()
        self.broke(TimeoutError())

    def _over(self) -> None:
        self.is_over = True
        self._client.under_way.discard(self)

    def _of_head(self, error: Exception) -> Exception:
        if not isinstance(error, HttpProcessingError):
            return error
        told = aiohttp.ClientResponseError(
            self.request_info, self._past, status=error.code, message=error.message
        )
        told.__cause__ = error
        return told

    # What a scenario asks of it.

    @property
    def request_info(self) -> aiohttp.RequestInfo:
        """What was sent."""
        sent = self.request.sent_headers(self._client.defaults)
        return aiohttp.RequestInfo(self.url, self.method, sent, self.real_url)

    @property
    def _past(self) -> Any:
        """The history, for aiohttp's errors, which want aiohttp's own responses."""
        return self.history

    @property
    def content(self) -> Stream:
        """The body as it comes. One that came at once needs none of it to be read whole."""
        if self._stream is None:
            self._stream = Stream(self._connection.pause, self._connection.resume)
            whole = self._at_once if self._body is None else self._body
            if whole is not None:
                self._stream.hold(whole, is_read=self._body is not None)
            if self._is_released:
                self._stream.set_exception(_closed())
        return self._stream

    @property
    def closed(self) -> bool:
        """Whether the connection is done with it."""
        return self.is_over or self._is_released

    @property
    def connection(self) -> Connection | None:
        """The connection, for as long as it is needed."""
        return None if self.closed else self._connection

    def sent(self) -> Callable[[], Mapping[str, str]]:
        """Return what tells the headers that were sent; it does not hold the answer."""
        return partial(self.request.sent_headers, self._client.defaults)

    def at_hand(self, n: int) -> bytes:
        """Return the first `n` bytes of the body, as far as they are here and not read apart."""
        return self.content.ahead(n) if self._body is None else self._body[:n]

    async def read(self) -> bytes:
        """Return the whole body."""
        if self._body is None:
            if self._at_once is not None and self._stream is None and not self._is_released:
                self._body = self._at_once
            else:
                self._body = await self._streamed()
        elif self._is_released:
            raise _closed()
        return self._body

    async def _streamed(self) -> bytes:
        content = self.content
        try:
            return content.read_nowait() if content.is_eof() else await content.read()
        except BaseException:
            self.close()
            raise

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body as text, in the charset that it names, or else UTF-8."""
        body = await self.read() if self._body is None else self._body
        return body.decode(encoding or self.get_encoding(), errors=errors)

    async def json(
        self, *, encoding: str | None = None, loads: Callable[[str], Any] = loaded,
        content_type: str | None = "application/json",
    ) -> Any:  # fmt: skip
        """Return what the body means. Raises ContentTypeError where it is of another type."""
        body = self._body
        if body is None:
            body = await self.read()
        kind = self.head.kind
        if content_type and not is_of(kind, content_type):
            raise aiohttp.ContentTypeError(
                self.request_info, self._past, status=self.status, headers=self.headers,
                message=f"Attempt to decode JSON with unexpected mimetype: {kind.lower()}",
            )  # fmt: skip
        stripped = body.strip()
        return loads(stripped.decode(encoding or codec_of(kind))) if stripped else None

    def raise_for_status(self) -> None:
        """Raise ClientResponseError for a status of 400 or above."""
        if self.ok:
            return
        if not self._in_context:
            self.release()
        raise aiohttp.ClientResponseError(
            self.request_info, self._past, status=self.status, message=self.reason,
            headers=self.headers,
        )  # fmt: skip

    def release(self) -> Any:
        """Want no more of it. What is still to come is for nobody, so the connection ends."""
        if self.is_over and self._stream is None:  # most are
            self._is_released = True
        else:
            self.close()
        return _NOTHING

    def close(self) -> None:
        """Want no more of it, and end the connection unless all has come."""
        if not self._is_released:
            self._is_released = True
            if self._stream is not None and self._stream.exception() is None:
                self._stream.set_exception(_closed())
        if not self.is_over:
            self._over()
            self._connection.close()
            self.beginning.end_soon(_closed())

    async def wait_for_close(self) -> None:
        """Want no more of it."""
        self.release()

    async def __aenter__(self) -> Response:
        self._in_context = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._in_context = False
        self.release()

    def __repr__(self) -> str:
        return f"<ClientResponse({self.url}) [{self.status} {self.reason}]>\n{self.headers}\n"


def _closed() -> aiohttp.ClientConnectionError:
    return aiohttp.ClientConnectionError("Connection closed")


def _of_body(error: Exception) -> Exception:
    if isinstance(error, TimeoutError):
        return error
    told = aiohttp.ClientPayloadError(f"Response payload is not completed: {error!r}")
    told.__cause__ = error
    return told


class _Nothing:
    """What some scenarios await of `release()`."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


_NOTHING = _Nothing()
