"""The service under a real Hypercorn, on a thread and a loop of its own, at a free port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass

from hypercorn.asyncio import serve
from hypercorn.config import Config

from harness.errors import TargetError
from harness.targets import Asgi
from harness.targets.forward import Forward
from harness.targets.inproc import SHUTDOWN_S, STARTUP_S

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """A free loopback port that is ours, on which nothing listens yet.

    So it is ours before anything is imported, and a connection succeeds only once the server
    has started, which is how readiness is told without a request.
    """

    socket: socket.socket
    address: tuple[str, int]

    @classmethod
    def bound(cls, port: int = 0) -> Port:
        """Bind `port`, or a free one. Raises OSError where it is taken."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((_LOOPBACK, port))
        return cls(sock, sock.getsockname())

    @property
    def url(self) -> str:
        """Its address, ``http://127.0.0.1:PORT``."""
        return f"http://{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()


def config_of(sock: socket.socket) -> Config:
    """Configure Hypercorn to serve on `sock`; errors are logged to stderr, accesses are not."""
    config = Config()
    config.bind = [f"fd://{sock.fileno()}"]
    config.loglevel = "WARNING"
    config.errorlog = "-"
    config.startup_timeout = STARTUP_S
    config.graceful_timeout = 1.0
    config.shutdown_timeout = SHUTDOWN_S
    return config


class Served:
    """Serves an application. `wire` passes requests on to it over a real connection."""

    def __init__(self, app: Asgi, name: str, port: Port | None = None) -> None:
        self.app = app
        self._name = name
        self._port = port or Port.bound()
        self.url = self._port.url
        self._forward = Forward(self.url)
        self.wire: Asgi = self._forward
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"harness-served-{name}", daemon=True
        )

    async def __aenter__(self) -> Served:
        self._thread.start()
        deadline = asyncio.get_running_loop().time() + STARTUP_S
        while not await _listens(self._port.address):
            if not self._thread.is_alive():
                raise self._error(f"failed to start: {_said(self._failure)}")
            if asyncio.get_running_loop().time() > deadline:
                raise self._error(f"did not listen within {STARTUP_S:.0f} s")
            await asyncio.sleep(0.005)
        self._forward.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._forward.close()
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.to_thread(self._thread.join, SHUTDOWN_S + 2)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        config = config_of(self._port.socket)
        self._port.socket.detach()  # Hypercorn makes a socket of its own from the descriptor
        await serve(self.app, config, shutdown_trigger=self._stop.wait)  # type: ignore[arg-type]  # an ASGI callable

    def _error(self, said: str) -> TargetError:
        return TargetError(
            "target/start-up",
            f"the service {self._name} {said}",
            where=self._name,
            next_step="see its log above; the environment is that of the plan",
        )


async def _listens(address: tuple[str, int]) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


def _said(error: BaseException | None) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if error else "it gave no reason"
