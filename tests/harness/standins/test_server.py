"""With real clients on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import os
import socket
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Iterator

import aiohttp
import pytest
import requests

from harness.errors import HarnessError, UsageError
from harness.standins.connection import MAX_BODY_BYTES, MAX_HEAD_BYTES
from harness.standins.server import StandIn
from harness.stubfile import parse_stubs

STUBS = """
[[stub]]
name = "current"
request = { method = "GET", path = "/w", query = { q = "London, UK" } }
reply = { json = { temp = 288.15 }, headers = { X-Served-By = "stub" } }

[[stub]]
name = "plain"
request = { method = "GET", path = "/plain" }
reply = { text = "plain" }

[[stub]]
name = "made"
request = { method = "POST", path = "/things", headers = { X-Key = "k" }, json = { a = [1, true] } }
reply = { status = 201, json = { id = 1 } }

[[stub]]
name = "upload"
request = { method = "PUT", path = "/upload" }
reply = { text = "taken" }

[[stub]]
name = "head"
request = { method = "HEAD", path = "/plain" }
reply = { text = "plain" }

[[stub]]
name = "gone"
request = { method = "DELETE", path = "/things/é" }
reply = { status = 204 }

[[stub]]
name = "same"
request = { method = "GET", path = "/same" }
reply = { status = 304, headers = { ETag = '"1"' } }

[[stub]]
name = "odd"
request = { method = "GET", path = "/odd" }
reply = { status = 299, headers = { X-Name = "é" }, text = "odd" }

[[stub]]
name = "sequence"
request = { method = "GET", path = "/sequence" }
replies = [{ status = 503 }, { status = 200, text = "2" }, { status = 200, text = "3" }]

[[stub]]
name = "slow"
request = { method = "GET", path = "/slow" }
reply = { text = "slow", delay = "300ms" }

[[stub]]
name = "stuck"
request = { method = "GET", path = "/stuck" }
reply = { delay = "1h" }

[[stub]]
name = "big"
request = { method = "GET", path = "/big" }
reply = { text = "BIG" }
""".replace("BIG", "x" * 5_000_000)

ALL = parse_stubs(STUBS, "s.toml")
NAMES = [stub.name for stub in ALL]
PATIENCE_S = 30.0


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn("weather", ALL, NAMES) as running:
        yield running


def address_of(standin: StandIn) -> tuple[str, int]:
    host, port = standin.url.removeprefix("http://").split(":")
    return host, int(port)


def connect(standin: StandIn) -> socket.socket:
    return socket.create_connection(address_of(standin), timeout=PATIENCE_S)


def rest_of(sock: socket.socket) -> bytes:
    """Read until the stand-in closes."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def exchange(standin: StandIn, request: bytes) -> bytes:
    """Send, close our half, and read until the stand-in closes."""
    with connect(standin) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return rest_of(sock)


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = sock.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n"


# clients


async def test_aiohttp(standin: StandIn) -> None:
    async with aiohttp.ClientSession(standin.url) as session:
        async with session.get("/w", params={"q": "London, UK"}) as response:
            assert response.status == 200
            assert response.headers["X-Served-By"] == "stub"
            assert await response.json() == {"temp": 288.15}
        body = {"a": [1, True]}
        async with session.post("/things", json=body, headers={"X-Key": "k"}) as response:
            assert (response.status, await response.json()) == (201, {"id": 1})
        async with session.delete("/things/é") as response:
            assert (response.status, await response.read()) == (204, b"")
        async with session.head("/plain") as response:
            assert response.headers["Content-Length"] == "5"
        async with session.get("/same") as response:
            assert (response.status, response.headers["ETag"]) == (304, '"1"')
        async with session.get("/odd") as response:
            assert (response.status, response.reason) == (299, "")
            assert response.headers["X-Name"] == "é"
    assert standin.unmatched == 0


def test_requests(standin: StandIn) -> None:
    with requests.Session() as session:
        session.trust_env = False
        got = session.get(f"{standin.url}/w", params={"q": "London, UK"}, timeout=PATIENCE_S)
        assert got.json() == {"temp": 288.15}
        pieces = iter([b'{"a": ', b"[1, true]}"])  # sent in chunks
        got = session.post(
            f"{standin.url}/things", data=pieces, headers={"X-Key": "k"}, timeout=PATIENCE_S
        )
        assert got.status_code == 201
        assert session.head(f"{standin.url}/plain", timeout=PATIENCE_S).content == b""
    assert standin.uses_since_select["made"] == 1


def test_urllib(standin: StandIn) -> None:
    with urllib.request.urlopen(f"{standin.url}/plain", timeout=PATIENCE_S) as got:
        assert got.read() == b"plain"


def test_http_client_keeps_its_connection(standin: StandIn) -> None:
    connection = http.client.HTTPConnection(*address_of(standin), timeout=PATIENCE_S)
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", "/plain")
            assert connection.getresponse().read() == b"plain"
            sock = connection.sock
            assert sock is not None
    assert standin.uses["plain"] == 3


# stubs


def test_a_call_that_no_stub_answers_is_told_why(standin: StandIn) -> None:
    standin.select(["current", "plain"])
    got = requests.get(f"{standin.url}/w?q=Paris", timeout=PATIENCE_S)
    assert (got.status_code, got.headers["X-Harness"]) == (501, "no-stub")
    first, second, third = got.text.splitlines()
    assert first == "no stub answers GET /w?q=Paris"
    assert second.endswith("query q: wanted 'London, UK', got 'Paris'")
    assert third.endswith("path: wanted /plain, got /w")
    assert standin.take_unmatched() == (got.text.removesuffix("\n"),)
    assert standin.unmatched == 1


def test_replies_come_in_order(standin: StandIn) -> None:
    def statuses() -> list[tuple[int, str]]:
        found = (requests.get(f"{standin.url}/sequence", timeout=PATIENCE_S) for _ in range(4))
        return [(got.status_code, got.text) for got in found]

    assert statuses() == [(503, ""), (200, "2"), (200, "3"), (200, "3")]
    standin.select(["sequence"])
    assert statuses()[0] == (503, "")


async def test_a_held_back_reply_holds_back_no_other_connection(standin: StandIn) -> None:
    async with aiohttp.ClientSession(standin.url) as session:

        async def get(path: str) -> float:
            start = time.perf_counter()
            async with session.get(path) as response:
                await response.read()
            return time.perf_counter() - start

        one = await get("/slow")
        start = time.perf_counter()
        stuck = asyncio.create_task(get("/stuck"))
        every = await asyncio.gather(*(get("/slow") for _ in range(20)))
        assert time.perf_counter() - start < 10 * one  # in turn they would take 20
        assert min(every) >= 0.3
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck


def test_selecting_while_it_answers(standin: StandIn) -> None:
    standin.select(["plain"])
    done = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection(*address_of(standin), timeout=PATIENCE_S)
        with contextlib.closing(connection):
            while not done.is_set():
                connection.request("GET", "/plain")
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        standin.select(["plain"])
        standin.select(["current"])
        time.sleep(0.001)
    done.set()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 501}
    assert statuses.count(200) == standin.uses["plain"]
    assert statuses.count(501) == standin.unmatched


def test_an_unknown_stub_is_not_selected(standin: StandIn) -> None:
    with pytest.raises(UsageError, match="plein"):
        standin.select(["plein"])
    assert list(standin.selected) == NAMES


# HTTP/1.1


def test_pipelined_requests_are_answered_in_order(standin: StandIn) -> None:
    asked = b"".join(
        b"GET /%b HTTP/1.1\r\n\r\n" % path for path in (b"slow", b"plain", b"none", b"sequence")
    )
    told = exchange(standin, asked)
    places = [told.index(part) for part in (b"\r\nslow", b"\r\nplain", b"no stub", b" 503 ")]
    assert places == sorted(places)
    assert told.count(b"HTTP/1.1 ") == 4


def test_requests_in_pieces(standin: StandIn) -> None:
    request = b"PUT /upload HTTP/1.1\r\nX-A: b\r\nContent-Length: 3\r\n\r\nabc"
    with connect(standin) as sock:
        for byte in request * 2:
            sock.sendall(bytes([byte]))
        assert read_until(sock, b"taken").startswith(b"HTTP/1.1 200 OK\r\n")
    assert exchange(standin, request * 2).count(b"taken") == 2


def test_replies_are_written_whole(standin: StandIn) -> None:
    assert exchange(standin, b"GET /plain HTTP/1.1\r\n\r\n") == (
        b"HTTP/1.1 200 OK\r\n" + PLAIN + b"Content-Length: 5\r\n\r\nplain"
    )
    assert exchange(standin, b"HEAD /plain HTTP/1.1\r\n\r\n") == (
        b"HTTP/1.1 200 OK\r\n" + PLAIN + b"Content-Length: 5\r\n\r\n"
    )
    assert exchange(standin, b"DELETE /things/%C3%A9 HTTP/1.1\r\n\r\n") == (
        b"HTTP/1.1 204 No Content\r\n\r\n"
    )
    assert exchange(standin, b"GET /sequence HTTP/1.1\r\n\r\n") == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("head", "persistence", "stays_open"),
    [
        (b"HTTP/1.1\r\n", b"", True),
        (b"HTTP/1.1\r\nConnection: close\r\n", b"Connection: close\r\n", False),
        (b"HTTP/1.0\r\n", b"Connection: close\r\n", False),
        (b"HTTP/1.0\r\nConnection: keep-alive\r\n", b"Connection: keep-alive\r\n", True),
        (b"HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", b"Connection: close\r\n", False),
    ],
)
def test_connections_stay_open_as_asked(
    standin: StandIn, head: bytes, persistence: bytes, stays_open: bool
) -> None:
    request = b"GET /plain " + head + b"\r\n"
    with connect(standin) as sock:
        sock.sendall(request)
        told = read_until(sock, b"plain")
        assert told.endswith(b"Content-Length: 5\r\n" + persistence + b"\r\nplain")
        if stays_open:
            sock.sendall(request)
            assert read_until(sock, b"plain")
        else:
            assert sock.recv(1) == b""


def test_what_follows_the_last_request_is_not_answered(standin: StandIn) -> None:
    last = b"GET /plain HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert exchange(standin, last + last).count(b"HTTP/1.1") == 1
    assert standin.uses["plain"] == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"NONSENSE\r\n\r\n",
        b"FETCH / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"PUT /upload HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_not_http_is_refused(standin: StandIn, request_: bytes) -> None:
    good = b"GET /plain HTTP/1.1\r\n\r\n"
    with connect(standin) as sock:
        sock.sendall(good + request_ + good)
        told = rest_of(sock)
    assert told.count(b"HTTP/1.1 200 OK") == 1
    assert told.count(b"HTTP/1.1 400 Bad Request") == 1
    assert b"Connection: close\r\n" in told
    assert b"this is " in told
    assert standin.uses["plain"] == 1


def test_a_refusal_waits_for_its_turn(standin: StandIn) -> None:
    told = exchange(standin, b"GET /slow HTTP/1.1\r\n\r\nNONSENSE\r\n\r\n")
    assert told.index(b"slow") < told.index(b" 400 ")


def test_chunked_bodies(standin: StandIn) -> None:
    head = b"POST /things HTTP/1.1\r\nX-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b'5;x=1\r\n{"a":\r\n9\r\n[1, true]\r\n1\r\n}\r\n0\r\nX-Trailer: t\r\n\r\n'
    told = exchange(standin, (head + body) * 2)
    assert told.count(b" 201 Created") == 2


def test_the_body_is_asked_for_where_that_is_expected(standin: StandIn) -> None:
    head = b"PUT /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with connect(standin) as sock:
        sock.sendall(head)
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert read_until(sock, b"taken").startswith(b"HTTP/1.1 200 OK")
        sock.sendall(head + b"abc")  # not waited for
        assert read_until(sock, b"taken").startswith(b"HTTP/1.1 200 OK")
        sock.sendall(b"GET /slow HTTP/1.1\r\n\r\n" + head)  # in its turn
        told = read_until(sock, b"Continue\r\n\r\n")
        assert told.index(b"\r\nslow") < told.index(b"100 Continue")
        sock.sendall(b"abc")
        read_until(sock, b"taken")


def test_bodies_up_to_the_limit_are_taken(standin: StandIn) -> None:
    got = requests.put(f"{standin.url}/upload", data=b"x" * MAX_BODY_BYTES, timeout=PATIENCE_S)
    assert (got.status_code, got.text) == (200, "taken")


@pytest.mark.parametrize("in_chunks", [False, True])
def test_larger_bodies_are_refused_while_they_are_sent(standin: StandIn, in_chunks: bool) -> None:
    piece = b"x" * (1 << 20)
    pieces = MAX_BODY_BYTES // len(piece) + 4
    body = iter([piece] * pieces) if in_chunks else piece * pieces
    got = requests.put(f"{standin.url}/upload", data=body, timeout=PATIENCE_S)
    assert got.status_code == 413
    assert str(MAX_BODY_BYTES) in got.text
    assert standin.uses["upload"] == 0


def test_a_body_that_is_too_large_is_not_asked_for(standin: StandIn) -> None:
    head = b"PUT /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert exchange(standin, head % (MAX_BODY_BYTES + 1)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "start",
    [
        b"GET /", b"GET / HTTP/1.1\r\nX: ",
        b"PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ],
)  # fmt: skip
def test_a_head_without_an_end_is_refused(standin: StandIn, start: bytes) -> None:
    got = exchange(standin, start + b"x" * 2 * MAX_HEAD_BYTES)

    assert got.startswith(b"HTTP/1.1 431 ")


def test_a_long_head_is_read(standin: StandIn) -> None:
    body = b"".join(b"1\r\nx\r\n" for _ in range(MAX_HEAD_BYTES // 6 + 1)) + b"0\r\n\r\n"
    head = b"PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: %s\r\n\r\n"

    assert exchange(standin, head % (b"x" * (MAX_HEAD_BYTES - 200)) + body).endswith(b"taken")


def test_a_client_that_reads_late_gets_it_all(standin: StandIn) -> None:
    request = b"GET /big HTTP/1.1\r\n\r\n"
    with connect(standin) as sock:
        sock.sendall(request * 10)
        while standin.uses["big"] == 0:
            time.sleep(0.001)
        exchange(standin, b"GET /plain HTTP/1.1\r\n\r\n")  # whatever was under way is done
        answered = standin.uses["big"]
        sock.shutdown(socket.SHUT_WR)
        told = rest_of(sock)
    assert answered < 10  # what it cannot send is not piled up
    assert told.count(b"HTTP/1.1 200 OK") == standin.uses["big"] == 10
    assert told.count(b"x") > 10 * 5_000_000


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://api.example.invalid/w?q=London,%20UK", "/w?q=London,%20UK"),
        (b"http://api.example.invalid", "/"),
        (b"/a%20b%2Fc?d=%20", "/a b/c?d=%20"),
        (b"/a?b?c", "/a?b?c"),
        (b"*", "*"),
    ],
)
def test_the_target_is_read(standin: StandIn, target: bytes, path: str) -> None:
    standin.select([])
    exchange(standin, b"OPTIONS " + target + b" HTTP/1.1\r\n\r\n")
    (told,) = standin.take_unmatched()
    assert told.startswith(f"no stub answers OPTIONS {path}:")


def test_a_tunnel_is_not_dug(standin: StandIn) -> None:
    told = exchange(standin, b"CONNECT api.example.invalid:443 HTTP/1.1\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 501 ")
    assert b"no stub answers CONNECT api.example.invalid:443" in told


def test_headers_reach_the_stubs(standin: StandIn) -> None:
    told = exchange(
        standin,
        b"POST /things HTTP/1.1\r\nx-key: a\r\nX-KEY: \xe9\r\nContent-Length: 0\r\n\r\n",
    )
    assert "header X-Key: wanted 'k', got 'a, é'".encode() in told


# life


def open_files() -> set[str]:
    found = set()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            found.add(name)
    return found


def test_it_stops_at_once_and_leaves_nothing() -> None:
    with StandIn("warm-up", ALL, NAMES):  # whatever is made once is made
        pass
    threads, files = threading.enumerate(), open_files()
    standin = StandIn("weather", ALL, NAMES)
    standin.start()
    with contextlib.ExitStack() as clients:
        idle, stuck, unread, half, refused = (
            clients.enter_context(connect(standin)) for _ in range(5)
        )
        idle.sendall(b"GET /plain HTTP/1.1\r\n\r\n")
        read_until(idle, b"plain")
        stuck.sendall(b"GET /stuck HTTP/1.1\r\n\r\nGET /plain HTTP/1.1\r\n\r\n")
        unread.sendall(b"GET /big HTTP/1.1\r\n\r\n" * 4)
        half.sendall(b"PUT /upload HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc")
        refused.sendall(b"NONSENSE\r\n\r\n")
        while not (standin.uses["stuck"] and standin.uses["big"]):
            time.sleep(0.001)
        start = time.perf_counter()
        standin.stop()
        took = time.perf_counter() - start
        for sock in (idle, stuck, half):
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""
    standin.stop()  # and again
    assert threading.enumerate() == threads
    assert open_files() == files
    assert took < 5  # far below the hour that a reply is held back
    with pytest.raises(ConnectionRefusedError):
        connect(standin)
    assert standin.uses["stuck"] == 1


def test_clients_that_leave_are_forgotten(standin: StandIn) -> None:
    for _ in range(20):
        with connect(standin) as sock:
            sock.sendall(b"GET /plain HTTP/1.1\r\n\r\nGET /")
            read_until(sock, b"plain")
    with connect(standin) as sock:
        sock.sendall(b"GET /stuck HTTP/1.1\r\n\r\n")
        while not standin.uses["stuck"]:
            time.sleep(0.001)
        # a reset, not a half-closed connection, to which a reply may still be due
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    deadline = time.monotonic() + PATIENCE_S
    while standin._connections and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not standin._connections


def test_it_can_be_started_again() -> None:
    standin = StandIn("weather", ALL, NAMES)
    for calls in (1, 2):
        with standin:
            assert requests.get(f"{standin.url}/plain", timeout=PATIENCE_S).text == "plain"
        assert standin.uses["plain"] == calls


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        standin = StandIn("weather", ALL, NAMES, port=port)
        with pytest.raises(HarnessError) as raised:
            standin.start()
    assert raised.value.slug == "standins/not-started"
    assert raised.value.where == f"127.0.0.1:{port}"
    assert os.strerror(errno.EADDRINUSE) in raised.value.message
    standin.stop()
    with standin:
        assert standin.url == f"http://127.0.0.1:{port}"


def test_a_loop_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("uvloop.new_event_loop", fail)
    standin = StandIn("weather", ALL)
    with pytest.raises(HarnessError, match=os.strerror(errno.EMFILE)) as raised:
        standin.start()
    assert raised.value.slug == "standins/not-started"
    standin.stop()


def test_before_its_start_it_has_no_address() -> None:
    with pytest.raises(HarnessError, match="no address") as raised:
        _ = StandIn("weather", ALL).url
    assert raised.value.slug == "standins/not-started"


async def test_it_starts_and_answers_within_a_running_loop() -> None:
    with StandIn("weather", ALL, NAMES) as standin:  # and to a client that blocks this loop
        assert exchange(standin, b"GET /plain HTTP/1.1\r\n\r\n").endswith(b"plain")


def test_a_failure_of_its_own_is_no_outage(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(call: object, connection: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(standin, "answer", fail)
    assert exchange(standin, b"GET /plain HTTP/1.1\r\n\r\n") == b""
    (told,) = standin.take_unmatched()
    assert told.startswith("the stand-in 'weather' itself failed: ZeroDivisionError")


def test_many_calls_are_counted_in_little_memory(standin: StandIn) -> None:
    calls, depth = 20_000, 100
    pair = b"GET /plain HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\n"
    standin.select(["plain"])
    with connect(standin) as sock:

        def ask(count: int) -> None:
            for _ in range(count):
                sock.sendall(pair * depth)
                got = b""
                while got.count(b"HTTP/1.1 ") < 2 * depth or not got.endswith(b"/none\n"):
                    got += sock.recv(1 << 20)

        ask(calls // depth // 10)
        tracemalloc.start()
        try:
            ask(calls // depth // 2 - calls // depth // 10)
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert standin.uses["plain"] == standin.unmatched == calls // 2
    assert len(standin.take_unmatched()) == 1001
    assert grown < 1_000_000


@pytest.mark.parametrize("delay", ['"40ms..60ms"', '{ p50 = "40ms", p99 = "40ms" }'])
def test_a_delay_that_is_drawn_holds_the_answer_back(delay: str) -> None:
    late = f"""[[stub]]
name = "late"
request = {{ method = "GET", path = "/late" }}
reply = {{ text = "late", delay = {delay} }}"""
    with StandIn("s", parse_stubs(late, "s.toml"), ["late"]) as standin:
        for _ in range(3):
            start = time.monotonic()
            assert requests.get(f"{standin.url}/late", timeout=20).text == "late"
            assert time.monotonic() - start >= 0.039  # the loop's clock is coarser than ours
