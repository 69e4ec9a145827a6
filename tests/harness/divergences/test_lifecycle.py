"""docs/divergences.md, Lifecycle."""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextvars import ContextVar
from typing import Any

import pytest
from hypercorn.config import Config
from quart import Quart
from quart.testing import app as quarts

from harness.errors import TargetError
from harness.plan import START_S
from harness.targets import Running
from harness.targets.client import Client, Exchanges
from harness.targets.hang import Limits

from .conftest import TARGETS

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


def application() -> Quart:
    """An application that keeps what its start-up made, and does things in the background."""
    app = Quart(__name__)
    done: list[str] = []
    loops: set[int] = set()

    @app.before_serving
    async def start() -> None:
        app.config["ready"] = True
        loops.add(id(asyncio.get_running_loop()))

    @app.get("/ready")
    async def ready() -> dict[str, Any]:
        return {"ready": app.config.get("ready", False)}

    @app.post("/later")
    async def later() -> str:
        async def work() -> None:
            await asyncio.sleep(0.02)
            done.append("done")

        app.add_background_task(work)
        return ""

    @app.post("/later/badly")
    async def badly() -> str:
        async def work() -> None:
            raise ValueError("in the background")

        app.add_background_task(work)
        return ""

    @app.get("/done")
    async def get_done() -> list[str]:
        return done

    @app.get("/who")
    async def who() -> str:
        return WHO.get()

    @app.get("/loops")
    async def get_loops() -> dict[str, int]:
        loops.add(id(asyncio.get_running_loop()))
        return {"loops": len(loops)}

    @app.after_serving
    async def stop() -> None:
        app.config["stopped_with"] = list(done)

    return app


async def text(client: Client, path: str) -> str:
    return str(await (await client.get(path)).get_data(as_text=True))


async def test_1_the_start_up_has_run(client: Client) -> None:
    assert await (await client.get("/ready")).get_json() == {"ready": True}


def test_2_a_start_up_has_hypercorns_time_and_not_quarts_six_seconds() -> None:
    assert Limits().start_s == START_S == Config().startup_timeout
    assert START_S > quarts.DEFAULT_TIMEOUT


@pytest.mark.parametrize("target", list(TARGETS))
async def test_3_a_start_up_that_raises_is_an_error_and_no_exit_code_of_0(target: str) -> None:
    app = Quart(__name__)

    @app.before_serving
    async def start() -> None:
        raise ValueError("no database")

    service = TARGETS[target](app, "shop")
    with pytest.raises(TargetError, match="no database"):
        await service.__aenter__()
    await service.__aexit__(None, None, None)


@pytest.mark.parametrize("target", list(TARGETS))
async def test_4_what_the_lifespan_keeps_in_its_state_is_in_each_request(target: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["pool"] = b"the pool"
            for part in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{part}.complete"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["state"]["pool"]})

    async with TARGETS[target](app, "shop") as service:
        response = await Client(service, Exchanges()).get("/")

    assert await response.get_data() == b"the pool"


async def test_5_a_background_task_runs_on_after_the_answer(client: Client) -> None:
    await client.post("/later")

    for _ in range(200):
        if await (await client.get("/done")).get_json():
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("it never ended")


@pytest.mark.parametrize("target", list(TARGETS))
async def test_5_a_shut_down_waits_for_background_tasks(target: str) -> None:
    app = application()
    async with TARGETS[target](app, "shop") as service:
        await Client(service, Exchanges()).post("/later")

    assert app.config["stopped_with"] == ["done"]


async def test_5_an_exception_in_the_background_is_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert (await client.post("/later/badly")).status_code == 200
        for _ in range(200):
            if "ValueError: in the background" in caplog.text:
                return
            await asyncio.sleep(0.01)
    pytest.fail("nothing was logged")


async def test_6_all_tests_have_one_application(running: Running) -> None:
    one, other = Client(running, Exchanges()), Client(running, Exchanges())

    assert one.app is other.app is running.app


async def test_7_the_start_up_and_every_request_have_one_loop(client: Client) -> None:
    for _ in range(2):
        assert await (await client.get("/loops")).get_json() == {"loops": 1}


async def test_7_what_a_test_sets_in_its_context_is_not_in_the_handlers(client: Client) -> None:
    token = WHO.set("the test")
    try:
        assert await text(client, "/who") == "nobody"
    finally:
        WHO.reset(token)


def test_quarts_own_limit_is_still_what_this_says() -> None:
    default = inspect.signature(quarts.TestApp).parameters["startup_timeout"].default

    assert default == quarts.DEFAULT_TIMEOUT == 6
