"""The published keys, and their rotation."""

import base64
import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

import jwt
import pytest
from quart.testing import QuartClient

pytestmark = pytest.mark.service("tokendealer")

Grant = Callable[..., Coroutine[Any, Any, Any]]


async def keys(client: QuartClient) -> list[dict[str, str]]:
    return list((await (await client.get("/.well-known/jwks.json")).get_json())["keys"])


async def rotate(client: QuartClient, authorization: str | None) -> Any:
    headers = {"Authorization": authorization} if authorization else {}
    return await client.post("/keys/rotate", headers=headers)


async def test_published_keys_are_public_and_nothing_else(client: QuartClient) -> None:
    for key in await keys(client):
        assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}
        assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS512")


async def test_a_key_is_named_by_its_thumbprint(client: QuartClient) -> None:
    key = (await keys(client))[-1]
    text = json.dumps({"e": key["e"], "kty": "RSA", "n": key["n"]}, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()

    assert key["kid"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def test_after_a_rotation_old_tokens_stay_good_and_new_ones_have_the_new_key(
    client: QuartClient, grant: Grant, token: str, admin_token: str
) -> None:
    before = await keys(client)
    response = await rotate(client, f"Bearer {admin_token}")
    kid = (await response.get_json())["kid"]
    after = await keys(client)
    new = (await (await grant()).get_json())["access_token"]

    assert response.status_code == 201
    assert [key["kid"] for key in after] == [*(key["kid"] for key in before), kid]
    assert jwt.get_unverified_header(token)["kid"] == before[-1]["kid"]
    assert jwt.get_unverified_header(new)["kid"] == kid
    for each in (token, new):
        form = {"access_token": each, "audience": "dataservice"}
        assert (await client.post("/verify_token", form=form)).status_code == 200


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer x", "Basic YWRtaW46eA=="])
async def test_without_a_token_no_key_is_rotated(
    client: QuartClient, authorization: str | None
) -> None:
    before = await keys(client)
    response = await rotate(client, authorization)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="Jeeves tokendealer"')
    assert await keys(client) == before


async def test_a_token_without_the_scope_rotates_no_key(client: QuartClient, grant: Grant) -> None:
    granted = await (await grant("actions", "tokendealer")).get_json()
    before = await keys(client)
    response = await rotate(client, f"Bearer {granted['access_token']}")

    assert granted["scope"] == ""
    assert response.status_code == 403
    assert (await response.get_json())["error"] == "insufficient_scope"
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="Jeeves tokendealer", error="insufficient_scope"'
    )
    assert await keys(client) == before


async def test_a_token_for_somebody_else_rotates_no_key(client: QuartClient, token: str) -> None:
    response = await rotate(client, f"Bearer {token}")

    assert response.status_code == 401
    assert "wrong audience" in (await response.get_json())["detail"]
