"""Each documented operation answers as `fixtures/openapi/skeleton.yaml` says, status by status."""

from typing import Any

import pytest
from quart.testing import QuartClient

from tests.contract import Contract, Row, cases

CONTRACT = Contract("skeleton")
ADA = {"user": "ada", "password": "correct horse battery staple"}
CUP = {"name": "cup", "colour": "blue"}
LONDON = {"city": "London, UK"}
BROKEN = {"data": "{", "headers": {"Content-Type": "application/json"}}
LARGE = {"data": " " * 70_000, "headers": {"Content-Type": "application/json"}}
TEXT = {"data": "{}", "headers": {"Content-Type": "text/plain"}}

WITHOUT_A_ROW = {
    ("weather", 504): "waits for a second: once is enough, in test_weather",
    ("createThing", 409): "fills the collection for everyone: once is enough, in test_things",
    ("ready", 503): "only before the start and after the end: in test_parts",
}

ROWS = [
    Row("listThings", 200),
    Row("createThing", 201, {"json": CUP}),
    Row("createThing", 400, BROKEN),
    Row("createThing", 413, LARGE),
    Row("createThing", 415, TEXT),
    Row("createThing", 422, {"json": {}}),
    Row("showThing", 200),
    Row("showThing", 404, at={"thing_id": 0}),
    Row("replaceThing", 200, {"json": CUP}),
    Row("replaceThing", 400, BROKEN),
    Row("replaceThing", 404, {"json": CUP}, at={"thing_id": 0}),
    Row("replaceThing", 413, LARGE),
    Row("replaceThing", 415, TEXT),
    Row("replaceThing", 422, {"json": {}}),
    Row("deleteThing", 204),
    Row("deleteThing", 404, at={"thing_id": 0}),
    Row("thingByKey", 200),
    Row("thingByKey", 404, at={"key": "00000000-0000-0000-0000-000000000000"}),
    Row("thingsByColour", 200, at={"colour": "red"}),
    Row("thingsByColour", 404, at={"colour": "mauve"}),
    Row("thingsByPlace", 200, at={"place": "kitchen/top-shelf"}),
    Row("roman", 200, at={"number": "XIV"}),
    Row("roman", 200, at={"number": "MMMCMXCIX"}),
    Row("roman", 404, at={"number": "IIII"}),
    Row("me", 200, {"auth": (ADA["user"], ADA["password"])}),
    Row("me", 401),
    Row("signIn", 201, {"json": ADA}),
    Row("signIn", 400, BROKEN),
    Row("signIn", 401, {"json": {**ADA, "password": "wrong"}}),
    Row("signIn", 413, LARGE),
    Row("signIn", 415, TEXT),
    Row("signIn", 422, {"json": {}}),
    Row("showSession", 200, who="ada"),
    Row("showSession", 401),
    Row("signOut", 204, who="ada"),
    Row("hello", 200, at={"name": "you"}),
    Row("report", 200, {"headers": {"Accept": "application/json"}}),
    Row("report", 200, {"headers": {"Accept": "application/yaml"}}),
    Row("report", 406, {"headers": {"Accept": "text/csv"}}),
    Row("reportAsYaml", 200),
    Row("weather", 200, {"query_string": LONDON}, stub="weather.current"),
    Row("weather", 400),
    Row("weather", 404, {"query_string": {"city": "Atlantis"}}, stub="weather.unknown-city"),
    Row("weather", 502, {"query_string": LONDON}, stub="weather.down"),
    Row("live", 200),
    Row("ready", 200),
    Row("metrics", 200),
]


@pytest.mark.parametrize("row", cases(ROWS))
async def test_the_answer_is_the_documented_one(
    client: QuartClient, thing: dict[str, Any], row: Row
) -> None:
    if row.who == "ada":
        await client.post("/session", json=ADA)
    at = {"thing_id": thing["id"], "key": thing["key"]}
    response = await CONTRACT.answer(client, row, at=at)
    if row.operation == "createThing" and response.status_code == 201:
        await client.delete(f"/things/{(await response.get_json())['id']}")

    assert response.status_code == row.status
    assert await CONTRACT.problems(row.operation, response) == []


async def test_an_answer_that_no_operation_lists_is_its_default_one(client: QuartClient) -> None:
    response = await client.patch("/things")

    assert response.status_code == 405
    assert await CONTRACT.problems("listThings", response) == []
