"""A copy of a project: what is in it, and that nothing written there reaches the project."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.ground import copied


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src/shop").mkdir(parents=True)
    (root / "src/shop/__init__.py").write_text("WHERE = __file__\n")
    (root / ".gitignore").write_text("*.log\nreports/\n")
    (root / "a.log").write_text("ignored")
    (root / "reports").mkdir()
    (root / "reports/run.json").write_text("{}")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def test_the_copy_has_what_git_does_not_ignore_and_no_reports(project: Path) -> None:
    os.mkfifo(project / "pipe")
    (project / "linked.py").symlink_to("src/shop/__init__.py")
    (project / "astray.py").symlink_to("nowhere")

    with copied(project, project / "reports") as ground:
        found = {str(path.relative_to(ground.root)) for path in ground.root.rglob("*")
                 if path.is_file()}  # fmt: skip
        assert found == {".gitignore", "linked.py", "src/shop/__init__.py"}
        assert not (ground.root / "linked.py").is_symlink()


def test_without_git_the_reports_are_left_out_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "reports/old").mkdir(parents=True)
    (tmp_path / "reports/old/record.json").write_text("{}")
    (tmp_path / "app.py").write_text("")

    with copied(tmp_path, tmp_path / "reports") as ground:
        assert [path.name for path in ground.root.iterdir()] == ["app.py"]


def test_what_is_planted_goes_again_and_what_was_there_comes_back(project: Path) -> None:
    with copied(project, project / "reports") as ground:
        before = (ground.root / ".gitignore").read_bytes()
        with (
            contextlib.suppress(KeyboardInterrupt),
            ground.planted({"new.py": "", ".gitignore": ""}),
        ):
            assert (ground.root / "new.py").exists()
            raise KeyboardInterrupt
        assert not (ground.root / "new.py").exists()
        assert (ground.root / ".gitignore").read_bytes() == before
    assert (project / ".gitignore").read_bytes() == before


def test_python_imports_the_copy_also_of_what_is_installed_from_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(project / "src")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(project / "src"), "/elsewhere"]))

    with copied(project, project / "reports") as ground:
        variables = ground.variables
        said = subprocess.run(
            [sys.executable, "-c", "import shop; print(shop.WHERE)"], cwd=ground.root,
            env={**os.environ, **variables}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert Path(said.stdout.strip()) == ground.root / "src/shop/__init__.py"
        assert str(project) not in variables["PYTHONPATH"]
        assert variables["PYTHONPATH"].endswith("/elsewhere")


def test_a_file_that_cannot_be_read_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(source))

    monkeypatch.setattr(shutil, "copy2", refused)

    with pytest.raises(HarnessError, match="cannot be copied") as caught:
        copied(project, project / "reports").__enter__()

    assert caught.value.slug == "prove/not-copied"
    assert caught.value.where.endswith(".gitignore")
