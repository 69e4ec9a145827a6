"""What no client sees of the dealer from outside. No target."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from quart import Quart
from werkzeug.security import generate_password_hash

from fixtures.jeeves.tokendealer import settings
from fixtures.jeeves.tokendealer.app import create_app
from fixtures.jeeves.tokendealer.keys import Keys
from fixtures.jeeves.tokendealer.settings import SettingsError

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HASH = generate_password_hash("s3cret", "pbkdf2:sha256:1")
CLIENTS = {
    "ada": {"secret": HASH, "grants": {"tokendealer": ["other", "keys:rotate"], "data": ["read"]}}
}
ADA = {"grant_type": "client_credentials", "client_id": "ada", "client_secret": "s3cret"}


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Quart]:
    app = create_app({"clients": CLIENTS, "keys_dir": str(tmp_path / "keys")})
    await app.startup()
    app.extensions["Keys"].clock = Clock()
    yield app
    await app.shutdown()


async def token(app: Quart, **form: str) -> str:
    response = await app.test_client().post("/oauth/token", form={**ADA, **form})
    return str((await response.get_json())["access_token"])


async def reason(app: Quart, text: str, audience: str = "data") -> str:
    form = {"access_token": text, "audience": audience}
    body = await (await app.test_client().post("/verify_token", form=form)).get_json()
    return str(body.get("detail"))


async def test_a_token_is_good_until_it_expires(app: Quart) -> None:
    text, clock = await token(app, audience="data"), app.extensions["Keys"].clock
    clock.now += 899
    before = await reason(app, text)
    clock.now += 1

    assert before == "None"
    assert await reason(app, text) == "The token is missing or refused: expired."


async def test_a_token_is_not_good_before_its_time(app: Quart) -> None:
    text = await token(app, audience="data")
    app.extensions["Keys"].clock.now -= 60

    assert await reason(app, text) == "The token is missing or refused: not yet valid."


async def test_a_token_of_another_issuer_with_our_key_is_refused(app: Quart) -> None:
    keys: Keys = app.extensions["Keys"]
    claims = jwt.decode(await token(app, audience="data"), options={"verify_signature": False})
    other = keys.signed({**claims, "iss": "https://other.example"})

    assert await reason(app, other) == "The token is missing or refused: wrong issuer."


@pytest.mark.parametrize(("scope", "status"), [("other", 403), ("keys:rotate", 201)])
async def test_keys_are_rotated_by_those_with_the_scope(
    app: Quart, scope: str, status: int
) -> None:
    text = await token(app, audience="tokendealer", scope=scope)
    headers = {"Authorization": f"Bearer {text}"}
    response = await app.test_client().post("/keys/rotate", headers=headers)

    assert response.status_code == status
    if status == 403:
        assert response.headers["WWW-Authenticate"] == (
            'Bearer realm="Jeeves tokendealer", error="insufficient_scope"'
        )
        assert (await response.get_json())["error"] == "insufficient_scope"


async def test_logs_tell_who_got_what_but_no_secret_and_no_token(
    app: Quart, capsys: pytest.CaptureFixture[str]
) -> None:
    form = {**ADA, "audience": "tokendealer"}
    sent = {"traceparent": TRACE}
    client = app.test_client()
    body = await (await client.post("/oauth/token", form=form, headers=sent)).get_json()
    text = body["access_token"]
    headers = {"Authorization": f"Bearer {text}"}
    await client.post("/verify_token", form={"access_token": text, "audience": "data"})
    await client.post("/oauth/token", form={**form, "client_secret": "swordfish"})
    rotated = await (await client.post("/keys/rotate", headers=headers)).get_json()
    written = capsys.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]
    issued = next(line for line in lines if line["message"] == "token issued")
    rotation = next(line for line in lines if line["message"] == "keys rotated")

    assert {"sub": "ada", "aud": "tokendealer", "traceparent": TRACE}.items() <= issued.items()
    assert (rotation["client_id"], rotation["kid"]) == ("ada", rotated["kid"])
    assert [line["status"] for line in lines if line["message"] == "request"] == [
        200, 401, 401, 201,
    ]  # fmt: skip
    assert not re.search(r"s3cret|swordfish|pbkdf2|eyJ|" + text.rsplit(".", 1)[1], written)


async def test_the_dealer_is_ready_from_its_start_to_its_end() -> None:
    app = create_app({"clients": CLIENTS})
    client = app.test_client()
    statuses = [(await client.get("/health/ready")).status_code]
    await app.startup()
    folder = app.extensions["Keys"].folder
    statuses.append((await client.get("/health/ready")).status_code)
    await app.shutdown()
    statuses.append((await client.get("/health/ready")).status_code)

    assert statuses == [503, 200, 503]
    assert not folder.exists()  # keys that nobody wants kept


async def test_a_mistake_of_ours_is_a_500_that_tells_the_log_why_and_nobody_else(
    app: Quart, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError("the folder is swordfish")

    monkeypatch.setattr(Keys, "alive", broken)
    response = await app.test_client().get("/.well-known/jwks.json")

    assert response.status_code == 500
    assert "swordfish" not in str(await response.get_json())
    assert "the folder is swordfish" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "warnings"), [({}, 2), ({"clients": CLIENTS}, 1), ({"keys_dir": "x"}, 1)]
)
def test_a_start_as_for_tests_is_warned_of(
    capsys: pytest.CaptureFixture[str], given: dict[str, Any], warnings: int
) -> None:
    create_app(given)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert [line["level"] for line in lines] == ["WARNING"] * warnings


@pytest.mark.parametrize(
    "described",
    [
        None,
        {},
        {"secret": HASH},
        {"grants": {}},
        {"secret": "swordfish", "grants": {}},
        {"secret": 7, "grants": {}},
        {"secret": HASH, "grants": 7},
        {"secret": HASH, "grants": {"data": 7}},
        {"secret": HASH, "grants": {"data": [7]}},
        {"secret": HASH, "grants": {"data": ["two words"]}},
        {"secret": HASH, "grants": {"": []}},
    ],
)
def test_a_client_that_is_not_described_well_is_refused_without_being_shown(
    described: object,
) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app({"clients": {"ada": described}})

    assert str(caught.value).startswith("clients: 'ada' must have a `secret`, made by")
    assert "swordfish" not in str(caught.value)


def test_settings_come_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("{token_life_s: 60, issuer: here}")
    environ = {"TOKENDEALER_SETTINGS": str(file), "TOKENDEALER_ISSUER": "there"}
    chosen = settings.load(environ=environ)

    assert (chosen.token_life_s, chosen.issuer) == (60, "there")
    with pytest.raises(SettingsError, match="'token_life_s' must be int, not str"):
        settings.load(environ={"TOKENDEALER_TOKEN_LIFE_S": "long"})


def test_every_packaged_secret_is_a_hash() -> None:
    hashes = [client["secret"] for client in settings.load(environ={}).clients.values()]

    assert len(hashes) == 4
    assert all(text.startswith("scrypt:32768:8:1$") for text in hashes)


async def test_strangers_secrets_do_not_keep_the_keys_from_being_told(app: Quart) -> None:
    """A hash takes long; who verifies tokens must not wait behind a crowd of those who guess."""
    client = app.test_client()
    form = {**ADA, "audience": "data", "client_id": "nobody"}
    guesses = [asyncio.create_task(client.post("/oauth/token", form=form)) for _ in range(12)]
    await asyncio.sleep(0)
    keys = await client.get("/.well-known/jwks.json")
    waiting = sum(not guess.done() for guess in guesses)
    statuses = {(await guess).status_code for guess in guesses}

    assert keys.status_code == 200
    assert waiting > 0
    assert statuses == {401}
