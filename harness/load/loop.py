"""uvloop, within sight of a `Guard`.

uvloop resolves and connects by name in C, where a Guard cannot look. This loop asks Python's
own resolver first, which a Guard refuses what is not allowed.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
from typing import Any

import uvloop


class Loop(uvloop.Loop):
    """A uvloop event loop that connects nowhere without Python's resolver."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Resolve a name on a thread; an address, which takes no time, at once."""
        resolve = functools.partial(socket.getaddrinfo, host, port, **options)
        return resolve() if _is_address(host) else await self.run_in_executor(None, resolve)

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Connect by name, or take over a connected socket."""
        if host is not None:
            await self.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return await super().create_connection(protocol_factory, host, port, **options)


def _is_address(host: Any) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True
