"""An HTTP/1.1 client for one session of a load: its connections, its redirects, its deadlines."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractCookieJar
from yarl import URL

from harness.load.connection import Connection
from harness.load.head import REDIRECTS
from harness.load.request import (
    Address,
    Defaults,
    NotPlainError,
    Origin,
    Request,
    cookie_line,
    following,
    plain_request,
    redirect_of,
)
from harness.load.response import Response, Witness

_SESSION_OPTIONS = frozenset(
    {"cookie_jar", "cookies", "headers", "json_serialize", "raise_for_status", "timeout"}
)
CONNECT_S = 30.0
"""How long connecting may take, and `MOST_REDIRECTS` how often it is followed: as in aiohttp."""

MOST_REDIRECTS = 10
_NEVER = float("inf")


class Plain:
    """Sends plain requests, and tells `witness` what comes of each, which is a `step` to it.

    `jar` is the session's, `check` refuses where a redirect must not lead.

    `options` are the keywords of aiohttp's ClientSession; raises NotPlainError for those that
    this client does not know. An unused connection is kept for `keepalive_s`.
    """

    def __init__(
        self, options: Mapping[str, Any], jar: AbstractCookieJar, witness: Witness,
        check: Callable[[URL], None], keepalive_s: float,
    ) -> None:  # fmt: skip
        for name in sorted(options.keys() - _SESSION_OPTIONS):
            raise NotPlainError(f"ClientSession({name}=…)")
        dumps = {"dumps": options["json_serialize"]} if "json_serialize" in options else {}
        self.defaults = Defaults(options.get("headers"), **dumps)
        self._is_closed = False
        self._raises = options.get("raise_for_status", False)
        self._timeout = options.get("timeout", aiohttp.ClientTimeout(total=300))
        self._total_s = _total_s(self._timeout)
        self.loop = asyncio.get_running_loop()
        self._jar = jar
        self.witness = witness
        self._check = check
        self._keepalive_s = keepalive_s
        self._idle: dict[Origin, list[Connection]] = {}
        self.under_way: set[Response] = set()
        self._next_look = _NEVER
        self._timer: asyncio.TimerHandle | None = None

    def form(self, bare: Request, options: Mapping[str, Any]) -> Request:
        """Add aiohttp's options to a request. Raises NotPlainError where it is aiohttp's to do."""
        _total_s(options.get("timeout", self._timeout))
        return plain_request(bare, options, self.defaults)

    def bare(self, method: str, address: Address) -> Request:
        """Form a request without options, which may be sent many times."""
        request = self.form(Request(method, address), {})
        return replace(request, ready=request.encoded(self.defaults))

    def whole(self, request: Request) -> Request:
        """Return a request with the headers that every one of this session has."""
        headers = self.defaults.merged(request.headers)
        return replace(request, headers=tuple(headers.items()))

    def exchange(
        self, request: Request, step: Any, options: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Response]:
        """Send a request and follow where it leads. Raises aiohttp's errors, and TimeoutError."""
        if options or self._raises:
            return self._as_told(request, step, options)
        return self._answer(request, step, self._total_s, MOST_REDIRECTS)

    async def _as_told(self, request: Request, step: Any, options: Mapping[str, Any]) -> Response:
        total_s = _total_s(options["timeout"]) if "timeout" in options else self._total_s
        most = options.get("max_redirects", MOST_REDIRECTS)
        follows = options.get("allow_redirects", True)
        response = await self._answer(request, step, total_s, most if follows else None)
        raises = options.get("raise_for_status")
        raises = self._raises if raises is None else raises
        try:
            if callable(raises):
                await raises(response)
            elif raises:
                response.raise_for_status()
        except BaseException:
            response.close()
            raise
        return response

    async def _answer(
        self, request: Request, step: Any, total_s: float, most: int | None
    ) -> Response:
        """Return what a request, and at `most` so many redirects, lead to. None: none is followed.

        As in aiohttp, 0 is no limit.
        """
        now = self.loop.time()
        deadline = now + total_s
        history: tuple[Response, ...] = ()
        while True:
            if self._is_closed:
                raise RuntimeError("Session is closed")
            if request.cookie or len(self._jar):
                cookie = cookie_line(self._jar, request.address.url)
                request = replace(request, cookie=cookie, ready=b"")
            connection = self._kept(request.address.origin, now)
            if connection is None:
                connection = await self._made(request.address, deadline)
            response = Response(request, connection, self, step, deadline, follows=most is not None)
            response.history = history
            step.response = response
            self.under_way.add(response)
            if deadline < self._next_look:
                self._look_at(deadline)
            try:
                connection.send(request.ready or request.encoded(self.defaults), response)
                await response.beginning
                if response.head.sets_cookies:
                    self._jar.update_cookies_from_headers(response.cookie_lines, response.url)
                if response.head.is_final or most is None:
                    return response
                next_request = self._next(response, most)
            except BaseException:
                response.close()
                raise
            if next_request is None:
                return response
            request, history, now = next_request, (*history, response), self.loop.time()

    def _next(self, response: Response, most: int) -> Request | None:
        """Return what a redirect leads to, and leave it; None: it is none, or leads nowhere."""
        url = redirect_of(response) if response.status in REDIRECTS else None
        if url is None:
            response.settle()
            return None
        response.release()
        history = (*response.history, response)
        if most and len(history) >= most:
            told: Any = history  # aiohttp's errors want aiohttp's responses
            raise aiohttp.TooManyRedirects(history[0].request_info, told)
        self._check(url)
        try:
            return following(response.request, response.status, url)
        except NotPlainError as error:
            raise aiohttp.InvalidUrlRedirectClientError(url) from error

    async def close(self) -> None:
        """Close every connection. Who still waits for an answer is told."""
        self._is_closed = True
        for response in tuple(self.under_way):
            response.close()
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
        if self._timer is not None:
            self._timer.cancel()

    # Connections.

    @property
    def unused(self) -> int:
        """How many connections are kept for another request, as far as is known."""
        return sum(not one.is_closing() for idle in self._idle.values() for one in idle)

    def _kept(self, origin: Origin, now: float) -> Connection | None:
        """Return a connection that is fit for another request, the one used last."""
        idle = self._idle.get(origin)
        if not idle:
            return None
        oldest = now - self._keepalive_s
        while idle:
            connection = idle.pop()
            if not connection.is_closing() and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    async def _made(self, address: Address, deadline: float) -> Connection:
        until = self.loop.time() + CONNECT_S
        if deadline < until:
            async with asyncio.timeout_at(deadline):
                return await self._connected(address)
        try:
            async with asyncio.timeout_at(until):
                return await self._connected(address)
        except TimeoutError as error:
            told = f"Connection timeout to host {address.url}"
            raise aiohttp.ConnectionTimeoutError(told) from error

    async def _connected(self, address: Address) -> Connection:
        origin = address.origin
        made = functools.partial(Connection, origin, self._free)
        key: Any = SimpleNamespace(  # as aiohttp's errors read it
            host=origin.host, port=origin.port, ssl=address.tls, is_ssl=origin.tls is not None
        )
        try:
            _, connection = await self.loop.create_connection(
                made, origin.host, origin.port, **_wrapping(origin)
            )
        except ssl.SSLCertVerificationError as error:
            raise aiohttp.ClientConnectorCertificateError(key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(key, error) from error
        except socket.gaierror as error:
            raise aiohttp.ClientConnectorDNSError(key, error) from error
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise  # our own deadline, and not the system's
            raise aiohttp.ClientConnectorError(key, error) from error
        if self._is_closed:
            connection.close()
            raise aiohttp.ClientConnectionError("Connector is closed.")
        return connection

    def _free(self, connection: Connection) -> None:
        """Keep a connection, and part with one that nobody wanted for long."""
        if self._is_closed:
            connection.close()
            return
        connection.idle_since = now = self.loop.time()
        idle = self._idle.get(connection.origin)
        if idle is None:
            self._part_with(now - self._keepalive_s)  # there is no end to origins, such as of TLS
            self._idle[connection.origin] = [connection]
            return
        idle.append(connection)
        if idle[0].idle_since < now - self._keepalive_s:
            idle.pop(0).close()

    def _part_with(self, oldest: float) -> None:
        """Close the connections of all origins of which none was used since `oldest`."""
        for origin in [one for one, idle in self._idle.items() if not idle]:
            del self._idle[origin]
        for origin in [one for one, idle in self._idle.items() if idle[-1].idle_since < oldest]:
            for connection in self._idle.pop(origin):
                connection.close()

    # Deadlines: one timer for all that is under way.

    def _look_at(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_look = deadline
        self._timer = self.loop.call_at(deadline, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        for response in [one for one in self.under_way if one.deadline <= now]:
            response.expired()
        self._next_look, self._timer = _NEVER, None
        soonest = min((response.deadline for response in self.under_way), default=_NEVER)
        if soonest < _NEVER:
            self._look_at(soonest)


def _total_s(timeout: Any) -> float:
    """Return the only limit that this client keeps. Raises NotPlainError where there are others."""
    if not isinstance(timeout, aiohttp.ClientTimeout):
        return float(timeout) if timeout else _NEVER
    connect = timeout.sock_connect
    if timeout.connect or timeout.sock_read or connect not in (None, CONNECT_S):
        raise NotPlainError("timeout")
    return timeout.total or _NEVER


def _wrapping(origin: Origin) -> dict[str, Any]:
    """Return what a connection is made with: its TLS, and the name that its server is to prove."""
    if origin.tls is None:
        return {}
    context = origin.tls if isinstance(origin.tls, ssl.SSLContext) else _context(origin.tls)
    return {"ssl": context, "server_hostname": origin.host.rstrip(".")}


@functools.cache
def _context(verifies: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
