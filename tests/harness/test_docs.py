"""What the README shows can be typed as it stands; what the pages show is what we read."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harness.cli import main
from harness.manifest import parse_plan
from harness.stubfile import parse_stubs
from tests.harness.project import clean

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SERVICE = '[services.shop]\napp = "shop.app:app"\n'

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
    assert [link for link in links if not (ROOT / link).exists()] == []


def _blocks(kind: str) -> list[object]:
    """Return the code blocks of a kind in the pages, each with its place."""
    blocks: list[object] = []
    for path in sorted((ROOT / "docs").rglob("*.md")):
        page = path.read_text()
        for found in re.finditer(r"^```(.*)\n((?s:.*?))^```$", page, re.MULTILINE):
            if re.fullmatch(kind, found[1]):
                line = page[: found.start()].count("\n") + 1
                blocks.append(pytest.param(found[2], id=f"{path.relative_to(ROOT)}:{line}"))
    return blocks


def test_code_on_a_page_is_included_from_a_file_that_is_tested() -> None:
    assert _blocks(r"(?!toml|console|text|\{(?!code)).+") == []


@pytest.mark.parametrize("text", _blocks("toml"))
def test_toml_on_a_page_is_a_plan_or_part_of_one_or_stubs(text: str) -> None:
    if "[[stub]]" in text:
        assert parse_stubs(text, "stubs.toml")
    else:
        assert parse_plan(text if "[services." in text else text + SERVICE, "harness.toml")


@pytest.mark.parametrize("text", _blocks("console"))
def test_a_command_on_a_page_is_one_that_harness_understands(text: str) -> None:
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.startswith("$ ")]
    typed = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]

    assert typed
    for program, verb, *options in typed:
        assert program == "harness"
        command = main.get_command(click.Context(main), verb)
        assert command is not None, verb
        command.make_context(verb, options)  # raises for an option that there is not


def test_every_openapi_document_has_a_page() -> None:
    documents = {path.stem for path in (ROOT / "fixtures/openapi").glob("*.yaml")}

    assert documents == {path.stem for path in (ROOT / "docs/services").glob("*.md")} - {"index"}
