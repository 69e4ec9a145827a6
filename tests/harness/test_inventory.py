"""The inventory lists every Python file that there is, and never too few."""

import os
import shutil
import subprocess

import pytest

from harness import inventory
from harness.errors import HarnessError, UsageError
from harness.inspection import Exclusion
from harness.inventory import files, parted, python_files


def write(root, *names, text="x = 1\n"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(root, *arguments):
    if shutil.which("git") is None:
        pytest.skip("needs git")
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    allowed = ["-c", "protocol.file.allow=always"]
    subprocess.run(
        ["git", "-C", str(root), *identity, *allowed, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    return tmp_path


def test_an_empty_folder_gives_an_empty_inventory(tmp_path):
    assert python_files(tmp_path, ["."]) == ()
    assert files(tmp_path) == ()


def test_a_folder_without_python_gives_an_empty_inventory(tmp_path):
    write(tmp_path, "docs/readme.md", "docs/Makefile")
    assert python_files(tmp_path, ["docs", "docs/readme.md"]) == ()


def test_names_are_relative_to_the_root_and_sorted(tmp_path):
    write(tmp_path, "b.py", "a/z.py", "a/y.pyw", "c/other.py")
    assert python_files(tmp_path, ["b.py", "a", "./a/z.py"]) == ("a/y.pyw", "a/z.py", "b.py")


def test_scripts_without_an_ending_are_known_by_their_shebang(tmp_path):
    write(tmp_path, "bin/serve", text="#!/usr/bin/env python3\n")
    write(tmp_path, "bin/deploy", text="#!/bin/sh\n")
    assert python_files(tmp_path, ["bin"]) == ("bin/serve",)


def test_a_path_that_does_not_exist_is_an_error_with_the_nearest_name(tmp_path):
    write(tmp_path, "src/app/main.py")
    with pytest.raises(UsageError) as caught:
        python_files(tmp_path, ["src/ap/main.py"])
    assert (caught.value.slug, caught.value.exit_code) == ("gates/no-path", 64)
    assert "Did you mean 'app'?" in caught.value.next_step


def test_an_empty_path_is_an_error_and_not_the_whole_folder(tmp_path):
    write(tmp_path, "app.py")
    with pytest.raises(UsageError, match="empty") as caught:
        python_files(tmp_path, ["app.py", ""])
    assert caught.value.exit_code == 64


def test_hidden_folders_and_folders_of_the_same_name_as_an_exclude_are_listed(tmp_path):
    names = (".github/scripts/a.py", "CVSImport/b.py", "my.github.io/c.py", "tests/d.py")
    write(tmp_path, *names)
    assert python_files(tmp_path, ["."]) == names


def test_environments_caches_and_version_control_are_left_out(tmp_path):
    write(tmp_path, "app.py", "__pycache__/a.py", ".hg/b.py", "env/bin/python", "env/lib/c.py")
    write(tmp_path, "env/pyvenv.cfg")
    assert python_files(tmp_path, ["."]) == ("app.py",)


def test_a_stray_pyvenv_cfg_hides_nothing(tmp_path):
    write(tmp_path, "src/pyvenv.cfg", "src/app.py")
    assert python_files(tmp_path, ["."]) == ("src/app.py",)


def test_a_project_inside_an_environment_is_listed(tmp_path):
    write(tmp_path, "pyvenv.cfg", "bin/python", "project/app.py")
    assert python_files(tmp_path / "project", ["."]) == ("app.py",)


def test_git_adds_untracked_files_and_leaves_out_what_it_ignores(repository):
    write(repository, "app/tracked.py", "app/untracked.py", "app/ignored.py", "build/made.py")
    write(repository, ".gitignore", text="ignored.py\nbuild/\n")
    git(repository, "add", "app/tracked.py")
    assert python_files(repository, ["."]) == ("app/tracked.py", "app/untracked.py")
    assert "app/tracked.py" in files(repository)
    assert "build/made.py" not in files(repository)


def test_a_tracked_file_that_is_ignored_is_listed(repository):
    write(repository, ".gitignore", text="app.py\n")
    write(repository, "app.py")
    git(repository, "add", "-f", "app.py")
    assert python_files(repository, ["."]) == ("app.py",)


def test_a_tracked_file_that_was_deleted_is_not_listed(repository):
    write(repository, "kept.py", "gone.py", "old/gone.py")
    git(repository, "add", ".")
    (repository / "gone.py").unlink()
    shutil.rmtree(repository / "old")
    assert python_files(repository, ["."]) == ("kept.py",)


def test_an_ignored_path_that_is_asked_for_by_name_is_listed(repository):
    write(repository, ".gitignore", text="build/\n")
    write(repository, "build/lib/a.py")
    assert python_files(repository, ["build"]) == ("build/lib/a.py",)
    assert python_files(repository, ["build/lib/a.py"]) == ("build/lib/a.py",)


def test_an_untracked_environment_is_left_out_though_git_would_list_it(repository):
    write(repository, "app.py", "env/pyvenv.cfg", "env/bin/python", "env/lib/c.py")
    assert python_files(repository, ["."]) == ("app.py",)


def test_names_beyond_ascii_and_with_line_ends_survive_git(repository):
    write(repository, "zoë.py", "two\nlines.py")
    git(repository, "add", ".")
    assert python_files(repository, ["."]) == ("two\nlines.py", "zoë.py")


def test_a_repository_in_the_repository_and_a_submodule_are_looked_into(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    write(inner, "part.py")
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "part")
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", str(inner), "sub")
    write(outer, "vendored/thing.py", "app.py")
    git(outer / "vendored", "init", "-q")
    assert python_files(outer, ["."]) == ("app.py", "sub/part.py", "vendored/thing.py")


def test_a_submodule_that_was_not_fetched_is_empty(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    write(inner, "part.py")
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "part")
    write(outer, "app.py")
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", str(inner), "sub")
    git(outer, "submodule", "deinit", "-f", "sub")
    assert python_files(outer, ["."]) == ("app.py",)
    assert python_files(outer, ["sub"]) == ()


def test_the_variables_of_a_git_hook_do_not_empty_the_inventory(repository, monkeypatch, tmp_path):
    write(repository, "src/app.py")
    git(repository, "add", ".")
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nothing"))
    assert python_files(repository, ["src"]) == ("src/app.py",)


def test_without_git_all_files_are_listed(repository, monkeypatch):
    write(repository, "app.py", "ignored.py")
    write(repository, ".gitignore", text="ignored.py\n")
    monkeypatch.setattr(inventory, "_git", lambda folder, *options: None)
    assert python_files(repository, ["."]) == ("app.py", "ignored.py")


def test_a_machine_that_has_no_git_lists_all_files(tmp_path, monkeypatch):
    write(tmp_path, "app.py")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert python_files(tmp_path, ["."]) == ("app.py",)


def test_links_are_followed_once_and_loops_end(tmp_path):
    root = tmp_path / "root"
    write(root, "app/main.py")
    write(tmp_path, "shared/model.py")
    (root / "app/loop").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (root / "self").symlink_to("self")
    (root / "shared").symlink_to(tmp_path / "shared")
    (root / "shared_too").symlink_to(tmp_path / "shared")
    found = python_files(root, ["."])
    assert found[0] == "app/main.py"
    assert len(found) == 2
    assert found[1].endswith("/model.py")


def test_a_link_that_leads_nowhere_is_listed_so_that_gates_must_account_for_it(repository):
    (repository / "app.py").symlink_to("nowhere.py")
    git(repository, "add", ".")
    assert python_files(repository, ["."]) == ("app.py",)


def test_a_path_outside_the_root_stays_absolute(tmp_path):
    write(tmp_path, "root/app.py", "other/thing.py")
    assert python_files(tmp_path / "root", ["app.py", "../other"]) == (
        (tmp_path / "other/thing.py").as_posix(),
        "app.py",
    )


def test_a_path_spelt_through_a_link_to_the_root_is_relative_to_it(tmp_path):
    write(tmp_path, "root/src/app.py")
    (tmp_path / "link").symlink_to(tmp_path / "root")
    assert python_files(tmp_path / "root", [str(tmp_path / "link/src")]) == ("src/app.py",)
    assert python_files(tmp_path / "link", [str(tmp_path / "root/src")]) == ("src/app.py",)


def test_a_name_that_is_not_utf8_is_escaped(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert python_files(tmp_path, ["."]) == ("caf\\xe9.py",)


def test_something_that_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert python_files(tmp_path, [".", "pipe"]) == ()


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_an_omission(tmp_path, monkeypatch):
    write(tmp_path, "app.py", "secret/more.py")
    scan = os.scandir

    def refusing(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(inventory, "_git", lambda folder, *options: None)
    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(HarnessError, match="cannot be listed") as caught:
        python_files(tmp_path, ["."])
    assert caught.value.exit_code == 2


def test_an_exclusion_takes_the_files_that_it_is_first_to_name():
    names = ("a.py", "vendor/b.py", "vendor/gen/c.py")
    gen, vendor, gone = (
        Exclusion(path=path, reason="r") for path in ("vendor/gen/*", "vendor/*", "vendor")
    )
    left, told = parted(names, (gen, vendor, gone))
    assert left == ("a.py",)
    assert [one.files for one in told] == [("vendor/gen/c.py",), ("vendor/b.py",), ()]


def test_the_same_exclusion_twice_counts_its_files_once():
    twice = (Exclusion(path="*", reason="r", where="1"), Exclusion(path="*", reason="r", where="2"))
    left, told = parted(("a.py",), twice)
    assert left == ()
    assert [one.files for one in told] == [("a.py",), ()]
