"""Calls from pages: the dashboard's may, no other's."""

from typing import Any

import pytest
from quart.testing import QuartClient

from .conftest import Headers

pytestmark = pytest.mark.service("dataservice")

ALLOWED = "Access-Control-Allow-Origin"


def asked(origin: str, method: str) -> Headers:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/api/users", {"GET", "POST"}), ("/api/users/1", {"GET", "PUT", "PATCH", "DELETE"})],
)
async def test_the_dashboard_may_ask_before_it_calls_and_needs_no_token_for_that(
    client: QuartClient, dashboard: str, path: str, methods: set[str]
) -> None:
    response = await client.options(path, headers=asked(dashboard, "PATCH"))
    headers = response.headers["Access-Control-Allow-Headers"].lower().split(", ")

    assert response.status_code == 200
    assert response.headers[ALLOWED] == dashboard
    assert methods <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
    assert {"authorization", "content-type", "if-match"} <= set(headers)
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_the_dashboard_may_read_answers_and_errors(
    client: QuartClient, dashboard: str, reader: Headers, user: dict[str, Any]
) -> None:
    responses = [
        await client.get(user["url"], headers={**reader, "Origin": dashboard}),
        await client.get("/api/users/0", headers={**reader, "Origin": dashboard}),
        await client.get("/api/users/0", headers={"Origin": dashboard}),
    ]

    assert [response.status_code for response in responses] == [200, 404, 401]
    assert {response.headers[ALLOWED] for response in responses} == {dashboard}
    assert "ETag" in responses[0].headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("spoil", ["{}.example.org", "{}:444", "https://evil.example/#{}", "null"])
async def test_no_other_page_may(
    client: QuartClient, dashboard: str, reader: Headers, user: dict[str, Any], spoil: str
) -> None:
    origin = spoil.format(dashboard)
    responses = [
        await client.options(user["url"], headers=asked(origin, "DELETE")),
        await client.get(user["url"], headers={**reader, "Origin": origin}),
    ]

    for response in responses:
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "Origin" in response.headers["Vary"]


async def test_a_call_from_no_page_differs_by_its_origin_too(
    client: QuartClient, reader: Headers, user: dict[str, Any]
) -> None:
    response = await client.get(user["url"], headers=reader)

    assert set(response.headers["Vary"].split(", ")) == {"Accept", "Accept-Encoding", "Origin"}
