"""What those who run the dealer ask of it, and how it answers what it does not know."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from quart.testing import QuartClient

pytestmark = pytest.mark.service("tokendealer")

Grant = Callable[..., Coroutine[Any, Any, Any]]
SERIES = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? [0-9.]+')


async def metrics(client: QuartClient) -> dict[str, float]:
    text = await (await client.get("/metrics")).get_data(as_text=True)
    series = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in series if not SERIES.fullmatch(line)] == []
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in series)}


async def test_the_dealer_is_alive_and_ready(client: QuartClient) -> None:
    live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert (live.status_code, await live.get_json()) == (200, {"status": "live"})
    assert (ready.status_code, await ready.get_json()) == (200, {"status": "ready"})


async def test_a_granted_token_is_counted_and_a_refused_one_is_not(
    client: QuartClient, grant: Grant
) -> None:
    issued = "tokendealer_tokens_issued_total"
    labels = '{method="POST",route="/oauth/token",status="401"}'
    refused = f"tokendealer_request_duration_seconds_count{labels}"
    before = await metrics(client)
    await grant()
    await grant(client_secret="wrong")
    after = await metrics(client)

    assert after[issued] - before[issued] == 1
    assert after[refused] - before.get(refused, 0) == 1


async def test_no_stranger_makes_new_series(client: QuartClient, grant: Grant) -> None:
    await client.get("/nowhere")
    await grant("stranger")
    names = " ".join(await metrics(client))

    assert "nowhere" not in names
    assert "stranger" not in names


async def test_while_secrets_are_compared_others_are_served(
    client: QuartClient, grant: Grant
) -> None:
    asking = [asyncio.create_task(grant()) for _ in range(4)]
    await asyncio.sleep(0)
    live = await client.get("/health/live")
    statuses = [(await each).status_code for each in asking]

    assert live.status_code == 200
    assert statuses == [200] * 4


@pytest.mark.parametrize(
    "trace", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "nonsense", "é"]
)
async def test_no_trace_context_troubles_us(client: QuartClient, trace: str) -> None:
    response = await client.get("/health/live", headers={"traceparent": trace})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("get", "/nowhere", 404, "Not Found"),
        ("post", "/oauth//token", 404, "Not Found"),
        ("get", "/oauth/token", 405, "Method Not Allowed"),
        ("post", "/.well-known/jwks.json", 405, "Method Not Allowed"),
    ],
)
async def test_every_error_is_json_of_one_shape(
    client: QuartClient, method: str, path: str, status: int, error: str
) -> None:
    response = await getattr(client, method)(path)
    body = await response.get_json()

    assert set(body) == {"status", "error", "detail"}
    assert (response.status_code, body["status"], body["error"]) == (status, status, error)
    assert ("Allow" in response.headers) == (status == 405)
