"""What those who run the service ask of it, and the shape of every error."""

import re
from typing import Any

import pytest
from quart.testing import QuartClient

from .conftest import Headers

pytestmark = pytest.mark.service("dataservice")

SERIES = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? [0-9.]+')


async def metrics(client: QuartClient) -> dict[str, float]:
    text = await (await client.get("/metrics")).get_data(as_text=True)
    series = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in series)}


def requests(method: str, route: str, status: int) -> str:
    labels = f'method="{method}",route="{route}",status="{status}"'
    return f"dataservice_request_duration_seconds_count{{{labels}}}"


async def test_the_service_is_alive_and_ready(client: QuartClient) -> None:
    live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert (live.status_code, await live.get_json()) == (200, {"status": "live"})
    assert (ready.status_code, await ready.get_json()) == (200, {"status": "ready"})


async def test_the_metrics_are_in_the_text_format_of_prometheus(client: QuartClient) -> None:
    await client.get("/health/live")
    response = await client.get("/metrics")
    types, *lines = (await response.get_data(as_text=True)).splitlines()

    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert types == "# TYPE dataservice_request_duration_seconds summary"
    assert [line for line in lines if not SERIES.fullmatch(line)] == []


async def test_requests_are_counted_by_route_and_status_and_no_stranger_makes_new_series(
    client: QuartClient, reader: Headers, user: dict[str, Any]
) -> None:
    before = await metrics(client)
    await client.get(user["url"], headers=reader)
    await client.get(user["url"])
    await client.get("/nowhere/at-all")
    after = await metrics(client)
    route = "/api/users/<id:user_id>"
    names = [requests("GET", route, 200), requests("GET", route, 401)]
    lost = requests("GET", "unmatched", 404)

    assert [after[name] - before.get(name, 0) for name in (*names, lost)] == [1, 1, 1]
    assert "nowhere" not in " ".join(after)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/users", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/users/1", {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}),
        ("/metrics", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_a_method_that_is_not_allowed_is_answered_with_those_that_are(
    client: QuartClient, path: str, allowed: set[str]
) -> None:
    refused = await client.open(path, method="TRACE")
    body = await refused.get_json()

    assert refused.status_code == 405
    assert set(body) == {"status", "error", "detail"}
    assert (body["status"], body["error"]) == (405, "Method Not Allowed")
    assert set(refused.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api", "/api/users/", "/api/users/1/2"])
async def test_an_unknown_path_is_a_json_404(client: QuartClient, path: str) -> None:
    response = await client.get(path)

    assert (response.status_code, response.content_type) == (404, "application/json")
    assert set(await response.get_json()) == {"status", "error", "detail"}
