"""Servers on threads of their own, good and misbehaving, and a session that is measured."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.facts import Fact
from harness.load.address import Addresses
from harness.load.board import Board
from harness.load.book import Book, Visit
from harness.load.failure import Places
from harness.load.session import Session
from harness.snapshot import Snapshot
from harness.tally import Tally, merged

Script = Callable[[socket.socket], None]


class Good(BaseHTTPRequestHandler):
    """Answers anything; `/status/N` with that status; `/slow` and `/frozen` when told to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Service)
        server.paths.append(self.path)
        server.hosts.append(self.headers["Host"])
        server.gate.wait(10)
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        status = int(self.path.rsplit("/", 1)[1]) if "/status/" in self.path else 200
        body = b"" if status in (204, 304) else b"hello"
        self.send_response(status)
        if "/redirect" in self.path:
            self.send_header("Location", self.path.partition("?to=")[2])
        self.send_header("Set-Cookie", "seen=yes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


class Service(ThreadingHTTPServer):
    """A well-behaved server. `gate` freezes it while it is cleared."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1000

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Good)
        self.gate = threading.Event()
        self.gate.set()
        self.paths: list[str] = []
        self.hosts: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, address: object) -> None:
        pass  # clients that go away are a part of these tests


class Answering(BaseHTTPRequestHandler):
    """What Molotov's own examples are about."""

    def do_GET(self) -> None:
        body = json.dumps({"result": "OK"}).encode()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def misbehaving() -> Iterator[Callable[[Script], str]]:
    """Start a raw server that lets a script talk on each connection; return its URL."""
    listening: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def talk(connection: socket.socket, script: Script) -> None:
        with connection, suppress(OSError):
            script(connection)

    def serve(listener: socket.socket, script: Script) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=talk, args=(connection, script), daemon=True)
            thread.start()
            threads.append(thread)

    def start(script: Script) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listening.append(listener)
        thread = threading.Thread(target=serve, args=(listener, script), daemon=True)
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listening:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


class Measured:
    """A session under a visit, and what its book says."""

    def __init__(self, book: Book, board: Board, session: Session, visit: Visit) -> None:
        self.book = book
        self.board = board
        self.session = session
        self.visit = visit
        self._tallies: list[Tally] = []

    def facts(self) -> list[Fact]:
        found = self.book.facts(0, 0)
        snapshot = found[-1]
        assert isinstance(snapshot, Snapshot)
        new = [fact.tally() for fact in snapshot.tallies]
        self._tallies = list(merged([*self._tallies, *new]).values())
        return found

    @property
    def tallies(self) -> dict[str | None, Tally]:
        self.facts()
        return {tally.step: tally for tally in self._tallies}

    def step(self, name: str = "GET /") -> Tally:
        return self.tallies[name]


@pytest.fixture
async def measured(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Measured]]:
    made: list[Measured] = []

    def make(target: str, rebase: tuple[str, ...] = (), **options: object) -> Measured:
        board = Board(1)
        book = Book(0, Places(Path(__file__), Path(__file__).parent), board)
        session = Session(book, Addresses(target, rebase=rebase), SimpleNamespace(), **options)
        session.visit = book.begin("scenario", None)
        made.append(Measured(book, board, session, session.visit))
        return made[-1]

    yield make
    for one in made:
        await one.session.close()
