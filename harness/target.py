"""What is talked to: a service in process, under a real server, or at an address."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from harness.errors import UsageError

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


class TargetKind(StrEnum):
    """The three ways in which the functional tests reach a service.

    ``inproc``: Quart's test client, the application's lifespan run, no socket.
    ``served``: the same application under a real Hypercorn on its own thread and loop.
    ``live``: a deployment that somebody else started, at an address.
    """

    INPROC = "inproc"
    SERVED = "served"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Target:
    """Where tests run. A live target has the address of each service; `""` is the first's."""

    kind: TargetKind
    urls: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.kind.value

    def url_of(self, service: str) -> str | None:
        """Return the address of a service of a live target."""
        return dict(self.urls).get(service)


_NAMED = re.compile(r"(?:(?P<name>[\w-]+)=)?(?P<url>.*)\Z", re.DOTALL)


def parse_targets(texts: Iterable[str], first: str) -> tuple[Target, ...]:
    """Read ``inproc``, ``served`` and ``[NAME=]URL``; all addresses together are one live target.

    `first` is the name of the service that an address without one is for. Raises UsageError.
    """
    kinds: dict[TargetKind, dict[str, str]] = {}
    for text in texts:
        if text in (TargetKind.INPROC, TargetKind.SERVED):
            kinds[TargetKind(text)] = {}
            continue
        named = _NAMED.match(text)
        url = named["url"] if named else ""
        if named is None or (text and "/" not in text and "=" not in text):
            raise UsageError(
                "target/unknown",
                f"unknown target {text!r}",
                next_step="use inproc, served, or an address: http://127.0.0.1:5000",
            )
        name, url = named["name"] or first, read_url(url)
        urls = kinds.setdefault(TargetKind.LIVE, {})
        if urls.setdefault(name, url) != url:
            raise UsageError(
                "target/url",
                f"two addresses were given for one service: {urls[name]} and {url}",
                next_step="test one deployment at a time, or name the other's service: NAME=URL",
            )
    return tuple(Target(kind, tuple(urls.items())) for kind, urls in kinds.items())


def read_url(text: str) -> str:
    """Return an address as it is used, without a slash at its end. Raises UsageError."""
    if "@" in text:
        raise UsageError(
            "target/url",
            "an address with credentials in it would put them into every report",
            next_step="leave them out; let the tests send them, from a variable",
        )
    if not _is_address(text):
        raise UsageError(
            "target/url",
            f"cannot read the address {text!r}",
            next_step="write it with its scheme, as in http://127.0.0.1:5000; "
            "a path may follow, a query may not",
        )
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    """Tell whether `text` is scheme, host and perhaps a port and a path, and nothing more."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # of brackets that do not match, or of a port that is no number
        return False
    if re.search(r"[?#\s]", text) or port == 0:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def refuse_foreign(url: str, allow_hosts: Iterable[str]) -> None:
    """Raise UsageError unless `url` is on this machine, or its host allowed by name."""
    host = urlsplit(url).hostname or ""
    if not is_allowed(host, allow_hosts):
        raise UsageError(
            "target/foreign-host",
            f"{host} is not on this machine, and not allowed",
            where=url,
            next_step=f"if it may be called: --allow-host {host}, or allow_hosts in the plan",
        )


@dataclass(frozen=True, slots=True)
class AppPath:
    """Where an application is: ``module:attribute``, or ``module:factory()`` which is called.

    Hypercorn's syntax. Attributes may be dotted; without one, Hypercorn's default ``app``.
    """

    module: str
    attribute: str
    is_factory: bool

    _SYNTAX = re.compile(r"(?P<module>[\w.]+)(:(?P<attribute>[\w.]+)(?P<call>\(\))?)?\Z")

    @classmethod
    def parse(cls, text: str) -> AppPath:
        """Read an import string. Raises UsageError."""
        found = cls._SYNTAX.match(text.strip())
        if found is None:
            raise UsageError(
                "target/app-syntax",
                f"cannot read the import string {text!r}",
                next_step="write it as 'module:attribute' or 'module:factory()'",
            )
        return cls(found["module"], found["attribute"] or "app", found["call"] is not None)

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}{'()' if self.is_factory else ''}"


def is_loopback(host: str) -> bool:
    """Tell whether `host`, a name or an IP literal, can only mean this machine.

    Names are not resolved: ``localhost`` and what lies under ``.localhost`` (RFC 6761) are
    loopback, every other name is not. The unspecified address (0.0.0.0) connects to this machine.
    """
    name = host.strip("[]").rstrip(".").lower().partition("%")[0]
    if name in LOOPBACK_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback or address.is_unspecified)


def is_allowed(host: str, allow_hosts: Iterable[str]) -> bool:
    """Tell whether requests may go to `host`: loopback, or allowed by name."""
    return is_loopback(host) or host.strip("[]").lower() in {h.lower() for h in allow_hosts}
