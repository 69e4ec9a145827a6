"""Tokens, verified by the dealer and by a stock JWKS client; forged ones are refused by both."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from quart.testing import QuartClient

pytestmark = pytest.mark.service("tokendealer")

ISSUER = "https://tokendealer.jeeves.example"


def part(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.get_unverified_header(token), claims, token.rsplit(".", 1)[1]


def unsigned(token: str, _: Any) -> str:
    header, claims, _ = parts(token)
    return f"{part({**header, 'alg': 'none'})}.{part(claims)}."


def signed_with_the_public_key(token: str, public: Any) -> str:
    """What a verifier believes that lets the token say how its key is to be used."""
    header, claims, _ = parts(token)
    text = f"{part({**header, 'alg': 'HS256'})}.{part(claims)}"
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def of_another_signer(token: str, _: Any) -> str:
    """A good token in all but its key, whose name it borrows."""
    header, claims, _ = parts(token)
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, "RS512", {"kid": header["kid"], "typ": "at+jwt"})


def of_an_unknown_key(token: str, _: Any) -> str:
    header, claims, signature = parts(token)
    return f"{part({**header, 'kid': 'k' * 43})}.{part(claims)}.{signature}"


def with_more_scope(token: str, _: Any) -> str:
    header, claims, signature = parts(token)
    return f"{part(header)}.{part({**claims, 'scope': 'users:read users:write'})}.{signature}"


def that_brings_its_key(token: str, _: Any) -> str:
    header, claims, _ = parts(token)
    key = generate_private_key(public_exponent=65537, key_size=2048)
    own = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.encode(claims, key, "RS512", {"kid": header["kid"], "typ": "at+jwt", "jwk": own})


def without_a_signature(token: str, _: Any) -> str:
    return token.rsplit(".", 1)[0] + "."


def of_another_type(token: str, _: Any) -> str:
    header, claims, signature = parts(token)
    return f"{part({**header, 'typ': 'JWT'})}.{part(claims)}.{signature}"


FORGED = [
    (unsigned, "wrong algorithm"),
    (signed_with_the_public_key, "wrong algorithm"),
    (of_another_signer, "wrong signature"),
    (of_an_unknown_key, "unknown key"),
    (with_more_scope, "wrong signature"),
    (that_brings_its_key, "wrong signature"),
    (without_a_signature, "wrong signature"),
    (of_another_type, "wrong type"),
]


class StockClient(jwt.PyJWKClient):
    """PyJWT's own, but for how it gets the document, so that it works with any target."""

    def __init__(self, published: Any) -> None:
        super().__init__("http://the.target/.well-known/jwks.json")
        self.published = published

    def fetch_data(self) -> Any:
        return self.published


async def verify(client: QuartClient, token: str, audience: str = "dataservice") -> Any:
    return await client.post("/verify_token", form={"access_token": token, "audience": audience})


async def test_the_dealer_tells_what_a_token_says(client: QuartClient, token: str) -> None:
    response = await verify(client, token)
    claims = await response.get_json()

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert claims == jwt.decode(token, options={"verify_signature": False})
    assert claims["scope"] == "users:read"


async def test_a_stock_jwks_client_verifies_a_token(client: QuartClient, token: str) -> None:
    stock = StockClient(await (await client.get("/.well-known/jwks.json")).get_json())
    key = stock.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS512"], audience="dataservice", issuer=ISSUER)

    assert claims["sub"] == "reader"


@pytest.mark.parametrize(("forge", "reason"), FORGED, ids=[forge.__name__ for forge, _ in FORGED])
async def test_a_forged_token_is_refused(
    client: QuartClient, token: str, forge: Callable[[str, Any], str], reason: str
) -> None:
    keys = (await (await client.get("/.well-known/jwks.json")).get_json())["keys"]
    public = jwt.PyJWK(keys[-1]).key
    response = await verify(client, forge(token, public))
    body = await response.get_json()

    assert (response.status_code, body["error"]) == (401, "invalid_token")
    assert body["detail"] == f"The token is missing or refused: {reason}."
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="Jeeves tokendealer", error="invalid_token"'
    )


@pytest.mark.parametrize("audience", ["tokendealer", "Dataservice", "data"])
async def test_a_token_for_somebody_else_is_refused(
    client: QuartClient, token: str, audience: str
) -> None:
    response = await verify(client, token, audience)

    assert response.status_code == 401
    assert "wrong audience" in (await response.get_json())["detail"]


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a.b.c",
        "..",
        "é.é.é",
        f"{part([])}.{part({})}.",
        f"{part(b'[' * 9_000)}.{part({})}.",  # deeper than Python reads
        f"{part({'alg': ['RS512'], 'typ': 'at+jwt', 'kid': 'k'})}.{part({})}.c2ln",
        f"{part({'alg': 'RS512', 'typ': 'at+jwt', 'kid': ['k']})}.{part({})}.c2ln",
        f"{part({'alg': 'RS512', 'typ': 'at+jwt'})}.{part({})}.c2ln",
    ],
)
async def test_what_is_no_token_is_refused(client: QuartClient, text: str) -> None:
    response = await verify(client, text)

    assert response.status_code == 401
    assert (await response.get_json())["error"] == "invalid_token"


@pytest.mark.parametrize("missing", ["access_token", "audience"])
async def test_without_a_token_or_an_audience_nothing_is_verified(
    client: QuartClient, token: str, missing: str
) -> None:
    form = {"access_token": token, "audience": "dataservice"}
    del form[missing]
    response = await client.post("/verify_token", form=form)

    assert response.status_code == 400
    assert (await response.get_json())["detail"] == f"Missing: {missing}."
