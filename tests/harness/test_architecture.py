"""What holds for the whole of the harness: its import order, its size, its documentation."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "harness").rglob("*.py"))
FAMILIES = (
    "plan|stubs|standins|target|load|functional|gates|coverage|complexity|evidence|guard|harness"
    "|tox|ci|prove"
)
SLUG = re.compile(rf"(?:{FAMILIES})/[a-z-]*[a-z]\Z")


def test_imports_point_one_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout


def _strings(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_slug_has_a_heading_in_the_messages() -> None:
    documented = set(re.findall(r"^### (\S+)$", (ROOT / "docs/messages.md").read_text(), re.M))
    used = {text for path in MODULES for text in _strings(path) if SLUG.match(text)}

    assert len(used) > 50
    assert used - documented == set()


def test_no_heading_in_the_messages_is_for_a_slug_that_is_gone() -> None:
    documented = set(re.findall(r"^### (\S+)$", (ROOT / "docs/messages.md").read_text(), re.M))
    written = "".join(path.read_text() for path in MODULES)
    made = {  # their last word is put in when they are used
        "functional/failed", "functional/error", "functional/xpassed", "target/import-failed",
        "target/factory-failed", "load/objective-met", "load/objective-missed",
        "load/objective-undecided", "gates/limit-kept", "gates/limit-broken",
        "gates/limit-undecided", "security/B…", "usage", "coverage/lines", "coverage/branches",
        "coverage/changed", "harness/crashed", "prove/caught", "prove/missed",
    }  # fmt: skip

    assert {slug for slug in documented - made if f'"{slug}"' not in written} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_in_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_every_room_is_in_the_architecture() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = {path.parent.name if path.stem == "__init__" else path.stem for path in MODULES
             if path.parent.name == "harness" or path.stem == "__init__"}  # fmt: skip

    assert {room for room in rooms - {"harness", "__main__"} if f"`{room}" not in page} == set()


def test_help_answers_at_once_because_verbs_import_what_they_need() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "harness", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    for heavy in ("aiohttp", "quart", "msgspec", "coverage", "jinja2", "pytest", "rich"):
        assert f" {heavy}\n" not in done.stderr


def test_doctests_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--doctest-modules", "-p", "no:cacheprovider",
         "harness"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
