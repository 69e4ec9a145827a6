"""Each documented operation answers as `fixtures/openapi/dataservice.yaml` says, by status."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from quart import Response
from quart.testing import QuartClient

from .conftest import Headers, slack_id

pytestmark = pytest.mark.service("dataservice")

DOCUMENT: dict[str, Any] = yaml.safe_load(
    Path(__file__).parents[3].joinpath("fixtures/openapi/dataservice.yaml").read_text("utf-8")
)
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


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request, and the status that it must be answered with."""

    operation: str
    status: int
    sent: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)  # in the path; by default, the test's user
    who: str | None = "writer"


def row(operation: str, status: int, sent: Mapping[str, Any] | None = None, **rest: Any) -> Row:
    return Row(operation=operation, status=status, sent=sent or {}, **rest)


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


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each documented operation with its path and its method."""
    for path, item in DOCUMENT["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield path, method, item[method]


def named(each: Row) -> str:
    return f"{each.operation}-{each.status}"


@pytest.mark.parametrize("row", ROWS, ids=named)
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
    assert [problem async for problem in problems(row.operation, response)] == []


async def test_an_answer_that_no_operation_lists_is_its_default_one(client: QuartClient) -> None:
    response = await client.patch("/api/users")

    assert response.status_code == 405
    assert [problem async for problem in problems("listUsers", response)] == []


async def other_user(client: QuartClient, writer: Headers) -> dict[str, Any]:
    facts = {"slack_id": slack_id(), "name": "Grace", "config": {"note": "long " * 120}}
    made: dict[str, Any] = await (
        await client.post("/api/users", json=facts, headers=writer)
    ).get_json()
    return made


async def send(
    client: QuartClient, row: Row, user: dict[str, Any], other: dict[str, Any], who: Headers
) -> Response:
    path, method, _ = next(o for o in operations() if o[2]["operationId"] == row.operation)
    sent = {**row.sent, "headers": {**who, **row.sent.get("headers", {})}}
    bodies = {NEW: slack_id(), TAKEN: other["slack_id"]}
    if isinstance(sent.get("json"), str):
        sent["json"] = {"slack_id": bodies[sent["json"]], "name": "Ada"}
    at = {"user_id": user["id"], **row.at}
    response: Response = await getattr(client, method)(path.format(**at), **sent)
    return response


async def problems(operation_id: str, response: Response) -> AsyncIterator[str]:
    """What of the answer the document does not allow, in words."""
    operation = next(o for _, _, o in operations() if o["operationId"] == operation_id)
    responses = operation["responses"]
    documented = resolved(responses.get(str(response.status_code), responses["default"]))
    for name, header in documented.get("headers", {}).items():
        value = response.headers.get(name)
        if header.get("required") and value is None:
            yield f"no {name} header"
        else:
            for error in validator(header["schema"]).iter_errors(value):
                yield f"{name}: {error.message}"
    content = documented.get("content")
    if content is None:
        if body := await response.get_data():
            yield f"a body where none is documented: {body!r}"
    elif response.mimetype not in content:
        yield f"{response.mimetype}, documented: {', '.join(content)}"
    else:
        value = await understood(response)
        for error in validator(content[response.mimetype]["schema"]).iter_errors(value):
            yield f"{error.json_path}: {error.message}"


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT
    if "$ref" not in value:
        return value
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    whole = {**schema, "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


async def understood(response: Response) -> Any:
    data = await response.get_data(as_text=False)
    if response.headers.get("Content-Encoding") == "gzip":
        data = gzip.decompress(data)
    if response.mimetype == "application/msgpack":
        return msgspec.msgpack.decode(data)
    return json.loads(data) if response.mimetype == "application/json" else data.decode()
