"""docs/divergences.md, Responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from quart import Quart, Response

from harness.errors import BrokenOffError, TargetError
from harness.targets import Running
from harness.targets.client import Client

from .conftest import TARGETS

Noted = list[TargetError]


def application() -> Quart:
    """An application whose answers no server sends as they are."""
    app = Quart(__name__)

    @app.get("/header/<kind>")
    async def header(kind: str) -> Response:
        response = Response("ok")
        name, value = {"name": ("bad header", "1"), "zero": ("X-Zero", "a\0b"),
                       "spaced": ("X-Spaced", " 1 ")}[kind]  # fmt: skip
        response.headers[name] = value
        return response

    @app.get("/status/<int:status>")
    async def status(status: int) -> Response:
        response = Response("")
        response.status_code = status
        return response

    @app.get("/length/<int:length>")
    async def length(length: int) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"ab"
            yield b"cd"

        return Response(parts(), headers={"Content-Length": str(length)})

    @app.get("/stream")
    async def stream() -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"

        return Response(parts())

    @app.route("/gone", methods=["GET", "HEAD"])
    async def gone() -> Response:
        return Response("hello world", 204)

    @app.get("/number")
    async def number() -> Response:
        async def parts() -> Any:
            yield 5

        return Response(parts())

    @app.get("/umlaut")
    async def umlaut() -> Response:
        return Response("text", headers={"X-Name": "é€"})

    return app


@pytest.fixture(scope="module")
def noted() -> Noted:
    return []


@pytest_asyncio.fixture(params=list(TARGETS), scope="module", loop_scope="session")
async def running(request: pytest.FixtureRequest, noted: Noted) -> AsyncIterator[Running]:
    make: Any = TARGETS[request.param]
    async with make(application(), "shop", note=noted.append) as service:
        yield service


@pytest.fixture(autouse=True)
def _of_this_test(noted: Noted) -> None:
    noted.clear()


def told(noted: Noted) -> list[str]:
    return [breach.slug for breach in noted]


@pytest.mark.parametrize("kind", ["name", "zero"])
async def test_24_a_header_that_http_does_not_allow_is_flagged_and_is_a_500(
    client: Client, noted: Noted, kind: str
) -> None:
    response = await client.get(f"/header/{kind}")

    assert (response.status_code, told(noted)) == (500, ["asgi/header"])
    assert noted[0].where.startswith("tests/harness/divergences/test_responses.py:")


async def test_24_the_space_around_a_value_is_trimmed(client: Client, noted: Noted) -> None:
    response = await client.get("/header/spaced")

    assert (response.headers["X-Spaced"], told(noted)) == ("1", [])


async def test_25_a_status_of_1000_is_flagged_and_is_a_500(client: Client, noted: Noted) -> None:
    response = await client.get("/status/1000")

    assert (response.status_code, told(noted)) == (500, ["asgi/status"])


async def test_25_a_status_of_101_is_flagged_and_cuts_the_answer_off(
    client: Client, noted: Noted
) -> None:
    with pytest.raises(BrokenOffError):
        await client.get("/status/101")

    assert told(noted) == ["asgi/status"]


async def test_25_a_status_that_http_does_not_know_is_sent(client: Client, noted: Noted) -> None:
    assert ((await client.get("/status/999")).status_code, told(noted)) == (999, [])


@pytest.mark.parametrize("length", [1, 3, 5])
async def test_26_a_body_of_another_length_than_declared_is_flagged_and_cut_off(
    client: Client, noted: Noted, length: int
) -> None:
    with pytest.raises(BrokenOffError):
        await client.get(f"/length/{length}")

    assert told(noted) == ["asgi/content-length"]


async def test_26_of_a_body_that_is_too_long_the_promised_part_arrives(
    client: Client, noted: Noted
) -> None:
    # On a connection of its own: the server ends it once the application goes on.
    response = await client.get("/length/2", headers={"Connection": "close"})

    assert await response.get_data() == b"ab"
    for _ in range(500):  # on a server the rest comes after the client has its answer
        if noted:
            break
        await asyncio.sleep(0.01)
    assert told(noted) == ["asgi/content-length"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_28_a_body_where_http_has_none_does_not_arrive(
    client: Client, noted: Noted, method: str
) -> None:
    response = await client.open("/gone", method=method)

    assert (response.status_code, await response.get_data()) == (204, b"")
    assert told(noted) == []


async def test_28_an_answer_to_head_has_the_length_of_what_is_left_out(client: Client) -> None:
    headed = await client.head("/umlaut")

    assert (headed.headers["Content-Length"], await headed.get_data()) == ("4", b"")


async def test_29_a_part_of_a_body_that_is_not_bytes_is_flagged(
    client: Client, running: Running, noted: Noted
) -> None:
    if isinstance(running, TARGETS["inproc"]):
        with pytest.raises(BrokenOffError):
            await client.get("/number")
    else:  # Hypercorn makes five zero bytes of it
        assert await (await client.get("/number")).get_data() == b"\0" * 5

    assert told(noted) == ["asgi/body"]


async def test_30_a_header_beyond_latin_1_is_the_same_text_in_each_target(client: Client) -> None:
    assert (await client.get("/umlaut")).headers["X-Name"] == "é€"
