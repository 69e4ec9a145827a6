"""Who may do what: a token, of the right scope, that nobody has tampered with."""

import base64
import json
from typing import Any

import pytest
from quart import Response
from quart.testing import QuartClient
from werkzeug.datastructures import WWWAuthenticate

from .conftest import Headers, Token, slack_id

pytestmark = pytest.mark.service("dataservice")

REALM = 'Bearer realm="Jeeves dataservice"'
WRITES = ["post", "put", "patch", "delete"]


async def tried(client: QuartClient, method: str, user: dict[str, Any], headers: Headers) -> Any:
    path = "/api/users" if method == "post" else user["url"]
    facts = {"slack_id": slack_id(), "name": "Mallory"}
    sent = {"json": facts} if method in ("post", "put", "patch") else {}
    return await getattr(client, method)(path, headers=headers, **sent)


@pytest.mark.parametrize("method", ["get", *WRITES])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "?"}])
async def test_without_a_token_nothing_is_told_and_nothing_is_done(
    client: QuartClient, writer: Headers, user: dict[str, Any], method: str, headers: Headers
) -> None:
    response = await tried(client, method, user, headers)
    after = await client.get(user["url"], headers=writer)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == REALM  # and no error (RFC 6750, 3.1)
    assert (await response.get_json())["detail"] == "A bearer token is needed."
    assert await after.get_json() == user


def challenged(response: Response) -> dict[str, str | None]:
    challenge = WWWAuthenticate.from_header(response.headers["WWW-Authenticate"])
    assert challenge is not None
    return dict(challenge.parameters)


@pytest.mark.parametrize("method", WRITES)
async def test_a_reader_changes_nothing(
    client: QuartClient, reader: Headers, user: dict[str, Any], method: str
) -> None:
    response = await tried(client, method, user, reader)
    after = await client.get(user["url"], headers=reader)

    assert response.status_code == 403
    assert challenged(response) == {
        "realm": "Jeeves dataservice",
        "error": "insufficient_scope",
        "scope": "users:write",
    }
    assert (await response.get_json())["detail"] == "The token lacks users:write."
    assert await after.get_json() == user


async def test_who_may_write_may_not_therefore_read(
    client: QuartClient, only_writer: Headers, user: dict[str, Any]
) -> None:
    response = await client.get(user["url"], headers=only_writer)
    changed = await client.patch(user["url"], json={"name": "Grace"}, headers=only_writer)

    assert response.status_code == 403
    assert (await response.get_json())["detail"] == "The token lacks users:read."
    assert changed.status_code == 200


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


def unsigned(header: str, claims: str, _: str) -> str:
    return f"{encoded({**decoded(header), 'alg': 'none'})}.{claims}."


def tampered(header: str, claims: str, signature: str) -> str:
    wider = {**decoded(claims), "scope": "users:read users:write"}
    return f"{header}.{encoded(wider)}.{signature}"


def of_another_key(header: str, claims: str, signature: str) -> str:
    return f"{encoded({**decoded(header), 'kid': 'mine'})}.{claims}.{signature}"


def cut_off(header: str, claims: str, _: str) -> str:
    return f"{header}.{claims}"


@pytest.mark.parametrize("spoilt", [unsigned, tampered, of_another_key, cut_off])
async def test_a_token_that_the_dealer_did_not_sign_is_refused(
    client: QuartClient, reader: Headers, user: dict[str, Any], spoilt: Any
) -> None:
    bearer = spoilt(*reader["Authorization"].removeprefix("Bearer ").split("."))
    response = await tried(client, "patch", user, {"Authorization": f"Bearer {bearer}"})

    assert response.status_code == 401
    assert challenged(response)["error"] == "invalid_token"
    assert (await response.get_json())["detail"].startswith("The token: ")


async def test_a_token_for_another_service_is_refused(
    client: QuartClient, user: dict[str, Any], token: Token
) -> None:
    response = await client.get(user["url"], headers=await token("admin"))

    assert response.status_code == 401
    assert (await response.get_json())["detail"] == "The token: wrong audience."


async def test_the_name_of_the_scheme_may_be_in_any_case(
    client: QuartClient, reader: Headers, user: dict[str, Any]
) -> None:
    headers = {"Authorization": reader["Authorization"].replace("Bearer", "bEARER")}

    assert (await client.get(user["url"], headers=headers)).status_code == 200
