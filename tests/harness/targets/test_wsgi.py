"""WebTest over the wire of each target, and each trap that its ways to Quart are known for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio
from quart import Quart, Response, jsonify, redirect, request, session

from harness.errors import BrokenOffError, TargetError, UsageError
from harness.targets import Running
from harness.targets.client import Exchanges
from harness.targets.forward import Forward
from harness.targets.inproc import Inproc
from harness.targets.served import Served
from harness.targets.wsgi import WebTest

TARGETS = MappingProxyType({"inproc": Inproc, "served": Served})


def app() -> Quart:
    app = Quart(__name__)
    app.secret_key = "only for tests"

    @app.before_serving
    async def start() -> None:
        app.config["loop"] = asyncio.get_running_loop()

    @app.route("/echo/<path:path>", methods=["GET", "POST"])
    async def echo(path: str) -> Response:
        return jsonify(
            path=path,
            raw=request.scope["raw_path"].decode(),
            http=request.http_version,
            address=request.remote_addr,
            host=request.host,
            headers=sorted(name.lower() for name, _ in request.headers.items()),
            said=request.headers.get("X-Said"),
            query=request.args.to_dict(flat=False),
            form=(await request.form).to_dict(flat=False),
            at_home=asyncio.get_running_loop() is app.config["loop"],
        )

    @app.get("/count")
    async def count() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    @app.get("/away")
    async def away() -> Any:
        return redirect(request.args["to"])

    @app.get("/greek")
    async def greek() -> Response:
        return Response("", headers=[("X-Word", "é€"), ("X-More", "1"), ("X-More", "2")])

    @app.get("/gone")
    async def gone() -> tuple[str, int]:
        return "", 204

    @app.get("/odd")
    async def odd() -> tuple[str, int]:
        return "odd", 299

    @app.get("/broken")
    async def broken() -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"some"
            raise RuntimeError("in the middle")

        return Response(parts())

    return app


@pytest_asyncio.fixture(params=list(TARGETS), loop_scope="session")
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    async with TARGETS[request.param](app(), "app") as service:
        yield service


@pytest.fixture
def exchanges() -> Exchanges:
    return Exchanges()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(running: Running, exchanges: Exchanges) -> WebTest:
    return WebTest(running, exchanges, asyncio.get_running_loop())


def test_a_request_arrives_as_a_clients_would_after_the_start_up(browser: WebTest) -> None:
    seen = browser.get("/echo/x").json

    assert (seen["http"], seen["address"], seen["at_home"]) == ("1.1", "127.0.0.1", True)
    assert [name for name in seen["headers"] if name.startswith("x-forwarded")] == []


def test_forms_queries_and_headers_arrive_as_text(browser: WebTest) -> None:
    seen = browser.post("/echo/x?q=1&q=é", {"name": "é€"}, headers={"X-Said": "plain"}).json

    assert (seen["form"], seen["query"]) == ({"name": ["é€"]}, {"q": ["1", "é"]})
    assert seen["said"] == "plain"


@pytest.mark.parametrize("path", ["/echo/a%2Fb", "/echo/a%20b", "/echo/%E9", "/echo/%C3%A9"])
def test_a_path_is_sent_as_it_was_written(browser: WebTest, path: str) -> None:
    assert browser.get(path).json["raw"] == path


def test_a_session_lasts_from_request_to_request(browser: WebTest) -> None:
    assert [browser.get("/count").text for _ in range(3)] == ["1", "2", "3"]


def test_a_redirect_is_followed_within_the_target(browser: WebTest, exchanges: Exchanges) -> None:
    host = browser.get("/echo/x").json["host"]

    assert browser.get("/away?to=/count").follow().text == "1"
    assert browser.get(f"/away?to=http://{host}/count").follow().text == "2"
    assert {one.status for one in exchanges.take()} == {200, 302}


def test_a_redirect_to_another_host_does_not_come_back_to_the_target(browser: WebTest) -> None:
    response = browser.get("/away?to=http://other.example.org/count")

    with pytest.raises(AssertionError, match=r"other\.example\.org/count leads away from"):
        response.follow()


def test_headers_are_text_and_all_of_them_are_kept(browser: WebTest) -> None:
    response = browser.get("/greek")

    assert response.headers["X-Word"] == "é€"
    assert response.headers.getall("X-More") == ["1", "2"]


def test_head_has_no_body(browser: WebTest) -> None:
    response = browser.head("/count")

    assert (response.status_int, response.body) == (200, b"")


def test_an_answer_without_content_or_of_an_unknown_status_is_no_offence(browser: WebTest) -> None:
    assert browser.get("/gone").status_int == 204
    assert browser.get("/odd").status_int == 299


def test_an_answer_that_breaks_off_is_an_error(browser: WebTest) -> None:
    with pytest.raises(BrokenOffError, match="GET /broken broke off"):
        browser.get("/broken", expect_errors=True)


def test_each_exchange_is_counted_and_carries_a_trace_context(
    browser: WebTest, exchanges: Exchanges
) -> None:
    seen = browser.get("/echo/x").json
    browser.get("/nowhere", status=404)

    assert [(one.path, one.status) for one in exchanges.take()] == [
        ("/echo/x", 200),
        ("/nowhere", 404),
    ]
    assert "traceparent" in seen["headers"]


def test_a_variable_of_webtests_does_not_lead_it_elsewhere(
    browser: WebTest, monkeypatch: pytest.MonkeyPatch, running: Running
) -> None:
    monkeypatch.setenv("WEBTEST_TARGET_URL", "http://127.0.0.1:1")

    other = WebTest(running, Exchanges(), browser.app._loop)

    assert other.get("/count").text == "1"


async def test_in_an_async_test_it_says_that_it_would_wait_for_ever(browser: WebTest) -> None:
    with pytest.raises(UsageError, match="async") as caught:
        browser.get("/count")

    assert caught.value.slug == "functional/blocking"
    assert (await asyncio.to_thread(browser.get, "/count")).text == "1"


async def half(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def test_an_application_that_stops_in_the_middle_has_not_answered() -> None:
    async with Inproc(half, "half") as service:
        browser = WebTest(service, Exchanges(), asyncio.get_running_loop())

        with pytest.raises(TargetError, match="GET / broke off"):
            await asyncio.to_thread(browser.get, "/")


async def bad_header(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"bad header", b"1"), (b"content-type", b"text/plain")]
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def test_a_header_that_no_server_would_send_is_a_500_as_it_is_there() -> None:
    async with Inproc(bad_header, "bad") as service:
        browser = WebTest(service, Exchanges(), asyncio.get_running_loop())

        response = await asyncio.to_thread(browser.get, "/", status=500)

    assert response.body == b""


async def test_below_a_path_of_a_deployment_links_of_its_own_are_not_doubled() -> None:
    async with Served(app(), "app") as service:
        below = type("Below", (), {"url": f"{service.url}/echo", "app": service.app})()
        below.wire = Forward(below.url)
        browser = WebTest(below, Exchanges(), asyncio.get_running_loop())

        seen = [await asyncio.to_thread(browser.get, path) for path in ("/x", "/echo/x")]

    assert [one.json["path"] for one in seen] == ["x", "x"]
