"""How functional tests behave towards a deployment: how often they ask, and where they write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from urllib.parse import urlsplit

from harness.errors import UsageError
from harness.target import is_loopback

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that ask for no change (RFC 9110, 9.2.1)."""

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*s\s*\Z")
_HOST = re.compile(r"[\w.-]+\Z|\[?[\da-fA-F:.]*:[\da-fA-F:.]*\]?\Z")


@dataclass(frozen=True, slots=True)
class Manners:
    """At most `rate` requests a second to one host, and writing only at the hosts of `writable`.

    Without a rate there is no limit. Of loopback's many names each stands for all.
    """

    rate: Fraction | None = None
    writable: tuple[str, ...] = ("localhost",)

    def lets_write(self, url: str) -> bool:
        """Tell whether requests that may change something may go to an address."""
        host = host_of(url)
        names = {name.strip("[]").rstrip(".").lower() for name in self.writable}
        return host in names or (is_loopback(host) and any(map(is_loopback, names)))

    def with_writable(self, hosts: Iterable[str]) -> Manners:
        """Return these manners with more hosts to write at."""
        return replace(self, writable=(*self.writable, *hosts))


def host_of(url: str) -> str:
    """Return the host of an address, in the one form in which hosts are compared."""
    return (urlsplit(url).hostname or "").rstrip(".")


def parse_rate(text: str) -> Fraction:
    """Read ``20/s`` and return requests per second. Raises UsageError."""
    found = _RATE.match(text)
    if found is None or not Fraction(found[1]):
        raise UsageError(
            "plan/rate",
            f"cannot read the rate {text!r}",
            next_step="write requests per second, above zero: '20/s', '0.5/s'",
        )
    return Fraction(found[1])


def parse_host(text: str) -> str:
    """Return the name of a host. Raises UsageError for an address, which would never be equal."""
    if not _HOST.match(text):
        raise UsageError(
            "plan/host",
            f"{text!r} is not the name of a host",
            next_step="write it without scheme, port and path: staging.example.org",
        )
    return text
