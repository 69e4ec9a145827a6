"""Tokens for secrets: the client-credentials grant of RFC 6749."""

import base64
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote_plus

import jwt
import pytest
from quart.testing import QuartClient

pytestmark = pytest.mark.service("tokendealer")

Grant = Callable[..., Coroutine[Any, Any, Any]]
FORM = "application/x-www-form-urlencoded"


def basic(name: str, secret: str) -> dict[str, str]:
    credentials = f"{quote_plus(name)}:{quote_plus(secret)}".encode()
    return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


async def error_of(response: Any) -> tuple[int, str]:
    body = await response.get_json()
    assert body["error_description"] == body["detail"]
    return response.status_code, body["error"]


async def test_a_client_gets_a_token_of_all_that_it_may_do(grant: Grant) -> None:
    response = await grant("dataservice-writer")
    body = await response.get_json()

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert body["scope"] == "users:read users:write"


async def test_a_token_says_who_may_do_what_where_and_until_when(grant: Grant) -> None:
    token = (await (await grant()).get_json())["access_token"]
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})

    assert set(header) == {"alg", "kid", "typ"}
    assert (header["alg"], header["typ"]) == ("RS512", "at+jwt")
    assert {
        "iss": "https://tokendealer.jeeves.example",
        "sub": "reader",
        "client_id": "reader",
        "aud": "dataservice",
        "scope": "users:read",
    }.items() <= claims.items()
    assert claims["exp"] - claims["iat"] == 900
    assert claims["nbf"] == claims["iat"]


async def test_no_two_tokens_have_one_name(grant: Grant) -> None:
    tokens = [(await (await grant()).get_json())["access_token"] for _ in range(2)]
    names = {jwt.decode(token, options={"verify_signature": False})["jti"] for token in tokens}

    assert len(names) == 2


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("users:read", "users:read"),
        ("users:write users:read", "users:read users:write"),
        ("users:write users:write", "users:write"),
        ("", "users:read users:write"),  # no value is no field
    ],
)
async def test_a_client_may_ask_for_less(grant: Grant, asked: str, given: str) -> None:
    body = await (await grant("actions", scope=asked)).get_json()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})

    assert body["scope"] == claims["scope"] == given


@pytest.mark.parametrize("asked", ["users:write", "users:read users:write", "USERS:READ", " "])
async def test_a_client_may_not_ask_for_more(grant: Grant, asked: str) -> None:
    assert await error_of(await grant("reader", scope=asked)) == (400, "invalid_scope")


@pytest.mark.parametrize("audience", ["tokendealer", "nowhere", "DATASERVICE"])
async def test_a_client_gets_tokens_only_for_those_that_it_talks_to(
    grant: Grant, audience: str
) -> None:
    assert await error_of(await grant("reader", audience)) == (400, "invalid_grant")


async def test_credentials_may_be_sent_by_basic_authentication(client: QuartClient) -> None:
    form = {"grant_type": "client_credentials", "audience": "dataservice"}
    headers = basic("reader", "reader-secret-for-tests")
    alone = await client.post("/oauth/token", form=form, headers=headers)
    named = await client.post("/oauth/token", form={**form, "client_id": "reader"}, headers=headers)

    assert (alone.status_code, named.status_code) == (200, 200)


async def test_basic_credentials_are_encoded_as_in_a_form(client: QuartClient) -> None:
    form = {"grant_type": "client_credentials", "audience": "dataservice"}
    encoded = base64.b64encode(b"reader:reader%2Dsecret-for-tests").decode()
    headers = {"Authorization": f"Basic {encoded}"}

    assert (await client.post("/oauth/token", form=form, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "wrong"},
        {"client_secret": ""},
        {"client_id": ""},
        {"client_id": "", "client_secret": ""},
        {"client_id": "nobody"},
        {"client_id": "Reader"},
        {"client_id": "actions"},
        {"client_secret": "Reader-secret-for-tests"},
    ],
)
async def test_who_is_no_client_is_challenged(grant: Grant, wrong: dict[str, str]) -> None:
    response = await grant(**wrong)

    assert await error_of(response) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Jeeves tokendealer"'
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "authorization",
    [
        basic("reader", "wrong")["Authorization"],
        basic("nobody", "reader-secret-for-tests")["Authorization"],
        "Basic %%%",
        "Basic",
        "Bearer reader-secret-for-tests",
    ],
)
async def test_a_header_that_does_not_name_a_client_is_challenged(
    client: QuartClient, authorization: str
) -> None:
    form = {"grant_type": "client_credentials", "audience": "dataservice"}
    headers = {"Authorization": authorization}
    response = await client.post("/oauth/token", form=form, headers=headers)

    assert await error_of(response) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "form", [{"client_secret": "reader-secret-for-tests"}, {"client_id": "actions"}]
)
async def test_credentials_are_given_once(client: QuartClient, form: dict[str, str]) -> None:
    asked = {"grant_type": "client_credentials", "audience": "dataservice", **form}
    headers = basic("reader", "reader-secret-for-tests")
    response = await client.post("/oauth/token", form=asked, headers=headers)

    assert await error_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("other", ["password", "authorization_code", "Client_Credentials"])
async def test_there_is_one_grant(grant: Grant, other: str) -> None:
    assert await error_of(await grant(grant_type=other)) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("missing", ["grant_type", "audience"])
async def test_what_is_missing_is_named(grant: Grant, missing: str) -> None:
    response = await grant(**{missing: ""})

    assert await error_of(response) == (400, "invalid_request")
    assert (await response.get_json())["detail"] == f"Missing: {missing}."


@pytest.mark.parametrize("path", ["/oauth/token", "/verify_token"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("{}", "application/json"),
        ("audience=dataservice", "text/plain"),
        ("audience=dataservice&audience=tokendealer", FORM),
        ("audience=%ff", FORM),
        (b"audience=\xff", FORM),
        ("&".join(f"f{number}=x" for number in range(21)), FORM),
        ("", FORM),
    ],
)
async def test_a_body_that_is_no_good_form_is_a_bad_request(
    client: QuartClient, path: str, body: str | bytes, kind: str
) -> None:
    response = await client.post(path, data=body, headers={"Content-Type": kind})

    assert await error_of(response) == (400, "invalid_request")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("size", "status"), [(16_384, 400), (16_385, 413)])
async def test_a_body_may_have_16_kib_and_no_byte_more(
    client: QuartClient, size: int, status: int
) -> None:
    body = "scope=" + "x" * (size - 6)
    response = await client.post("/oauth/token", data=body, headers={"Content-Type": FORM})

    assert (response.status_code, (await response.get_json())["status"]) == (status, status)


async def test_a_stranger_learns_nothing_from_an_error(grant: Grant) -> None:
    unknown = await (await grant("nobody")).get_json()
    wrong = await (await grant(client_secret="swordfish")).get_json()

    assert unknown == wrong
    assert "swordfish" not in str(wrong)
