"""Refuses and names every call to a host outside loopback, whatever the client library.

Works where all of Python's clients meet: name resolution and the socket's own connect. To a
client a refused call looks like a network failure, so the code under test handles it as it
would handle an outage; that it happened is noted all the same. Out of reach: libraries that
open sockets in C (uvloop's own connect by name, pycurl, grpc) and other processes.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from harness.target import is_allowed

OnRefused = Callable[[str, int | None], None]

_RESOLVERS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")
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

    Undone exactly on exit. Guards nest; the inner one decides first.
    """

    def __init__(self, on_refused: OnRefused, allow_hosts: Iterable[str] = ()) -> None:
        self._on_refused = on_refused
        own = socket.gethostname()  # what it resolves to may not be loopback, but is this machine
        self._allow_hosts = frozenset((*allow_hosts, own))
        self._allowed_addresses: set[str] = set()
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Guard:
        for name in _RESOLVERS:
            self._patch(socket, name, self._resolver(getattr(socket, name)))
        for name, place in _METHODS.items():
            method = self._method(name, place, getattr(socket.socket, name))
            self._patch(socket.socket, name, method)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._undo:
            self._undo.pop()()

    def _patch(self, owner: Any, name: str, replacement: Any) -> None:
        if name in vars(owner):
            original = vars(owner)[name]
            self._undo.append(lambda: setattr(owner, name, original))
        else:  # inherited: putting the original back would leave a copy behind
            self._undo.append(lambda: delattr(owner, name))
        setattr(owner, name, replacement)

    def _resolver(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(host: Any, *arguments: Any, **options: Any) -> Any:
            name = _name(host)
            if name and not self._may_reach(name):
                port = arguments[0] if arguments else options.get("port")
                self._on_refused(name, port if isinstance(port, int) else None)
                raise socket.gaierror(socket.EAI_NONAME, _told(name))
            found = resolve(host, *arguments, **options)
            if name:
                self._allowed_addresses.update(_addresses(resolve.__name__, found))
            return found

        guarded.__name__ = resolve.__name__
        return guarded

    def _method(self, name: str, place: int, original: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(sock: socket.socket, *arguments: Any) -> Any:
            address = next(iter(arguments[place:]), None)
            internet = sock.family in (socket.AF_INET, socket.AF_INET6)
            if not internet or not isinstance(address, tuple):
                return original(sock, *arguments)
            host = str(_name(address[0]))
            if self._may_reach(host):
                return original(sock, *arguments)
            self._on_refused(host, address[1])
            if name == "connect_ex":
                return errno.ECONNREFUSED
            raise ConnectionRefusedError(errno.ECONNREFUSED, _told(host))

        return guarded

    def _may_reach(self, host: str) -> bool:
        return host in self._allowed_addresses or is_allowed(host, self._allow_hosts)


def _name(host: Any) -> Any:
    return host.decode() if isinstance(host, bytes | bytearray) else host


def _addresses(resolver: str, found: Any) -> Iterable[str]:
    """Return the addresses in a resolver's answer."""
    if resolver == "gethostbyname":
        return [found]
    if resolver in ("gethostbyname_ex", "gethostbyaddr"):
        return list(found[2])
    return [str(entry[4][0]) for entry in found]


def _told(host: str) -> str:
    return f"refused by the harness: {host} is outside loopback, and no stub answers for it"
