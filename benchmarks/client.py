"""What the harness's client costs: beside Quart's own in process, beside bare aiohttp over a wire.

    python benchmarks/client.py

It is processor time, the server's thread included, which is less disturbed by what else the machine
does. Rounds of the four are interleaved, in an order that changes, in one process and on one loop.
A ratio is that of the medians; its spread is that of the rounds' own ratios, from the lower to the
upper quartile. "Noise" is Quart's client beside itself. It says what is
wanted and whether that is met, and exits with 0 in any case: a machine at work measures badly.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from quart import Quart, request

from harness.targets.client import Client, Exchanges
from harness.targets.inproc import Inproc
from harness.targets.served import Served

ROUNDS = 40
REQUESTS = 25
"""Of each kind, GET and POST with JSON, in a round of each client."""

Round = Callable[[], Awaitable[None]]


def application() -> Quart:
    """Answer with JSON, as small services do."""
    app = Quart(__name__)

    @app.get("/things")
    async def things() -> list[dict[str, object]]:
        return [{"id": number, "name": f"thing {number}"} for number in range(10)]

    @app.post("/things")
    async def thing() -> dict[str, object]:
        return {"id": 1, **await request.get_json()}

    return app


def quarts(client: object) -> Round:
    """Return a round of a client that is Quart's, or like it."""

    async def once() -> None:
        for _ in range(REQUESTS):
            await (await client.get("/things")).get_data()  # type: ignore[attr-defined]  # Quart's
            answer = await client.post("/things", json={"name": "new"})  # type: ignore[attr-defined]  # likewise
            await answer.get_data()

    return once


def bare(session: aiohttp.ClientSession, url: str) -> Round:
    """Return a round of aiohttp's own client."""

    async def once() -> None:
        for _ in range(REQUESTS):
            async with session.get(url) as response:
                await response.read()
            async with session.post(url, json={"name": "new"}) as response:
                await response.read()

    return once


async def measured(rounds: Mapping[str, Round]) -> dict[str, list[float]]:
    """Return the seconds of processor time that each round took, by client."""
    took: dict[str, list[float]] = {name: [] for name in rounds}
    for number in range(ROUNDS + 3):
        for name in random.sample(list(rounds), len(rounds)):
            begun = time.process_time()
            await rounds[name]()
            if number >= 3:  # the first ones warm up
                took[name].append(time.process_time() - begun)
    return took


def told(
    took: Mapping[str, list[float]], ours: str, theirs: str, wanted: float | None = None
) -> str:
    """Say what one costs of the other, and whether that is as little as is wanted."""
    ratio = statistics.median(took[ours]) / statistics.median(took[theirs])
    each = [one / other for one, other in zip(took[ours], took[theirs], strict=True)]
    low, _, high = statistics.quantiles(each, n=4)
    us = {name: 1e6 * statistics.median(took[name]) / (2 * REQUESTS) for name in (ours, theirs)}
    met = "met" if wanted is not None and ratio <= wanted else "missed"
    judged = "" if wanted is None else f", wanted <= {wanted}: {met}"
    return (
        f"{ours} / {theirs}: {ratio:.2f} ({low:.2f} to {high:.2f}){judged}; "
        f"{us[ours]:.0f} and {us[theirs]:.0f} microseconds a request"
    )


async def main() -> None:
    """Measure, and print."""
    async with (
        Inproc(application(), "shop") as inproc,
        Served(application(), "shop") as served,
        aiohttp.ClientSession() as session,
    ):
        itself = inproc.app
        assert isinstance(itself, Quart)
        rounds = {
            "Quart's client": quarts(itself.test_client()),
            "Quart's client again": quarts(itself.test_client()),
            "inproc": quarts(Client(inproc, Exchanges())),
            "aiohttp": bare(session, f"{served.url}/things"),
            "served": quarts(Client(served, Exchanges())),
        }
        took = await measured(rounds)
    print(told(took, "inproc", "Quart's client", 1.05))
    print(told(took, "served", "aiohttp", 1.2))
    print("noise:", told(took, "Quart's client again", "Quart's client"))


if __name__ == "__main__":
    asyncio.run(main())
