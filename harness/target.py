"""What is talked to: a service in process, under a real server, or at an address."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import UsageError

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


class TargetKind(StrEnum):
    """The two ways in which the functional tests reach a service.

    ``inproc``: Quart's test client, the application's lifespan run, no socket.
    ``served``: the same application under a real Hypercorn on its own thread and loop.
    """

    INPROC = "inproc"
    SERVED = "served"

    @classmethod
    def parse(cls, text: str) -> TargetKind:
        """Read ``inproc`` or ``served``. Raises UsageError."""
        try:
            return cls(text)
        except ValueError:
            raise UsageError(
                "target/unknown",
                f"unknown target {text!r}",
                next_step=f"use one of: {', '.join(cls)}",
            ) from None


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
