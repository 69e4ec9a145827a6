"""What a scenario receives: `aiohttp.ClientSession`'s public surface, every request measured.

Responses and exceptions are aiohttp's own. A request is done with the last byte of its body; a
body that the scenario does not look at is read for it, so that a truncated answer is a failure
and the connection can be used again; one that it looked into and left is done there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partialmethod
from types import SimpleNamespace, TracebackType
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from harness.load.address import Addresses, ForeignHostError
from harness.load.board import Stop
from harness.load.book import Book, Step, Visit
from harness.load.failure import OutsideCallError

T = TypeVar("T")
Tell = Callable[..., Awaitable[None]]

KEEPALIVE_S = 1.5
"""How long an unused connection is kept: less than servers do (gunicorn 2 s, Hypercorn and
uvicorn 5 s), since one that the server closes while a request is on its way looks like a failure.
"""

_ENDLESS = ("text/event-stream", "multipart/x-mixed-replace")
_SHOWN = 120  # bytes of an unwelcome answer
_Leave = Callable[[Any, BaseException | None], Awaitable[None]]


class Exchange(Coroutine[Any, Any, T]):
    """What a verb returns: awaitable, a coroutine for `create_task`, and a context manager."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], leave: _Leave) -> None:
        self._coroutine = coroutine
        self._leave = leave

    def send(self, value: Any) -> Any:
        """Be a coroutine."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Be a coroutine."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Be a coroutine."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> T:
        self._entered = await self._coroutine
        return self._entered

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave(self._entered, error)


class Session:
    """Measures requests into a `Book`. `visit` is the one under way; None: a fixture, not measured.

    `options` are the keywords of aiohttp's ClientSession. `context` is what
    ``molotov.get_context(session)`` returns. `tell` is given each request and answer as Molotov's
    listeners are; None: there are no listeners.
    """

    def __init__(
        self, book: Book, addresses: Addresses, context: SimpleNamespace, tell: Tell | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        self.context = context
        self.statsd = None  # where Molotov's own template looks for it
        self.visit: Visit | None = None
        self._book = book
        self._addresses = addresses
        self._tell = tell
        self._unread: dict[aiohttp.ClientResponse, Step] = {}
        base_url = options.pop("base_url", None)
        self._base_url = URL(base_url) if base_url else None
        options["middlewares"] = (*options.get("middlewares", ()), self._hop)
        if options.get("connector") is None:
            options["connector"] = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S)
        options.setdefault("cookie_jar", aiohttp.CookieJar(unsafe=True))  # hosts may be addresses
        self._client = aiohttp.ClientSession(**options)
        # Without this, aiohttp sends an idempotent request again when a kept connection breaks:
        # the failure is hidden, its time is added, and the target is hit twice. There is no
        # public switch (aiohttp#10790); aiohttp's own TestClient does the same.
        self._client._retry_connection = False

    def __getattr__(self, name: str) -> Any:
        if name == "_client":  # not set: ClientSession() has refused its options
            raise AttributeError(name)
        return getattr(self._client, name)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.close()

    def request(self, method: str, url: str | URL, **options: Any) -> Exchange[Any]:
        """Send a request, as ``aiohttp.ClientSession.request``."""
        return Exchange(self._request(self.visit, method, url, options), self._leave)

    get = partialmethod(request, "GET")
    post = partialmethod(request, "POST")
    put = partialmethod(request, "PUT")
    patch = partialmethod(request, "PATCH")
    delete = partialmethod(request, "DELETE")
    options = partialmethod(request, "OPTIONS")
    head = partialmethod(request, "HEAD", allow_redirects=False)

    def ws_connect(self, url: str | URL, **options: Any) -> Exchange[Any]:
        """Open a WebSocket, as ``aiohttp.ClientSession.ws_connect``. Measured: its handshake."""

        async def close(socket: Any, error: BaseException | None) -> None:
            await socket.close()

        return Exchange(self._ws_connect(self.visit, url, options), close)

    async def finish(self, visit: Visit, error: BaseException | None) -> None:
        """Read or close what a visit, which ended by `error` or by itself, has left open."""
        for response, step in list(self._unread.items()):
            if step.visit is visit:
                await self._leave(response, error)

    async def _request(
        self, visit: Visit | None, method: str, url: str | URL, options: dict[str, Any]
    ) -> Any:
        address = self._resolve(url, visit)
        if "middlewares" in options:  # which replace the session's
            options = {**options, "middlewares": (*(options["middlewares"] or ()), self._hop)}
        if visit is None:
            return await self._client.request(method, address, **options)
        step = self._book.ask(visit, self._addresses.step(method, address))
        try:
            response = await self._sent(step, self._client.request(method, address, **options))
        except aiohttp.ClientConnectorError as error:
            if hint := self._addresses.hint(address):
                error.add_note(hint)
            raise
        self._book.answered(step, response.status)
        self._unread[response] = step
        response.content.on_eof(lambda: self._read(response, step))
        return response

    async def _ws_connect(
        self, visit: Visit | None, url: str | URL, options: dict[str, Any]
    ) -> Any:
        address = self._resolve(url, visit)
        if visit is None:
            return await self._client.ws_connect(address, **options)
        step = self._book.ask(visit, self._addresses.step("GET", address))
        socket = await self._sent(step, self._client.ws_connect(address, **options))
        self._book.answered(step, 101)
        self._book.done(step, 0)
        return socket

    async def _sent(self, step: Step, sending: Awaitable[T]) -> T:
        try:
            return await sending
        except asyncio.CancelledError:
            # By the scenario's own limit, such as asyncio.timeout(): the load's own cancelling
            # comes after the book was closed.
            self._book.failed(step, TimeoutError("given up by the scenario before the answer"))
            raise
        except (ValueError, TypeError) as error:
            if isinstance(error, OSError):
                self._book.failed(step, error)
            else:
                self._book.forget(step)
            raise
        except BaseException as error:
            self._book.failed(step, error)
            raise

    def _resolve(self, url: str | URL, visit: Visit | None) -> URL:
        """Return where a request goes; where it must not, stop the load."""
        try:
            asked = URL(url)
        except ValueError as error:
            raise aiohttp.InvalidUrlClientError(url) from error
        if self._base_url is not None:
            asked = self._base_url.join(asked)
        try:
            address = self._addresses.resolve(asked)
        except ForeignHostError as error:
            told = ForeignHostError(error.url, self._book.places.here())
            self._book.give_up(told, Stop.CANCEL)
            if visit is not None:
                refused = OutsideCallError(told.message)
                self._book.failed(self._book.ask(visit, f"GET {asked.path}"), refused)
            raise OutsideCallError(told.message) from error
        if origin := self._addresses.rebased(asked):
            self._book.rebased(origin)
        return address

    async def _hop(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """See each request as it is sent, also those that a redirect leads to."""
        try:
            self._addresses.check(request.url)
        except ForeignHostError as error:
            self._book.outside(str(request.url.host), request.url.port)
            raise OutsideCallError(error.message) from error
        if self._tell is None:
            return await handler(request)
        await self._tell("sending_request", session=self, request=request)
        response = await handler(request)
        await self._tell("response_received", session=self, response=response, request=request)
        return response

    def _read(self, response: aiohttp.ClientResponse, step: Step) -> None:
        self._unread.pop(response, None)
        self._book.done(step, response.content.total_bytes)

    async def _leave(self, response: aiohttp.ClientResponse, error: BaseException | None) -> None:
        step = self._unread.get(response)
        if step is not None:
            try:
                await self._close(response, step, error)
            finally:
                self._unread.pop(response, None)
        elif self.visit is not None and error is not None and response.status >= 400:
            # All of it has come, and what of it the scenario has not read is still here.
            body = response.content.read_nowait(_SHOWN) if not response.content.exception() else b""
            self._book.explained(self.visit, response.status, body)
        response.release()
        await response.wait_for_close()

    async def _close(
        self, response: aiohttp.ClientResponse, step: Step, error: BaseException | None
    ) -> None:
        """End a request whose last byte has not come."""
        body, bytes_in = response.content, response.content.total_bytes
        if isinstance(error, TimeoutError | asyncio.CancelledError):
            self._book.failed(step, TimeoutError(f"the body did not come: {error}"), bytes_in)
        elif response.closed or body.exception() is not None:
            self._broken_off(response, step)
        elif response.content_type in _ENDLESS or body._cursor:  # read, and not wanted whole
            response.close()
            self._book.done(step, bytes_in)
        else:
            await self._drain(response, step)

    async def _drain(self, response: aiohttp.ClientResponse, step: Step) -> None:
        """Read the rest of a body, for as long as the client's own timeouts allow."""
        first = b""
        try:
            while chunk := await response.content.readany():
                first += chunk[: _SHOWN - len(first)]
            if response.status >= 400:
                self._book.explained(step.visit, response.status, first)
        except asyncio.CancelledError:
            self._book.failed(step, TimeoutError("given up by the scenario within the body"))
            raise
        except Exception as error:  # a failure of the step, whatever it is
            self._book.failed(step, error, response.content.total_bytes)

    def _broken_off(self, response: aiohttp.ClientResponse, step: Step) -> None:
        """Tell a body that broke from one that the scenario did not want."""
        found, bytes_in = response.content.exception(), response.content.total_bytes
        limit_s = self._client.timeout.total
        if found is not None and type(found) is not aiohttp.ClientConnectionError:
            self._book.failed(step, found, bytes_in)
        elif limit_s and self._book.now() - step.sent_ns >= limit_s * 1_000_000_000:
            self._book.failed(step, TimeoutError("the body did not come in time"), bytes_in)
        else:  # released unread, as raise_for_status() does: its headers were the last of it
            self._book.done(step, bytes_in, step.answered_ns)
