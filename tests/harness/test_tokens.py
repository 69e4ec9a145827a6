"""The tokens that a plan names: read strictly, got once, shown by name, refused in words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harness import secret
from harness.bench import Bench
from harness.errors import HarnessError, PlanError, TargetError, UsageError
from harness.manifest import parse_plan
from harness.offer.tokens import Tokens
from harness.secret import redacted
from harness.target import Target, TargetKind

PLAN = """\
[services.shop]
app = "shop:app"

[services.dealer]
app = "dealer:app"

[tests]
paths = ["tests"]
rate = "20/s"

[tests.tokens.reader]
url = "{dealer.url}/oauth/token"
form = { client_id = "reader", audience = "{shop.url}" }

[tests.tokens.user]
url = "{dealer.url}/login"
json = { name = "Ada", password = "{env.ADAS_PASSWORD}" }
field = "jwt"

[profiles.staging]
rate = "5/s"
writable = ["staging.example.org"]

[profiles.staging.tokens.reader]
url = "{dealer.url}/other"
form = { client_secret = "{env.READERS_SECRET}" }
"""


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ADAS_PASSWORD", "adas-password")
    yield
    for name in [name for name in os.environ if name.startswith("HARNESS_SECRET_")]:
        del os.environ[name]
    secret.keep([])


class Dealer:
    """Grants what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.answer: Any = {"access_token": "r3ader-1", "jwt": "us3r-1", "expires_in": 900}
        self.asked: list[tuple[str, Any]] = []

    async def grant(self, request: web.Request) -> web.Response:
        is_json = request.content_type == "application/json"
        posted = await request.json() if is_json else dict(await request.post())
        self.asked.append((request.path, posted))
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def dealer() -> Dealer:
    return Dealer()


@pytest.fixture
async def url(dealer: Dealer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", dealer.grant)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def token(url: str, tmp_path: Path) -> AsyncIterator[Tokens]:
    target = Target(TargetKind.LIVE, (("shop", "http://127.0.0.1:9/shop"), ("dealer", url)))
    bench = Bench(parse_plan(PLAN, "harness.toml"), tmp_path, target)
    yield Tokens(bench, asyncio.get_running_loop())
    bench.close()


async def test_a_token_is_got_by_client_credentials_and_once(dealer: Dealer, token: Tokens) -> None:
    headers = [await token("reader"), await token("reader")]

    assert headers == [{"Authorization": "Bearer r3ader-1"}] * 2
    form = {"grant_type": "client_credentials", "client_id": "reader"}
    assert dealer.asked == [("/oauth/token", {**form, "audience": "http://127.0.0.1:9/shop"})]


async def test_a_token_is_got_by_a_login_in_json(dealer: Dealer, token: Tokens) -> None:
    dealer.status = 201

    assert await token("user") == {"Authorization": "Bearer us3r-1"}
    assert dealer.asked == [("/login", {"name": "Ada", "password": "adas-password"})]


async def test_a_granted_token_is_shown_by_its_name_and_so_is_the_one_before(
    dealer: Dealer, token: Tokens
) -> None:
    dealer.answer |= {"expires_in": 0}
    await token("reader")
    dealer.answer |= {"access_token": "r3ader-2"}
    await token("reader")
    await token("user")

    assert redacted("r3ader-1, r3ader-2, us3r-1") == (
        "{token.reader}, {token.reader}, {token.user}"
    )


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (401, {"error": "invalid_client"}, 'no token: 401 {"error": "invalid_client"}'),
        (200, {"token": "r3ader"}, "the answer has no text 'access_token'"),
        (200, {"access_token": 7}, "the answer has no text 'access_token'"),
        (200, {"access_token": ""}, "is empty"),
        (200, ["r3ader"], "the answer is no object of JSON"),
        (200, "<html>", "the answer is no object of JSON"),
        (200, {"access_token": "r3ader", "expires_in": "soon"}, "TypeError"),
    ],
)
async def test_a_token_that_is_not_given_is_an_error_that_says_why(
    dealer: Dealer, token: Tokens, status: int, answer: Any, said: str
) -> None:
    dealer.status, dealer.answer = status, answer

    with pytest.raises(TargetError) as told:
        await token("reader")

    assert said in told.value.message
    assert (told.value.slug, told.value.where) == ("target/no-token", "harness.toml:11")


async def test_where_nothing_answers_it_says_so(tmp_path: Path) -> None:
    live = Target(TargetKind.LIVE, (("shop", "http://127.0.0.1:9"), ("dealer", "http://[::1]:9")))
    bench = Bench(parse_plan(PLAN, "harness.toml"), tmp_path, live)
    elsewhere = Bench(bench.plan, tmp_path, Target(TargetKind.LIVE, live.urls[:1]))
    for one, said in ((bench, "http://\\[::1\\]:9"), (elsewhere, "no address of dealer was given")):
        with pytest.raises(TargetError, match=said):
            await Tokens(one, asyncio.get_running_loop())("reader")
        one.close()


async def test_an_unknown_token_is_answered_with_the_nearest(token: Tokens) -> None:
    with pytest.raises(UsageError) as told:
        await token("raeder")

    assert "Did you mean 'reader'" in told.value.next_step


async def test_a_token_whose_variable_is_not_set_is_an_error(
    token: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADAS_PASSWORD")

    with pytest.raises(HarnessError, match="ADAS_PASSWORD, which is not set"):
        await token("user")


def test_a_profile_has_its_own_tokens_and_manners() -> None:
    plan = parse_plan(PLAN, "harness.toml")
    staging = plan.in_profile("staging")

    assert [one.url for one in staging.tokens] == ["{dealer.url}/other", "{dealer.url}/login"]
    assert (plan.manners.rate, staging.manners.rate) == (20, 5)
    assert not staging.manners.lets_write("http://127.0.0.1")
    assert plan.manners.lets_write("http://127.0.0.1")
    assert {one.name for one in plan.variables} == {"ADAS_PASSWORD", "READERS_SECRET"}


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('"20/s"', '"20"', 9, "cannot read the rate '20'"),
        ('"5/s"', '""', 21, "cannot read the rate ''"),
        ("writable = [", 'writable = ["https://x", ', 22, "'https://x' is not the name of a host"),
        ("writable = ", "writeable = ", 22, "unknown key 'writeable' in profiles.staging"),
        ("field = ", "feild = ", 18, "unknown key 'feild' in tests.tokens"),
        ("{dealer.url}/login", "{delaer.url}/login", 16, "unknown placeholder {delaer.url}"),
        ("{env.ADAS_", "{evn.ADAS_", 17, "unknown placeholder {evn.ADAS_PASSWORD}"),
        ("json = {", "form = {}\njson = {", 15, "not one of form and json, but both"),
        ("form = { client_id", "# {", 11, "not one of form and json, but neither"),
    ],
)
def test_what_the_plan_cannot_mean_is_named_with_its_line(
    old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(PlanError) as told:
        parse_plan(PLAN.replace(old, new, 1), "harness.toml")

    assert said in told.value.message
    assert told.value.where == f"harness.toml:{line}"
