"""``harness standins`` as another process has it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.standins.desk import desk
from harness.standins.group import StandIns
from harness.standins.server import StandIn
from harness.stub import Call
from harness.stubfile import parse_stubs
from harness.targets.served import Port
from tests.harness.project import STUBS, Project

OTHER = STUBS.replace('"now"', '"late"').replace("15", "3")
READY = "Ctrl-C stops it all"
PATIENCE_S = 30.0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "snow.toml").write_text(STUBS + OTHER)
    return Project(tmp_path)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    while text not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    return seen


@contextmanager
def standins(
    project: Project, *arguments: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    process = project.start("standins", *arguments)
    try:
        seen = read_until(process, READY)
        yield process, dict(re.findall(r"^(\w+) +(http://\S+)", seen, re.M))
    finally:
        process.kill()
        process.communicate()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
        return str(response.read().decode())


def test_files_are_served_until_they_are_stopped_and_tell_what_they_were_asked(
    project: Project,
) -> None:
    with standins(project, "weather.toml", "more/snow.toml") as (process, urls):
        assert set(urls) == {"weather", "snow", "journal"}
        assert get(urls["snow"] + "/now?a=b") == '{"celsius":15}'
        with pytest.raises(urllib.error.HTTPError, match="501"):
            get(urls["snow"] + "/then")
        told = read_until(process, "  now (more/snow.toml")
        assert (
            "no stub answers GET /then\n  late (more/snow.toml:7): path: wanted /now, got" in told
        )

        journal = json.loads(get(urls["journal"]))
        snow = journal["snow"]
        assert (journal["weather"]["count"], snow["count"]) == (0, 2)
        assert snow["stubs"]["snow.now"] == {"count": 1, "at_once": 1, "connections": 1}
        assert snow["stubs"]["snow.late"]["count"] == 0
        assert [one["path"] for one in snow["calls"]] == ["/now", "/then"]
        assert snow["calls"][0]["query"] == "a=b"

        process.send_signal(signal.SIGTERM)
        said = read_until(process, "snow: ")
        assert "weather: 0 calls answered, 0 that no stub answers" in said
        assert "  weather.now (weather.toml:2) was never used" in said
        assert "snow: 1 calls answered, 1 that no stub answers" in said
        process.wait(timeout=PATIENCE_S)
        assert process.returncode == 1
        with pytest.raises(urllib.error.URLError):
            get(urls["snow"] + "/now")


def test_one_stub_of_a_file_and_a_fixed_port(project: Project) -> None:
    with Port.bound() as free:
        port = free.address[1]
    arguments = ("more/snow.toml", "--stub", "late", "--port", f"snow={port}")
    with standins(project, *arguments) as (_, urls):
        assert urls["snow"] == f"http://127.0.0.1:{port}"
        assert get(urls["snow"] + "/now") == '{"celsius":3}'


def send(method: str, url: str, content: object = None) -> tuple[int, str]:
    body = (
        content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
    )
    request = urllib.request.Request(url, body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_another_process_selects_stubs_and_starts_the_journal_anew(project: Project) -> None:
    with standins(project, "weather.toml", "more/snow.toml") as (process, urls):
        journal, now = urls["journal"], urls["snow"] + "/now"
        stubs = journal.replace("/journal", "/stubs")
        get(now)
        assert json.loads(get(journal))["snow"]["unused"] == []

        assert send("PUT", stubs, ["snow.late"]) == (
            200,
            '{"weather":["now"],"snow":["late"]}',
        )
        told = json.loads(get(journal))["snow"]
        assert (told["count"], told["unused"]) == (0, ["snow.late"])
        assert get(now) == '{"celsius":3}'
        told = json.loads(get(journal))["snow"]
        (call,) = told["calls"]
        assert (call["number"], call["stub"], told["unused"]) == (2, "snow.late", [])

        assert send("DELETE", journal) == (204, "")
        assert json.loads(get(journal))["snow"]["unused"] == ["snow.late"]
        assert send("PUT", stubs, []) == (200, '{"weather":["now"],"snow":["now","late"]}')
        assert get(now) == '{"celsius":15}'

        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE_S)
        assert process.returncode == 130


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (["snow.lat"], 404, "Did you mean 'snow.late'?"),
        (["snow.now", 1], 400, "send a JSON list of names"),
        ("snow.now", 400, "send a JSON list of names"),
        (None, 400, "send a JSON list of names"),
        (b'["\xff"]', 400, "send a JSON list of names"),
    ],
)
def test_what_cannot_be_selected_changes_nothing(content: object, code: int, says: str) -> None:
    stubs = parse_stubs(STUBS + OTHER, "snow.toml")
    group = StandIns([StandIn("snow", stubs, ["now", "late"])], Path())
    group["snow"].answer(Call("GET", "/now", "", {}, b""))
    with desk("journal", group, []) as running:
        got, told = send("PUT", f"{running.url}/__harness__/stubs", content)

        assert (got, says in told) == (code, True), told
        assert group["snow"].asked().count == 1
        assert running.unmatched == 0


def test_another_process_has_connections_refused() -> None:
    down = '[[stub]]\nname = "down"\nreply = { fault = "refused" }\n'
    group = StandIns([StandIn("snow", parse_stubs(STUBS + down, "snow.toml"), ["now"])], Path())
    with group, desk("journal", group, []) as running:
        now, stubs = group["snow"].url + "/now", f"{running.url}/__harness__/stubs"

        assert send("PUT", stubs, ["down"]) == (200, '{"snow":["down"]}')
        with pytest.raises(urllib.error.URLError, match="refused"):
            get(now)
        assert send("PUT", stubs, []) == (200, '{"snow":["now"]}')
        assert get(now) == '{"celsius":15}'


def test_a_stub_that_refuses_waits_to_be_named(project: Project) -> None:
    down = '[[stub]]\nname = "down"\nreply = { fault = "refused" }\n'
    (project.root / "snow.toml").write_text(STUBS + down)

    with standins(project, "snow.toml") as (_, urls):
        assert get(urls["snow"] + "/now") == '{"celsius":15}'
    with (
        standins(project, "snow.toml", "--stub", "down") as (_, urls),
        pytest.raises(urllib.error.URLError, match="refused"),
    ):
        get(urls["snow"] + "/now")


def test_a_reason_is_printed_once_however_often_it_is_met(project: Project) -> None:
    with standins(project, "weather.toml") as (process, urls):
        for path in ("/a", "/a", "/b"):
            with pytest.raises(urllib.error.HTTPError):
                get(urls["weather"] + path)
            told = json.loads(get(urls["journal"]))["weather"]
        assert told["unmatched"] == 3
        assert [one.split("\n")[0][-2:] for one in told["reasons"]] == ["/a", "/a", "/b"]
        said = read_until(process, "GET /b\n")
        assert said.count("no stub answers GET /a") == 1


def test_a_seed_is_a_number(project: Project) -> None:
    code, output = project.harness("standins", "weather.toml", "--seed", "x")

    assert code == 64, output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["wether.toml"], "stubs/no-file"),
        (["weather.toml", "--stub", "cold"], "stubs/unknown"),
        (["weather.toml", "more/../weather.toml"], "two stand-ins 'weather'"),
        (["weather.toml", "--port", "wether=1"], "Did you mean 'weather'?"),
        (["harness.toml"], "plan/unknown-key"),
        ([], "FILE"),
    ],
)
def test_what_cannot_be_served_is_not_understood(
    project: Project, arguments: list[str], says: str
) -> None:
    code, output = project.harness("standins", *arguments)

    assert code == 64, output
    assert says in output
