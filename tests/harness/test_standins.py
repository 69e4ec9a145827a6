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
        process.wait(timeout=PATIENCE_S)
        assert process.returncode == 130
        with pytest.raises(urllib.error.URLError):
            get(urls["snow"] + "/now")


def test_one_stub_of_a_file_and_a_fixed_port(project: Project) -> None:
    with Port.bound() as free:
        port = free.address[1]
    arguments = ("more/snow.toml", "--stub", "late", "--port", f"snow={port}")
    with standins(project, *arguments) as (_, urls):
        assert urls["snow"] == f"http://127.0.0.1:{port}"
        assert get(urls["snow"] + "/now") == '{"celsius":3}'


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
