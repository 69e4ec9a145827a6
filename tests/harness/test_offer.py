"""What tests are given, in a pytest of its own: in each target, sync or not, by hand or by us."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.evidence import Facts
from harness.facts import PytestEnded
from harness.targets.port import Port
from harness.verdict import Outcome
from tests.harness.project import clean
from tests.harness.suite import PART, REACHING, Suite

APP = """
import asyncio
import os

from quart import Quart, session

app = Quart(__name__)
app.secret_key = "only for tests"
app.loops = []


@app.before_serving
async def start():
    app.loops.append(asyncio.get_running_loop())


@app.get("/")
async def index():
    session["visits"] = session.get("visits", 0) + 1
    return {"visits": session["visits"], "starts": len(app.loops)}


@app.get("/home")
async def home():
    return {"at_home": asyncio.get_running_loop() is app.loops[0]}
"""

TARGETS = pytest.mark.parametrize("target", ["inproc", "served"])


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    suite = Suite(tmp_path)
    suite.write("app.py", APP)
    return suite


# Synchronous tests


SYNC = """
import contextvars
import threading

import pytest

seen = contextvars.ContextVar("seen", default="nothing")
main = threading.main_thread()


@pytest.fixture
def logged_in(webtest):
    assert webtest.get("/").json["visits"] == 1
    seen.set("set up")
    yield webtest
    assert seen.get() == "from the test"


@pytest.mark.parametrize("n", [2, 3])
def test_web(logged_in, n, monkeypatch, capsys, tmp_path):
    assert threading.current_thread() is not main
    assert seen.get() == "set up"
    seen.set("from the test")
    assert [logged_in.get("/").json["visits"] for _ in range(n)][-1] == n + 1
    assert logged_in.get("/home").json == {"at_home": True}
    monkeypatch.setenv("X", "1")
    print("said")
    assert capsys.readouterr().out == "said\\n"
    with pytest.raises(ZeroDivisionError):
        1 / 0


def test_wrong(webtest):
    assert webtest.get("/").json["visits"] == 7


def test_skipped(webtest):
    pytest.skip("today")


def test_without_a_target():
    assert threading.current_thread() is main


def test_a_loop_of_its_own(client):
    import asyncio

    async def ask():
        return await (await client.get("/home")).get_json()

    assert asyncio.run(ask()) == {"at_home": True}


async def test_async(client):
    assert threading.current_thread() is main
    assert await (await client.get("/home")).get_json() == {"at_home": True}
"""


@TARGETS
def test_a_synchronous_test_with_a_target_runs_beside_the_loop(suite: Suite, target: str) -> None:
    suite.write("test_a.py", SYNC)

    judged = suite.judged(target=target)

    assert judged.outcomes == {
        "test_web[2]": "passed",
        "test_web[3]": "passed",
        "test_wrong": "failed",
        "test_skipped": "skipped",
        "test_without_a_target": "passed",
        "test_a_loop_of_its_own": "passed",
        "test_async": "passed",
    }, judged.said
    assert judged.reached["test_web[2]"] == 4


def test_a_failure_beside_the_loop_is_told_with_the_tests_line(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a(webtest):\n    assert webtest.get('/').json == 5\n")

    (test,) = [fact for fact in suite.recorded() if hasattr(fact, "nodeid")]

    assert test.where == "test_a.py:2"


def test_ctrl_c_ends_a_synchronous_test_that_would_wait_for_ever(suite: Suite) -> None:
    suite.write(
        "test_a.py",
        "import pathlib, time\n\n\ndef test_a(webtest):\n    webtest.get('/')\n"
        "    pathlib.Path('waiting').touch()\n    time.sleep(600)\n",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--harness-app=app:app", "test_a.py",
         f"--harness-folder={suite.evidence}", "-o", "asyncio_default_fixture_loop_scope=session"],
        cwd=suite.root, env=clean(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (suite.root / "waiting").exists() and time.monotonic() < deadline:
        time.sleep(0.02)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 2, output
    facts = Facts.read(suite.evidence).part(PART) or ()
    assert [fact.exit_status for fact in facts if isinstance(fact, PytestEnded)] == [2]


# unittest


UNITTEST = """
import unittest

import pytest

from app import app


class TestPlain(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _target(self, webtest):
        self.webtest = webtest

    def test_web(self):
        for n in (1, 2):
            with self.subTest(n=n):
                self.assertEqual(self.webtest.get("/").json["visits"], n)


class TestLoop(unittest.IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _target(self, client):
        self.client = client

    async def test_client(self):
        response = await self.client.get("/home")
        self.assertEqual(await response.get_json(), {"at_home": True})

    async def test_websocket(self):
        with self.assertRaises(Exception):
            async with self.client.websocket("/nowhere") as socket:
                await socket.receive()


class TestOwn(unittest.IsolatedAsyncioTestCase):
    async def test_own(self):
        response = await app.test_client().get("/")
        self.assertEqual((await response.get_json())["visits"], 1)
"""


@TARGETS
def test_classes_of_unittest_reach_the_target(suite: Suite, target: str) -> None:
    suite.write("test_a.py", UNITTEST)

    judged = suite.judged(target=target)

    assert judged.outcome is Outcome.PASS, judged.said
    assert judged.not_checked == {}
    assert judged.counted == 4


# Clients of a project's own


OWN = """
import pytest

from app import app


@pytest.fixture
async def client():
    async with app.test_app() as running:
        yield running.test_client()


async def test_own(client):
    seen = [await (await client.get("/")).get_json() for _ in range(2)]
    assert seen == [{"visits": 1, "starts": 1}, {"visits": 2, "starts": 1}]
"""


@TARGETS
def test_a_client_of_a_projects_own_speaks_to_the_target(suite: Suite, target: str) -> None:
    suite.write("test_a.py", OWN)

    judged = suite.judged(target=target)

    assert judged.outcome is Outcome.PASS, judged.said
    assert (judged.reached, judged.not_checked) == ({"test_own": 2}, {})


FACTORY = """
from quart import Quart


def create_app(testing=False):
    app = Quart(__name__)

    @app.get("/")
    async def index():
        return {"testing": testing}

    return app
"""

OTHER = """
from app import create_app


async def test_other():
    seen = await (await create_app(testing=True).test_client().get("/")).get_json()
    assert seen == {"testing": True}
"""


SILENT = """
async def app(scope, receive, send):
    await receive()
"""


@pytest.mark.parametrize("target", ["inproc", "served"])
def test_an_application_that_says_nothing_has_not_answered_200(suite: Suite, target: str) -> None:
    suite.write("app.py", SILENT)
    suite.write("test_a.py", REACHING.replace("== 200", "== 500") + REACHING.replace("index", "b"))

    judged = suite.judged(target=target)

    assert judged.outcomes == {"test_index": "passed", "test_b": "failed"}
    assert judged.reached == {"test_index": 1, "test_b": 1}


HALF = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
"""


@pytest.mark.parametrize("target", ["inproc", "served"])
def test_half_an_answer_is_not_taken_for_a_whole_one(suite: Suite, target: str) -> None:
    suite.write("app.py", HALF)
    suite.write("test_a.py", REACHING)

    assert suite.judged(target=target).outcomes == {"test_index": "failed"}


def test_an_application_of_a_tests_own_making_is_the_service_in_process(suite: Suite) -> None:
    suite.write("app.py", FACTORY)
    suite.write("test_a.py", OTHER)

    judged = suite.judged(app="app:create_app()")

    assert (judged.outcome, judged.not_checked) == (Outcome.PASS, {})


def test_an_application_of_a_tests_own_making_is_not_the_one_that_is_served(suite: Suite) -> None:
    suite.write("app.py", FACTORY)
    suite.write("test_a.py", OTHER)

    judged = suite.judged(target="served", app="app:create_app()")

    assert (judged.outcome, judged.slugs) == (Outcome.UNKNOWN, ["functional/unreached"])
    (why,) = judged.not_checked.values()
    assert why == "spoke to an application of its own, in process"


def test_an_application_of_another_name_is_not_the_service(suite: Suite) -> None:
    suite.write("other.py", FACTORY)
    suite.write("test_a.py", OTHER.replace("from app", "from other"))

    judged = suite.judged()

    (why,) = judged.not_checked.values()
    assert why == "spoke to an application of its own, in process"


@pytest.mark.parametrize("target", ["inproc", "served"])
def test_a_request_that_nobody_awaits_is_no_evidence_and_a_fault_of_its_test(
    suite: Suite, target: str
) -> None:
    suite.write("test_a.py", "async def test_index(client):\n    assert client.get('/')\n")
    judged = suite.judged("-W", "ignore", target=target)

    assert judged.outcome is Outcome.FAIL
    assert judged.slugs == ["functional/unreached", "watch/unawaited"]


def test_a_client_class_of_a_projects_own_stays_what_it_is(suite: Suite) -> None:
    suite.write(
        "test_a.py",
        "from app import app\nfrom quart.testing import QuartClient\n\n\n"
        "class Mine(QuartClient):\n    async def visits(self):\n"
        "        return (await (await self.get('/')).get_json())['visits']\n\n\n"
        "app.test_client_class = Mine\n\n\n"
        "async def test_mine():\n    client = app.test_client(use_cookies=False)\n"
        "    assert [await client.visits() for _ in range(2)] == [1, 1]\n",
    )

    judged = suite.judged(target="served")

    assert (judged.outcome, judged.reached) == (Outcome.PASS, {"test_mine": 2})


@pytest.fixture
def deployment(suite: Suite) -> Iterator[str]:
    with Port.bound() as port:
        bind = f"{port.address[0]}:{port.address[1]}"
    process = subprocess.Popen(
        [sys.executable, "-m", "hypercorn", "-w", "0", "--bind", bind, "app:app"],
        cwd=suite.root, env=clean(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(port.address, timeout=1).close()
            break
        time.sleep(0.02)
    yield port.url
    process.kill()
    process.wait()


def test_the_same_tests_pass_against_a_deployment(suite: Suite, deployment: str) -> None:
    suite.write("test_a.py", SYNC)
    suite.write("test_b.py", UNITTEST)
    suite.write("test_c.py", OWN)

    judged = suite.judged("-k", "not wrong and not skipped", target=deployment)

    assert judged.outcome is Outcome.PASS, judged.said
    assert set(judged.outcomes.values()) == {"passed"}
    unreached = {name for name, exchanges in judged.reached.items() if not exchanges}
    assert unreached == {"test_without_a_target"}


def test_where_the_deployments_port_is_dead_nothing_passes(suite: Suite) -> None:
    suite.write("test_a.py", SYNC + UNITTEST + OWN)

    judged = suite.judged(target="http://127.0.0.1:1")

    assert judged.outcome is Outcome.UNKNOWN
    assert "target/dead" in judged.slugs
    assert "passed" not in judged.outcomes.values()
