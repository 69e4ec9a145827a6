"""What is published: the sdist, the wheel made of it, and that wheel where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHOP = """
from quart import Quart

app = Quart(__name__)


@app.get("/")
async def index():
    return {"hello": "world"}
"""
TESTS = """
async def test_the_index_says_hello(client):
    assert await (await client.get("/")).get_json() == {"hello": "world"}
"""

PLAN = """
[services.shop]
app = "shop:app"

[tests]
paths = ["test_shop.py"]
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    unwanted = ("HARNESS_", "COVERAGE_", "PYTHON", "PYTEST_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of this folder, and a wheel that was built of the sdist alone."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = [name for name in opened.namelist() if name.endswith("/METADATA")]
        return Parser().parsestr(opened.read(name).decode())


def in_git(*paths: str) -> set[str]:
    return set(run("git", "ls-files", "--cached", "--others", "--exclude-standard", *paths).split())


def test_an_index_would_take_them(dist: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir())


def test_the_wheel_holds_the_harness_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    about = {name for name in names if ".dist-info/" in name}
    put_in = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"].get("force-include", {})

    assert names - about == in_git("harness") | set(put_in.values())
    assert "harness/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in about)


def test_the_sdist_holds_the_whole_tree_and_nothing_that_git_ignores(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}

    assert names - {"PKG-INFO"} == in_git()


def test_the_metadata_says_what_pyproject_says(metadata: Message) -> None:
    project = PYPROJECT["project"]
    plain = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]

    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == project["requires-python"]
    assert set(metadata.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])
    assert len(plain) == len(project["dependencies"])
    assert metadata.get_payload() == (ROOT / "README.md").read_text()


def test_the_wheel_works_where_nothing_else_is_installed(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TESTS)
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-compile", wheel)
    harness = tmp_path / "venv/bin/harness"
    (tmp_path / "harness.toml").write_text(PLAN)
    version = run(harness, "--version", cwd=tmp_path)
    told = run(
        harness, "test", "test_shop.py", "--app", "shop:app", "--target", "inproc",
        "--target", "served", cwd=tmp_path,
    )  # fmt: skip

    assert version.split()[-1] in wheel.name
    assert "Verbs:" in run(harness, "--help", cwd=tmp_path)
    assert told.startswith("PASS")
    assert "harness run" in run(harness, "doctor", cwd=tmp_path)
    assert "Nothing accepts connections" in run(harness, "doctor", "target/dead", cwd=tmp_path)
