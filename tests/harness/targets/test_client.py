"""One set of tests for every target: what the client promises holds in each."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio
from quart import Response, request
from quart.testing import QuartClient

from harness.errors import BrokenOffError, TargetError
from harness.targets import Running
from harness.targets.client import Client, Exchanges
from harness.targets.forward import Forward
from harness.targets.inproc import Inproc
from harness.targets.own import own_clients
from harness.targets.port import Port
from harness.targets.served import Served

from . import apps

TARGETS = MappingProxyType({"inproc": Inproc, "served": Served})


@pytest_asyncio.fixture(params=list(TARGETS), loop_scope="session")
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    async with TARGETS[request.param](apps.shop(), "shop") as service:
        yield service


@pytest.fixture
def exchanges() -> Exchanges:
    return Exchanges()


@pytest.fixture
def client(running: Running, exchanges: Exchanges) -> Client:
    return Client(running, exchanges)


async def test_the_start_up_has_run(client: Client) -> None:
    assert await (await client.get("/started")).get_json() == {"started": True}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_method_path_query_and_body_arrive(client: Client, method: str) -> None:
    response = await client.open(
        "/echo/a%20b/c", method=method, query_string={"q": ["1", "é&="]}, data="body"
    )

    seen = await response.get_json()
    assert (seen["method"], seen["path"], seen["body"]) == (method, "a b/c", "body")
    assert seen["args"] == {"q": ["1", "é&="]}


async def test_json_and_forms_arrive_with_their_content_type(client: Client) -> None:
    as_json = await (await client.post("/echo/x", json={"a": 1})).get_json()
    as_form = await (await client.post("/echo/x", form={"a": "1"})).get_json()

    assert (as_json["body"], as_json["kind"]) == ('{"a":1}'.replace(":", ": "), "application/json")
    assert (as_form["body"], as_form["kind"]) == ("a=1", "application/x-www-form-urlencoded")


async def test_cookies_are_kept(client: Client) -> None:
    answers = [await (await client.get("/count")).get_data(as_text=True) for _ in range(3)]

    assert answers == ["1", "2", "3"]


async def test_redirects_are_followed_only_when_asked(client: Client) -> None:
    assert (await client.get("/away")).status_code == 302
    assert (await client.get("/away", follow_redirects=True)).status_code == 200


async def test_streams_arrive_whole(client: Client) -> None:
    assert await (await client.get("/stream")).get_data() == b"0\n1\n2\n"


async def test_each_exchange_is_counted_and_carries_a_trace_context(
    client: Client, exchanges: Exchanges
) -> None:
    seen = await (await client.post("/echo/x")).get_json()
    await client.get("/nowhere")

    one, other = exchanges.take()
    assert (one.method, one.path, one.status) == ("POST", "/echo/x", 200)
    assert (other.path, other.status) == ("/nowhere", 404)
    assert seen["traceparent"] == one.traceparent
    assert exchanges.take() == []


async def test_a_trace_context_of_the_tests_own_is_kept(client: Client) -> None:
    mine = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    response = await client.get("/echo/x", headers={"traceparent": mine})

    assert (await response.get_json())["traceparent"] == mine


async def test_websockets_talk(client: Client) -> None:
    async with client.websocket("/ws") as socket:
        await socket.send("hello")
        assert await socket.receive() == "you said hello"


async def test_a_websocket_that_does_not_exist_is_refused(client: Client) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Quart's own, which differ
        async with client.websocket("/nowhere") as socket:
            await socket.receive()

    assert type(caught.value).__name__ == "WebsocketResponseError"


async def test_a_body_that_breaks_off_is_an_error_in_the_test(client: Client) -> None:
    with pytest.raises(BrokenOffError):
        await client.get("/broken")


@pytest.mark.parametrize("target", list(TARGETS))
async def test_an_asgi_application_of_no_framework_is_carried(target: str) -> None:
    async with TARGETS[target](apps.bare, "bare") as service:
        response = await Client(service, Exchanges()).get("/")

    assert (response.status_code, response.headers["x-bare"]) == (200, "yes")


@pytest.mark.parametrize("target", list(TARGETS))
async def test_a_start_up_that_raises_is_named(target: str) -> None:
    service = TARGETS[target](apps.no_start(), "shop")

    with pytest.raises(TargetError, match="no database") as caught:
        await service.__aenter__()

    await service.__aexit__(None, None, None)
    assert caught.value.exit_code == 2


async def test_the_address_of_a_real_server_is_what_the_service_sees() -> None:
    async with Served(apps.shop(), "shop") as service:
        seen = await (await Client(service, Exchanges()).get("/echo/x")).get_json()

    assert f"http://{seen['host']}" == service.url


async def test_where_nothing_answers_the_error_says_so() -> None:
    with Port.bound() as nobody:
        forward = Forward(nobody.url)
        service = type("Gone", (), {"app": apps.bare, "wire": forward, "url": nobody.url})()

        with pytest.raises(TargetError, match="nothing answers"):
            await Client(service, Exchanges()).get("/")
        await forward.close()


@pytest.mark.parametrize("target", list(TARGETS))
async def test_the_lifespans_state_is_in_each_request(target: str) -> None:
    async with TARGETS[target](apps.strict, "strict") as service:
        response = await Client(service, Exchanges()).get("/")

    assert await response.get_data() == b"5"


@pytest.mark.parametrize("target", list(TARGETS))
async def test_a_websocket_begins_as_asgi_has_it(target: str) -> None:
    async with (
        TARGETS[target](apps.strict, "strict") as service,
        Client(service, Exchanges()).websocket("/") as socket,
    ):
        assert await asyncio.wait_for(socket.receive(), 5) == "[]"


@pytest.mark.parametrize("target", list(TARGETS))
async def test_a_start_up_that_gives_up_ends_the_service_and_not_the_tests(target: str) -> None:
    service = TARGETS[target](apps.gives_up(), "shop")

    with pytest.raises(TargetError, match="no settings"):
        await service.__aenter__()
    await service.__aexit__(None, None, None)
    # Else Hypercorn's task is collected later, its traceback parsed, and Python 3.11 cannot do so
    # while it parses something else (python/cpython#106905).
    del service
    gc.collect()


async def test_a_loop_of_a_tests_own_leaves_no_connection_open(exchanges: Exchanges) -> None:
    async with Served(apps.shop(), "shop") as service:

        def in_a_loop_of_its_own() -> int:
            return asyncio.run(Client(service, exchanges).get("/started")).status_code

        # An unclosed session would warn, and warnings are errors here.
        assert [await asyncio.to_thread(in_a_loop_of_its_own) for _ in range(3)] == [200] * 3


async def test_a_body_of_many_bytes_is_sent_without_a_warning(client: Client) -> None:
    response = await client.post("/echo/x", data=b"x" * 2_000_000)

    assert len((await response.get_json())["body"]) == 2_000_000


async def test_a_requests_context_that_is_in_a_server_cannot_be_kept() -> None:
    async with Served(apps.shop(), "shop") as service:
        client = Client(service, Exchanges())

        with pytest.raises(TargetError, match="in the server"):
            async with client:
                await client.get("/started")


async def test_a_loop_of_a_tests_own_reaches_a_service_in_process_on_its_own_loop(
    exchanges: Exchanges,
) -> None:
    async with Inproc(apps.shop(), "shop") as service:

        async def talk() -> tuple[int, str]:
            client = Client(service, exchanges)
            async with client.websocket("/ws") as socket:
                await socket.send("hello")
                said = await socket.receive()
            return (await client.get("/started")).status_code, str(said)

        told = await asyncio.to_thread(asyncio.run, talk())

    assert told == (200, "you said hello")


async def test_a_requests_context_is_kept_in_process(exchanges: Exchanges) -> None:
    async with Inproc(apps.shop(), "shop") as service, Client(service, exchanges) as client:
        await client.get("/echo/x?kept=yes")

        assert request.args["kept"] == "yes"


async def test_what_a_projects_own_client_adds_stays_where_it_is_led_to_a_target(
    exchanges: Exchanges,
) -> None:
    class Shopper(QuartClient):
        async def open(self, path: str, *arguments: Any, **options: Any) -> Response:
            headers = {"traceparent": "mine"}
            return await super().open(f"/echo{path}", *arguments, headers=headers, **options)

    app = apps.shop()
    app.test_client_class = Shopper
    async with Served(app, "shop") as service:
        with own_clients(exchanges, lambda one: service if one is app else None):
            client = app.test_client()
            seen = await (await client.post("/x", form={"a": ["1", "2"]})).get_json()

    assert isinstance(client, Shopper)
    assert (seen["body"], seen["traceparent"]) == ("a=1&a=2", "mine")
    assert f"http://{seen['host']}" == service.url
