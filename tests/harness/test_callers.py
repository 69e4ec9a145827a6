"""Several callers at once, in a pytest of its own, in process and served."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.verdict import Outcome
from tests.harness.suite import Judged, Suite

APP = """
import asyncio

from quart import Quart, session

app = Quart(__name__)
app.secret_key = "only for tests"
app.names = []


@app.post("/names/<name>")
async def add(name):
    known = name in app.names
    await asyncio.sleep(0.05)  # as a database would let others go first
    if not known:
        app.names.append(name)
    return {"times": app.names.count(name)}


@app.get("/visits")
async def visits():
    session["visits"] = session.get("visits", 0) + 1
    return {"visits": session["visits"]}
"""

TESTS = """
import pytest


async def add(client, name):
    return (await (await client.post("/names/" + name)).get_json())["times"]


@pytest.fixture
async def visited(client):
    await client.get("/visits")
    return client


async def test_serial(client):
    assert await add(client, "serial") == 1
    assert await add(client, "serial") == 1


@pytest.mark.callers(5)
async def test_race(client):
    assert await add(client, "race") == 1


@pytest.mark.callers(5)
@pytest.mark.parametrize("asked", [1, 2])
async def test_own_clients(client, visited, asked):
    assert visited is not client
    for _ in range(asked):
        response = await client.get("/visits")
    assert await response.get_json() == {"visits": asked}


@pytest.mark.callers(2)
class TestThings:
    async def test_method(self, client):
        assert (await client.get("/visits")).status_code == 200

    async def test_skipped(self, client):
        pytest.skip("today")


@pytest.mark.callers(3)
def test_threads(webtest):
    assert webtest.get("/visits").json == {"visits": 1}


@pytest.mark.callers(3)
def test_thread_race(webtest):
    assert webtest.post("/names/thread").json == {"times": 1}


@pytest.mark.callers(0)
async def test_none(client):
    pass


@pytest.mark.callers(True)
async def test_true(client):
    pass


@pytest.mark.callers(2)
def test_without_webtest(client):
    pass
"""


@pytest.fixture(scope="module", params=["inproc", "served"])
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    suite = Suite(tmp_path_factory.mktemp("callers"))
    suite.write("app.py", APP)
    suite.write("test_a.py", TESTS)
    return suite.judged(target=request.param)


def test_a_race_that_one_caller_never_meets_fails_several(judged: Judged) -> None:
    assert judged.outcomes["test_serial"] == "passed"
    assert judged.outcomes["test_race"] == "failed"
    assert judged.outcomes["test_thread_race"] == "failed"


def test_the_failure_says_which_caller_it_was_at_the_tests_own_line(judged: Judged) -> None:
    assert "of 5; so did caller" in judged.said
    assert "test_a.py::test_race" in judged.said


def test_each_caller_has_a_client_of_its_own_and_shares_the_fixtures(judged: Judged) -> None:
    for name in ("test_own_clients[1]", "test_own_clients[2]", "test_threads"):
        assert judged.outcomes[name] == "passed", judged.said


def test_the_exchanges_of_all_callers_count(judged: Judged) -> None:
    assert judged.reached["test_race"] == 5
    assert judged.reached["test_own_clients[2]"] == 11  # with its fixture's
    assert judged.reached["test_threads"] == 3


def test_methods_are_called_and_a_skip_is_one(judged: Judged) -> None:
    assert judged.outcomes["TestThings::test_method"] == "passed"
    assert judged.outcomes["TestThings::test_skipped"] == "skipped"


@pytest.mark.parametrize("name", ["test_none", "test_true", "test_without_webtest"])
def test_a_mark_that_cannot_be_kept_is_an_error(judged: Judged, name: str) -> None:
    assert judged.outcomes[name] == "error"
    assert "write it as @pytest.mark.callers(5)" in judged.said


def test_callers_run_in_plain_pytest_and_spread_over_processes(tmp_path: Path) -> None:
    suite = Suite(tmp_path)
    suite.write("app.py", APP)
    suite.write("test_a.py", TESTS.partition("@pytest.mark.callers(0)")[0])

    judged = suite.judged("-n2")

    assert judged.outcome is Outcome.FAIL
    assert judged.outcomes["test_race"] == "failed"
    assert judged.outcomes["test_own_clients[2]"] == "passed"
