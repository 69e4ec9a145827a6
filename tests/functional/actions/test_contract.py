"""Each documented operation answers as `fixtures/openapi/actions.yaml` says, by status."""

import pytest
from quart.testing import QuartClient

from tests.contract import Contract, Row, cases

pytestmark = pytest.mark.service("actions")

CONTRACT = Contract("actions")
MESSAGE = {"text": "weather in London, UK", "sender": "U0NOBODY"}
LONDON = {"json": MESSAGE}
JSON = {"Content-Type": "application/json"}

WITHOUT_A_ROW = {
    ("weather", 504): "waits for a second: once is enough, in test_weather",
    ("ready", 503): "only before the start and after the end: in tests/jeeves",
}

ROWS = [
    Row("weather", 200, LONDON, stub="weather.current"),
    Row("weather", 200, {"json": {**MESSAGE, "text": "weather"}}),
    Row("weather", 400, {"data": "{", "headers": JSON}),
    Row("weather", 413, {"data": " " * 70_000, "headers": JSON}),
    Row("weather", 415, {"data": "{}", "headers": {"Content-Type": "text/plain"}}),
    Row("weather", 422, {"json": {}}),
    Row("weather", 422, {"json": []}),
    Row("weather", 422, {"json": {**MESSAGE, "text": "x" * 501}}),
    Row("weather", 422, {"json": {**MESSAGE, "sender": "U0nobody"}}),
    Row("weather", 422, {"json": {**MESSAGE, "colour": "red"}}),
    Row("weather", 502, LONDON, stub="weather.down"),
    Row("weather", 503, LONDON, stub="weather.limited"),
    Row("live", 200),
    Row("ready", 200),
    Row("metrics", 200),
]


@pytest.mark.parametrize("row", cases(ROWS))
async def test_the_answer_is_the_documented_one(client: QuartClient, row: Row) -> None:
    response = await CONTRACT.answer(client, row)

    assert response.status_code == row.status
    assert await CONTRACT.problems(row.operation, response) == []


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/actions/weather", 405), ("GET", "/nowhere", 404)]
)
async def test_an_answer_that_no_operation_lists_is_its_default_one(
    client: QuartClient, method: str, path: str, status: int
) -> None:
    response = await client.open(path, method=method)

    assert response.status_code == status
    assert await CONTRACT.problems("weather", response) == []
