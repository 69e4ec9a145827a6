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

from harness.load.connection import Connection, RawHeaders
from harness.load.encoding import Decoder
from harness.load.head import SET_COOKIE, Head, as_text
from harness.load.request import Defaults, Request
from harness.load.stream import Stream

_ENCODING = b"content-encoding"
_ENCODING_LENGTH = len(_ENCODING)
_TYPE = b"content-type"
_TYPE_LENGTH = len(_TYPE)
_COOKIE_LENGTH = len(SET_COOKIE)


class Witness(Protocol):
    """What is told of an answer when it comes, and not when a scenario looks."""

    def asked(self, response: Response) -> None:
        """Know what waits for the answer, before any of it has come."""
        ...

    def begun(self, status: int) -> None:
        """Know its status: its head has come."""
        ...

    def ended(self, bytes_in: int) -> None:
        """Know that its last byte has come."""
        ...

    def broke(self, error: Exception, bytes_in: int) -> None:
        """Know that its body broke off."""
        ...

    def settle(self) -> None:
        """Know that no other request follows, as after a redirect."""
        ...


class Response(Head):
    """The answer to `request`, which comes over `connection`.

    `beginning` is done when its head has come, and raises aiohttp's exceptions and TimeoutError
    where none does. While it comes it may be `under_way`; from there it goes by itself.
    """

    deadline = 0.0
    bytes_in = 0
    is_over = False
    history: tuple[Response, ...] = ()
    _decoder: Decoder | None = None
    _body: bytes | None = None
    _is_released = _in_context = False

    def __init__(
        self, request: Request, connection: Connection, defaults: Defaults, witness: Witness,
        under_way: set[Response],
    ) -> None:  # fmt: skip
        super().__init__(request, defaults)
        self.is_head = request.method == "HEAD"
        self.content = Stream(connection.pause, connection.resume)
        self._connection = connection
        self._witness = witness
        self._under_way = under_way
        self.beginning: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # What its connection tells it.

    def begun(self, status: int, version: str, reason: bytes, headers: RawHeaders) -> None:
        """Take the head."""
        self.status = status
        self._version = version
        self._reason = reason
        self._raw = headers
        for name, value in headers:
            length = len(name)
            if length == _TYPE_LENGTH and not self._kind and name.lower() == _TYPE:
                self._kind = as_text(value)
            elif length == _ENCODING_LENGTH and name.lower() == _ENCODING:
                self._decoder = Decoder.of(value)
            elif length == _COOKIE_LENGTH and name.lower() == SET_COOKIE:
                self.sets_cookies = True
        self._witness.begun(status)
        if not self.beginning.done():
            self.beginning.set_result(None)

    def fed(self, data: bytes) -> None:
        """Take a piece of the body."""
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
        if self._decoder is not None and self.bytes_in:
            try:
                self._decoder.end()
            except HttpProcessingError as error:
                self.broke(error)
                return
        self._over()
        self._witness.ended(self.bytes_in)
        self.content.feed_eof()

    def broke(self, error: Exception) -> None:
        """Know that the answer will not be whole."""
        self._over()
        if not self.status:
            if not self.beginning.done():
                self.beginning.set_exception(self._of_head(error))
            return
        told = _of_body(error)
        self.content.set_exception(told)
        self._witness.broke(told, self.bytes_in)

    def expired(self) -> None:
        """Know that its time is up."""
        self._connection.close()
        self.broke(TimeoutError())

    def _over(self) -> None:
        self.is_over = True
        self._under_way.discard(self)

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
    def _past(self) -> Any:
        """The history, for aiohttp's errors, which want aiohttp's own responses."""
        return self.history

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
        return partial(self.request.sent_headers, self._defaults)

    def at_hand(self, n: int) -> bytes:
        """Return the first `n` bytes of the body, as far as they are here and not read apart."""
        return self.content.ahead(n) if self._body is None else self._body[:n]

    async def read(self) -> bytes:
        """Return the whole body."""
        if self._body is None:
            content = self.content
            try:
                self._body = content.read_nowait() if content.is_eof() else await content.read()
            except BaseException:
                self.close()
                raise
        elif self._is_released:
            raise aiohttp.ClientConnectionError("Connection closed")
        return self._body

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body as text, in the charset that it names, or else UTF-8."""
        body = await self.read() if self._body is None else self._body
        return body.decode(encoding or self.get_encoding(), errors=errors)

    async def json(
        self, *, encoding: str | None = None, loads: Callable[[str], Any] = json.loads,
        content_type: str | None = "application/json",
    ) -> Any:  # fmt: skip
        """Return what the body means. Raises ContentTypeError where it is of another type."""
        body = await self.read() if self._body is None else self._body
        if content_type and not self._is(content_type):
            raise aiohttp.ContentTypeError(
                self.request_info, self._past, status=self.status, headers=self.headers,
                message=f"Attempt to decode JSON with unexpected mimetype: {self._kind.lower()}",
            )  # fmt: skip
        stripped = body.strip()
        return loads(stripped.decode(encoding or self.get_encoding())) if stripped else None

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
        self.close()
        return _NOTHING

    def close(self) -> None:
        """Want no more of it, and end the connection unless all has come."""
        if not self._is_released:
            self._is_released = True
            if self.content.exception() is None:
                self.content.set_exception(aiohttp.ClientConnectionError("Connection closed"))
        if not self.is_over:
            self._over()
            self._connection.close()
            if not self.beginning.done():
                self.beginning.set_exception(aiohttp.ClientConnectionError("Connection closed"))

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
