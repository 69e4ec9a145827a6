"""What a change adds is what git says, whatever its configuration, names and places."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.changes import Changes, known
from harness.errors import HarnessError, UsageError

CODE = "import os\n\n\ndef f(a):\n    return os.path.join(\n        a,\n        'b',\n    )\n"


class Clone:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, root: Path | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(root or self.root), "-c", "user.name=t", "-c", "user.email=t@t",
             "-c", "protocol.file.allow=always", *arguments],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.root / f"{name}.py").write_text(text)

    def commit(self, **files: str) -> str:
        self.write(**files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def changed(self, *inventory: str, base: str = "main") -> dict[str, list[tuple[int, int]]]:
        names = inventory or tuple(path.name for path in self.root.glob("*.py"))
        changes = Changes.since(self.root, base, names)
        return {name: list(ranges) for name, ranges in changes.fact().files.items()}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return Clone(tmp_path)


def test_nothing_changed_adds_nothing(clone: Clone) -> None:
    clone.commit(a=CODE)

    assert clone.changed() == {}


def test_lines_are_widened_to_their_statement(clone: Clone) -> None:
    clone.commit(a=CODE)
    clone.write(a=CODE.replace("'b'", "'c'"))

    assert clone.changed() == {"a.py": [(5, 8)]}


def test_what_was_committed_since_the_merge_base_counts_and_what_others_did_does_not(
    clone: Clone,
) -> None:
    clone.commit(a=CODE, b=CODE)
    clone.git("checkout", "-q", "-b", "mine")
    clone.commit(a=CODE + "x = 1\n")
    clone.git("checkout", "-q", "main")
    clone.commit(b=CODE + "y = 1\n")
    clone.git("checkout", "-q", "mine")
    clone.git("merge", "-q", "main")

    assert clone.changed() == {"a.py": [(9, 9)]}


def test_deleted_lines_and_files_add_nothing(clone: Clone) -> None:
    clone.commit(a=CODE, b=CODE, c="x = 1\n" * 9)
    (clone.root / "b.py").unlink()
    clone.write(a=CODE.replace("import os\n", ""))

    assert clone.changed() == {"a.py": []}


def test_a_renamed_file_adds_what_was_changed_in_it(clone: Clone) -> None:
    clone.commit(a=CODE)
    clone.git("mv", "a.py", "new name.py")
    (clone.root / "new name.py").write_text(CODE + "x = 1\n")

    changes = Changes.since(clone.root, "main", ["new name.py"])

    assert changes.fact().files == {"new name.py": ((9, 9),)}
    assert changes.before("new name.py") == CODE.encode()


@pytest.mark.parametrize("added", [True, False])
def test_a_new_file_is_new_in_every_line_whether_git_knows_it_or_not(
    clone: Clone, added: bool
) -> None:
    clone.commit(a=CODE)
    clone.write(b=CODE)
    clone.git("add", *(["-A"] if added else ["a.py"]))
    changes = Changes.since(clone.root, "main", ["a.py", "b.py"])

    lines = {n for first, last in changes.fact().files["b.py"] for n in range(first, last + 1)}
    assert lines >= set(range(1, 9))
    assert changes.before("b.py") is None
    assert "a.py" not in changes.files


@pytest.mark.parametrize("name", ["ä ö.py", 'quo"te.py', "back\\slash.py", "tab\there.py", "-U.py"])
def test_names_are_read_as_git_quotes_them(clone: Clone, name: str) -> None:
    clone.commit()
    (clone.root / name).write_text(CODE)
    clone.commit()
    (clone.root / name).write_text(CODE + "x = 1\n")

    assert clone.changed(name) == {name: [(9, 9)]}


def test_lines_that_look_like_a_diff_are_code(clone: Clone) -> None:
    text = '"""\n-- a/b.py\n++ b/b.py\n@@ -1 +1 @@\ndiff --git a b\n"""\n'
    clone.commit(a=text + "\n" * 5, b="")
    clone.write(a="\n" * 5)

    assert clone.changed() == {"a.py": []}


def test_the_users_configuration_changes_nothing(clone: Clone) -> None:
    clone.commit(a=CODE)
    (clone.root / ".gitattributes").write_text("*.py -diff\n")
    for key, value in {
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "color.ui": "always",
        "diff.context": "9", "diff.renames": "false", "diff.external": "false",
        "diff.relative": "true",
    }.items():  # fmt: skip
        clone.git("config", key, value)
    clone.commit()
    clone.write(a=CODE + "x = 1\n")

    assert clone.changed() == {"a.py": [(9, 9)]}


def test_a_folder_of_the_repository_has_its_own_names_and_others_are_outside(
    clone: Clone,
) -> None:
    (clone.root / "of").mkdir()
    clone.commit(**{"a": CODE, "of/b": CODE})
    clone.write(**{"a": CODE + "x = 1\n", "of/b": CODE + "x = 1\n"})

    fact = Changes.since(clone.root / "of", "main", ["b.py"]).fact()

    assert fact.files == {"b.py": ((9, 9),)}
    assert fact.outside == ("a.py",)


def test_a_file_that_cannot_be_parsed_has_its_lines(clone: Clone) -> None:
    clone.commit(a="def (\n")
    clone.write(a="def (\nelse\n")

    assert clone.changed() == {"a.py": [(2, 2)]}


def test_a_branch_that_only_the_remote_has_is_known(clone: Clone, tmp_path: Path) -> None:
    clone.commit(a=CODE)
    clone.git("update-ref", "refs/remotes/origin/develop", "HEAD")

    assert known(clone.root, "develop") == clone.git("rev-parse", "HEAD")


@pytest.mark.parametrize("base", ["", "nowhere", "--all", "main:a.py", "HEAD~9"])
def test_a_revision_that_is_none_is_refused(clone: Clone, base: str) -> None:
    clone.commit(a=CODE)

    with pytest.raises(UsageError) as caught:
        known(clone.root, base)
    assert caught.value.slug == "gates/no-base"


def test_without_git_nothing_can_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        known(tmp_path, "main")
    assert caught.value.slug == "gates/no-git"

    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError) as caught:
        known(tmp_path, "main")
    assert caught.value.slug == "gates/no-git"


def test_a_shallow_clone_without_the_merge_base_is_unknown_and_says_what_to_fetch(
    clone: Clone, tmp_path: Path
) -> None:
    clone.commit(a=CODE)
    clone.git("checkout", "-q", "-b", "mine")
    clone.commit(a=CODE + "x = 1\n")
    clone.git("checkout", "-q", "main")
    clone.commit(b=CODE)
    shallow = tmp_path / "shallow"
    clone.git("clone", "-q", "--depth=1", "--no-single-branch", "-b", "mine",
              f"file://{clone.root}", str(shallow))  # fmt: skip

    with pytest.raises(HarnessError) as caught:
        Changes.since(shallow, "main", ["a.py"])
    assert (caught.value.slug, caught.value.exit_code) == ("gates/no-merge-base", 2)
    assert "shallow" in caught.value.message
    assert "fetch-depth: 0" in caught.value.next_step


def test_histories_without_a_common_commit_are_unknown(clone: Clone) -> None:
    clone.commit(a=CODE)
    clone.git("checkout", "-q", "--orphan", "other")
    clone.commit(a=CODE + "x = 1\n")

    with pytest.raises(HarnessError, match="nothing in common"):
        Changes.since(clone.root, "main", ["a.py"])
