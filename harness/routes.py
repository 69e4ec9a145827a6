"""Where calls to outside services lead: to loopback, where stand-ins answer for their origins.

A name that has a route is given an address of its own below 127.128.0.0/9, which no resolver
was asked for; who connects to it, or to an IP literal that has a route, is led on. So routes
tell the ports of one host apart, and a port that has none by the name of its host.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.target import is_loopback

PORTS = {"http": 80, "https": 443}

NEEDS_TLS = "pip install 'quart-harness[tls]'"


@dataclass(frozen=True, slots=True)
class Route:
    """Calls to `port` of `host` go to `to`, a port of 127.0.0.1, which speaks TLS or does not."""

    host: str
    port: int
    to: int
    tls: bool = False


class Routes:
    """The routes of a run. `authority` returns what clients must trust, in PEM, or nothing.

    It is asked when it is first needed.
    """

    def __init__(
        self, routes: Iterable[Route] = (), authority: Callable[[], str] = lambda: ""
    ) -> None:
        self.all = tuple(routes)
        self.authority = authority
        self._by_place = {(route.host, route.port): route for route in self.all}
        self._hosts = {route.host for route in self.all}
        self._addresses: dict[str, str] = {}
        for host in sorted(self._hosts):
            if host != _HERE and not is_literal(host):
                self._addresses[host] = address_for(host, self._addresses.values(), _KNOWN)
        self._names = {address: host for host, address in self._addresses.items()}

    def handed_over(self) -> tuple[tuple[Route, ...], str]:
        """Return what another process needs to make these routes: them, and the authority."""
        return self.all, self.authority() if any(route.tls for route in self.all) else ""

    def address_of(self, host: str) -> str | None:
        """Return the address that a name with a route is given; None: it needs none."""
        return self._addresses.get(host_of(host))

    def name_of(self, address: str) -> str:
        """Return the name that an address was given for, or else the address."""
        return self._names.get(host_of(address), address)

    def find(self, host: str, port: Any) -> Route | None:
        """Return the route of a name or an address and a port."""
        return self._by_place.get((host_of(self.name_of(host)), port))

    def knows(self, host: str) -> bool:
        """Tell whether a port of a host outside this machine, or of an address, has a route."""
        return host_of(self.name_of(host)) in self._hosts - {_HERE}

    def speaks_tls(self, host: str) -> bool:
        """Tell whether a port of a host has a route to a stand-in that is called over TLS."""
        name = host_of(host)
        return any(route.tls and route.host == name for route in self.all)

    def why_not(self, host: str, port: int | None) -> str:
        """Say why a call that was refused has no answer."""
        route = self.find(host, port)
        if route is not None and route.tls:
            return f"its stand-in needs https, and trustme is not installed: {NEEDS_TLS}"
        others = sorted(one.port for one in self.all if one.host == host_of(host))
        if others:
            ports = " and ".join(map(str, others))
            return f"it is not on loopback, and its stand-in answers on port {ports} only"
        return "it is not on loopback and no stub answers for it"


_HERE = "localhost"


def place_of(origin: str) -> tuple[str, int]:
    """Return host and port of an origin, ``https://api.example.org``, as routes write them."""
    parts = urlsplit(origin)
    return host_of(parts.hostname or ""), parts.port or PORTS[parts.scheme]


def host_of(text: str) -> str:
    """Return a name or an address as routes write it; all of this machine's are ``localhost``.

    >>> host_of("API.Example.org."), host_of("::ffff:203.0.113.7"), host_of("127.0.0.1")
    ('api.example.org', '203.0.113.7', 'localhost')
    """
    name = text.strip("[]").rstrip(".").lower().partition("%")[0]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return _HERE if is_loopback(name) else _ascii(name)
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped in _OURS:
        return str(mapped)
    return _HERE if is_loopback(str(mapped)) else str(mapped)


_OURS = ipaddress.IPv4Network("127.128.0.0/9")
_KNOWN, STRANGERS = _OURS.subnets()


def _ascii(name: str) -> str:
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def is_literal(host: str | None) -> bool:
    """Tell whether `host` is an IP address, so that nobody need be asked for one."""
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return True


def address_for(host: str, taken: Iterable[str], network: ipaddress.IPv4Network) -> str:
    """Choose an address for a name: the same in every process and guard, but for a collision."""
    number = int.from_bytes(hashlib.sha256(host.encode()).digest()[:4])
    used = set(taken)
    while (chosen := str(network[1 + number % (network.num_addresses - 2)])) in used:
        number += 1
    return chosen


def loopback(sock: socket.socket, port: int) -> tuple[Any, ...]:
    """Return an address on loopback that a socket of either family can have or connect to."""
    if sock.family == socket.AF_INET:
        return "127.0.0.1", port
    if not sock.getsockname()[1]:  # once it is bound, that is settled
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return "::ffff:127.0.0.1", port, 0, 0
