"""The client side of tokens: a loopback server that deals them and one that wants them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from fixtures.jeeves.tokens import Refused, Tokens, Unavailable


class Server:
    """Deals numbered tokens at /token, and takes those that it still likes at /data."""

    def __init__(self) -> None:
        self.dealt = 0
        self.forms: list[dict[str, Any]] = []
        self.bodies: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.answer: tuple[int, object] | None = None
        self.url = ""

    async def deal(self, request: web.Request) -> web.Response:
        self.dealt += 1
        self.forms.append(dict(await request.post()))
        if self.answer:
            return web.json_response(self.answer[1], status=self.answer[0])
        return web.json_response({"access_token": f"t{self.dealt}", "expires_in": 100})

    async def data(self, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.bodies.append((token, await request.text()))
        return web.Response(status=401 if token in self.refused else 200)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/token", server.deal)
    app.router.add_put("/data", server.data)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(server: Server, clock: Clock) -> AsyncIterator[Tokens]:
    async with ClientSession() as session:
        yield Tokens(f"{server.url}/token", "ada", "s3cret", "data", session=session, clock=clock)


async def test_those_who_want_a_token_at_once_share_one(server: Server, tokens: Tokens) -> None:
    assert await asyncio.gather(*(tokens.get() for _ in range(5))) == ["t1"] * 5
    assert server.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "ada",
            "client_secret": "s3cret",
            "audience": "data",
        }
    ]


async def test_a_token_is_replaced_before_it_expires(
    server: Server, tokens: Tokens, clock: Clock
) -> None:
    got = []
    for now in (0, 89, 91):
        clock.now = now
        got.append(await tokens.get())

    assert got == ["t1", "t1", "t2"]


async def test_a_401_is_answered_with_a_new_token_and_the_same_body(
    server: Server, tokens: Tokens
) -> None:
    server.refused = {"t1"}
    async with tokens.request("PUT", f"{server.url}/data", json={"a": 1}) as reply:
        status = reply.status
    async with tokens.request("PUT", f"{server.url}/data", data="b") as reply:
        again = reply.status

    assert (status, again) == (200, 200)
    assert server.bodies == [("t1", '{"a": 1}'), ("t2", '{"a": 1}'), ("t2", "b")]


async def test_a_second_401_is_the_callers_to_see(server: Server, tokens: Tokens) -> None:
    server.refused = {"t1", "t2", "t3"}
    async with tokens.request("PUT", f"{server.url}/data", headers={"X": "y"}) as reply:
        assert reply.status == 401

    assert server.dealt == 2


async def test_a_token_that_was_replaced_already_is_not_forgotten_twice(
    server: Server, tokens: Tokens
) -> None:
    first = await tokens.get()
    tokens.forget(first)
    second = await tokens.get()
    tokens.forget(first)

    assert await tokens.get() == second == "t2"


@pytest.mark.parametrize("status", [400, 401])
async def test_a_refusal_has_oauths_word_for_its_reason(
    server: Server, tokens: Tokens, status: int
) -> None:
    server.answer = (status, {"error": "invalid_client"})
    with pytest.raises(Refused) as caught:
        await tokens.get()

    assert caught.value.reason == "invalid_client"


@pytest.mark.parametrize(
    "answer",
    [(500, {}), (503, []), (200, {}), (200, []), (400, {}), (200, {"access_token": "t"})],
)
async def test_a_dealer_that_talks_nonsense_is_unavailable_and_asked_again(
    server: Server, tokens: Tokens, answer: tuple[int, object]
) -> None:
    server.answer = answer
    with pytest.raises(Unavailable) as caught:
        await tokens.get()
    server.answer = None

    assert "s3cret" not in str(caught.value)
    assert await tokens.get() == "t2"
