"""What the README shows can be typed as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.project import clean

README = (Path(__file__).parents[2] / "README.md").read_text()

SHOP = """
from quart import Quart


def create_app():
    app = Quart(__name__)

    @app.get("/")
    async def index():
        return {"hello": "world"}

    return app


app = create_app()
"""

BROWSE = """
import os

from molotov import scenario


@scenario()
async def browse(session):
    async with session.get(os.environ["HARNESS_TARGET"] + "/") as response:
        assert response.status == 200
"""


def _commands() -> list[str]:
    shown = re.search(r"```console\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    return [line.removeprefix("$ ") for line in shown[1].splitlines() if line.startswith("$ ")]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for name, text in {
        "shop/__init__.py": "", "shop/app.py": SHOP, "scenarios/browse.py": BROWSE,
        "tests/test_shop.py": example, "src/shop.py": SHOP,
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize("command", _commands())
def test_a_command_of_the_readme_passes_on_a_healthy_service(shop: Path, command: str) -> None:
    command = command.replace("harness ", f"{sys.executable} -m harness ", 1).replace(
        "-d 15", "-d 5"
    )

    done = subprocess.run(
        command, shell=True, cwd=shop, env=clean(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS: ") == 1


def test_the_readme_has_both_commands_of_a_fresh_machine() -> None:
    assert re.search(r"## Try it\n.*?```sh\n(.+ && harness run)\n```", README, re.DOTALL)
    assert re.search(r"## Test it\n.*?```sh\n(.+ && tox)\n```", README, re.DOTALL)


def test_links_of_the_readme_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]

    assert links
    assert [link for link in links if not (Path(__file__).parents[2] / link).exists()] == []
