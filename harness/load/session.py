"""What a scenario receives: `aiohttp.ClientSession`'s public surface, every request measured.

Responses and exceptions are aiohttp's own. A request is done with the last byte of its body; a
body that the scenario does not look at is read for it, so that a truncated answer is a failure
and the connection can be used again; one that it looked into and left is done there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import aiohttp
from yarl import URL

from harness.errors import HarnessError
from harness.load.address import Addresses, ForeignHostError
from harness.load.board import Stop
from harness.load.book import BEGUN_BY, Book, Step, Visit
from harness.load.example import KEPT_BODY, ByAiohttp
from harness.load.exchange import Exchange
from harness.load.failure import OutsideCallError
from harness.load.plain import Plain
from harness.load.request import Address, NotPlainError, Request
from harness.load.response import Response
from harness.load.stream import Stream

T = TypeVar("T")
Tell = Callable[..., Awaitable[None]]

KEEPALIVE_S = 1.5
"""How long an unused connection is kept: less than servers do (gunicorn 2 s, Hypercorn and
uvicorn 5 s), since one that the server closes while a request is on its way looks like a failure.
"""

_ENDLESS = ("text/event-stream", "multipart/x-mixed-replace")
_LATER = frozenset({"allow_redirects", "max_redirects", "raise_for_status"})  # not of its bytes
_MOST_ROUTES = 256  # addresses that a session knows by heart


class _Route(NamedTuple):
    """What an address in a scenario means. `bare`: the request, unless only aiohttp sends it."""

    url: URL
    step: str
    rebased: str
    bare: Request | None
    why_not: str


def _verb(method: str, **defaults: Any) -> Any:
    """Make a method of a session. A partialmethod is bound anew, and slowly, for each request."""

    def verb(session: Session, url: str | URL, **options: Any) -> Exchange[Any]:
        given = {**defaults, **options} if defaults else options
        return Exchange(session._request(session.visit, method, url, given), session._leave)

    verb.__name__ = verb.__qualname__ = method.lower()
    verb.__doc__ = f"""Send a request, as ``aiohttp.ClientSession.{method.lower()}``."""
    return verb


class _Clients:
    """An attribute that a session has of its `aiohttp.ClientSession`. One that is set hides it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, session: Any, owner: type) -> Any:
        return self if session is None else getattr(session._client, self._name)


def _with_all_of_aiohttps(session: type[Session]) -> type[Session]:
    """Add what it lacks of aiohttp's session. `__getattr__` would, but slows every attribute."""
    theirs = {*dir(aiohttp.ClientSession), *aiohttp.ClientSession.ATTRS} - {*dir(session)}
    for name in (name for name in theirs if not name.startswith("__")):
        setattr(session, name, _Clients(name))
    return session


@_with_all_of_aiohttps
class Session:
    """Measures requests into a `Book`. `visit` is the one under way; None: a fixture, not measured.

    `unread` are the answers that were left open, with their steps.

    `options` are the keywords of aiohttp's ClientSession. `context` is what
    ``molotov.get_context(session)`` returns. `tell` is given each request and answer as Molotov's
    listeners are; None: there are no listeners.
    """

    # What isinstance() finds: Molotov documents aiohttp's session, and some libraries ask.
    __class__ = property(lambda self: aiohttp.ClientSession)

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
        self.unread: dict[Any, Step] = {}
        self._routes: dict[tuple[str, str | URL], _Route] = {}
        base_url = options.pop("base_url", None)
        self._base_url = URL(base_url) if base_url else None
        self._plain: Plain | None = None
        plainly = dict(options)
        options["middlewares"] = (*options.get("middlewares", ()), self._hop)
        if options.get("connector") is None:
            options["connector"] = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S)
        options.setdefault("cookie_jar", aiohttp.CookieJar(unsafe=True))  # hosts may be addresses
        self._why_not = self._begin_plain(plainly, options["cookie_jar"])
        self._client = aiohttp.ClientSession(**options)
        # Without this, aiohttp sends an idempotent request again when a kept connection breaks:
        # the failure is hidden, its time is added, and the target is hit twice. There is no
        # public switch (aiohttp#10790); aiohttp's own TestClient does the same.
        self._client._retry_connection = False

    def _begin_plain(self, options: dict[str, Any], jar: aiohttp.CookieJar) -> str:
        """Send plain requests by a client of our own; say why, where that cannot be."""
        if self._tell is not None:
            return "@events"  # its listeners are given aiohttp's own requests
        try:
            self._plain = Plain(options, jar, self._book, self._refuse, KEEPALIVE_S)
        except NotPlainError as error:
            return str(error)
        return ""

    if TYPE_CHECKING:
        __getattr__: Any  # what `_with_all_of_aiohttps` gives it

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._plain is not None:
            await self._plain.close()
        await self._client.close()

    def request(self, method: str, url: str | URL, **options: Any) -> Exchange[Any]:
        """Send a request, as ``aiohttp.ClientSession.request``."""
        return Exchange(self._request(self.visit, method, url, options), self._leave)

    get = _verb("GET")
    post = _verb("POST")
    put = _verb("PUT")
    patch = _verb("PATCH")
    delete = _verb("DELETE")
    options = _verb("OPTIONS")
    head = _verb("HEAD", allow_redirects=False)

    def ws_connect(self, url: str | URL, **options: Any) -> Exchange[Any]:
        """Open a WebSocket, as ``aiohttp.ClientSession.ws_connect``. Measured: its handshake."""

        async def close(socket: Any, error: BaseException | None) -> None:
            await socket.close()

        return Exchange(self._ws_connect(self.visit, url, options), close)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, as Molotov documents it; aiohttp's own warns that it will go."""
        return asyncio.get_running_loop()

    def give_up(self, error: HarnessError) -> None:
        """Stop the whole load: `error` says why nothing can be learned by going on."""
        self._book.give_up(error, Stop.CANCEL)

    async def finish(self, visit: Visit, error: BaseException | None) -> None:
        """Read or close what a visit, which ended by `error` or by itself, has left open."""
        for response, step in list(self.unread.items()):
            if step.visit is visit and (leaving := self._leave(response, error)):
                await leaving

    async def _request(
        self, visit: Visit | None, method: str, url: str | URL, options: dict[str, Any]
    ) -> Any:
        route = self._routes.get((method, url)) or self._route(visit, method, url)
        if route.rebased:
            self._book.rebased(route.rebased)
        visit = BEGUN_BY.get() or visit
        if visit is None:
            return await self._client.request(method, route.url, **self._hopping(options))
        request = self._formed(route, options) if options or route.why_not else route.bare
        asked = ByAiohttp(method, route.url, options) if request is None else request
        step = self._book.ask(visit, route.step, asked)
        try:
            if request is None or self._plain is None:
                return await self._by_aiohttp(step, method, route.url, self._hopping(options))
            response = await self._plain.exchange(request, step, options)
        except BaseException as error:
            self._in_vain(step, error)
            if isinstance(error, aiohttp.ClientConnectorError):
                self._hint(error, route.url)
            raise
        if not response.is_over:
            self.unread[response] = step
        return response

    def _hopping(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options whose middlewares, which replace the session's, still see each request."""
        if "middlewares" not in options:
            return options
        return {**options, "middlewares": (*(options["middlewares"] or ()), self._hop)}

    async def _by_aiohttp(
        self, step: Step, method: str, address: URL, options: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        response = await self._client.request(method, address, **options)
        step.response = response
        self._book.answered(step, response.status)
        self.unread[response] = step
        response.content.on_eof(lambda: self._read(response, step))
        return response

    def _formed(self, route: _Route, options: dict[str, Any]) -> Request | None:
        """Form a request for our own client; None: it is one for aiohttp."""
        try:
            if self._plain is None or route.bare is None:
                raise NotPlainError(route.why_not)
            return self._plain.form(route.bare, options) if options.keys() - _LATER else route.bare
        except NotPlainError as error:
            self._book.by_aiohttp(str(error))
            return None

    async def _ws_connect(
        self, visit: Visit | None, url: str | URL, options: dict[str, Any]
    ) -> Any:
        route = self._routes.get(("GET", url)) or self._route(visit, "GET", url)
        if route.rebased:
            self._book.rebased(route.rebased)
        visit = BEGUN_BY.get() or visit
        if visit is None:
            return await self._client.ws_connect(route.url, **options)
        self._book.by_aiohttp("websocket")
        step = self._book.ask(
            visit, route.step, ByAiohttp("GET", route.url, options, is_websocket=True)
        )
        try:
            socket = await self._client.ws_connect(route.url, **options)
        except BaseException as error:
            self._in_vain(step, error)
            raise
        self._book.answered(step, 101)
        self._book.done(step, 0)
        return socket

    def _in_vain(self, step: Step, error: BaseException) -> None:
        """Take down a request that ended by an exception, if it was sent at all."""
        if isinstance(error, asyncio.CancelledError):
            # By the scenario's own limit, such as asyncio.timeout(): the load's own cancelling
            # comes after the book was closed.
            error = TimeoutError("given up by the scenario before the answer")
        if self._plain is not None and isinstance(step.asked, Request):
            step.asked = self._plain.whole(step.asked)
        could_not_be = isinstance(error, ValueError | TypeError) and not isinstance(error, OSError)
        if could_not_be and not step.answered_ns:
            self._book.forget(step)
        else:
            self._book.failed(step, error)

    def _hint(self, error: BaseException, url: URL) -> None:
        if hint := self._addresses.hint(url):
            error.add_note(hint)

    def _route(self, visit: Visit | None, method: str, url: str | URL) -> _Route:
        """Find out where a request goes, and know it by heart; where it must not, stop the load."""
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
        step = self._addresses.step(method, address)
        route = _Route(address, step, self._addresses.rebased(asked), *self._bare(method, address))
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        self._routes[method, url] = route
        return route

    def _bare(self, method: str, address: URL) -> tuple[Request | None, str]:
        """Form the request that has no options, or say why it is one for aiohttp."""
        if self._plain is None:
            return None, self._why_not
        try:
            return self._plain.bare(method.upper(), Address(address)), ""
        except NotPlainError as error:
            return None, str(error)

    def _refuse(self, url: URL) -> None:
        """Raise OutsideCallError where no request may go to `url`."""
        try:
            self._addresses.check(url)
        except ForeignHostError as error:
            self._book.outside(str(url.host), url.port)
            raise OutsideCallError(error.message) from error

    async def _hop(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """See each request as it is sent, also those that a redirect leads to."""
        self._refuse(request.url)
        if self._tell is None:
            return await handler(request)
        await self._tell("sending_request", session=self, request=request)
        response = await handler(request)
        await self._tell("response_received", session=self, response=response, request=request)
        return response

    def _read(self, response: aiohttp.ClientResponse, step: Step) -> None:
        self.unread.pop(response, None)
        self._book.done(step, response.content.total_bytes)

    def _leave(self, response: Any, error: BaseException | None) -> Awaitable[None] | None:
        """Let go of an answer; what is returned is still to be waited for."""
        if error is None and not self.unread:  # as most are left
            response.release()
            return None
        step = self.unread.pop(response, None)
        if step is not None and isinstance(response, Response) and response.content.is_eof():
            step = None  # its witness has told the book
        if step is None and error is None:
            response.release()
            return None
        return self._left(response, step, error)

    async def _left(self, response: Any, step: Step | None, error: BaseException | None) -> None:
        if step is not None:
            await self._close(response, step, error)
        elif self.visit is not None and error is not None and response.status >= 400:
            # All of it has come, and what of it the scenario has not read is still here.
            body = (
                response.content.read_nowait(KEPT_BODY) if not response.content.exception() else b""
            )
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
        elif response.content_type in _ENDLESS or _was_read(body):  # and not wanted whole
            response.close()
            self._book.done(step, bytes_in)
        else:
            await self._drain(response, step)

    async def _drain(self, response: aiohttp.ClientResponse, step: Step) -> None:
        """Read the rest of a body, for as long as the client's own timeouts allow."""
        first = b""
        try:
            while chunk := await response.content.readany():
                first += chunk[: KEPT_BODY - len(first)]
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


def _was_read(body: Any) -> bool:
    return bool(body.was_read if isinstance(body, Stream) else body._cursor)
