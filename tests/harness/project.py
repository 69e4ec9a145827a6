"""A small project in a folder, and the harness run in it as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

APP = """
import asyncio
import os

import aiohttp
from quart import Quart

SLOW_S = 0


def create_app():
    app = Quart(__name__)

    @app.get("/")
    async def index():
        await asyncio.sleep(SLOW_S)
        return {"hello": "world"}

    @app.get("/weather")
    async def weather():
        async with aiohttp.ClientSession() as session:
            async with session.get(os.environ["WEATHER_URL"] + "/now") as response:
                return {"celsius": (await response.json())["celsius"]}

    return app
"""

TESTS = """
async def test_the_index_says_hello(client):
    response = await client.get("/")

    assert response.status_code == 200
    assert await response.get_json() == {"hello": "world"}


async def test_the_weather_is_asked_of_the_outside(client):
    assert await (await client.get("/weather")).get_json() == {"celsius": 15}
"""

SCENARIOS = """
import os

from molotov import scenario

URL = os.environ["HARNESS_TARGET"]


@scenario(weight=3)
async def index(session):
    async with session.get(URL + "/") as response:
        assert response.status == 200


@scenario(weight=1)
async def weather(session):
    async with session.get(URL + "/weather") as response:
        assert (await response.json())["celsius"] == 15
"""

STUBS = """
[[stub]]
name = "now"
request = { method = "GET", path = "/now" }
reply = { json = { celsius = 15 } }
"""

PLAN = """
[services.shop]
app = "shop:create_app()"
env = { WEATHER_URL = "{weather.url}" }

[standins.weather]
origin = "https://weather.example.org"
stubs = ["weather.toml"]
default = ["now"]

[tests]
paths = ["tests"]
targets = ["inproc", "served"]

[load.mix]
scenarios = "mix.py"
pace = "40/s for 1s"
objectives = ["p50 < 2s"]

[gates]
paths = ["shop.py"]
limits = [
    "complexity.max <= 10", "security.high == 0", "security.medium == 0", "coverage.lines >= 90%",
]
"""


class Project:
    """A small project in a folder, and the harness run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "tests").mkdir()
        for name, text in {
            "shop.py": APP, "tests/test_shop.py": TESTS, "mix.py": SCENARIOS,
            "weather.toml": STUBS, "harness.toml": PLAN,
        }.items():  # fmt: skip
            (root / name).write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))

    def drop(self, *tables: str) -> None:
        """Leave tables out of the plan, so that their parts are not run."""
        path = self.root / "harness.toml"
        texts = path.read_text().split("\n\n")
        left = [text for text in texts if text.strip().partition("]")[0][1:] not in tables]
        assert len(left) == len(texts) - len(tables)
        path.write_text("\n\n".join(left))

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *arguments],
            cwd=self.root, env={**clean(), **env}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def harness(self, *arguments: str, **env: str) -> tuple[int, str]:
        process = self.start(*arguments, **env)
        output, _ = process.communicate(timeout=90)
        return process.returncode, output

    def record(self) -> dict[str, Any]:
        (path,) = (self.root / "reports").glob("*/record.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found


_UNUSED = ("hypothesispytest", "anyio", "platformdirs", "requests_mock")


def clean() -> dict[str, str]:
    """Leave out what a surrounding run or measurement has set, and plugins that cost start-up."""
    unwanted = ("HARNESS_", "COVERAGE_", "PYTEST_", "COV_CORE_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return {**env, "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in _UNUSED)}
