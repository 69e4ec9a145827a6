"""The named mocks, with real stand-ins behind them."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest
import requests
import requests_mock
from aioresponses import aioresponses
from yarl import URL

from harness.standins.named import Routes, aioresponses_before, requests_mock_before
from harness.standins.server import StandIn
from harness.stubfile import parse_stubs

ORIGIN = "https://api.example.org"
STUBS = """
[[stub]]
name = "now"
request = { method = "GET", path = "/Now", query = { q = "é x" } }
replies = [{ json = { n = 1 } }, { json = { n = 2 } }]

[[stub]]
name = "made"
request = { method = "POST", path = "/things", headers = { X-Key = "k" }, json = { a = [1, true] } }
reply = { status = 201 }

[[stub]]
name = "late"
request = { method = "GET", path = "/late" }
reply = { delay = "20s", text = "late" }

[[stub]]
name = "round"
request = { method = "GET", path = "/round" }
reply = { status = 302, headers = { Location = "/round" } }

[[stub]]
name = "login"
request = { method = "POST", path = "/login" }
reply = { status = 303, headers = { Location = "/home", Set-Cookie = "who=me; Secure; Path=/" } }

[[stub]]
name = "home"
request = { method = "GET", path = "/home", headers = { Cookie = "who=me" } }
reply = { text = "welcome" }
"""


@pytest.fixture
def standin() -> Iterator[StandIn]:
    stubs = parse_stubs(STUBS, "api.toml")
    with StandIn("api", stubs, [stub.name for stub in stubs]) as standin:
        yield standin


@pytest.fixture
def other() -> Iterator[StandIn]:
    """Something on loopback that stands in for nothing."""
    text = '[[stub]]\nname = "x"\nrequest = {method = "GET", path = "/x"}\nreply = {text = "other"}'
    with StandIn("other", parse_stubs(text, "other.toml"), ["x"]) as other:
        yield other


@pytest.fixture
def routes(standin: StandIn) -> Routes:
    return Routes({ORIGIN: standin.url})


@pytest.fixture
def mocked(routes: Routes) -> Iterator[aioresponses]:
    with aioresponses_before(routes) as mock:
        yield mock


@pytest.fixture
def mocked_requests(routes: Routes) -> Iterator[requests_mock.Mocker]:
    with requests_mock_before(routes, case_sensitive=False) as mock:
        yield mock


@pytest.mark.parametrize(
    ("called", "led"),
    [
        (f"{ORIGIN}/a%2Fb?q=%20#x", "http://127.0.0.1:81/a%2Fb?q=%20#x"),
        (f"{ORIGIN}:443/", "http://127.0.0.1:81/"),
        ("http://127.0.0.1:81/a", "http://127.0.0.1:81/a"),
        ("http://api.example.org/a", None),
        (f"{ORIGIN}.evil.org/a", None),
        ("http://127.0.0.1:82/a", None),
        ("/a", None),
    ],
)
def test_a_call_is_led_by_its_origin(called: str, led: str | None) -> None:
    found = Routes({f"{ORIGIN}/": "http://127.0.0.1:81"}).lead(URL(called, encoded=True))

    assert led == (found and str(found))


async def test_aiohttp_has_the_stubs_under_origin_and_address_counted_once(
    mocked: aioresponses, standin: StandIn
) -> None:
    async with aiohttp.ClientSession() as session:
        for n, base in enumerate([ORIGIN, standin.url, ORIGIN], 1):
            async with session.get(f"{base}/Now", params={"q": "é x", "more": "1"}) as response:
                assert await response.json() == {"n": min(n, 2)}
                assert str(response.url.origin()) == base
        options = {"json": {"a": [1, True]}, "headers": {"X-Key": "k"}}
        async with session.post(f"{ORIGIN}/things", **options) as response:
            assert response.status == 201

    assert standin.uses["now"] == 3
    assert standin.uses["made"] == 1
    mocked.assert_any_call(f"{ORIGIN}/Now", params={"q": "é x", "more": "1"})
    assert len(mocked.requests) == 3


async def test_aiohttp_is_refused_where_no_stub_answers_and_the_journal_says_why(
    mocked: aioresponses, standin: StandIn
) -> None:
    async with aiohttp.ClientSession() as session:
        for base in (ORIGIN, standin.url):
            with pytest.raises(aiohttp.ClientConnectionError, match=f"refused: GET {base}/now"):
                await session.get(f"{base}/now")

    told, _ = standin.take_unmatched()
    assert told.startswith("no stub answers GET /now\n  now (api.toml:")
    mocked.assert_any_call(f"{ORIGIN}/now")


async def test_what_a_test_adds_to_aioresponses_comes_first(
    mocked: aioresponses, standin: StandIn, other: StandIn
) -> None:
    mocked.get(f"{ORIGIN}/late", body="mine")
    mocked.get(f"{other.url}/x", body="mine")
    async with aiohttp.ClientSession() as session:
        for url in (f"{ORIGIN}/late", f"{other.url}/x"):
            async with session.get(url) as response:
                assert await response.text() == "mine"
        async with session.get(f"{other.url}/x") as response:
            assert await response.text() == "other"

    assert standin.uses["late"] == 0


async def test_aiohttp_has_real_timeouts_cookies_and_redirects_of_the_stubs(
    mocked: aioresponses,
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError):
            await session.get(f"{ORIGIN}/late", timeout=aiohttp.ClientTimeout(total=0.1))
        with pytest.raises(aiohttp.TooManyRedirects):
            await session.get(f"{ORIGIN}/round")
        async with session.post(f"{ORIGIN}/login") as response:
            assert await response.text() == "welcome"


async def test_a_sessions_own_middleware_still_runs(mocked: aioresponses) -> None:
    async def key(
        request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        assert request.url.origin() == URL(ORIGIN)
        request.headers["X-Key"] = "k"
        return await send(request)

    body = {"a": [1, True]}
    async with aiohttp.ClientSession(ORIGIN, middlewares=[key]) as session:
        async with session.post("/things", json=body) as response:
            assert response.status == 201
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post("/things", json=body, middlewares=[])


def test_requests_has_the_stubs_under_origin_and_address_counted_once(
    mocked_requests: requests_mock.Mocker, standin: StandIn
) -> None:
    for n, base in enumerate([ORIGIN, standin.url, ORIGIN], 1):
        response = requests.get(f"{base}/Now", params={"q": "é x", "more": "1"}, timeout=20)
        assert response.json() == {"n": min(n, 2)}
        assert response.url == f"{base}/Now?q=%C3%A9+x&more=1"
    options = {"json": {"a": [1, True]}, "headers": {"X-Key": "k"}}
    assert requests.post(f"{ORIGIN}/things", timeout=20, **options).status_code == 201

    assert standin.uses["now"] == 3
    assert mocked_requests.call_count == 4
    assert mocked_requests.last_request.json() == {"a": [1, True]}


def test_requests_is_refused_where_no_stub_answers_and_the_journal_says_why(
    mocked_requests: requests_mock.Mocker, standin: StandIn
) -> None:
    for base in (ORIGIN, standin.url):
        with pytest.raises(requests_mock.NoMockAddress, match=f"GET {base}/now"):
            requests.get(f"{base}/now", timeout=20)

    told, _ = standin.take_unmatched()
    assert told.startswith("no stub answers GET /now\n  now (api.toml:")


def test_what_a_test_adds_to_requests_mock_comes_first(
    mocked_requests: requests_mock.Mocker, standin: StandIn, other: StandIn
) -> None:
    mocked_requests.get(f"{ORIGIN}/late", text="mine")

    assert requests.get(f"{ORIGIN}/late", timeout=20).text == "mine"
    assert requests.get(f"{other.url}/x", timeout=20).text == "other"
    assert standin.uses["late"] == 0


def test_requests_has_real_timeouts_cookies_and_redirects_of_the_stubs(
    mocked_requests: requests_mock.Mocker,
) -> None:
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{ORIGIN}/late", timeout=0.1)
    with pytest.raises(requests.TooManyRedirects):
        requests.get(f"{ORIGIN}/round", timeout=20)
    with requests.Session() as session:
        assert session.post(f"{ORIGIN}/login", timeout=20).text == "welcome"


def test_a_proxy_of_the_machine_is_not_asked_for_what_a_stand_in_answers(
    mocked_requests: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    response = requests.get(f"{ORIGIN}/Now", params={"q": "é x"}, timeout=20)

    assert response.json() == {"n": 1}


async def test_nor_by_an_aiohttp_that_trusts_the_environment(
    mocked: aioresponses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        session.get(f"{ORIGIN}/Now", params={"q": "é x"}) as response,
    ):
        assert await response.json() == {"n": 1}
