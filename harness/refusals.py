"""Calls that were refused, and what they asked for, heard before their connection is reset.

A connection that is refused never says what it was for. So it is led to loopback, where the first
line of an HTTP request is read, within TLS too, and then reset: to the client that is an outage.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from harness.routes import STRANGERS, address_for, loopback

_PATIENCE_S = 1.0
"""How long a client may take to say what it wants. Some protocols let the server speak first."""

_POLL_S = 0.1
_LINE_BYTES = 8192
_AT_ONCE = 16
_TLS_HANDSHAKE = b"\x16"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_REQUEST = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.[01]\r?\n")


@dataclass(slots=True)
class Refused:
    """A call to `host` and `port`; `request` is its method and path, where they were heard.

    A query is left out: keys are sent in it.
    """

    host: str
    port: int | None
    request: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = f"{host}:{self.port}" if self.port else host
        return f"{place} ({self.request})" if self.request else place


class Refusals:
    """A context manager. `context_for` returns a server's TLS context for a host, if there is one.

    Nothing listens, and no thread runs, before a call is refused.
    """

    def __init__(self, context_for: Callable[[str], ssl.SSLContext | None]) -> None:
        self._context_for = context_for
        self._lock = threading.Lock()
        self._calls: list[Refused] = []
        self._looked_up: dict[tuple[str, int], Refused] = {}
        self._coming: dict[int, Refused] = {}
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._is_over = False
        self._listening: socket.socket | None = None
        self._workers: ThreadPoolExecutor | None = None

    def __enter__(self) -> Refusals:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listening and self._workers:
            self._is_over = True
            self._workers.shutdown()
            self._listening.close()

    def take(self) -> list[Refused]:
        """Return, once, what was refused, in order."""
        with self._lock:
            calls, self._calls = self._calls, []
            self._looked_up.clear()
            return calls

    def note(self, host: str, port: int | None) -> Refused:
        """Take down a call of which no more will be known."""
        call = Refused(host, port)
        with self._lock:
            self._calls.append(call)
        return call

    def look_up(self, host: str, port: int) -> None:
        """Take down that a name was given its address: a call is about to come."""
        if (host, port) not in self._looked_up:
            self._looked_up[host, port] = self.note(host, port)

    def address_of(self, host: str) -> str:
        """Return the address that a name is given."""
        with self._lock:
            if host not in self._addresses:
                address = address_for(host, self._names, STRANGERS)
                self._addresses[host], self._names[address] = address, host
            return self._addresses[host]

    def name_of(self, address: str) -> str:
        """Return the name that was looked up, or else the address."""
        return self._names.get(address.removeprefix("::ffff:"), address)

    def expect(self, sock: socket.socket, host: str, port: int) -> tuple[object, ...] | None:
        """Return where a socket that is about to call is to connect; None: it cannot be heard."""
        call = self._looked_up.pop((host, port), None) or self.note(host, port)
        try:
            if not sock.getsockname()[1]:  # so it is known by its port before it connects
                sock.bind(loopback(sock, 0))
            self._coming[sock.getsockname()[1]] = call
            return loopback(sock, self._port())
        except OSError:
            return None

    def _port(self) -> int:
        with self._lock:
            if self._listening is None:
                self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
                self._listening.settimeout(_POLL_S)  # so that its end needs no last call
                self._workers = ThreadPoolExecutor(_AT_ONCE + 1, "harness-refusals")
                self._workers.submit(self._accept, self._listening, self._workers)
            port: int = self._listening.getsockname()[1]
            return port

    def _accept(self, listening: socket.socket, workers: ThreadPoolExecutor) -> None:
        while not self._is_over:
            try:
                sock, (_, port) = listening.accept()
            except TimeoutError:
                continue
            except OSError:  # of too many open files, for one
                time.sleep(_POLL_S)
                continue
            workers.submit(self._hear, sock, self._coming.pop(port, Refused("", None)))

    def _hear(self, sock: socket.socket, call: Refused) -> None:
        with contextlib.ExitStack() as closing, contextlib.suppress(OSError):
            closing.callback(lambda: sock.close())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.settimeout(_PATIENCE_S)
            if sock.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
                context = self._context_for(call.host)
                if context is None:
                    return
                sock = context.wrap_socket(sock, server_side=True)
            found = _REQUEST.match(_first_line(sock))
            if found:
                method, path = found[1].decode(), found[2].decode().partition("?")[0]
                call.request = f"{method} {path}"


def _first_line(sock: socket.socket) -> bytes:
    told, deadline = b"", time.monotonic() + _PATIENCE_S
    while b"\n" not in told and len(told) < _LINE_BYTES and time.monotonic() < deadline:
        came = sock.recv(_LINE_BYTES)
        if not came:
            break
        told += came
    return told
