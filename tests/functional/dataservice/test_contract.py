"""Each documented operation answers as `fixtures/openapi/dataservice.yaml` says, by status."""

from typing import Any

import pytest
from quart import Response
from quart.testing import QuartClient

from tests.contract import Contract, Row, cases

from .conftest import Headers, slack_id

pytestmark = pytest.mark.service("dataservice")

CONTRACT = Contract("dataservice")
NEW = "a user with a Slack id that nobody has"
TAKEN = "a user with the Slack id of the test's user"
JSON = {"Content-Type": "application/json"}
MSGPACK = {"Accept": "application/msgpack"}
GZIP = {"Accept-Encoding": "gzip"}
BROKEN = {"data": "{", "headers": JSON}
LARGE = {"data": " " * 70_000, "headers": JSON}
TEXT = {"data": "{}", "headers": {"Content-Type": "text/plain"}}
CSV = {"headers": {"Accept": "text/csv"}}
STALE = {"headers": {"If-Match": '"0-json"'}}
SEEN = {"headers": {"If-None-Match": "*"}}
NOBODY = {"user_id": 0}

WITHOUT_A_ROW = {
    (operation, 503): "not while tokendealer and database answer: in tests/jeeves"
    for operation in
    ("listUsers", "createUser", "showUser", "replaceUser", "amendUser", "deleteUser", "ready")
}  # fmt: skip


def row(operation: str, status: int, sent: Any = None, **rest: Any) -> Row:
    return Row(operation, status, sent or {}, **{"who": "writer", **rest})


ROWS = [
    row("listUsers", 200),
    row("listUsers", 200, {"headers": MSGPACK}),
    row("listUsers", 200, {"headers": GZIP}),
    row("listUsers", 304, SEEN),
    row("listUsers", 400, {"query_string": {"limit": "0"}}),
    row("listUsers", 401, who=None),
    row("listUsers", 403, who="only_writer"),
    row("listUsers", 406, CSV),
    row("createUser", 201, {"json": NEW}),
    row("createUser", 201, {"json": NEW, "headers": MSGPACK}),
    row("createUser", 400, BROKEN),
    row("createUser", 401, {"json": NEW}, who=None),
    row("createUser", 403, {"json": NEW}, who="reader"),
    row("createUser", 406, {"json": NEW, **CSV}),
    row("createUser", 409, {"json": TAKEN}),
    row("createUser", 413, LARGE),
    row("createUser", 415, TEXT),
    row("createUser", 422, {"json": {}}),
    row("showUser", 200),
    row("showUser", 200, {"headers": MSGPACK}),
    row("showUser", 304, SEEN),
    row("showUser", 401, who=None),
    row("showUser", 403, who="only_writer"),
    row("showUser", 404, at=NOBODY),
    row("showUser", 406, CSV),
    row("deleteUser", 204),
    row("deleteUser", 401, who=None),
    row("deleteUser", 403, who="reader"),
    row("deleteUser", 404, at=NOBODY),
    row("deleteUser", 406, CSV),
    row("deleteUser", 412, STALE),
    row("live", 200, who=None),
    row("ready", 200, who=None),
    row("metrics", 200, who=None),
]
for _operation in ("replaceUser", "amendUser"):
    ROWS += [
        row(_operation, 200, {"json": NEW}),
        row(_operation, 200, {"json": NEW, "headers": {**MSGPACK, **GZIP}}),
        row(_operation, 400, BROKEN),
        row(_operation, 401, {"json": NEW}, who=None),
        row(_operation, 403, {"json": NEW}, who="reader"),
        row(_operation, 404, {"json": NEW}, at=NOBODY),
        row(_operation, 406, {"json": NEW, **CSV}),
        row(_operation, 409, {"json": TAKEN}),
        row(_operation, 412, {"json": NEW, **STALE}),
        row(_operation, 413, LARGE),
        row(_operation, 415, TEXT),
        row(_operation, 422, {"json": {"name": ""}}),
    ]


@pytest.mark.parametrize("row", cases(ROWS))
async def test_the_answer_is_the_documented_one(
    client: QuartClient,
    user: dict[str, Any],
    writer: Headers,
    reader: Headers,
    only_writer: Headers,
    row: Row,
) -> None:
    who = {None: {}, "writer": writer, "reader": reader, "only_writer": only_writer}[row.who]
    other = await other_user(client, writer)
    response = await send(client, row, user, other, who)
    if row.status == 201:
        await client.delete(response.headers["Location"], headers=writer)
    await client.delete(other["url"], headers=writer)

    assert response.status_code == row.status
    assert await CONTRACT.problems(row.operation, response) == []


async def test_an_answer_that_no_operation_lists_is_its_default_one(client: QuartClient) -> None:
    response = await client.patch("/api/users")

    assert response.status_code == 405
    assert await CONTRACT.problems("listUsers", response) == []


async def other_user(client: QuartClient, writer: Headers) -> dict[str, Any]:
    facts = {"slack_id": slack_id(), "name": "Grace", "config": {"note": "long " * 120}}
    made: dict[str, Any] = await (
        await client.post("/api/users", json=facts, headers=writer)
    ).get_json()
    return made


async def send(
    client: QuartClient, row: Row, user: dict[str, Any], other: dict[str, Any], who: Headers
) -> Response:
    changes: dict[str, Any] = {"headers": {**who, **row.sent.get("headers", {})}}
    bodies = {NEW: slack_id(), TAKEN: other["slack_id"]}
    if isinstance(row.sent.get("json"), str):
        changes["json"] = {"slack_id": bodies[row.sent["json"]], "name": "Ada"}
    return await CONTRACT.answer(client, row, at={"user_id": user["id"]}, **changes)
