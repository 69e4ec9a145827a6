"""What those who run the service ask of it."""

import re
from time import perf_counter

from quart.testing import QuartClient

SERIES = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? [0-9.]+')


async def metrics(client: QuartClient) -> dict[str, float]:
    text = await (await client.get("/metrics")).get_data(as_text=True)
    series = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in series)}


def requests(method: str, route: str, status: int) -> str:
    labels = f'method="{method}",route="{route}",status="{status}"'
    return f"skeleton_request_duration_seconds_count{{{labels}}}"


async def test_the_service_is_alive_and_ready(client: QuartClient) -> None:
    live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert (live.status_code, await live.get_json()) == (200, {"status": "live"})
    assert (ready.status_code, await ready.get_json()) == (200, {"status": "ready"})


async def test_the_metrics_are_in_the_text_format_of_prometheus(client: QuartClient) -> None:
    response = await client.get("/metrics")
    text = await response.get_data(as_text=True)
    types = [line for line in text.splitlines() if line.startswith("#")]

    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert text.endswith("\n")
    assert types == [
        "# TYPE skeleton_things_created_total counter",
        "# TYPE skeleton_request_duration_seconds summary",
    ]
    assert [
        line for line in text.splitlines() if line not in types and not SERIES.fullmatch(line)
    ] == []


async def test_requests_are_counted_by_method_route_and_status(client: QuartClient) -> None:
    await client.get("/roman/I")
    before = await metrics(client)
    for path in ("/roman/X", "/roman/V", "/roman/IIII"):
        await client.get(path)
    after = await metrics(client)
    found = requests("GET", "/roman/<roman:number>", 200)
    lost = requests("GET", "unmatched", 404)
    seconds = found.replace("_count", "_sum")

    assert after[found] - before[found] == 2
    assert after[lost] - before.get(lost, 0) == 1
    assert 0 < after[seconds] - before[seconds] < 10


async def test_no_stranger_makes_new_series(client: QuartClient) -> None:
    for number in range(3):
        await client.get(f"/nowhere/{number}")
        await client.get(f"/hello/{number}-stranger")
    names = " ".join(await metrics(client))

    assert "nowhere" not in names
    assert "stranger" not in names


async def test_a_created_thing_is_counted_and_a_refused_one_is_not(client: QuartClient) -> None:
    before = (await metrics(client))["skeleton_things_created_total"]
    refused = await client.post("/things", json={"name": "cup"})
    created = await (await client.post("/things", json={"name": "c", "colour": "red"})).get_json()
    await client.delete(f"/things/{created['id']}")
    after = (await metrics(client))["skeleton_things_created_total"]

    assert refused.status_code == 422
    assert after - before == 1


async def test_what_needs_no_work_is_answered_at_once(client: QuartClient) -> None:
    """The best of three, so that a busy machine is not taken for a slow handler."""
    paths = ["/health/live", "/health/ready", "/metrics", "/report", "/roman/X", "/hello/you", "/x"]
    best = {path: min([await seconds(client, path) for _ in range(3)]) for path in paths}

    assert {path: took for path, took in best.items() if took > 0.25} == {}


async def seconds(client: QuartClient, path: str) -> float:
    began = perf_counter()
    await client.get(path)
    return perf_counter() - began
