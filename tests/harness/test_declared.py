"""The fixture `stub`: stubs that a test declares for itself, in real sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import PlanError
from harness.stubfile import read_stub
from tests.harness.project import Project

DECLARED = """
import pytest


@pytest.fixture
def cold(stub):
    stub("weather", "GET", "/now", reply={"json": {"celsius": -5}})


async def test_declared(client, stub):
    stub("weather", "GET", "/now", reply={"json": {"celsius": 30}}, times=1)
    assert await (await client.get("/weather")).get_json() == {"celsius": 30}
    assert await (await client.get("/weather")).get_json() == {"celsius": 15}


async def test_undone(client):
    assert await (await client.get("/weather")).get_json() == {"celsius": 15}


async def test_by_a_fixture(client, cold):
    assert await (await client.get("/weather")).get_json() == {"celsius": -5}


async def test_computed(client, stub):
    seen = []

    def reply(call):
        seen.append(call)
        return {"json": {"celsius": len(seen)}}

    stub("weather", "GET", path_prefix="/n", headers={"Accept": "*/*"}, reply=reply)
    for number in (1, 2):
        assert await (await client.get("/weather")).get_json() == {"celsius": number}
    assert (seen[0].method, seen[0].path, seen[0].body) == ("GET", "/now", b"")


async def test_journal(client, stub, journal):
    stub("weather", "GET", "/now", reply={"json": {"celsius": 1}}, times="1..2")
    for _ in range(3):
        await client.get("/weather")
    assert journal("weather").count == 3
    assert journal("weather.GET /now").count == 2
    assert [call.path for call in journal("weather.now").calls] == ["/now"]


async def test_ordered(client, stub, journal):
    stub("weather", "GET", "/now", name="second", after="first", times="0..",
         reply={"json": {"celsius": 2}})
    stub("weather", "GET", "/now", name="first", times=1, reply={"json": {"celsius": 1}},
         sets={"day": "over"})
    stub("weather", "GET", "/now", name="third", needs={"day": "over"}, times="0..",
         reply={"json": {"celsius": 3}})
    got = [await (await client.get("/weather")).get_json() for _ in range(2)]
    assert [one["celsius"] for one in got] == [1, 3]
    assert journal.order == ("weather.first", "weather.third")
    stub("weather", "GET", "/now", name="last", after="third", reply={"json": {"celsius": 4}})
    await client.get("/weather")
    assert journal.order[-1] == "weather.last"
    stub("weather", "GET", "/other", name="never", after="last", times="0..", reply={})


async def test_refused(client, stub):
    stub("weather", reply={"fault": "refused"})
    assert (await client.get("/weather")).status_code == 500


async def test_journal_is_of_one_test(client, journal):
    assert journal("weather").count == 0
    with pytest.raises(Exception, match="there is no stand-in 'wether'"):
        journal("wether")


@pytest.mark.stubs("now")
async def test_beside_a_mark(client, stub):
    stub("weather", "GET", "/new", reply=[{"fault": "closed"}, {"status": 503}], times="0..2")
    assert await (await client.get("/weather")).get_json() == {"celsius": 15}
"""

WRONG = """
async def test_unused(client, stub):
    stub("weather", "GET", "/never", reply={})
    assert (await client.get("/")).status_code == 200


async def test_too_few(client, stub):
    stub("weather", "GET", "/now", reply={"json": {"celsius": 1}}, times=2)
    await client.get("/weather")


async def test_raises(client, stub):
    stub("weather", "GET", "/now", reply=lambda call: {"status": 1 / 0})
    await client.get("/weather")


async def test_computes_nonsense(client, stub):
    stub("weather", "GET", "/now", reply=lambda call: {"stats": 200})
    await client.get("/weather")


def test_nonsense(stub):
    stub("weather", "GET", "/now", reply={"jsn": 1})


def test_nowhere(stub):
    stub("wether", "GET", "/now", reply={})
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    (tmp_path / "tests/test_shop.py").unlink()
    return project


def test_a_test_declares_stubs_for_itself_alone(project: Project) -> None:
    (project.root / "tests/test_declared.py").write_text(DECLARED)

    code, output = project.harness("test", "--target", "inproc")

    assert code == 0, output
    assert "9 tests passed" in output


def test_what_is_wrong_with_a_declaration_is_told_with_its_line(project: Project) -> None:
    (project.root / "tests/test_wrong.py").write_text(WRONG)

    code, output = project.harness("test", "--target", "inproc")

    assert code == 1, output
    for told in (
        "selected the stub weather.GET /never (tests/test_wrong.py:3), and nothing called it",
        "selected the stub weather.GET /now (tests/test_wrong.py:8), and it answered 1 of 2",
        "the reply of GET /now (tests/test_wrong.py:13) to GET /now: ZeroDivisionError: division",
        "tests/test_wrong.py:18: unknown key 'stats' in the top level",
        "tests/test_wrong.py:23: unknown key 'jsn' in replies[0]",
        "there is no stand-in 'wether'",
    ):
        assert told in output, (told, output)


@pytest.mark.parametrize(
    ("words", "slug", "says"),
    [
        ({"reply": {"jsn": 1}}, "plan/unknown-key", "Did you mean 'json'?"),
        ({"reply": {"json": object()}}, "stubs/reply", "cannot be written"),
        ({"reply": {}, "times": 0}, "stubs/times", "write how often"),
        ({"reply": {}, "qery": {}}, "plan/unknown-key", "Did you mean 'query'?"),
        ({"reply": {}, "path": None}, "stubs/path", "needs one of"),
        ({"reply": []}, "stubs/reply", "needs either"),
        ({"reply": {"delay": "2s..1s"}}, "stubs/delay", "cannot have the delay: 2s is longer"),
        ({"reply": {"delay": {"p50": "1s"}}}, "plan/missing-key", "'p99'"),
        ({"reply": {}, "needs": {"cart": 1}}, "plan/wrong-type", "str"),
    ],
)
def test_a_declaration_is_read_as_strictly_as_a_file(
    words: dict[str, object], slug: str, says: str
) -> None:
    arguments = {"method": "GET", "path": "/w", **words}
    with pytest.raises(PlanError, match=r"^t\.py:7: ") as raised:
        read_stub("t.py:7", **arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert raised.value.slug == slug
    assert says in str(raised.value)
