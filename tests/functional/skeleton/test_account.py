"""Basic credentials, and the signed session."""

import base64

import pytest
from quart.testing import QuartClient

ADA = {"user": "ada", "password": "correct horse battery staple"}
CREDENTIALS = (ADA["user"], ADA["password"])


async def test_basic_credentials_say_who_calls(client: QuartClient) -> None:
    response = await client.get("/me", auth=CREDENTIALS)

    assert response.status_code == 200
    assert await response.get_json() == {"user": "ada"}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        basic("ada:wrong"),
        basic("ada:"),
        basic("ada"),
        basic("nobody:correct horse battery staple"),
        basic("Ada:correct horse battery staple"),
        "Basic %%%",
        "Basic",
        "Bearer correct-horse-battery-staple",
    ],
)
async def test_without_good_credentials_the_answer_is_401_and_a_challenge(
    client: QuartClient, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = await client.get("/me", headers=headers)
    body = await response.get_json()

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Jeeves skeleton"'
    assert body["detail"] == "Name or password missing or wrong."


async def test_a_session_says_who_signed_in_and_counts_the_visits(client: QuartClient) -> None:
    signed_in = await client.post("/session", json=ADA)
    visits = [await (await client.get("/session")).get_json() for _ in range(3)]

    assert signed_in.status_code == 201
    assert await signed_in.get_json() == {"user": "ada", "visits": 0}
    assert visits == [{"user": "ada", "visits": number} for number in (1, 2, 3)]


async def test_signing_in_again_begins_a_new_count(client: QuartClient) -> None:
    await client.post("/session", json=ADA)
    await client.get("/session")
    await client.post("/session", json=ADA)

    assert (await (await client.get("/session")).get_json())["visits"] == 1


async def test_after_signing_out_nobody_is_signed_in(client: QuartClient) -> None:
    await client.post("/session", json=ADA)
    signed_out = await client.delete("/session")
    after = await client.get("/session")

    assert signed_out.status_code == 204
    assert after.status_code == 401
    assert after.headers["WWW-Authenticate"] == 'Session realm="Jeeves skeleton"'


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "nobody"}])
async def test_a_wrong_name_or_password_signs_nobody_in(
    client: QuartClient, wrong: dict[str, str]
) -> None:
    response = await client.post("/session", json={**ADA, **wrong})

    assert response.status_code == 401
    assert "Set-Cookie" not in response.headers
    assert (await client.get("/session")).status_code == 401


async def test_a_session_that_we_did_not_sign_is_nobodys(client: QuartClient) -> None:
    payload = base64.urlsafe_b64encode(b'{"user":"ada","visits":0}').decode().rstrip("=")
    headers = {"Cookie": f"session={payload}.aRvWbA.c2lnbmF0dXJlLW9mLW5vYm9keQ"}

    assert (await client.get("/session", headers=headers)).status_code == 401


async def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(
    client: QuartClient,
) -> None:
    cookie = (await client.post("/session", json=ADA)).headers["Set-Cookie"]

    assert cookie.startswith("session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("body", "fields"),
    [({}, {"user", "password"}), ({**ADA, "user": 1}, {"user"}), ({**ADA, "admin": 1}, {"admin"})],
)
async def test_signing_in_names_the_fields_that_are_wrong(
    client: QuartClient, body: dict[str, object], fields: set[str]
) -> None:
    response = await client.post("/session", json=body)

    assert response.status_code == 422
    assert set((await response.get_json())["fields"]) == fields
