"""Clients as they are, called as in production: library x scheme x feature."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
import uvloop

from harness.guard import Guard
from harness.plan import StandIn
from harness.refusals import Refusals
from harness.rig import environment
from harness.standins.group import StandIns

STUBS = """
[[stub]]
name = "now"
request = { method = "GET", path = "/now" }
reply = { text = "now" }

[[stub]]
name = "login"
request = { method = "GET", path = "/login" }
reply = { text = "in", headers = { Set-Cookie = "who=me; Path=/; Secure" } }

[[stub]]
name = "home"
request = { method = "GET", path = "/home", headers = { Cookie = "who=me" } }
reply = { text = "home" }

[[stub]]
name = "go"
request = { method = "GET", path = "/go" }
reply = { status = 302, headers = { Location = "https://api.example.test/now" } }

[[stub]]
name = "slow"
request = { method = "GET", path = "/slow" }
reply = { text = "slow", delay = "60s" }

[[stub]]
name = "drip"
request = { method = "GET", path = "/drip" }
reply = { text = "drip by drip", drip = "30ms" }

[[stub]]
name = "reset"
request = { method = "GET", path = "/reset" }
reply = { fault = "reset" }
"""
NAMES = ("now", "login", "home", "go", "slow", "drip", "reset")
ORIGINS = {
    "plain": "http://api.example.test",
    "secure": "https://api.example.test",
    "port": "https://api.example.test:8443",
    "literal": "http://203.0.113.7",
    "secure-literal": "https://203.0.113.7:8443",
    "v6": "https://[2001:db8::7]",
    "here": "http://localhost:9",
}

# A client may leave a TLS connection to be closed by a loop that is closed first.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

Get = Callable[..., str]


@contextlib.contextmanager
def requests_client() -> Iterator[Get]:
    with requests.Session() as session:
        yield lambda url, timeout=30: session.get(url, timeout=timeout).text


@contextlib.contextmanager
def urllib3_client() -> Iterator[Get]:
    with urllib3.PoolManager(retries=urllib3.Retry(None, connect=0, read=0, redirect=3)) as pool:
        yield lambda url, timeout=30: pool.request("GET", url, timeout=timeout).data.decode()


@contextlib.contextmanager
def httpx_client() -> Iterator[Get]:
    with httpx.Client(follow_redirects=True) as client:
        yield lambda url, timeout=30: client.get(url, timeout=timeout).text


@contextlib.contextmanager
def urllib_client() -> Iterator[Get]:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def get(url: str, timeout: float = 30) -> str:
        with opener.open(url, timeout=timeout) as response:
            return str(response.read().decode())

    yield get


def httpx_async(loop_factory: Any) -> Any:
    @contextlib.contextmanager
    def client() -> Iterator[Get]:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            session = httpx.AsyncClient(follow_redirects=True)

            async def get(url: str, timeout: float = 30) -> str:  # noqa: ASYNC109 - the client's
                return (await session.get(url, timeout=timeout)).text

            yield lambda *asked, **options: runner.run(get(*asked, **options))
            runner.run(session.aclose())

    return client


def aiohttp_on(loop_factory: Any) -> Any:
    @contextlib.contextmanager
    def client() -> Iterator[Get]:
        async def make() -> aiohttp.ClientSession:
            return aiohttp.ClientSession()

        async def get(url: str, timeout: float = 30) -> str:  # noqa: ASYNC109 - the client's
            limit = aiohttp.ClientTimeout(timeout)
            async with session.get(url, timeout=limit) as response:
                return await response.text()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            session = runner.run(make())
            yield lambda *asked, **options: runner.run(get(*asked, **options))
            runner.run(session.close())
            runner.run(asyncio.sleep(0.02))  # it closes TLS only later

    return client


CLIENTS = {
    "aiohttp": aiohttp_on(None),
    "aiohttp on uvloop": aiohttp_on(uvloop.new_event_loop),
    "requests": requests_client,
    "urllib3": urllib3_client,
    "httpx": httpx_client,
    "httpx async": httpx_async(None),
    "httpx async on uvloop": httpx_async(uvloop.new_event_loop),
    "urllib": urllib_client,
}
LIBRARIES = pytest.mark.parametrize("library", CLIENTS)
BOTH = pytest.mark.parametrize("origin", ["plain", "secure"])


@pytest.fixture(scope="module")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    root = tmp_path_factory.mktemp("seam")
    (root / "api.toml").write_text(STUBS)
    planned = [StandIn(name, origin, ("api.toml",), NAMES) for name, origin in ORIGINS.items()]
    with StandIns.of(planned, root) as standins:
        yield standins
    gc.collect()  # while the warnings are still ignored


@pytest.fixture
def refusals(standins: StandIns) -> Iterator[Refusals]:
    with (
        environment({"no_proxy": "*", "NO_PROXY": "*"}),
        Refusals(standins.context_for) as refusals,
        Guard(refusals.note, (), standins.routes(), refusals),
    ):
        yield refusals


@pytest.fixture(autouse=True)
def fresh(standins: StandIns, refusals: Refusals) -> Iterator[None]:
    standins.select()
    yield
    assert refusals.take() == []
    assert standins.take_unmatched() == ()


@pytest.fixture
def get(library: str) -> Iterator[Get]:
    with CLIENTS[library]() as get:
        yield get


@LIBRARIES
def test_every_origin_is_answered_by_its_own_standin(get: Get, standins: StandIns) -> None:
    for name, origin in ORIGINS.items():
        assert get(f"{origin}/now") == "now"
        assert standins.asked(name).count == 1
        (call,) = standins.asked(name).calls
        assert {key.lower(): value for key, value in call.headers.items()}[
            "host"
        ] == origin.partition("//")[2]


@LIBRARIES
def test_a_session_keeps_a_secure_cookie(library: str, get: Get) -> None:
    if library == "urllib3":
        pytest.skip("urllib3 keeps no cookies")
    get(f"{ORIGINS['secure']}/login")

    assert get(f"{ORIGINS['secure']}/home") == "home"


@LIBRARIES
def test_a_redirect_leads_from_http_to_https(get: Get, standins: StandIns) -> None:
    assert get(f"{ORIGINS['plain']}/go") == "now"
    assert standins.asked("secure.now").count == 1


@BOTH
@LIBRARIES
def test_a_delay_trips_the_clients_timeout(get: Get, origin: str) -> None:
    with pytest.raises(Exception, match=r"(?i)timed? ?out|^$"):
        get(f"{ORIGINS[origin]}/slow", timeout=0.05)


@BOTH
@LIBRARIES
def test_a_reset_is_an_error_of_the_connection(get: Get, origin: str) -> None:
    with pytest.raises(Exception, match=r"(?i)reset|disconnect|closed|aborted|eof|^$") as raised:
        get(f"{ORIGINS[origin]}/reset")
    assert not isinstance(raised.value, AssertionError | TimeoutError)


@BOTH
@LIBRARIES
def test_a_session_makes_one_connection_for_all_that_it_asks(
    library: str, get: Get, origin: str, standins: StandIns
) -> None:
    if library == "urllib":
        pytest.skip("urllib closes each connection")
    for path in ("now", "drip", "now"):
        get(f"{ORIGINS[origin]}/{path}")

    assert standins.asked(origin).connections == 1


@LIBRARIES
def test_a_pool_from_an_earlier_test_is_answered_by_what_is_selected_now(
    get: Get, standins: StandIns
) -> None:
    get(f"{ORIGINS['secure']}/now")

    standins.select()
    standins.declare("secure", "GET", "/now", reply={"text": "then"})

    assert get(f"{ORIGINS['secure']}/now") == "then"


@LIBRARIES
def test_calls_of_other_threads_are_led_as_well(library: str) -> None:
    def call(_: int) -> str:
        with CLIENTS[library]() as get:
            return get(f"{ORIGINS['secure']}/now")

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(call, range(2))) == ["now"] * 2


STRANGERS = {
    "http://other.example.test/a?key=secret": "other.example.test:80 (GET /a)",
    "https://other.example.test/a": "other.example.test:443 (GET /a)",
    "http://api.example.test:81/a": "api.example.test:81 (GET /a)",
    "https://192.0.2.1:444/a": "192.0.2.1:444 (GET /a)",
    "http://[2001:db8::8]/a": "[2001:db8::8]:80 (GET /a)",
}


@LIBRARIES
def test_all_else_is_refused_and_told_with_what_it_was_for(get: Get, refusals: Refusals) -> None:
    for url, told in STRANGERS.items():
        with pytest.raises(Exception) as raised:  # noqa: PT011 - each library has its own
            get(url)
        assert not isinstance(raised.value, AssertionError)
        assert {str(call) for call in refusals.take()} == {told}


def test_streams_of_asyncio_and_uvloop_reach_a_standin() -> None:
    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(
            "api.example.test", 443, ssl=ssl.create_default_context()
        )
        writer.write(b"GET /now HTTP/1.1\r\nHost: api.example.test\r\nConnection: close\r\n\r\n")
        told = await reader.read()
        writer.close()
        return told

    for loop_factory in (None, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(ask()).endswith(b"\r\n\r\nnow")


def test_whoever_resolves_first_and_connects_by_address_is_led_as_well() -> None:
    for resolve in (
        lambda: socket.gethostbyname("API.example.test."),
        lambda: socket.gethostbyname_ex("api.example.test")[2][0],
        lambda: socket.getaddrinfo("api.example.test", "https")[0][4][0],
    ):
        with socket.create_connection((resolve(), 80)) as sock:
            sock.sendall(b"GET /now HTTP/1.0\r\n\r\n")
            assert sock.recv(9) == b"HTTP/1.1 "


def test_a_look_up_without_a_call_is_refused_and_told(refusals: Refusals) -> None:
    with pytest.raises(socket.gaierror):
        socket.gethostbyname("other.example.test")
    socket.getaddrinfo("another.example.test", "https", type=socket.SOCK_STREAM)

    told = [str(call) for call in refusals.take()]
    assert told == ["other.example.test", "another.example.test:443"]


def test_a_client_that_waits_for_the_server_to_speak_is_reset(refusals: Refusals) -> None:
    with (
        socket.create_connection(("mail.example.test", 25), timeout=30) as sock,
        pytest.raises(ConnectionResetError),
    ):
        sock.recv(1)
    assert [str(call) for call in refusals.take()] == ["mail.example.test:25"]


def test_datagrams_to_a_host_with_a_route_are_refused(refusals: Refusals) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(("203.0.113.7", 80))
    assert [str(call) for call in refusals.take()] == ["203.0.113.7:80"]


def test_a_context_that_was_made_before_and_trusts_nobody_is_convinced() -> None:
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    with httpx.Client(verify=nobody) as client:
        assert client.get(f"{ORIGINS['secure']}/now").text == "now"


def test_a_context_is_not_changed_by_what_has_no_route() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")

    assert context.get_ca_certs() == []


def state() -> list[dict[str, Any]]:
    places = (socket, socket.socket, ssl.SSLContext, uvloop.Loop)
    return [dict(vars(place)) for place in places]


def test_all_of_it_is_undone_exactly_after_an_error_and_within_another(
    standins: StandIns,
) -> None:
    before = state()
    for _ in range(2):
        with (
            Refusals(standins.context_for) as own,
            contextlib.suppress(ZeroDivisionError),
            Guard(own.note, (), standins.routes(), own),
        ):
            assert requests.get(f"{ORIGINS['port']}/now", timeout=30).text == "now"
            with contextlib.suppress(requests.ConnectionError):
                requests.get("http://inner.example.test/a", timeout=30)
            raise ZeroDivisionError
        assert state() == before
        assert [str(call) for call in own.take()] == ["inner.example.test:80 (GET /a)"]
    assert requests.get(f"{ORIGINS['port']}/now", timeout=30).text == "now"
    assert not [one for one in threading.enumerate() if "harness-refusals" in one.name]


def test_a_standin_over_https_without_trustme_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    (tmp_path / "api.toml").write_text(STUBS)
    planned = [StandIn("far", "https://far.example.test", ("api.toml",), ("now",))]

    with StandIns.of(planned, tmp_path) as standins, requests.Session() as session:
        routes = standins.routes()
        with Guard(lambda *_: None, (), routes), pytest.raises(requests.ConnectionError) as raised:
            session.get("https://far.example.test/now", timeout=30)
    assert "pip install 'quart-harness[tls]'" in str(raised.value)


def test_aiohttps_resolver_by_c_ares_comes_by_the_same_way(
    standins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    published = aiohttp.AsyncResolver.resolve

    async def resolve() -> Any:
        resolver = object.__new__(aiohttp.AsyncResolver)  # c-ares itself is not needed for this
        return await resolver.resolve("api.example.test", 443)

    with Guard(lambda *_: None, routes=standins.routes()):
        (found,) = asyncio.run(resolve())
    assert (found["hostname"], found["port"]) == ("api.example.test", 443)
    assert aiohttp.AsyncResolver.resolve is published
