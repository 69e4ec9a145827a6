from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Callable

import aiohttp
import pytest

from harness.facts import Problem, Surprise
from harness.load.board import Stop
from harness.sample import FailureKind

from .conftest import Measured, Script, Service

Make = Callable[..., Measured]
Start = Callable[[Script], str]

SLOW_S = 0.3
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


def asked(connection: socket.socket) -> None:
    """Read a request."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        got = connection.recv(65536)
        if not got:
            raise ConnectionError
        text += got


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_before_headers(connection: socket.socket) -> None:
    asked(connection)
    reset(connection)


def close_before_headers(connection: socket.socket) -> None:
    asked(connection)


def reset_after_headers(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD)
    time.sleep(0.05)
    reset(connection)


def truncated(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD + b"12345")


def garbage(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(b"this is not HTTP\r\n\r\n")


def not_gzip(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + b"0" * 10)


def silent(connection: socket.socket) -> None:
    asked(connection)
    connection.recv(1)


def stuck_within_the_body(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD + b"1")
    connection.recv(1)


def slow_body(connection: socket.socket) -> None:
    while True:
        asked(connection)
        connection.sendall(HEAD + b"12345")
        time.sleep(SLOW_S)
        connection.sendall(b"67890")


def endless(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    connection.recv(1)


FAILING = [
    (reset_before_headers, FailureKind.DISCONNECTED, aiohttp.ClientOSError),
    (close_before_headers, FailureKind.DISCONNECTED, aiohttp.ServerDisconnectedError),
    (reset_after_headers, FailureKind.DISCONNECTED, aiohttp.ClientPayloadError),
    (truncated, FailureKind.DISCONNECTED, aiohttp.ClientPayloadError),
    (garbage, FailureKind.PROTOCOL, aiohttp.ClientResponseError),
    (not_gzip, FailureKind.PROTOCOL, aiohttp.ClientPayloadError),
    (silent, FailureKind.TIMEOUT, TimeoutError),
    (stuck_within_the_body, FailureKind.TIMEOUT, TimeoutError),
]
SHORT = aiohttp.ClientTimeout(total=0.4)


@pytest.mark.parametrize(("script", "kind", "raised"), FAILING)
async def test_what_goes_wrong_is_a_failed_step_and_the_clients_own_exception(
    script: Script, kind: FailureKind, raised: type[Exception],
    misbehaving: Start, measured: Make,
) -> None:  # fmt: skip
    one = measured(misbehaving(script), timeout=SHORT)

    with pytest.raises(raised):
        async with one.session.get("/") as response:
            await response.read()

    assert one.step().failures == {kind: 1}
    assert one.step().sent == 1


@pytest.mark.parametrize(("script", "kind", "raised"), FAILING)
async def test_the_same_goes_for_an_awaited_request(
    script: Script, kind: FailureKind, raised: type[Exception],
    misbehaving: Start, measured: Make,
) -> None:  # fmt: skip
    one = measured(misbehaving(script), timeout=SHORT)

    async def scenario() -> None:
        response = await one.session.get("/")
        await response.read()

    with pytest.raises(raised) as caught:
        await scenario()
    await one.session.finish(one.visit, caught.value)

    assert one.step().failures == {kind: 1}


@pytest.mark.parametrize("script", [reset_after_headers, truncated, not_gzip])
async def test_a_body_that_breaks_is_a_failure_even_where_the_scenario_does_not_read_it(
    script: Script, misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(script))

    async with one.session.get("/") as response:
        assert response.status == 200

    assert one.step().failed == 1


async def test_a_body_that_never_ends_is_not_waited_for_beyond_the_clients_limit(
    misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(stuck_within_the_body), timeout=SHORT)

    async with one.session.get("/"):
        pass

    assert one.step().failures == {FailureKind.TIMEOUT: 1}


async def test_a_body_that_the_scenario_saw_time_out_is_a_failure_even_if_it_copes(
    misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(stuck_within_the_body), timeout=SHORT)

    async with one.session.get("/") as response:
        with pytest.raises(TimeoutError):
            await response.read()

    assert one.step().failures == {FailureKind.TIMEOUT: 1}


async def test_nothing_listening_is_refused(measured: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    one = measured(f"http://127.0.0.1:{port}")

    with pytest.raises(aiohttp.ClientConnectorError):
        await one.session.get("/")

    assert one.step().failures == {FailureKind.REFUSED: 1}


async def test_a_connection_for_which_there_is_no_file_left_is_no_refusal(
    misbehaving: Start, measured: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = measured(misbehaving(silent))

    def no_file_left(*args: object, **options: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", no_file_left)
    with pytest.raises(aiohttp.ClientConnectorError):
        await one.session.get("/")

    assert one.step().failures == {FailureKind.EXHAUSTED: 1}


async def test_the_scenarios_own_limit_is_a_timeout(misbehaving: Start, measured: Make) -> None:
    one = measured(misbehaving(silent))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await one.session.get("/")

    assert one.step().failures == {FailureKind.TIMEOUT: 1}


@pytest.mark.parametrize("read", [True, False])
async def test_a_request_is_done_with_its_last_byte_read_or_not(
    read: bool, misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(slow_body))

    for _ in range(2):
        async with one.session.get("/") as response:
            if read:
                await response.read()
        await asyncio.sleep(SLOW_S)  # the scenario's own time, which does not count

    assert one.step().ok == 2
    assert one.step().bytes_in == 20
    assert one.step().service.min_ns >= SLOW_S * 1e9
    assert one.step().service.max_ns < 10 * SLOW_S * 1e9


async def test_an_awaited_request_is_done_with_its_last_byte(
    misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(slow_body))

    await one.session.get("/")
    await one.session.finish(one.visit, None)

    assert one.step().ok == 1
    assert one.step().service.min_ns >= SLOW_S * 1e9


async def test_an_unread_answer_leaves_its_connection_to_the_next_request(
    misbehaving: Start, measured: Make
) -> None:
    connections: list[socket.socket] = []

    def script(connection: socket.socket) -> None:
        connections.append(connection)
        slow_body(connection)

    one = measured(misbehaving(script))

    for _ in range(3):
        async with one.session.get("/"):
            pass

    assert len(connections) == 1


async def test_an_endless_stream_is_not_drained(misbehaving: Start, measured: Make) -> None:
    one = measured(misbehaving(endless))

    async with one.session.get("/") as response:
        assert await response.content.readline() == b"data: 1\n"

    assert one.step().ok == 1


async def test_a_body_that_the_scenario_looked_into_and_left_is_not_drained(
    misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(stuck_within_the_body))

    async with one.session.get("/") as response:
        assert await response.content.read(1) == b"1"

    assert one.step().ok == 1
    assert one.step().bytes_in == 1


async def test_a_request_of_a_task_that_outlives_its_visit_is_counted(
    misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(silent))
    task = asyncio.create_task(one.session.get("/", timeout=SHORT))
    await one.session.finish(one.visit, None)
    one.book.end(one.visit, None)
    one.session.visit = None

    with pytest.raises(TimeoutError):
        await task

    assert one.step().failures == {FailureKind.TIMEOUT: 1}


async def test_an_answer_released_unread_counts_until_its_headers(
    misbehaving: Start, measured: Make
) -> None:
    one = measured(misbehaving(slow_body))

    response = await one.session.get("/")
    response.release()
    await asyncio.sleep(SLOW_S)
    await one.session.finish(one.visit, None)

    assert one.step().ok == 1
    assert one.step().service.max_ns < SLOW_S * 1e9


async def test_a_dropped_connection_is_not_tried_again_behind_our_back(
    misbehaving: Start, measured: Make
) -> None:
    connections: list[socket.socket] = []

    def script(connection: socket.socket) -> None:
        connections.append(connection)
        close_before_headers(connection)

    one = measured(misbehaving(script))

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await one.session.get("/")

    assert len(connections) == 1


async def test_a_status_is_counted_and_is_no_failure(service: Service, measured: Make) -> None:
    one = measured(service.url)

    async with one.session.get("/status/503") as response:
        assert response.status == 503
    with pytest.raises(aiohttp.ClientResponseError):
        await one.session.get("/status/404", raise_for_status=True)
    (await one.session.post("/status/204", json={})).raise_for_status()

    assert one.step("GET /status/{}").statuses == {"503": 1, "404": 1}
    assert one.step("GET /status/{}").ok == 2
    assert one.step("POST /status/{}").statuses == {"204": 1}


async def test_it_has_what_aiohttps_session_has(service: Service, measured: Make) -> None:
    one = measured(service.url, headers={"X-Own": "1"})
    session = one.session

    for verb in ("get", "post", "put", "patch", "delete", "options", "head"):
        async with getattr(session, verb)("/") as response:
            assert response.method == verb.upper()
            assert response.status == 200
    both = await asyncio.gather(session.get("/a"), asyncio.create_task(session.get("/b")))
    for response in both:
        assert await response.text() == "hello"
    session.token = "attached"

    assert [cookie.value for cookie in session.cookie_jar] == ["yes"]
    assert session.headers["X-Own"] == "1"
    assert session.loop is asyncio.get_running_loop()  # and no warning: Molotov documents it
    assert isinstance(session, aiohttp.ClientSession)  # and this
    assert not session.closed
    public = [name for name in dir(aiohttp.ClientSession) if not name.startswith("_")]
    assert [name for name in public if not hasattr(session, name)] == []
    with pytest.raises(AttributeError, match="unheard_of"):
        session.unheard_of  # noqa: B018
    session.timeout = "its own"
    assert session.timeout == "its own"
    assert sum(tally.ok for tally in one.tallies.values()) == 9


async def test_requests_of_fixtures_are_not_measured(service: Service, measured: Make) -> None:
    one = measured(service.url)
    one.session.visit = None

    async with one.session.get("/") as response:
        assert await response.text() == "hello"

    assert one.tallies == {}


async def test_a_url_that_cannot_be_formed_was_never_sent(service: Service, measured: Make) -> None:
    one = measured(service.url)

    for url in ("http://", "http://[", "ftp://127.0.0.1/"):
        with pytest.raises((aiohttp.InvalidURL, aiohttp.ClientError)):
            await one.session.get(url)

    assert sum(tally.ok for tally in one.tallies.values()) == 0
    assert service.paths == []


async def test_a_foreign_host_stops_the_load_and_is_named(service: Service, measured: Make) -> None:
    one = measured(service.url)

    with pytest.raises(aiohttp.ClientConnectionError):
        await one.session.get("http://example.org/x")

    problem = one.facts()[0]
    assert isinstance(problem, Problem)
    assert problem.slug == "load/foreign-host"
    assert problem.exit_code == 64
    assert "http://example.org/x" in problem.message
    assert one.board.level == Stop.CANCEL
    assert one.step("GET /x").failures == {FailureKind.FOREIGN: 1}


async def test_a_redirect_to_a_foreign_host_is_refused_and_named_once(
    service: Service, measured: Make
) -> None:
    one = measured(service.url)

    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectionError):
            await one.session.get("/redirect?to=http://example.org:81/y&/status/302")

    surprises = [fact for fact in one.facts() if isinstance(fact, Surprise)]
    assert len(surprises) == 1
    assert "example.org:81" in surprises[0].message
    assert one.step("GET /redirect").failures == {FailureKind.FOREIGN: 2}
    assert one.board.level == Stop.NO


async def test_a_rebased_origin_is_sent_to_the_target(service: Service, measured: Make) -> None:
    one = measured(service.url, rebase=("http://localhost:5000",))

    async with one.session.get("http://localhost:5000/things/1?full=1") as response:
        assert response.status == 200

    assert service.paths == ["/things/1?full=1"]
    assert service.hosts == [service.url.removeprefix("http://")]
    assert one.step("GET /things/{}").ok == 1


async def test_a_base_url_of_setup_is_respected(service: Service, measured: Make) -> None:
    one = measured("http://127.0.0.1:1", base_url=f"{service.url}/v2/")

    async with one.session.get("things"):
        pass

    assert service.paths == ["/v2/things"]
