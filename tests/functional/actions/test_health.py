"""What those who run the service ask of it."""

import pytest
from quart.testing import QuartClient

pytestmark = pytest.mark.service("actions")

COUNT = "actions_request_duration_seconds_count"


async def test_the_service_is_alive_and_ready(client: QuartClient) -> None:
    live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert (live.status_code, await live.get_json()) == (200, {"status": "live"})
    assert (ready.status_code, await ready.get_json()) == (200, {"status": "ready"})


async def test_requests_are_counted_by_route_and_status_and_no_stranger_makes_new_series(
    client: QuartClient,
) -> None:
    await client.post("/actions/weather")
    await client.get("/nowhere/at-all")
    response = await client.get("/metrics")
    text = await response.get_data(as_text=True)

    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert f'{COUNT}{{method="POST",route="/actions/weather",status="415"}} ' in text
    assert f'{COUNT}{{method="GET",route="unmatched",status="404"}} ' in text
    assert "nowhere" not in text
