"""Each documented operation answers as `fixtures/openapi/tokendealer.yaml` says, by status."""

from collections.abc import Mapping

import pytest
from quart.testing import QuartClient

from tests.contract import Contract, Row, cases

pytestmark = pytest.mark.service("tokendealer")

CONTRACT = Contract("tokendealer")
READER = {
    "grant_type": "client_credentials",
    "client_id": "reader",
    "client_secret": "reader-secret-for-tests",
    "audience": "dataservice",
}
ADMIN = {
    **READER,
    "client_id": "admin",
    "client_secret": "admin-secret-for-tests",
    "audience": "tokendealer",
}
ACTIONS = {**ADMIN, "client_id": "actions", "client_secret": "actions-secret-for-tests"}
WHO = {"reader": READER, "admin": ADMIN, "actions": ACTIONS}
IN_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LARGE = {"data": " " * 20_000, "headers": IN_FORM}
DATA = {"audience": "dataservice"}

WITHOUT_A_ROW = {
    ("ready", 503): "only before the start and after the end: in test_tokendealer_app",
}

ROWS = [
    Row("grantToken", 200, {"form": READER}),
    Row("grantToken", 200, {"form": {**READER, "scope": "users:read"}}),
    Row("grantToken", 400, {"form": {}}),
    Row("grantToken", 400, {"json": READER}),
    Row("grantToken", 400, {"form": {**READER, "scope": "users:write"}}),
    Row("grantToken", 400, {"form": {**READER, "grant_type": "password"}}),
    Row("grantToken", 400, {"form": {**READER, "audience": "nobody"}}),
    Row("grantToken", 401, {"form": {**READER, "client_secret": "wrong"}}),
    Row("grantToken", 413, LARGE),
    Row("verifyToken", 200, {"form": DATA}, who="reader"),
    Row("verifyToken", 400, {"form": DATA}),
    Row("verifyToken", 401, {"form": {**DATA, "access_token": "x.y.z"}}),
    Row("verifyToken", 413, LARGE),
    Row("keys", 200),
    Row("rotateKeys", 201, who="admin"),
    Row("rotateKeys", 401),
    Row("rotateKeys", 403, who="actions"),
    Row("live", 200),
    Row("ready", 200),
    Row("metrics", 200),
]


@pytest.mark.parametrize("row", cases(ROWS))
async def test_the_answer_is_the_documented_one(client: QuartClient, row: Row) -> None:
    sent = {}
    if row.who and row.operation == "verifyToken":
        sent["form"] = {**row.sent["form"], "access_token": await token(client, WHO[row.who])}
    elif row.who:
        sent["headers"] = {"Authorization": f"Bearer {await token(client, WHO[row.who])}"}
    response = await CONTRACT.answer(client, row, **sent)

    assert response.status_code == row.status
    assert await CONTRACT.problems(row.operation, response) == []


async def test_an_answer_that_no_operation_lists_is_its_default_one(client: QuartClient) -> None:
    response = await client.patch("/oauth/token")

    assert response.status_code == 405
    assert await CONTRACT.problems("grantToken", response) == []


async def token(client: QuartClient, form: Mapping[str, str]) -> str:
    return str((await (await client.post("/oauth/token", form=form)).get_json())["access_token"])
