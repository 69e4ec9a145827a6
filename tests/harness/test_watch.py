"""Planted faults that no assertion sees, each with a healthy counterpart, in both targets."""

from __future__ import annotations

import os
import re
from collections import defaultdict

import pytest

from harness.evidence import Facts, functional_part
from harness.facts import Noticed
from harness.judge.watched import judge
from tests.harness.suite import LOOP, Suite

APP = """
import asyncio
import logging
import os
import time

import aiohttp
from quart import Quart

log = logging.getLogger("shop")
kept = []
pool = []


async def forever():
    await asyncio.Event().wait()


async def save():
    await asyncio.sleep(0)


def create_app():
    app = Quart(__name__)

    @app.after_serving
    async def stop():
        for session in pool:
            await session.close()

    @app.get("/blocks")
    async def blocks():
        time.sleep(0.6)
        return {}

    @app.get("/computes")
    async def computes():
        until = time.thread_time() + 0.4
        while time.thread_time() < until:
            pass
        return {}

    @app.get("/waits")
    async def waits():
        await asyncio.sleep(0.3)
        await asyncio.to_thread(time.sleep, 0.3)
        return {}

    @app.get("/opens")
    async def opens():
        kept.append(open(__file__))
        return {}

    @app.get("/opens-once")
    async def opens_once():
        if not pool:
            pool.append(aiohttp.ClientSession())
            kept.append(open(os.devnull))
        with open(__file__):
            return {}

    @app.get("/goes-on")
    async def goes_on():
        kept.append(asyncio.create_task(forever()))
        return {}

    @app.get("/ends")
    async def ends():
        app.add_background_task(save)
        kept.append(asyncio.create_task(save()))
        return {}

    @app.get("/drops")
    async def drops():
        aiohttp.ClientSession()
        return {}

    @app.get("/hoards")
    async def hoards():
        kept.append(aiohttp.ClientSession())
        return {}

    @app.get("/closes")
    async def closes():
        async with aiohttp.ClientSession():
            return {}

    @app.get("/forgets")
    async def forgets():
        save()
        return {}

    @app.get("/awaits")
    async def awaits():
        await save()
        return {}

    @app.get("/tells/<where>")
    async def tells(where):
        key = os.environ["KEY"]
        if where == "log":
            log.warning("the key is %s", key)
        headers = {"X-Key": key} if where == "header" else {}
        return {"key": key if where == "body" else key[:4]}, 200, headers

    @app.get("/raises")
    async def raises():
        raise ValueError("no such thing")

    @app.get("/warns")
    async def warns():
        log.warning("take care")
        return {}

    return app
"""

TESTS = """
import pytest

ONCE = ["blocks", "computes", "waits", "goes-on", "ends", "drops", "closes", "forgets", "awaits",
        "tells/log", "tells/header", "tells/body", "tells/nothing", "warns"]


@pytest.mark.parametrize("path", ONCE)
async def test_once(client, path):
    assert (await client.get("/" + path)).status_code == 200


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("path", ["opens", "opens-once", "hoards"])
async def test_often(client, path, number):
    assert (await client.get("/" + path)).status_code == 200


async def test_raises(client):
    assert (await client.get("/raises")).status_code == 500


@pytest.mark.error_logs("fail")
async def test_raises_and_must_not(client):
    assert (await client.get("/raises")).status_code == 500
"""

PLAN = """
[services.shop]
app = "app:create_app()"
env = { KEY = "{env.SHOP_KEY}" }
"""

SECRET = "a-key-of-planted-faults"

FOUND = {
    "watch/blocking": {"blocks", "computes"},
    "watch/descriptors": {"opens"},
    "watch/tasks": {"goes_on"},
    "watch/sessions": {"drops", "hoards"},
    "watch/unawaited": {"forgets"},
    "watch/secret": {"tells"},
    "watch/error-log": {"raises"},
}


@pytest.fixture(scope="module", params=["inproc", "served"])
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    suite = Suite(tmp_path_factory.mktemp("watch"))
    for name, text in {"app.py": APP, "test_a.py": TESTS, "harness.toml": PLAN}.items():
        suite.write(name, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_KEY", SECRET)
        suite.recorded(f"--harness-target={request.param}", app="app:create_app()")
    return suite


def _facts(suite: Suite) -> tuple[str, list[object]]:
    (path,) = suite.evidence.glob("functional-*.jsonl")
    return path.stem, list(Facts.read(suite.evidence).part(path.stem) or ())


def test_each_fault_is_found_and_names_its_handler_and_no_healthy_one_is(watched: Suite) -> None:
    part, facts = _facts(watched)

    found = defaultdict(set)
    for finding in judge(part, facts).findings:  # type: ignore[arg-type]  # facts
        found[finding.slug] |= set(
            re.findall(r"create_app.<locals>.(\w+) \(app.py:", finding.message)
        )
    assert found == FOUND


def test_each_finding_names_its_test_and_its_line(watched: Suite) -> None:
    part, facts = _facts(watched)

    for finding in judge(part, facts).findings:  # type: ignore[arg-type]  # facts
        assert re.fullmatch(r"app\.py:\d+", finding.where), finding
        assert "test: test_a.py::test_" in finding.message


def test_the_blocking_line_is_named_with_its_time(watched: Suite) -> None:
    line = APP.splitlines().index("        time.sleep(0.6)") + 1
    blocked = [f for f in _facts(watched)[1] if isinstance(f, Noticed) and f.route == "/blocks"]

    assert [fact.where for fact in blocked] == [f"app.py:{line}"]
    assert 100 < blocked[0].measured < 700


def test_an_error_log_is_told_and_fails_where_a_mark_asks(watched: Suite) -> None:
    part, facts = _facts(watched)
    judged = judge(part, facts)  # type: ignore[arg-type]  # facts

    strict = [f.message for f in judged.findings if f.slug == "watch/error-log"]
    assert [("must_not" in text, "ValueError: no such thing" in text) for text in strict] == [
        (True, True)
    ]
    assert any("test_raises [" in notice.message for notice in judged.notices)


def test_the_secret_itself_is_nowhere_in_the_evidence(watched: Suite) -> None:
    written = b"".join(path.read_bytes() for path in watched.evidence.glob("*.jsonl"))

    assert SECRET.encode() not in written
    assert b"{env.SHOP_KEY}" in written


def test_plain_pytest_prints_what_is_beyond_a_limit_and_fails(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", SECRET)
    suite.write("app.py", APP)
    suite.write("harness.toml", PLAN)
    suite.write("test_a.py", TESTS)

    code, said = suite.pytest("--asyncio-mode=auto", *LOOP, "-k", "forgets")
    healthy, nothing = suite.pytest("--asyncio-mode=auto", *LOOP, "-k", "awaits")

    assert (code, healthy) == (1, 0), said + nothing
    assert "1 passed" in said
    assert "(watch/unawaited): the coroutine save was never awaited" in said
    assert "what no assertion sees" not in nothing


def test_a_bare_asgi_application_is_named_by_its_route(suite: Suite) -> None:
    suite.write(
        "app.py",
        "import time\nasync def app(scope, receive, send):\n"
        "    if scope['type'] != 'http':\n        raise NotImplementedError\n"
        "    time.sleep(0.6)\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b''})\n",
    )
    suite.write("test_a.py", "async def test_a(client):\n    await client.get('/any')\n")

    (fact,) = [fact for fact in suite.recorded() if isinstance(fact, Noticed)]

    assert (fact.where, fact.handler) == ("app.py:5", "GET /any of app")
    assert functional_part("inproc") in os.listdir(suite.evidence)[0]


@pytest.fixture
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return Suite(tmp_path_factory.mktemp("plain"))
