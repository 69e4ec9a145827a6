"""A running service as a context manager: in process, served, or in a process of its own.

What `inproc` and `served` share is the ASGI seam: each gives a `Wire`, an ASGI callable that
reaches the service, and Quart's own test client speaks to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from harness.facts import Surprise

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI 3 application (https://asgi.readthedocs.io/en/latest/specs/main.html)."""


class Running(Protocol):
    """A service that is running."""

    app: Asgi
    """The application itself, whose configuration the client reads."""

    wire: Asgi
    """What a client calls to reach the service."""

    url: str
    """What a client calls it; in process nothing listens there."""

    trouble: Surprise | None
    """What went wrong when it was stopped."""

    async def __aenter__(self) -> Running:
        """Start the service. Raises TargetError."""
        ...

    async def __aexit__(self, *error: object) -> None:
        """Stop it and leave nothing behind."""
        ...


def not_stopped(name: str, said: str, where: str = "") -> Surprise:
    """Take down that a service was told to stop, and what went wrong."""
    return Surprise(
        slug="target/shut-down",
        message=f"the service {name} did not shut down well: {said}",
        where=where or name,
    )
