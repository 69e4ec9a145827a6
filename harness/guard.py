"""Leads calls to their stand-ins, and refuses and names every other one to the outside.

Works where all of Python's clients meet: name resolution and the socket's own connect; uvloop's
loops and aiohttp's resolver by c-ares, which resolve in C, are asked to come here first. To a
client a refused call looks like a network failure, so the code under test handles it as it
would handle an outage; that it happened is noted all the same. Out of reach: libraries that
open sockets in C (pycurl, grpc) and other processes.
"""

from __future__ import annotations

import errno
import functools
import importlib.util
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import uvloop

from harness.patches import Patches
from harness.refusals import Refusals
from harness.routes import Routes, is_literal, loopback
from harness.target import is_allowed
from harness.trust import trust

OnRefused = Callable[[str, int | None], object]

_RESOLVERS = ("gethostbyname", "gethostbyname_ex", "gethostbyaddr")
_CONNECTS = ("connect", "connect_ex")
_METHODS = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}  # where the address is


def once(on_refused: OnRefused) -> OnRefused:
    """Tell of each host once: under load there may be thousands of calls to it."""
    told: set[str] = set()
    lock = threading.Lock()

    def tell(host: str, port: int | None) -> None:
        with lock:
            if host in told:
                return
            told.add(host)
        on_refused(host, port)

    return tell


class Guard:
    """A context manager. `on_refused` is told host and port (None where it is not known).

    Calls that have one of `routes` are led there, and trust who answers. With `refusals`, what a
    refused connection was for is heard, and they are told in the place of `on_refused`. Undone
    exactly on exit. Guards nest; the inner one decides first.
    """

    def __init__(
        self, on_refused: OnRefused, allow_hosts: Iterable[str] = (), routes: Routes | None = None,
        refusals: Refusals | None = None,
    ) -> None:  # fmt: skip
        self._on_refused = on_refused
        own = socket.gethostname()  # what it resolves to may not be loopback, but is this machine
        self._allow_hosts = frozenset((*allow_hosts, own))
        self._routes = routes or Routes()
        self._refusals = refusals
        self._allowed_addresses: set[str] = set()
        self._patches = Patches()

    def __enter__(self) -> Guard:
        replace = self._patches.replace
        replace(socket, "getaddrinfo", self._getaddrinfo(socket.getaddrinfo))
        for name in _RESOLVERS:
            replace(socket, name, self._resolver(getattr(socket, name)))
        for name, place in _METHODS.items():
            method = self._method(name, place, getattr(socket.socket, name))
            replace(socket.socket, name, method)
        replace(uvloop.Loop, "getaddrinfo", _getaddrinfo)
        connect = self._create_connection(uvloop.Loop.create_connection)
        replace(uvloop.Loop, "create_connection", connect)
        if importlib.util.find_spec("aiodns"):
            from aiohttp import AsyncResolver, ThreadedResolver

            async def resolve(resolver: Any, *arguments: Any, **options: Any) -> Any:
                return await ThreadedResolver().resolve(*arguments, **options)

            replace(AsyncResolver, "resolve", resolve)
        trust(self._routes.authority, self._trusts, self._patches)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._patches.undo()

    def _getaddrinfo(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        def getaddrinfo(
            host: Any,
            port: Any,
            family: int = 0,
            type: int = 0,  # noqa: A002 - the name that callers know
            proto: int = 0,
            flags: int = 0,
        ) -> Any:
            name = _name(host)
            if not name or flags & socket.AI_NUMERICHOST:  # nobody is asked
                return resolve(host, port, family, type, proto, flags)
            given = self._given(name, port, hears=bool(port) and _may_be_tcp(name, type))
            asked = f"::ffff:{given}" if given and family == socket.AF_INET6 else given or host
            found = resolve(asked, port, family, type, proto, flags)
            if given and self._refusals and not self._routes.knows(name):
                self._refusals.look_up(name, found[0][4][1])
            elif not given and self._may_reach(name):
                self._allowed_addresses.update(str(entry[4][0]) for entry in found)
            return found

        return getaddrinfo

    def _resolver(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(host: Any) -> Any:
            name = _name(host)
            given = self._given(name) if name else None
            if given:
                return given if resolve.__name__ == "gethostbyname" else (name, [], [given])
            found = resolve(host)
            if name and self._may_reach(name):
                self._allowed_addresses.update([found] if isinstance(found, str) else found[2])
            return found

        guarded.__name__ = resolve.__name__
        return guarded

    def _given(self, name: str, port: Any = None, *, hears: bool = False) -> str | None:
        """Return an address of ours for a name; None: it has its own.

        Raises gaierror where it may not be looked up, but where a call is going to be heard.
        """
        if self._routes.knows(name) or self._may_reach(name):
            return self._routes.address_of(name)
        if self._refusals and hears:
            return None if is_literal(name) else self._refusals.address_of(name)
        self._on_refused(name, port if isinstance(port, int) else None)
        raise socket.gaierror(socket.EAI_NONAME, self._told(name, port))

    def _method(self, name: str, place: int, original: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(sock: socket.socket, *arguments: Any) -> Any:
            address = next(iter(arguments[place:]), None)
            internet = sock.family in (socket.AF_INET, socket.AF_INET6)
            if not internet or not isinstance(address, tuple):
                return original(sock, *arguments)
            host, port = self._host(address), address[1]
            led = self._led(sock, host, address)
            is_call = name in _CONNECTS and sock.type == socket.SOCK_STREAM
            if led is None and self._refusals and is_call:
                led = self._refusals.expect(sock, host, port)
            elif led is None:
                self._on_refused(host, port)
            if led is not None:
                at = place % len(arguments)
                return original(sock, *arguments[:at], led, *arguments[at + 1 :])
            if name == "connect_ex":
                return errno.ECONNREFUSED
            raise ConnectionRefusedError(errno.ECONNREFUSED, self._told(host, port))

        return guarded

    def _host(self, address: tuple[Any, ...]) -> str:
        host = self._routes.name_of(str(_name(address[0])))
        return self._refusals.name_of(host) if self._refusals else host

    def _led(self, sock: socket.socket, host: str, address: tuple[Any, ...]) -> Any:
        """Return the address that a socket is to have in the place of one; None: it is refused."""
        is_stream = sock.type == socket.SOCK_STREAM
        route = self._routes.find(host, address[1]) if is_stream else None
        if route is None:
            return (host, *address[1:]) if self._may_reach(host) else None
        if route.tls and not self._routes.authority():
            return None
        return loopback(sock, route.to)

    def _create_connection(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Have uvloop, which connects by name in C, connect by a socket where there are routes."""

        @functools.wraps(original)
        async def create_connection(
            loop: uvloop.Loop, factory: Any, host: Any = None, port: Any = None, **options: Any
        ) -> Any:
            if host is None or port is None:
                return await original(loop, factory, host, port, **options)
            asked = {key: options[key] for key in _RESOLVING & options.keys()}
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, **asked)
            name = self._host((host, port))
            if self._may_reach(name) and not self._routes.find(name, port):
                return await original(loop, factory, host, port, **options)
            left = {key: value for key, value in options.items() if key not in _CONNECTING}
            if options.get("ssl") and options.get("server_hostname") is None:
                left["server_hostname"] = host
            sock = await _connected(loop, found[0])
            return await original(loop, factory, sock=sock, **left)

        return create_connection

    def _trusts(self, host: str) -> bool:
        """Tell whether it is one of ours who answers for a host over TLS."""
        heard = self._refusals is not None and not self._may_reach(host)
        return heard or self._routes.speaks_tls(host)

    def _may_reach(self, host: str) -> bool:
        return host in self._allowed_addresses or is_allowed(host, self._allow_hosts)

    def _told(self, host: str, port: int | None) -> str:
        return f"refused by the harness: {host}: {self._routes.why_not(host, port)}"


def _may_be_tcp(host: str, kind: int) -> bool:
    """Tell whether a look-up is for a connection; uvloop looks addresses up without saying so."""
    return kind == socket.SOCK_STREAM or (not kind and is_literal(host))


_RESOLVING = {"family", "proto", "flags"}
_CONNECTING = {*_RESOLVING, "local_addr"}


async def _getaddrinfo(
    loop: uvloop.Loop,
    host: Any,
    port: Any,
    *,
    family: int = 0,
    type: int = 0,  # noqa: A002 - the name that callers know
    proto: int = 0,
    flags: int = 0,
) -> Any:
    """Resolve for uvloop where all others do: a name on a thread, an address at once."""
    resolve = functools.partial(socket.getaddrinfo, host, port, family, type, proto, flags)
    return resolve() if is_literal(_name(host)) else await loop.run_in_executor(None, resolve)


async def _connected(loop: uvloop.Loop, found: tuple[Any, ...]) -> socket.socket:
    family, kind, proto, _, address = found
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _name(host: Any) -> Any:
    return host.decode() if isinstance(host, bytes | bytearray) else host
