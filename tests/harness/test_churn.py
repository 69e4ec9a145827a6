"""How often files changed, as git tells it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.churn import churned


def git(root: Path, *arguments: str, date: str = "") -> None:
    env = {
        "PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date,
    }  # fmt: skip
    names = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main"]
    given = {key: value for key, value in env.items() if value}
    subprocess.run(["git", "-C", str(root), *names, *arguments], env=given, check=True,
                   capture_output=True)  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "src").mkdir()
    for text, files in (("1", ["a.py", "é b.py"]), ("2", ["a.py"])):
        for name in files:
            (tmp_path / "src" / name).write_text(text)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-m", text)
    return tmp_path


def test_commits_are_counted_per_file_of_the_inventory(repository: Path) -> None:
    (found,) = churned(repository, ["src/a.py", "src/é b.py", "new.py"])

    assert found.commits == {"src/a.py": 2, "src/é b.py": 1}
    assert found.whole


def test_names_are_relative_to_the_root_also_below_the_repositorys(repository: Path) -> None:
    (found,) = churned(repository / "src", ["a.py"])

    assert found.commits == {"a.py": 2}


def test_what_is_long_ago_does_not_count(repository: Path) -> None:
    (repository / "old.py").write_text("1")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "old", date="2001-01-01T00:00:00")

    (found,) = churned(repository, ["old.py"], days=30)

    assert found.commits == {}


def test_without_git_nothing_is_told(tmp_path: Path) -> None:
    assert list(churned(tmp_path, ["a.py"])) == []


def test_a_repository_without_a_commit_tells_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init")

    assert list(churned(tmp_path, ["a.py"])) == []


def test_a_shallow_clone_says_that_there_may_be_more(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--depth", "1", f"file://{repository}", "shallow")

    (found,) = churned(tmp_path / "shallow", ["src/a.py"])

    assert (found.commits, found.whole) == ({"src/a.py": 1}, False)
