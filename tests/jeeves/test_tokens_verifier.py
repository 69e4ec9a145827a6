"""The verifier with a real dealer behind it: a loopback server that can rotate, lie and fall."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from fixtures.jeeves.tokens import Refused, Unavailable, Verifier, claims

ISSUER, AUDIENCE = "https://dealer.example", "data"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@cache
def key_of(kid: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


class Dealer:
    """Publishes keys on a port of its own."""

    def __init__(self) -> None:
        self.keys = {"one": key_of("one")}
        self.asked = 0
        self.answer: Callable[[], web.Response] = self.published
        self.url = ""

    def published(self) -> web.Response:
        told = []
        for kid, key in self.keys.items():
            jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            told.append({**jwk, "kid": kid, "alg": "RS512", "use": "sig"})
        return web.json_response({"keys": [{"kty": "EC", "kid": "curve"}, *told]})

    async def serve(self, _: web.Request) -> web.Response:
        self.asked += 1
        return self.answer()

    def token(self, kid: str = "one", changed: Mapping[str, Any] | None = None) -> str:
        now = int(time.time())
        said = {"iss": ISSUER, "sub": "ada", "aud": AUDIENCE, "client_id": "ada", "jti": "1"}
        said |= {"scope": "users:read users:write"}
        times = {"iat": now, "nbf": now, "exp": now + 60}
        whole = {**said, **times, **(changed or {})}
        headers = {"kid": kid, "typ": "at+jwt"}
        left = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(left, self.keys[kid], "RS512", headers)


@pytest.fixture
async def dealer() -> AsyncIterator[Dealer]:
    dealer = Dealer()
    app = web.Application()
    app.router.add_get("/jwks", dealer.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    dealer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    yield dealer
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def verifier(dealer: Dealer, session: ClientSession, **options: Any) -> Verifier:
    return Verifier(dealer.url, ISSUER, AUDIENCE, session=session, **{"pause_s": 0.05, **options})


async def refusal(checks: Verifier, token: str) -> str:
    with pytest.raises(Refused) as caught:
        await checks.verify(token)
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


async def test_many_tokens_are_verified_by_one_look_at_the_keys(
    dealer: Dealer, session: ClientSession
) -> None:
    checks = verifier(dealer, session)
    token = dealer.token()
    told = await asyncio.gather(*(checks.verify(token) for _ in range(10)))

    assert {each.client_id for each in told} == {"ada"}
    assert told[0].scopes == {"users:read", "users:write"}
    assert told[0].all["aud"] == AUDIENCE
    assert dealer.asked == 1


async def test_a_stock_jwks_client_verifies_what_we_verify(dealer: Dealer) -> None:
    token = dealer.token()
    stock = jwt.PyJWKClient(dealer.url)
    key = await asyncio.to_thread(stock.get_signing_key_from_jwt, token)

    assert jwt.decode(token, key, ["RS512"], audience=AUDIENCE, issuer=ISSUER)["sub"] == "ada"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://other.example"}, "wrong issuer"),
        ({"aud": "other"}, "wrong audience"),
        ({"aud": ["other", "another"]}, "wrong audience"),
        ({"exp": 1}, "expired"),
        ({"nbf": 2**40}, "not yet valid"),
        ({"iat": 2**40}, "not yet valid"),
        ({"exp": "tomorrow"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"scope": ["users:read"]}, "malformed"),
        ({"client_id": 7}, "malformed"),
        *[({name: None}, "missing claims") for name in claims.REQUIRED],
    ],
)
async def test_a_token_must_say_the_right_things(
    dealer: Dealer, session: ClientSession, changed: dict[str, Any], reason: str
) -> None:
    assert await refusal(verifier(dealer, session), dealer.token(changed=changed)) == reason


async def test_time_is_what_the_clock_says(dealer: Dealer, session: ClientSession) -> None:
    now, token = time.time(), dealer.token(changed={"exp": int(time.time()) + 60})
    told = {}
    for after in (-61, -4, 59, 61):
        checks = verifier(dealer, session, clock=lambda after=after: now + after)
        try:
            await checks.verify(token)
            told[after] = "good"
        except Refused as refusal:
            told[after] = refusal.reason

    assert told == {-61: "not yet valid", -4: "good", 59: "good", 61: "expired"}


async def test_a_new_key_is_found_by_a_second_look(dealer: Dealer, session: ClientSession) -> None:
    checks = verifier(dealer, session)
    await checks.verify(dealer.token())
    dealer.keys["two"] = key_of("two")
    token = dealer.token("two")
    await asyncio.gather(*(checks.verify(token) for _ in range(5)))

    assert dealer.asked == 2


async def test_strangers_cannot_make_us_ask_all_the_time(
    dealer: Dealer, session: ClientSession
) -> None:
    checks = verifier(dealer, session, pause_s=0.2)
    await checks.verify(dealer.token())
    forged = Dealer()
    tokens = []
    for number in range(20):
        forged.keys[str(number)] = forged.keys["one"]
        tokens.append(forged.token(str(number)))
    reasons = await asyncio.gather(*(refusal(checks, token) for token in tokens))

    assert set(reasons) == {"unknown key"}
    assert dealer.asked == 2


async def test_what_is_no_token_of_ours_costs_no_look(
    dealer: Dealer, session: ClientSession
) -> None:
    checks = verifier(dealer, session)
    hmac = jwt.encode({}, "s" * 64, "HS256", {"kid": "one", "typ": "at+jwt"})
    plain = jwt.encode({}, "", "none", {"kid": "one", "typ": "at+jwt"})
    reasons = [await refusal(checks, token) for token in ("x", "é.x.x", hmac, plain)]

    assert reasons == ["malformed", "malformed", "wrong algorithm", "wrong algorithm"]
    assert dealer.asked == 0


async def test_a_key_that_is_not_published_any_more_is_forgotten(
    dealer: Dealer, session: ClientSession
) -> None:
    clock = Clock()
    checks = verifier(dealer, session, ttl_s=300, steady=clock)
    token = dealer.token()
    await checks.verify(token)
    dealer.keys = {"two": key_of("two")}
    clock.now += 299
    await checks.verify(token)
    clock.now += 1

    assert await refusal(checks, token) == "unknown key"


async def test_while_the_dealer_is_down_known_keys_are_believed_for_a_while(
    dealer: Dealer, session: ClientSession
) -> None:
    clock = Clock()
    checks = verifier(dealer, session, ttl_s=300, grace_s=3600, steady=clock)
    token = dealer.token()
    await checks.verify(token)
    dealer.answer = lambda: web.Response(status=503)
    asked = []
    for later in (300, 1, 28, 1):  # nobody waits for the dealer again for a tenth of 300 s
        clock.now += later
        await checks.verify(token)
        asked.append(dealer.asked)
    clock.now = 3900

    assert asked == [2, 2, 2, 3]
    with pytest.raises(Unavailable):
        await checks.verify(token)
    dealer.answer = dealer.published
    clock.now += 1
    assert (await checks.verify(token)).client_id == "ada"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(status=302, headers={"Location": "/jwks"}),
        lambda: web.Response(text="<html>"),
        lambda: web.json_response([]),
        lambda: web.json_response({"keys": [7]}),
        lambda: web.json_response({"keys": [{"kty": "RSA", "alg": "RS512", "kid": "one"}]}),
    ],
)
async def test_a_dealer_that_talks_nonsense_is_nobodys_fault(
    dealer: Dealer, session: ClientSession, answer: Callable[[], web.Response]
) -> None:
    dealer.answer = answer
    with pytest.raises(Unavailable):
        await verifier(dealer, session).verify(dealer.token())


async def test_a_dealer_that_is_not_there_is_nobodys_fault(
    dealer: Dealer, session: ClientSession
) -> None:
    dealer.url = "http://127.0.0.1:1/jwks"
    with pytest.raises(Unavailable):
        await verifier(dealer, session).verify(dealer.token())
