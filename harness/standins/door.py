"""A loopback port at which a stand-in answers, or which it keeps while it refuses connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"
_BACKLOG = 1024
_HANDSHAKE_FAILURE = bytes((21, 3, 3, 0, 2, 2, 40))  # a fatal alert (RFC 8446, 6)


class Door:
    """Bound from the start, to `port` or, for 0, a free one. `tls` wraps what comes through.

    Raises OSError for a port that is taken.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._kept: socket.socket | None = socket.create_server((HOST, port), backlog=_BACKLOG)
        self.port: int = self._kept.getsockname()[1]

    @property
    def is_open(self) -> bool:
        """Whether something listens by the running loop."""
        return self._server is not None

    async def open(
        self, connection: Callable[[], asyncio.BaseProtocol], *, breaks_tls: bool = False
    ) -> None:
        """Listen; with `breaks_tls`, have handshakes fail that are asked for here.

        Raises OSError where another process took the port meanwhile.
        """
        kept = self._kept or self._bound()
        kept.listen(_BACKLOG)  # uvloop would not tell that it cannot
        fails = breaks_tls and self._tls is not None
        self._server = await asyncio.get_running_loop().create_server(
            _Alert if fails else connection, sock=kept, ssl=None if fails else self._tls,
            backlog=_BACKLOG,
        )  # fmt: skip
        self._kept = None

    def shut(self) -> None:
        """Listen no more. Connections that there are go on."""
        if self._server is not None:
            self._server.close()

    async def keep(self) -> None:
        """Keep the port though nothing listens on it. Raises OSError where it was taken."""
        await self._shut_down()
        self.abandon()  # which may be listening still
        self._kept = self._bound()

    async def close(self) -> None:
        """Give the port back."""
        await self._shut_down()
        self.abandon()

    def abandon(self) -> None:
        """Give back a port that no loop listens on."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    async def _shut_down(self) -> None:
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def _bound(self) -> socket.socket:
        bound = socket.socket()
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((HOST, self.port))
        except OSError:
            bound.close()
            raise
        return bound


class _Alert(asyncio.Protocol):
    """Answers the first bytes of a handshake as a server with which there is none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(_HANDSHAKE_FAILURE)
        self._transport.close()
