"""Cookies go back where a real client would send them, and nowhere else."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from quart import Quart, Response, request, session

from harness.errors import TargetError
from harness.targets import Running
from harness.targets.client import Client, Exchanges
from harness.targets.inproc import Inproc
from harness.targets.transcript import unsent


def application() -> Quart:
    """Sets cookies of every kind, and says which came back."""
    app = Quart(__name__)
    app.secret_key = "for tests"

    @app.get("/")
    @app.get("/sub/page")
    @app.get("/subway")
    async def came() -> list[list[str]]:
        return [sorted(request.cookies), request.headers.getlist("Cookie")]

    @app.get("/set")
    async def set_all() -> Response:
        response = Response("set")
        response.set_cookie("plain", "1")
        response.set_cookie("sub", "1", path="/sub")
        response.set_cookie("secure", "1", secure=True)
        response.set_cookie("expired", "1", expires=time.time() - 10)
        response.set_cookie("brief", "1", max_age=60)
        response.set_cookie("foreign", "1", domain="elsewhere.example")
        return response

    @app.get("/unset")
    async def unset() -> Response:
        response = Response("unset")
        response.delete_cookie("plain")
        return response

    @app.get("/who")
    async def who() -> dict[str, str | None]:
        return {"user": session.get("user")}

    return app


def _elsewhere(running: Running) -> Running:
    """Return it as a deployment is seen: over its wire alone."""
    seen: Any = SimpleNamespace(app=None, wire=running.wire, url=running.url)
    return cast(Running, seen)


async def _cookies(client: Client, path: str = "/", **options: object) -> set[str]:
    return set((await (await client.get(path, **options)).get_json())[0])


async def test_34_a_cookie_is_sent_to_its_path_scheme_and_host_only(client: Client) -> None:
    await client.get("/set")

    assert await _cookies(client) == {"plain", "brief"}
    assert await _cookies(client, "/sub/page") == {"plain", "brief", "sub"}
    assert await _cookies(client, "/subway") == {"plain", "brief"}


async def test_34_a_cookie_is_sent_until_it_expires(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.get("/set")
    later = time.time() + 120
    monkeypatch.setattr("http.cookiejar.time.time", lambda: later)

    assert await _cookies(client) == {"plain"}


async def test_34_a_cookie_is_sent_until_it_is_deleted(client: Client) -> None:
    await client.get("/set")
    await client.get("/unset")

    assert await _cookies(client) == {"brief"}


async def test_34_cookies_come_in_one_header_after_the_tests_own(client: Client) -> None:
    await client.get("/set")
    response = await client.get("/", headers={"Cookie": "mine=1"})

    _, (header,) = await response.get_json()
    assert header.startswith("mine=1; ")
    assert sorted(header.split("; ")) == ["brief=1", "mine=1", "plain=1"]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "", None])
async def test_34_a_cookie_of_the_tests_own_is_sent(client: Client, name: Any) -> None:
    client.set_cookie(name, "mine", "1", path="/sub")
    assert (await _cookies(client), await _cookies(client, "/sub/page")) == (set(), {"mine"})

    client.delete_cookie(name, "mine", path="/sub")
    assert await _cookies(client, "/sub/page") == set()


async def test_34_a_cookie_of_another_host_is_sent_there(client: Client) -> None:
    client.set_cookie("shop.example", "theirs", "1")

    assert await _cookies(client) == set()
    assert await _cookies(client, headers={"Host": "shop.example"}) == {"theirs"}
    assert await _cookies(client, headers={"Host": "api.shop.example"}) == set()


async def test_34_a_session_of_the_tests_own_is_the_services(client: Client) -> None:
    async with client.session_transaction() as lent:
        lent["user"] = "Ada"

    assert await (await client.get("/who")).get_json() == {"user": "Ada"}
    async with client.session_transaction() as lent:
        assert lent["user"] == "Ada"


async def test_a_session_cannot_be_lent_by_a_service_that_is_elsewhere(running: Running) -> None:
    client = Client(_elsewhere(running), Exchanges())

    with pytest.raises(TargetError, match="sign in by a request") as told:
        async with client.session_transaction():
            raise AssertionError("it was lent")
    assert told.value.slug == "target/no-session"

    client.app.secret_key = "for tests"
    async with client.session_transaction() as lent:
        lent["user"] = "Ada"
    assert await (await client.get("/who")).get_json() == {"user": "Ada"}


async def test_34_a_client_can_be_without_cookies(client: Client) -> None:
    client.cookie_jar = None
    await client.get("/set")

    assert await _cookies(client) == set()


async def test_a_secure_cookie_is_sent_over_https() -> None:
    async with Inproc(application(), "shop", tls=True) as running:
        client = Client(running, Exchanges())
        await client.get("/set")

        assert await _cookies(client) == {"plain", "brief", "secure"}


async def test_34_a_cookie_that_is_not_sent_over_http_is_told_of(running: Running) -> None:
    exchanges = Exchanges()
    client = Client(running, exchanges)
    await client.get("/set")
    await client.get("/sub/page?a=1")

    (told,) = unsent(exchanges.kept)
    assert told.startswith("the cookie secure was not sent with GET /sub/page?a=1: it is Secure")
    assert "'tls = true'" in told


async def test_nothing_is_told_of_a_secure_cookie_that_is_sent() -> None:
    async with Inproc(application(), "shop", tls=True) as running:
        exchanges = Exchanges()
        client = Client(running, exchanges)
        await client.get("/set")
        await client.get("/")

        assert unsent(exchanges.kept) == []


async def test_34_headers_that_a_test_gives_are_left_as_they_are(running: Running) -> None:
    client, own = Client(running, Exchanges()), {"x-mine": "1"}
    client.set_cookie("localhost", "mine", "1")
    await client.get("/", headers=own)

    assert own == {"x-mine": "1"}
