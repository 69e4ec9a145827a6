"""Each documented operation answers as `fixtures/openapi/skeleton.yaml` says, status by status."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from quart import Response
from quart.testing import QuartClient

DOCUMENT: dict[str, Any] = yaml.safe_load(
    Path(__file__).parents[3].joinpath("fixtures/openapi/skeleton.yaml").read_text("utf-8")
)
ADA = {"user": "ada", "password": "correct horse battery staple"}
CUP = {"name": "cup", "colour": "blue"}
LONDON = {"city": "London, UK"}
BROKEN = {"data": "{", "headers": {"Content-Type": "application/json"}}
LARGE = {"data": " " * 70_000, "headers": {"Content-Type": "application/json"}}
TEXT = {"data": "{}", "headers": {"Content-Type": "text/plain"}}

WITHOUT_A_ROW = {
    ("createThing", 409): "fills the collection for everyone: once is enough, in test_things",
    ("ready", 503): "only before the start and after the end: in test_parts",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request, and the status that it must be answered with."""

    operation: str
    status: int
    at: Mapping[str, Any] = field(default_factory=dict)  # in the path; by default, the test's thing
    sent: Mapping[str, Any] = field(default_factory=dict)
    stub: str | None = None
    signed_in: bool = False


def row(operation: str, status: int, /, **rest: Any) -> Row:
    return Row(operation=operation, status=status, **rest)


ROWS = [
    row("listThings", 200),
    row("createThing", 201, sent={"json": CUP}),
    row("createThing", 400, sent=BROKEN),
    row("createThing", 413, sent=LARGE),
    row("createThing", 415, sent=TEXT),
    row("createThing", 422, sent={"json": {}}),
    row("showThing", 200),
    row("showThing", 404, at={"thing_id": 0}),
    row("replaceThing", 200, sent={"json": CUP}),
    row("replaceThing", 400, sent=BROKEN),
    row("replaceThing", 404, sent={"json": CUP}, at={"thing_id": 0}),
    row("replaceThing", 413, sent=LARGE),
    row("replaceThing", 415, sent=TEXT),
    row("replaceThing", 422, sent={"json": {}}),
    row("deleteThing", 204),
    row("deleteThing", 404, at={"thing_id": 0}),
    row("thingByKey", 200),
    row("thingByKey", 404, at={"key": "00000000-0000-0000-0000-000000000000"}),
    row("thingsByColour", 200, at={"colour": "red"}),
    row("thingsByColour", 404, at={"colour": "mauve"}),
    row("thingsByPlace", 200, at={"place": "kitchen/top-shelf"}),
    row("roman", 200, at={"number": "XIV"}),
    row("roman", 200, at={"number": "MMMCMXCIX"}),
    row("roman", 404, at={"number": "IIII"}),
    row("me", 200, sent={"auth": (ADA["user"], ADA["password"])}),
    row("me", 401),
    row("signIn", 201, sent={"json": ADA}),
    row("signIn", 400, sent=BROKEN),
    row("signIn", 401, sent={"json": {**ADA, "password": "wrong"}}),
    row("signIn", 413, sent=LARGE),
    row("signIn", 415, sent=TEXT),
    row("signIn", 422, sent={"json": {}}),
    row("showSession", 200, signed_in=True),
    row("showSession", 401),
    row("signOut", 204, signed_in=True),
    row("hello", 200, at={"name": "you"}),
    row("report", 200, sent={"headers": {"Accept": "application/json"}}),
    row("report", 200, sent={"headers": {"Accept": "application/yaml"}}),
    row("report", 406, sent={"headers": {"Accept": "text/csv"}}),
    row("reportAsYaml", 200),
    row("weather", 200, sent={"query_string": LONDON}, stub="weather.current"),
    row("weather", 400),
    row("weather", 404, sent={"query_string": {"city": "Atlantis"}}, stub="weather.unknown-city"),
    row("weather", 502, sent={"query_string": LONDON}, stub="weather.down"),
    row("weather", 504, sent={"query_string": LONDON}, stub="weather.slow"),
    row("live", 200),
    row("ready", 200),
    row("metrics", 200),
]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each documented operation with its path and its method."""
    for path, item in DOCUMENT["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield path, method, item[method]


def cases() -> Iterator[Any]:
    for number, each in enumerate(ROWS):
        marks = [pytest.mark.stubs(each.stub)] if each.stub else []
        yield pytest.param(each, marks=marks, id=f"{each.operation}-{each.status}-{number}")


@pytest.mark.parametrize("row", list(cases()))
async def test_the_answer_is_the_documented_one(
    client: QuartClient, thing: dict[str, Any], row: Row
) -> None:
    if row.signed_in:
        await client.post("/session", json=ADA)
    response = await send(client, row, thing)
    if row.operation == "createThing" and response.status_code == 201:
        await client.delete(f"/things/{(await response.get_json())['id']}")

    assert response.status_code == row.status
    assert [problem async for problem in problems(row.operation, response)] == []


async def test_an_answer_that_no_operation_lists_is_its_default_one(client: QuartClient) -> None:
    response = await client.patch("/things")

    assert response.status_code == 405
    assert [problem async for problem in problems("listThings", response)] == []


async def send(client: QuartClient, row: Row, thing: Mapping[str, Any]) -> Response:
    path, method, _ = next(o for o in operations() if o[2]["operationId"] == row.operation)
    known = {"thing_id": thing["id"], "key": thing["key"], **row.at}
    response: Response = await getattr(client, method)(path.format(**known), **row.sent)
    return response


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
