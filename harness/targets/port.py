"""A port that is kept for a service before the service runs."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """A free loopback port that is ours, on which nothing listens yet.

    So it is ours before anything is imported, and a connection succeeds only once the server
    has started, which is how readiness is told without a request. What listens there has the
    `certificate`, a file with its key, and is then called over https.
    """

    socket: socket.socket
    address: tuple[str, int]
    certificate: Path | None = None

    @classmethod
    def bound(cls, port: int = 0, certificate: Path | None = None) -> Port:
        """Bind `port`, or a free one. Raises OSError where it is taken."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((_LOOPBACK, port))
        return cls(sock, sock.getsockname(), certificate)

    @property
    def url(self) -> str:
        """Its address, ``http://127.0.0.1:PORT``."""
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()
