"""Stubs that cannot drift unnoticed, as a user of a small project sees it."""
# ruff: noqa: E501 - a line of output reads best on one line

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness import replay
from harness.cli.drift import check
from harness.cli.standins import verb
from harness.errors import TargetError, UsageError
from tests.harness.project import Project

DOCUMENT = """
openapi: 3.1.0
paths:
  /now:
    get:
      responses:
        "200":
          description: The weather
          content:
            application/json:
              schema: { type: object, required: [celsius], properties: { celsius: { type: number } } }
        "503": { description: None today }
  /then:
    get: { responses: { "200": { description: The weather before } } }
"""
DECLARED = """
async def test_wrong(client, stub):
    stub("weather", "GET", "/now", reply={"json": {"celsius": "warm"}})


async def test_on_purpose(client, stub):
    stub("weather", "GET", "/now", reply={"json": {}}, contradicts="no temperature")
    assert (await client.get("/weather")).status_code == 500


async def test_computed(client, stub):
    stub("weather", "GET", "/now", reply=lambda call: {"json": {"celsius": None}})
    await client.get("/weather")
"""
PROVIDER = """
from quart import Quart, request

app = Quart(__name__)
CELSIUS = {}


@app.get("/now")
async def now():
    if CELSIUS.get("asked") and "Authorization" not in request.headers:
        return {"why": "who are you?"}, 401
    return {"celsius": 3, "wind": 1}


@app.get("/echo/<name>")
async def echo(name):
    return {"name": name, "query": request.args.to_dict(), "json": await request.get_json()}


@app.get("/broken")
async def broken():
    raise RuntimeError("broken")


async def locked(client):
    assert (await client.get("/now")).status_code == 200
    CELSIUS["asked"] = True
    return {"Authorization": "Bearer x"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.change("harness.toml", 'default = ["now"]', 'default = ["now"]\nopenapi = "api.yaml"')
    (tmp_path / "api.yaml").write_text(DOCUMENT)
    return made


@pytest.mark.parametrize("verb", ["run", "test", "load", "up", "doctor"])
def test_a_wrong_stub_is_refused_before_anything_starts(project: Project, verb: str) -> None:
    project.change("weather.toml", "15", '"warm"')

    code, output = project.harness(verb)

    assert code == 64, output
    at = "/reply/json/celsius: 'warm' is not of type 'number'"
    assert f"{at} (#/paths/~1now/get/responses/200/content/application~1json/schema/" in output
    assert output.count("weather.toml:2") == 1
    assert not list(project.root.glob("reports/*/*.jsonl"))


def test_a_test_that_declares_a_wrong_stub_fails_and_may_say_why_it_is_wrong(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "tests/test_shop.py").write_text(DECLARED)

    code, output = project.harness("test", "--target", "inproc")

    assert code == 1, output
    assert "tests/test_shop.py:3: the stub 'GET /now' contradicts api.yaml" in output
    failed = [one for one in project.record()["findings"] if one["slug"] == "functional/failed"]
    assert {one["message"].split()[0].partition("::")[2] for one in failed} == {
        "test_wrong", "test_computed"
    }  # fmt: skip
    assert "the reply of GET /now (tests/test_shop.py:12) to GET /now: PlanError" in output
    assert "/reply/json/celsius: None is not of type 'number'" in output
    monkeypatch.chdir(project.root)
    assert check(None, Path("reports")) == 0
    assert "now (weather.toml:2) was not used in the newest run" in capsys.readouterr().out


def test_a_check_lists_what_no_stub_covers_what_no_test_used_and_what_is_old(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    today = datetime.now(UTC).date()
    stub = (project.root / "weather.toml").read_text()
    for name, more in {
        "late": f"checked = {today - timedelta(days=12)}",
        "fresh": f"checked = {today - timedelta(days=8)}",
        "future": f"checked = {today + timedelta(days=9)}",
        "wrong": 'contradicts = "not really"',
    }.items():
        stub += stub[: stub.index("reply")].replace('"now"', f'"{name}"') + f"{more}\n"
        stub += "reply = { status = 503 }\n"
    (project.root / "weather.toml").write_text(stub)
    monkeypatch.chdir(project.root)
    assert check(None, Path("reports")) == 0
    output = capsys.readouterr().out
    assert "no stub for GET /then\n" in output
    assert "GET /now:" not in output
    assert "there is no run with any" in output
    assert "wrong (weather.toml:25) says that it contradicts it, and does not" in output

    project.change("harness.toml", '"api.yaml"', '"api.yaml"\nmax_age = "10d"')
    assert check(None, Path("reports")) == 1
    output = capsys.readouterr().out
    assert "late (weather.toml:7) was checked 12 days ago" in output
    assert "future (weather.toml:19) was checked on" in output
    assert "now (weather.toml:2) has no day on which it was checked: checked = 20" in output
    assert "fresh (weather.toml:13) was checked" not in output
    assert "FAIL: 4 found wrong" in output


REPLAYED = """
[[stub]]
name = "now"
request = { method = "GET", path = "/now" }
reply = { json = { celsius = 15.5 } }

[[stub]]
name = "gone"
request = { method = "GET", path = "/gone" }
reply = { status = 410 }

[[stub]]
name = "echo"
request = { method = "GET", path = "/echo/a b%2F", query = { n = { any = "integer" } }, json = { a = { any = "boolean" } } }
reply = { json = { name = "x", query = { n = "5" }, json = { a = 1 }, size = 3 } }

[[stub]]
name = "text"
request = { method = "GET", path = "/now" }
reply = { text = "15" }

[[stub]]
name = "open"
request = { method = "GET", path_prefix = "/now" }
reply = { json = {} }

[[stub]]
name = "broken"
request = { method = "GET", path = "/now" }
reply = { status = 503 }

[[stub]]
name = "locked"
given = "provider:locked"
request = { method = "GET", path = "/now" }
reply = { json = { celsius = 15 } }

[[stub]]
name = "lost"
given = "provider:nowhere"
request = { method = "GET", path = "/now" }
reply = { json = { celsius = 15 } }
"""


def test_stubs_are_replayed_against_their_provider_in_process(project: Project) -> None:
    (project.root / "provider.py").write_text(PROVIDER)
    (project.root / "weather.toml").write_text(REPLAYED)
    project.change("harness.toml", 'openapi = "api.yaml"', 'provider = "station"')
    project.change(
        "harness.toml", "[standins", '[services.station]\napp = "provider:app"\n\n[standins'
    )

    code, output = project.harness("standins", "--check")

    assert code == 1, output
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for line in (
        "weather: the service station",
        "wrong gone (weather.toml:7) is answered otherwise: /status: expected 410, found 404",
        "wrong echo (weather.toml:12) is answered otherwise: /json/json/a: expected number, found boolean",
        "wrong echo (weather.toml:12) is answered otherwise: /json/size: expected number, found nothing",
        "wrong text (weather.toml:17) is answered otherwise: /headers/Content-Type: expected text/plain, found application/json",
        "note now (weather.toml:2): /json/wind: found number, which the stub has not",
        "note open (weather.toml:22) was not replayed: its path is open: write it out, as 'path'",
        "note locked (weather.toml:32): /json/wind: found number, which the stub has not",
    ):
        assert line in lines, output
    assert "broken (weather.toml:27) was not replayed: its reply is an error" in output
    assert (
        "lost (weather.toml:38) is answered otherwise: nothing to compare: AttributeError" in output
    )
    assert "FAIL: 5 found wrong" in lines


def test_a_wrong_stub_is_listed_where_it_keeps_others_from_being_replayed(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.change("weather.toml", "15", '"warm"')
    project.change(
        "harness.toml", "[tests]",
        '[standins.own]\norigin = "https://o.example.org"\nstubs = []\nprovider = "shop"\n\n[tests]',
    )  # fmt: skip
    monkeypatch.chdir(project.root)

    assert check(None, Path("reports")) == 1
    output = capsys.readouterr().out
    assert "/reply/json/celsius: 'warm' is not of type 'number'" in output
    assert "nothing was replayed: stubs that contradict a document are in the way" in output


def test_a_provider_that_hangs_is_ended_and_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    project.change("harness.toml", 'openapi = "api.yaml"', 'provider = "shop"')
    project.change("shop.py", "SLOW_S = 0", "SLOW_S = 1000")
    project.change("weather.toml", '"/now"', '"/"')
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(replay, "LIMIT_S", 3.0)

    with pytest.raises(TargetError) as caught:
        check(None, Path("reports"))

    assert caught.value.slug == "standins/not-replayed"
    assert "had not ended in time" in caught.value.message
    assert list(scratch.iterdir()) == []


def test_stubs_of_which_none_is_replayed_are_no_pass(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.change("harness.toml", 'openapi = "api.yaml"', 'provider = "shop"')
    project.change("weather.toml", "{ json = { celsius = 15 } }", '{ fault = "reset" }')
    monkeypatch.chdir(project.root)

    assert check(None, Path("reports")) == 2
    assert "was not replayed: its reply breaks" in capsys.readouterr().out


def test_a_provider_that_does_not_start_leaves_a_check_without_evidence(project: Project) -> None:
    project.change("harness.toml", 'openapi = "api.yaml"', 'provider = "shop"')
    project.change("shop.py", "SLOW_S = 0", "raise RuntimeError('no database')")

    code, output = project.harness("standins", "--check")

    assert code == 2, output
    assert "no database" in output
    assert "target/import-failed" in output


@pytest.mark.parametrize(
    ("old", "new", "plan_file", "says"),
    [
        ("api.yaml", "apy.yaml", None, "plan/openapi"),
        ("api.yaml", "api.yaml", "nowhere.toml", "plan/none"),
        ('"api.yaml"', '"api.yaml"\nmax_age = "9h"', None, "write days, as in '180d'"),
        ('"api.yaml"', '"api.yaml"\nprovider = "shoop"', None, "Did you mean 'shop'?"),
        ('["weather.toml"]', '["wether.toml"]', None, "stubs/no-file"),
    ],
)
def test_a_check_of_what_cannot_be_read_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch,
    old: str, new: str, plan_file: str | None, says: str,
) -> None:  # fmt: skip
    project.change("harness.toml", old, new)
    monkeypatch.chdir(project.root)

    with pytest.raises(UsageError) as caught:
        check(plan_file, Path("reports"))

    assert says in str(caught.value)


def test_a_check_without_a_basis_is_no_pass(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.change("harness.toml", 'openapi = "api.yaml"', "")
    monkeypatch.chdir(project.root)

    assert check(None, Path("reports")) == 2
    assert "UNKNOWN: nothing was checked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--check", "weather.toml"], "about the stubs of a plan"), (["--plan", "x", "y"], "--check")],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        verb.main(arguments, standalone_mode=False)

    assert says in str(caught.value)
