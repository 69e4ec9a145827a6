"""Hypercorn, as it serves an application in every target that has a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from harness.targets import Asgi
from harness.targets.hang import LAST_S, Limits
from harness.targets.port import Port

if TYPE_CHECKING:
    from hypercorn.config import Config

GRACE_S = 1.0
"""What requests have to end in, once the server is told to stop."""


async def serve(
    app: Asgi, port: Port, limits: Limits, until: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Serve `app` on `port` until `until` returns or, without it, a signal says so."""
    from hypercorn.asyncio import serve  # not above: the parent of a server imports this file

    await serve(app, _config(port, limits), shutdown_trigger=until, mode="asgi")  # type: ignore[arg-type]  # an ASGI callable


def _config(port: Port, limits: Limits) -> Config:
    """Configure Hypercorn to serve on `port`; errors are logged to stderr, accesses are not.

    Hypercorn makes a socket of its own from the descriptor. Its limits come after ours.
    """
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{port.socket.detach()}"]
    if port.certificate:
        config.certfile = config.keyfile = str(port.certificate)
    config.loglevel = "WARNING"
    config.errorlog = "-"
    config.startup_timeout = limits.start_s + LAST_S
    config.graceful_timeout = GRACE_S
    config.shutdown_timeout = limits.stop_s + LAST_S
    return config
