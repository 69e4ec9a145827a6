"""A service in a process of its own: what its log and its facts say when it does not behave."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.evidence import Facts
from harness.facts import Surprise
from harness.plan import Service, StandIn
from harness.routes import Routes
from harness.standins.group import StandIns
from harness.target import AppPath
from harness.targets import process
from harness.targets.port import Port
from harness.targets.process import Process

APP = """
import asyncio
import time

from quart import Quart

app = Quart(__name__)


@app.before_serving
async def start():
    STARTING


@app.get("/")
async def index():
    return "here"


@app.after_serving
async def stop():
    STOPPING


IMPORTED = True
"""

Make = Callable[..., Process]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    (tmp_path / "logs").mkdir()

    def made(routes: Routes | None = None, **changes: str) -> Process:
        text = APP.replace("IMPORTED = True", changes.get("imported", ""))
        for word in ("STARTING", "STOPPING"):
            text = text.replace(word, changes.get(word.lower(), "pass"))
        (tmp_path / "shop.py").write_text(text)
        service = Service("shop", AppPath.parse("shop:app"), start_s=2.0)
        return Process(
            service, port=Port.bound(), part="service", root=tmp_path, folder=tmp_path, env={},
            routes=routes,
        )  # fmt: skip

    return made


def surprises(folder: Path) -> list[Surprise]:
    facts = [fact for part in Facts.read(folder).by_part.values() for fact in part]
    return [fact for fact in facts if isinstance(fact, Surprise)]


def place(folder: Path, text: str) -> str:
    lines = (folder / "shop.py").read_text().splitlines()
    return f"shop.py:{next(n for n, line in enumerate(lines, 1) if text in line)}"


def test_a_service_that_behaves_leaves_nothing_to_say(make: Make, tmp_path: Path) -> None:
    with make() as running:
        assert urllib.request.urlopen(running.url, timeout=5).read() == b"here"

    assert surprises(tmp_path) == []


@pytest.mark.parametrize(
    ("when", "hang"),
    [
        ("imported", "time.sleep(1e9)"),
        ("starting", "time.sleep(1e9)"),
        ("starting", "await asyncio.Event().wait()"),
    ],
)
def test_what_hangs_before_it_listens_is_named(
    make: Make, tmp_path: Path, when: str, hang: str
) -> None:
    with pytest.raises(TargetError) as caught, make(**{when: hang}):
        pass

    assert caught.value.slug == "target/hung"
    assert caught.value.message.endswith("had not ended after 2 s")
    assert caught.value.where == place(tmp_path, hang)


def test_what_cannot_be_interrupted_is_ended_and_in_the_log(make: Make, tmp_path: Path) -> None:
    stubborn = (
        "while True:\n    try:\n        time.sleep(1e9)\n    except BaseException:\n        pass"
    )

    with pytest.raises(TargetError, match="ended with code -6"), make(imported=stubborn):
        pass

    file, _, line = place(tmp_path, "time.sleep").partition(":")
    assert f'{file}", line {line}' in (tmp_path / "logs" / "shop.log").read_text()


def test_a_shut_down_that_raises_is_taken_down(make: Make, tmp_path: Path) -> None:
    with make(stopping="raise OSError('no disk')"):
        pass

    (found,) = surprises(tmp_path)
    assert found.slug == "target/shut-down"
    assert "no disk" in found.message


def test_a_shut_down_that_hangs_is_taken_down_with_its_line(make: Make, tmp_path: Path) -> None:
    hang = "time.sleep(1e9)"

    with make(stopping=hang):
        pass

    (found,) = surprises(tmp_path)
    assert (found.slug, found.where) == ("target/shut-down", place(tmp_path, hang))


def test_a_service_that_does_not_heed_its_end_is_killed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_S", 0.0)
    monkeypatch.setattr(process, "LAST_S", 0.2)

    with make(stopping="time.sleep(1e9)") as running:
        assert running._child is not None
        pid = running._child.pid

    (found,) = surprises(tmp_path)
    assert found.slug == "target/shut-down"
    assert "was killed" in found.message
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


STUB = """
[[stub]]
name = "now"
request = { method = "GET", path = "/now" }
reply = { text = "now" }
"""
CALLS = "import urllib.request as u; assert u.urlopen('https://api.example.test/now').read()"


def test_what_it_calls_by_its_own_address_is_answered_by_a_standin(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / "api.toml").write_text(STUB)
    planned = StandIn("api", "https://api.example.test", ("api.toml",), ("now",))

    with (
        StandIns.of([planned], tmp_path) as standins,
        make(starting=CALLS, routes=standins.routes()),
    ):
        assert standins.asked("api.now").count == 1
