"""Each documented operation answers as `fixtures/openapi/tokendealer.yaml` says, by status."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from quart import Response
from quart.testing import QuartClient

pytestmark = pytest.mark.service("tokendealer")

DOCUMENT: dict[str, Any] = yaml.safe_load(
    Path(__file__).parents[3].joinpath("fixtures/openapi/tokendealer.yaml").read_text("utf-8")
)
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
IN_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LARGE = {"data": " " * 20_000, "headers": IN_FORM}
DATA = {"audience": "dataservice"}

WITHOUT_A_ROW = {
    ("ready", 503): "only before the start and after the end: in test_tokendealer_app",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request, and the status that it must be answered with."""

    operation: str
    status: int
    sent: Mapping[str, Any] = field(default_factory=dict)
    with_token: str | None = None  # in this field, or as the bearer's
    as_client: Mapping[str, str] = field(default_factory=lambda: ADMIN)


def row(operation: str, status: int, /, **rest: Any) -> Row:
    return Row(operation=operation, status=status, **rest)


ROWS = [
    row("grantToken", 200, sent={"form": READER}),
    row("grantToken", 200, sent={"form": {**READER, "scope": "users:read"}}),
    row("grantToken", 400, sent={"form": {}}),
    row("grantToken", 400, sent={"json": READER}),
    row("grantToken", 400, sent={"form": {**READER, "scope": "users:write"}}),
    row("grantToken", 400, sent={"form": {**READER, "grant_type": "password"}}),
    row("grantToken", 400, sent={"form": {**READER, "audience": "nobody"}}),
    row("grantToken", 401, sent={"form": {**READER, "client_secret": "wrong"}}),
    row("grantToken", 413, sent=LARGE),
    row("verifyToken", 200, sent={"form": DATA}, with_token="access_token"),
    row("verifyToken", 400, sent={"form": DATA}),
    row("verifyToken", 401, sent={"form": {**DATA, "access_token": "x.y.z"}}),
    row("verifyToken", 413, sent=LARGE),
    row("keys", 200),
    row("rotateKeys", 201, with_token="bearer"),
    row("rotateKeys", 401),
    row("rotateKeys", 403, with_token="bearer", as_client=ACTIONS),
    row("live", 200),
    row("ready", 200),
    row("metrics", 200),
]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each documented operation with its path and its method."""
    for path, item in DOCUMENT["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield path, method, item[method]


@pytest.mark.parametrize(
    "row", [pytest.param(r, id=f"{r.operation}-{r.status}-{n}") for n, r in enumerate(ROWS)]
)
async def test_the_answer_is_the_documented_one(client: QuartClient, row: Row) -> None:
    response = await send(client, row)

    assert response.status_code == row.status
    assert [problem async for problem in problems(row.operation, response)] == []


async def test_an_answer_that_no_operation_lists_is_its_default_one(client: QuartClient) -> None:
    response = await client.patch("/oauth/token")

    assert response.status_code == 405
    assert [problem async for problem in problems("grantToken", response)] == []


async def send(client: QuartClient, row: Row) -> Response:
    path, method, _ = next(o for o in operations() if o[2]["operationId"] == row.operation)
    sent = dict(row.sent)
    if row.with_token == "bearer":
        sent["headers"] = {"Authorization": f"Bearer {await token(client, row.as_client)}"}
    elif row.with_token:
        sent["form"] = {**sent["form"], row.with_token: await token(client, READER)}
    response: Response = await getattr(client, method)(path, **sent)
    return response


async def token(client: QuartClient, form: Mapping[str, str]) -> str:
    return str((await (await client.post("/oauth/token", form=form)).get_json())["access_token"])


async def problems(operation_id: str, response: Response) -> Any:
    """What of the answer the document does not allow, in words."""
    operation = next(o for _, _, o in operations() if o["operationId"] == operation_id)
    responses = operation["responses"]
    documented = resolved(responses.get(str(response.status_code), responses["default"]))
    for name, header in documented.get("headers", {}).items():
        if header.get("required") and name not in response.headers:
            yield f"no {name} header"
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


async def understood(response: Response) -> object:
    text = await response.get_data(as_text=True)
    is_data = response.mimetype in ("application/json", "application/yaml")
    return yaml.safe_load(text) if is_data else text
