"""Every address here that must be refused is one of documentation (RFC 5737, 3849, 6761)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import aiohttp
import pytest
import requests

from harness.guard import Guard, once

NAME = "example.invalid"
V4, V6, MAPPED = "192.0.2.1", "2001:db8::1", "::ffff:c000:201"

Refused = list[tuple[str, int | None]]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refused]:
    monkeypatch.setenv("no_proxy", "*")
    found: Refused = []
    with Guard(lambda host, port: found.append((host, port))):
        yield found


@pytest.fixture(scope="module")
def server_port() -> Iterator[int]:
    """A server on loopback that answers 200 to every GET."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def url_of(host: str) -> str:
    return f"http://[{host}]:81/" if ":" in host else f"http://{host}:81/"


HOSTS = pytest.mark.parametrize("host", [NAME, V4, V6, MAPPED])
LITERALS = pytest.mark.parametrize("host", [V4, V6, MAPPED])


@HOSTS
async def test_aiohttp_is_refused(host: str, refused: Refused) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url_of(host))
    assert set(refused) == {(host, 81)}


@HOSTS
def test_requests_is_refused(host: str, refused: Refused) -> None:
    with pytest.raises(requests.ConnectionError, match="refused by the harness"):
        requests.get(url_of(host), timeout=5)
    assert set(refused) == {(host, 81)}


@HOSTS
def test_urllib_is_refused(host: str, refused: Refused) -> None:
    with pytest.raises(urllib.error.URLError, match="refused by the harness"):
        urllib.request.urlopen(url_of(host), timeout=5)
    assert set(refused) == {(host, 81)}


@HOSTS
async def test_asyncio_is_refused(host: str, refused: Refused) -> None:
    with pytest.raises(OSError, match=r"refused by the harness|Multiple exceptions"):
        await asyncio.open_connection(host, 81)
    assert set(refused) == {(host, 81)}


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@LITERALS
def test_connect_is_refused(host: str, refused: Refused) -> None:
    with socket.socket(family_of(host)) as sock:
        with pytest.raises(ConnectionRefusedError, match=f"refused by the harness: {host}"):
            sock.connect((host, 81))
        assert sock.connect_ex((host, 82)) == errno.ECONNREFUSED
    assert refused == [(host, 81), (host, 82)]


@LITERALS
def test_sendto_is_refused(host: str, refused: Refused) -> None:
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as sock:
        with pytest.raises(ConnectionRefusedError):
            sock.sendto(b"x", (host, 53))
        with pytest.raises(ConnectionRefusedError):
            sock.sendto(b"x", 0, (host, 54))
    assert refused == [(host, 53), (host, 54)]


@LITERALS
def test_sendmsg_is_refused(host: str, refused: Refused) -> None:
    with (
        socket.socket(family_of(host), socket.SOCK_DGRAM) as sock,
        pytest.raises(ConnectionRefusedError),
    ):
        sock.sendmsg([b"x"], [], 0, (host, 53))
    assert refused == [(host, 53)]


def test_what_a_connected_socket_sends_is_not_taken_for_an_address(refused: Refused) -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as receiver,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        assert sender.sendmsg((b"x", b"y")) == 2
        assert sender.sendmsg((b"x",), ()) == 1
    assert refused == []


def test_a_host_is_told_once_however_often_it_is_called() -> None:
    told: Refused = []
    tell = once(lambda *where: told.append(where))

    for port in range(3):
        tell(V4, port)
    tell(V6, 1)

    assert told == [(V4, 0), (V6, 1)]


def test_a_host_given_as_bytes_is_refused_by_its_name(refused: Refused) -> None:
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect((V4.encode(), 81))
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(NAME.encode(), 81)
    assert refused == [(V4, 81), (NAME, 81)]


@pytest.mark.parametrize(
    ("resolve", "port"),
    [
        (lambda: socket.getaddrinfo(NAME, 81), 81),
        (lambda: socket.getaddrinfo(host=NAME, port=81), 81),
        (lambda: socket.getaddrinfo(NAME, "http"), None),
        (lambda: socket.gethostbyname(NAME), None),
        (lambda: socket.gethostbyname_ex(NAME), None),
        (lambda: socket.gethostbyaddr(NAME), None),
    ],
)
def test_names_are_refused_before_they_are_looked_up(
    resolve: Callable[[], object], port: int | None, refused: Refused
) -> None:
    with pytest.raises(socket.gaierror) as raised:
        resolve()
    assert raised.value.errno == socket.EAI_NONAME
    assert refused == [(NAME, port)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_loopback_passes(host: str, server_port: int, refused: Refused) -> None:
    url = f"http://{host}:{server_port}/"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
    assert (await asyncio.to_thread(requests.get, url, timeout=5)).status_code == 200
    assert refused == []


def test_loopback_passes_by_every_way(server_port: int, refused: Refused) -> None:
    with socket.socket() as sock:
        sock.connect((b"127.0.0.1", server_port))
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", server_port)) == 0
    with (
        socket.socket(type=socket.SOCK_DGRAM) as receiver,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        assert sender.sendto(b"x", receiver.getsockname()) == 1
    assert socket.gethostbyname("localhost").startswith("127.")
    assert socket.getaddrinfo(None, 0)
    assert refused == []


def test_other_families_are_not_its_business(refused: Refused) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other, socket.socket(socket.AF_UNIX) as sock:
        with pytest.raises(FileNotFoundError):
            sock.connect("/nonexistent")
        one.send(b"x")
    assert refused == []


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses connected to; nothing is, and every name resolves to `V4`."""
    found: list[Any] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (V4, port))]

    def gethostbyname(host: str) -> str:
        return V4

    def gethostbyname_ex(host: str) -> tuple[str, list[str], list[str]]:
        return host, [], [V4]

    for fake in (getaddrinfo, gethostbyname, gethostbyname_ex):
        monkeypatch.setattr(socket, fake.__name__, fake)
    monkeypatch.setattr(
        socket.socket, "connect", lambda _, address: found.append(address), raising=False
    )
    return found


@pytest.mark.parametrize(
    "resolve",
    [
        lambda: socket.getaddrinfo("staging.example.invalid", 81),
        lambda: socket.gethostbyname("STAGING.example.invalid"),
        lambda: socket.gethostbyname_ex("staging.example.invalid"),
    ],
)
def test_what_an_allowed_name_resolves_to_may_be_reached(
    resolve: Callable[[], object], connected: list[Any]
) -> None:
    refused: Refused = []
    with (
        Guard(lambda *where: refused.append(where), ["staging.example.invalid"]),
        socket.socket() as sock,
    ):
        with pytest.raises(ConnectionRefusedError):
            sock.connect((V4, 81))
        resolve()
        sock.connect((V4, 81))
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("other.example.invalid", 81)
    assert connected == [(V4, 81)]
    assert refused == [(V4, 81), ("other.example.invalid", 81)]


def test_an_allowed_host_by_name_is_connected(server_port: int, connected: list[Any]) -> None:
    with Guard(lambda *_: None, [NAME]), socket.create_connection((NAME, server_port)):
        pass
    assert connected == [(V4, server_port)]


def state() -> tuple[dict[str, Any], dict[str, Any]]:
    return dict(vars(socket)), dict(vars(socket.socket))


def test_it_is_undone_exactly() -> None:
    before = state()
    with Guard(lambda *_: None):
        assert state() != before
        assert "connect" in vars(socket.socket)
    assert state() == before


def test_it_is_undone_after_an_error() -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), Guard(lambda *_: None):
        raise ZeroDivisionError
    assert state() == before


def test_guards_nest_and_the_inner_decides_first(connected: list[Any]) -> None:
    outer: Refused = []
    inner: Refused = []
    before = state()
    with Guard(lambda *where: outer.append(where), [V6]), socket.socket() as sock:
        between = state()
        with Guard(lambda *where: inner.append(where), [V4]):
            with pytest.raises(ConnectionRefusedError):
                sock.connect((V6, 1))  # the outer one would allow it
            with pytest.raises(ConnectionRefusedError):
                sock.connect((V4, 2))  # the inner one allows it, the outer does not
        assert state() == between
        with pytest.raises(ConnectionRefusedError):
            sock.connect((V4, 3))
    assert state() == before
    assert inner == [(V6, 1)]
    assert outer == [(V4, 2), (V4, 3)]
    assert connected == []


def test_calls_of_every_thread_are_refused(refused: Refused) -> None:
    def call(number: int) -> None:
        with socket.socket() as sock:
            sock.connect_ex((V4, number))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(refused, key=str) == [(V4, number) for number in range(1, 9)]


def test_this_machines_own_name_is_not_the_outside() -> None:
    refused: list[str] = []

    with Guard(lambda host, port: refused.append(host)), contextlib.suppress(socket.gaierror):
        socket.gethostbyname(socket.gethostname())

    assert refused == []
