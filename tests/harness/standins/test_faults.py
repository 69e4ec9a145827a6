"""What real clients see of each fault, on real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import aiohttp
import httpx
import pytest
import requests

from harness.errors import HarnessError, UsageError
from harness.reply import FAULTS
from harness.standins.certificates import Certificates
from harness.standins.server import StandIn
from harness.stubfile import parse_stubs

PATIENCE_S = 30.0
BODY = "x" * 1000


def _declared(fault: str) -> str:
    body = "" if fault in ("timeout", "reset", "closed", "malformed") else f', text = "{BODY}"'
    return f"""
[[stub]]
name = "{fault}"
request = {{ method = "POST", path = "/{fault}" }}
replies = [{{ fault = "{fault}"{body} }}, {{ text = "fine" }}]
"""


STUBS = (
    "".join(map(_declared, FAULTS))
    + f"""
[[stub]]
name = "drip"
request = {{ method = "GET", path = "/drip" }}
reply = {{ text = "{BODY}", drip = "400ms" }}

[[stub]]
name = "drip-truncated"
request = {{ method = "POST", path = "/drip-truncated" }}
reply = {{ text = "{BODY}", drip = "50ms", fault = "truncated" }}

[[stub]]
name = "late-reset"
request = {{ method = "POST", path = "/late-reset" }}
reply = {{ fault = "reset", delay = "300ms" }}

[[stub]]
name = "plain"
request = {{ method = "GET", path = "/plain" }}
reply = {{ text = "plain" }}
"""
)

ALL = parse_stubs(STUBS, "s.toml")


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn("weather", ALL, [stub.name for stub in ALL]) as running:
        yield running


def connect(standin: StandIn) -> socket.socket:
    host, port = standin.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def received(standin: StandIn, name: str) -> tuple[bytes, bool]:
    """Ask once; return what came, and whether a reset ended it."""
    with connect(standin) as sock:
        sock.sendall(f"POST /{name} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode())
        got = b""
        try:
            while piece := sock.recv(65536):
                got += piece
        except ConnectionResetError:
            return got, True
        return got, False


def test_what_is_sent_before_each_end(standin: StandIn) -> None:
    got = {name: received(standin, name) for name in FAULTS if name != "timeout"}

    assert got["reset"] == (b"", True)
    assert got["closed"] == (b"", False)
    begun, is_reset = got["reset-during-headers"]
    assert begun.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (b"\r\n\r\n" in begun, is_reset) == (False, True)
    headers, is_reset = got["reset-after-headers"]
    assert (headers.endswith(b"Content-Length: 1000\r\n\r\n"), is_reset) == (True, True)
    cut, is_reset = got["truncated"]
    assert (cut.endswith(b"\r\n\r\n" + b"x" * 500), is_reset) == (True, False)
    whole, is_reset = got["wrong-length"]
    assert b"Content-Length: 500\r\n" in whole
    assert (whole.endswith(b"\r\n\r\n" + b"x" * 1000), is_reset) == (True, False)
    told, is_reset = got["malformed"]
    assert (told.startswith(b"HTTP/"), is_reset) == (False, False)
    assert standin.unmatched == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("timeout", TimeoutError),
        ("reset", aiohttp.ClientOSError),
        ("reset-during-headers", aiohttp.ClientOSError),
        ("reset-after-headers", aiohttp.ClientPayloadError),
        ("closed", aiohttp.ServerDisconnectedError),
        ("truncated", aiohttp.ClientPayloadError),
        ("malformed", aiohttp.ClientResponseError),
        ("drip-truncated", aiohttp.ClientPayloadError),
        ("late-reset", aiohttp.ClientOSError),
    ],
)
async def test_aiohttp(standin: StandIn, fault: str, error: type[Exception]) -> None:
    timeout = aiohttp.ClientTimeout(total=0.2 if fault == "timeout" else PATIENCE_S)
    async with aiohttp.ClientSession(standin.url, timeout=timeout) as session:
        with pytest.raises(error):
            async with session.post(f"/{fault}") as response:
                await response.read()
        if fault in FAULTS:
            async with session.post(f"/{fault}") as response:
                assert await response.text() == "fine"


def test_a_length_that_is_wrong_cuts_the_body_of_a_client_that_believes_it(
    standin: StandIn,
) -> None:
    got = requests.post(f"{standin.url}/wrong-length", timeout=PATIENCE_S)

    assert (got.status_code, got.text) == (200, BODY[:500])


async def test_aiohttp_asks_once_more_by_itself_where_asking_twice_does_no_harm() -> None:
    get = parse_stubs(_declared("reset").replace("POST", "GET"), "s.toml")
    with StandIn("weather", get, ["reset"]) as standin:
        async with aiohttp.ClientSession(standin.url) as session, session.get("/reset") as got:
            assert await got.text() == "fine"

    assert standin.uses == {"reset": 2}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("timeout", requests.ReadTimeout),
        ("reset", requests.ConnectionError),
        ("reset-during-headers", requests.ConnectionError),
        ("reset-after-headers", requests.exceptions.ChunkedEncodingError),
        ("closed", requests.ConnectionError),
        ("truncated", requests.exceptions.ChunkedEncodingError),
        ("malformed", requests.ConnectionError),
        ("drip-truncated", requests.exceptions.ChunkedEncodingError),
        ("late-reset", requests.ConnectionError),
    ],
)
def test_requests(standin: StandIn, fault: str, error: type[Exception]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        patience = 0.2 if fault == "timeout" else PATIENCE_S
        with pytest.raises(error):
            session.post(f"{standin.url}/{fault}", timeout=patience)
        if fault in FAULTS:
            assert session.post(f"{standin.url}/{fault}", timeout=PATIENCE_S).text == "fine"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("timeout", httpx.ReadTimeout),
        ("reset", httpx.ReadError),
        ("reset-during-headers", httpx.ReadError),
        ("reset-after-headers", httpx.ReadError),
        ("closed", httpx.RemoteProtocolError),
        ("truncated", httpx.RemoteProtocolError),
        ("malformed", httpx.RemoteProtocolError),
        ("drip-truncated", httpx.RemoteProtocolError),
        ("late-reset", httpx.ReadError),
    ],
)
async def test_httpx(standin: StandIn, fault: str, error: type[Exception]) -> None:
    patience = 0.2 if fault == "timeout" else PATIENCE_S
    async with httpx.AsyncClient(base_url=standin.url, trust_env=False) as client:
        with pytest.raises(error):
            await client.post(f"/{fault}", timeout=patience)
        if fault in FAULTS:
            assert (await client.post(f"/{fault}", timeout=PATIENCE_S)).text == "fine"


def test_a_body_that_drips_is_whole_and_takes_its_time(standin: StandIn) -> None:
    with requests.get(f"{standin.url}/drip", stream=True, timeout=PATIENCE_S) as response:
        start = time.perf_counter()
        pieces = list(response.raw.stream(1))
        took = time.perf_counter() - start

    assert b"".join(pieces) == BODY.encode()
    assert took > 0.3


def test_a_drip_holds_back_what_follows_and_keeps_the_connection(standin: StandIn) -> None:
    with connect(standin) as sock:
        sock.sendall(b"GET /drip HTTP/1.1\r\n\r\nGET /plain HTTP/1.1\r\n\r\n")
        got = b""
        while not got.endswith(b"plain"):
            got += sock.recv(65536)

    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert got.index(BODY.encode()) < got.rindex(b"plain")


def test_a_fault_comes_after_its_delay(standin: StandIn) -> None:
    start = time.perf_counter()
    assert received(standin, "late-reset") == (b"", True)
    assert time.perf_counter() - start >= 0.3


@pytest.mark.parametrize("fault", FAULTS)
def test_what_follows_a_fault_on_its_connection_is_not_answered(
    standin: StandIn, fault: str
) -> None:
    with connect(standin) as sock:
        first = f"POST /{fault} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode()
        sock.sendall(first + b"GET /plain HTTP/1.1\r\n\r\n")
        sock.settimeout(0.3)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while sock.recv(65536):
                pass

    assert standin.uses["plain"] == 0


def test_a_client_that_gave_up_on_silence_is_forgotten(standin: StandIn) -> None:
    with connect(standin) as sock:
        sock.sendall(b"POST /timeout HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        while not standin.uses["timeout"]:
            time.sleep(0.001)
    deadline = time.monotonic() + PATIENCE_S
    while standin._connections and time.monotonic() < deadline:
        time.sleep(0.001)

    assert not standin._connections


DOWN = """
[[stub]]
name = "down"
reply = { fault = "refused" }
"""


def is_refused(standin: StandIn) -> bool:
    try:
        connect(standin).close()
    except ConnectionRefusedError:
        return True
    return False


def test_connections_are_refused_while_that_is_selected_and_the_port_stays() -> None:
    stubs = parse_stubs(STUBS + DOWN, "s.toml")
    standin = StandIn("weather", stubs, ["plain"])
    with standin:
        url = standin.url
        for _ in range(3):
            assert requests.get(f"{url}/plain", timeout=PATIENCE_S).text == "plain"
            standin.select(["down"])
            assert is_refused(standin)
            assert standin.unused() == {}
            standin.select(["down"])
            standin.select()
        assert (standin.url, standin.uses["down"], standin.unmatched) == (url, 6, 0)
        standin.select(["down"])
    standin.select()
    with standin:
        assert not is_refused(standin)


def test_what_is_under_way_ends_when_connections_are_refused() -> None:
    stubs = parse_stubs(STUBS + DOWN, "s.toml")
    with StandIn("weather", stubs, ["timeout"]) as standin, connect(standin) as sock:
        sock.sendall(b"POST /timeout HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        while not standin.asked().count:
            time.sleep(0.001)
        standin.select(["down"])
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""


def test_a_stand_in_may_refuse_from_the_start_and_listen_for_what_a_test_declares() -> None:
    with StandIn("weather", parse_stubs(STUBS + DOWN, "s.toml"), ["down"]) as standin:
        assert is_refused(standin)
        standin.select(["plain"])
        assert requests.get(f"{standin.url}/plain", timeout=PATIENCE_S).text == "plain"
        (declared,) = parse_stubs(DOWN.replace("down", "mine"), "t.py")
        standin.declare(declared)
        assert is_refused(standin)


def handshake(standin: StandIn, client: ssl.SSLContext) -> None:
    address = ("127.0.0.1", standin.tls_port)
    with socket.create_connection(address, timeout=PATIENCE_S) as sock:
        client.wrap_socket(sock, server_hostname="api.example").close()


def test_no_handshake_succeeds_while_the_fault_of_tls_is_selected() -> None:
    stubs = parse_stubs(STUBS + DOWN.replace("refused", "tls"), "s.toml")
    certificates = Certificates()
    client = ssl.create_default_context(cadata=certificates.authority())
    tls = certificates.context_for("api.example")
    with StandIn("weather", stubs, ["plain"], tls=tls) as standin:
        for _ in range(2):
            handshake(standin, client)
            standin.select(["down"])
            with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
                handshake(standin, client)
            assert standin.unused() == {}
            assert not is_refused(standin)
            standin.select()
        assert requests.get(f"{standin.url}/plain", timeout=PATIENCE_S).text == "plain"


def test_tls_that_is_not_there_cannot_fail() -> None:
    stubs = parse_stubs(STUBS + DOWN.replace("refused", "tls"), "s.toml")
    with StandIn("weather", stubs, ["plain"]) as standin, pytest.raises(UsageError) as caught:
        standin.select(["down"])

    assert (caught.value.slug, "no TLS" in caught.value.message) == ("stubs/fault", True)


def test_a_port_that_was_taken_meanwhile_is_told() -> None:
    with StandIn("weather", parse_stubs(STUBS + DOWN, "s.toml"), ["down"]) as standin:
        port = int(standin.url.rpartition(":")[2])
        with contextlib.ExitStack() as open_:
            try:
                open_.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                return  # this system keeps a port that nothing listens on
            with pytest.raises(HarnessError, match="'weather' did not start"):
                standin.select(["plain"])
        standin.select(["plain"])
        assert requests.get(f"{standin.url}/plain", timeout=PATIENCE_S).text == "plain"
