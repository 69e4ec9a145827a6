"""Molotov files as functional tests, in a pytest of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import facts as noted
from harness.evidence import Facts
from harness.offer.scenarios import registers_scenarios
from harness.verdict import Outcome
from tests.harness.project import Project
from tests.harness.suite import LOOP, REACHING, Suite

APP = """
from quart import Quart, request

app = Quart(__name__)


@app.get("/")
async def index():
    return {"worker": request.headers.get("X-Worker"), "traced": "traceparent" in request.headers}


@app.get("/away")
async def away():
    return app.redirect("/")
"""
MIX = """
import os
import molotov
import pytest
from harness.scenarios import base_url

URL = base_url()
assert URL == base_url("app")


@molotov.global_setup()
def begin(args):
    import asyncio
    asyncio.run(asyncio.sleep(0))  # no loop runs, as in Molotov
    assert args.single_run
    molotov.set_var("begun", molotov.get_var("begun", list) + ["x"])
    molotov.set_var("of", molotov.json_request("/")["content"])


@molotov.setup()
async def setup(worker_id, args):
    return {"headers": {"X-Worker": str(worker_id)}}


@molotov.scenario(weight=3, name="index once")
async def index(session):
    assert molotov.get_var("begun") == ["x"]
    async with session.get(f"{URL}/away") as response:
        assert await response.json() == {"worker": "0", "traced": True}


@molotov.scenario()
async def missing(session):
    assert molotov.get_context(session).worker_id == 0
    async with session.post("/nothing", json={"a": 1}) as response:
        assert response.status == 200


@pytest.mark.skip(reason="not today")
@molotov.scenario()
async def marked(session):
    raise ValueError


@molotov.scenario()
async def outside(session):
    await session.get("http://shop.example.org/")


@molotov.scenario(weight=0)
async def never(session):
    raise ValueError


@molotov.global_teardown()
def end():
    open("ended", "a").write(str(molotov.get_var("begun")))
"""
OTHER = """
from molotov import get_var, scenario

@scenario()
async def index(session):
    assert get_var("begun") is None  # that is the other file's
    await session.get("/")
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    suite = Suite(tmp_path)
    suite.write("app.py", APP)
    return suite


def test_each_scenario_is_a_test_with_its_exchanges_as_evidence(suite: Suite) -> None:
    suite.write("scenarios/mix.py", MIX)
    suite.write("scenarios/other.py", OTHER)
    suite.write("scenarios/test_a.py", REACHING)

    judged = suite.judged("scenarios", target="served")

    assert judged.outcomes == {
        "index once": "passed", "missing": "failed", "marked": "skipped", "outside": "failed",
        "index": "passed", "test_index": "passed",
    }  # fmt: skip
    assert judged.reached["index once"] == 2  # a redirect, and where it leads to
    assert judged.reached["missing"] == 1
    assert "(last answer: POST /nothing: 404 <!doctype html>" in judged.said
    assert "http://shop.example.org/ is neither the target nor an allowed host" in judged.said
    assert (suite.root / "ended").read_text() == "['x']"
    tested = {test.nodeid: test for test in _facts(suite, "functional-served")}
    missing = tested["scenarios/mix.py::missing"]
    assert missing.where == "scenarios/mix.py:36"
    assert "curl -i" in missing.evidence[0]
    assert '{"a": 1}' in missing.evidence[0]
    assert "207 bytes" in missing.evidence[0]


def _facts(suite: Suite, part: str) -> list[noted.Tested]:
    found = [facts for name, facts in Facts.read(suite.evidence).by_part.items() if part in name]
    return [fact for facts in found for fact in facts if isinstance(fact, noted.Tested)]


def test_in_process_a_scenario_does_not_run_and_says_why(suite: Suite) -> None:
    suite.write("mix.py", MIX)

    judged = suite.judged("mix.py")

    assert set(judged.outcomes.values()) == {"skipped"}
    assert "which a service in process has not" in judged.not_checked["index once [inproc]"]
    assert judged.outcome is Outcome.UNKNOWN
    assert "functional/none-ran" in judged.slugs


MARKED = """
import pytest
from molotov import scenario

pytestmark = pytest.mark.usefixtures("aioresponses")


@scenario()
async def warm(session):
    async with session.get("/weather") as response:
        assert (await response.json())["celsius"] == 15


@pytest.mark.stubs("weather.cold")
@scenario()
async def cold(session):
    async with session.get("/weather") as response:
        assert (await response.json())["celsius"] == -3


@scenario()
@pytest.mark.stubs("weather.cold")
async def unused(session):
    await session.get("/")


@pytest.mark.callers(3)
@scenario()
async def together(session):
    await session.get("/")
"""
COLD = """
[[stub]]
name = "cold"
request = { method = "GET", path = "/now" }
reply = { json = { celsius = -3 } }
"""


def test_marks_stubs_and_mocks_mean_for_a_scenario_what_they_mean_for_a_test(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    (tmp_path / "flow.py").write_text(MARKED)
    (tmp_path / "weather.toml").write_text((tmp_path / "weather.toml").read_text() + COLD)

    code, output = project.harness("test", "flow.py", "--target", "served")

    assert code == 1, output
    assert "1 failed, 3 passed" in output
    assert "the test selected the stub weather.cold" in output
    (row,) = project.record()["functional"]
    assert (row["reached"], row["exchanges"]) == (4, 1 + 1 + 1 + 3)


def test_one_scenario_can_be_named(suite: Suite) -> None:
    suite.write("mix.py", MIX)

    assert suite.judged("mix.py::index once", target="served").outcomes == {"index once": "passed"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('why')\n", "importing it raised ValueError: why"),
        ("@molotov.scenario()\nasync def index(session): ...\n", "two scenarios are named 'index'"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_place(suite: Suite, text: str, said: str) -> None:
    suite.write("mix.py", OTHER + "import molotov\n" + text)

    judged = suite.judged("mix.py", target="served")

    assert judged.outcome is Outcome.UNKNOWN
    assert said in judged.said


@pytest.mark.parametrize("fixture", ["global_setup", "setup"])
def test_a_set_up_that_fails_is_the_failure_of_its_scenarios(suite: Suite, fixture: str) -> None:
    a = "" if fixture == "global_setup" else "async "
    made = f"@molotov.{fixture}()\n{a}def begin(*given): raise ValueError('no token')\n"
    suite.write("mix.py", f"{OTHER}\nimport molotov\n{made}")

    judged = suite.judged("mix.py", target="served")

    assert judged.outcomes == {"index": "failed"}
    assert f"{fixture}()" in judged.said
    assert "raised ValueError: no token" in judged.said


def test_where_no_path_is_named_scenario_files_are_left_alone(suite: Suite) -> None:
    suite.write("harness.toml", '[services.app]\napp = "app:app"\n')
    suite.write("mix.py", MIX)
    suite.write("test_a.py", "def test_a():\n    pass\n")

    code, output = suite.pytest(*LOOP)
    named = suite.pytest("mix.py", "--collect-only", "-q", *LOOP)[1]

    assert code == 0, output
    assert "1 passed" in output
    assert "mix.py::index once" in named


def test_where_the_harness_is_not_used_a_scenario_file_is_a_module_without_tests(
    suite: Suite,
) -> None:
    suite.write("other.py", OTHER)

    code, output = suite.pytest("other.py", *LOOP)

    assert code == 5, output  # nothing was collected


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("from molotov import scenario\n@scenario()\nasync def a(s): ...", True),
        ("import molotov as m\n@m.scenario(3)\nasync def a(s): ...", True),
        ("import molotov\nfor f in []: molotov.scenario(weight=3)(f)", True),
        ("import molotov\nprint(molotov.__version__)", False),
        ("# import molotov\n@scenario()\nasync def a(s): ...", False),
        ("import molotov\ndef (", False),
        ("import molotov\n\0", False),
    ],
)
def test_a_scenario_file_is_known_by_its_text(tmp_path: Path, text: str, is_one: bool) -> None:
    file = tmp_path / "mix.py"
    file.write_text(text)

    assert registers_scenarios(file) is is_one
