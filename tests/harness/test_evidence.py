from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import facts
from harness.errors import EvidenceError, HarnessError, UsageError
from harness.evidence import Facts, Identity, Part, RunFolder, environment, tree_hash

SURPRISE = facts.Surprise(slug="guard/outside-call", message="m", where="w")


def identity(root: Path) -> Identity:
    return Identity(
        run_id="r1", started_at="2026-01-01T00:00:00+00:00", asked=("gates",),
        plan_source="harness.toml", environment=environment(root, "0"),
    )  # fmt: skip


def test_a_part_says_of_which_run_and_which_code_it_is(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, identity(tmp_path))

    with Part(folder.path, "gates"):
        pass

    (begun, _) = folder.facts().by_part["gates"]
    assert isinstance(begun, facts.Begun)
    assert (begun.run, begun.tree) == ("r1", "0")


def test_a_part_is_read_back_as_it_was_noted(tmp_path: Path) -> None:
    with Part(tmp_path, "gates") as part:
        part.note(SURPRISE)

    begun, found, ended = Facts.read(tmp_path).by_part["gates"]
    assert isinstance(begun, facts.Begun)
    assert found == SURPRISE
    assert isinstance(ended, facts.Ended)


def test_each_fact_is_on_the_disk_before_the_next_line_of_code_runs(tmp_path: Path) -> None:
    with Part(tmp_path, "gates") as part:
        part.note(SURPRISE)

        assert SURPRISE in Facts.read(tmp_path).by_part["gates"]


def test_a_part_that_raised_has_noted_the_problem_and_has_not_ended(tmp_path: Path) -> None:
    with pytest.raises(HarnessError), Part(tmp_path, "gates"):
        raise HarnessError("x/y", "no evidence", where="here", next_step="try again")

    _, found = Facts.read(tmp_path).by_part["gates"]
    assert found == facts.Problem(
        slug="x/y", message="no evidence", where="here", next_step="try again", exit_code=2
    )


def test_a_crash_leaves_a_part_that_has_not_ended(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Part(tmp_path, "gates"):
        raise ZeroDivisionError

    assert len(Facts.read(tmp_path).by_part["gates"]) == 1


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_cut_short_is_named_and_all_before_it_is_read(tmp_path: Path, cut: int) -> None:
    with Part(tmp_path, "gates") as part:
        part.note(SURPRISE)
    path = tmp_path / "gates.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])

    read = Facts.read(tmp_path)

    assert read.by_part["gates"][1] == SURPRISE
    if cut > 1:  # without its newline alone, the last line is whole
        assert [line.split(":")[:2] for line in read.unreadable] == [["gates.jsonl", "3"]]


def test_garbage_in_a_run_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "gates.jsonl").write_bytes(b'\xff\xfe\n{"type":"nothing"}\n')

    assert len(Facts.read(tmp_path).unreadable) == 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"begun","part":"\xff","at":"","python":"","pid":1}',
        b'{"type":"begun","other":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type":"made-by-a-later-version"}',
    ],
    ids=["not-utf8", "nested-too-deeply", "later"],
)
def test_a_line_that_cannot_be_decoded_is_named_and_no_crash(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "gates.jsonl").write_bytes(line + b"\n")

    assert [one.partition(": ")[0] for one in Facts.read(tmp_path).unreadable] == ["gates.jsonl:1"]


def test_of_a_ruined_file_some_lines_are_named_and_the_rest_is_counted(tmp_path: Path) -> None:
    (tmp_path / "gates.jsonl").write_bytes(b"{\n" * 5000)

    unreadable = Facts.read(tmp_path).unreadable

    assert len(unreadable) == 21
    assert unreadable[-1] == "gates.jsonl: 4980 more lines of 5000"


def test_a_file_with_a_name_that_is_not_utf8_can_be_recorded(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jsonl")).write_bytes(b"{\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")

    assert msgspec.json.encode(list(Facts.read(tmp_path).unreadable)).startswith(b'["caf')


@pytest.mark.parametrize(
    "at", ["", "yesterday", "2026-01-01T00:00:00", "9999-12-31T23:59:59-23:59"]
)
def test_a_damaged_time_does_not_keep_a_run_from_being_judged(tmp_path: Path, at: str) -> None:
    begun = facts.Begun(part="gates", at=at, python="3.11.7", pid=1)
    ended = facts.Ended(part="gates", at="2026-01-01T00:00:09+00:00")

    assert Facts({"gates": (begun, ended)}).duration_s >= 0


def test_a_part_cannot_be_recorded_twice_in_one_run(tmp_path: Path) -> None:
    with Part(tmp_path, "gates"):
        pass

    with pytest.raises(UsageError) as caught:
        Part(tmp_path, "gates")

    assert caught.value.slug == "evidence/part-exists"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    part = Part(tmp_path, "gates")
    os.dup2(os.open("/dev/full", os.O_WRONLY), part._file.fileno())

    with pytest.raises(EvidenceError, match="No space left on device"):
        part.note(SURPRISE)

    part._file.close()


class _AlmostFull:
    """A disk that takes a part of what it is given, then no more."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, content: bytes) -> int:
        if not self._room:
            raise OSError(28, "No space left on device")
        taken: int = self._file.write(content[: self._room])
        self._room -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_fact_of_which_only_a_part_was_written_is_an_error(tmp_path: Path) -> None:
    part = Part(tmp_path, "gates")
    part._file = _AlmostFull(part._file, 10)

    with pytest.raises(EvidenceError, match="No space left on device"):
        part.note(SURPRISE)

    part._file.close()
    assert len(Facts.read(tmp_path).unreadable) == 1


def test_a_reports_folder_that_is_a_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("")

    with pytest.raises(UsageError) as caught:
        RunFolder.create(tmp_path / "reports", identity(tmp_path))

    assert caught.value.slug == "evidence/not-writable"
    assert caught.value.exit_code == 64


def test_the_first_part_to_come_says_who_the_run_is(tmp_path: Path) -> None:
    first = RunFolder.create(tmp_path, identity(tmp_path))
    RunFolder.create(tmp_path, identity(tmp_path))

    assert first.identity == identity(tmp_path)


def test_who_the_run_is_appears_whole_so_that_another_process_cannot_read_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes
    seen: list[bool] = []

    def slow(path: Path, content: bytes) -> int:
        written = write(path, content[:10])
        seen.append((tmp_path / "r1" / "run.json").exists())
        return written + write(path, content)

    monkeypatch.setattr(Path, "write_bytes", slow)

    folder = RunFolder.create(tmp_path, identity(tmp_path))

    assert seen == [False]
    assert folder.identity == identity(tmp_path)
    assert sorted(path.name for path in folder.path.iterdir()) == ["coverage", "logs", "run.json"]


def test_a_file_system_without_links_has_runs_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)

    assert RunFolder.create(tmp_path, identity(tmp_path)).identity == identity(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../out", "/tmp/out", "a/b", "a\\b", ".", "..", ".hidden", "-x", "", " ", "a b", "a\nb",
     "a\0b", "\udcff", "a" * 101, "x\x1b[2J"],
)  # fmt: skip
def test_a_run_is_a_folder_in_the_reports_folder_whatever_its_name_says(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError) as caught:
        RunFolder.create(
            tmp_path / "reports",
            msgspec.structs.replace(identity(tmp_path), run_id=name),
        )

    assert caught.value.slug == "evidence/run-name"
    assert "HARNESS_RUN" in caught.value.next_step
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["one", "20261120T093309Z-3f2a9c", "build-7.2", "größe", "_x@2"])
def test_a_run_may_have_any_ordinary_name(tmp_path: Path, name: str) -> None:
    assert RunFolder.named(tmp_path, name).path == tmp_path / name


def test_a_broken_installation_of_something_else_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rubbish-1.0.dist-info").mkdir()
    (tmp_path / "radon-6.0.1.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()

    packages = environment(tmp_path, "0").packages

    assert packages["quart"]
    assert "rubbish" not in packages


def test_a_hooks_own_git_variables_do_not_name_another_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(Path(__file__).parents[2] / ".git"))

    assert environment(tmp_path, "0").commit == ""


def test_a_folder_of_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="not the folder of a run"):
        RunFolder(tmp_path).identity  # noqa: B018 - asking is the test


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write("record.json", b"one")
    folder.write("record.json", b"two")

    assert (tmp_path / "record.json").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_report_that_cannot_be_written_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)

    with pytest.raises(EvidenceError, match="Read-only file system"):
        RunFolder(tmp_path).write("record.json", b"one")


def test_the_hash_of_a_tree_changes_with_names_and_content(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    one = tree_hash(tmp_path, ["a.py"])
    (tmp_path / "a.py").write_text("2")
    other = tree_hash(tmp_path, ["a.py"])

    assert len({one, other, tree_hash(tmp_path, ["b.py"]), tree_hash(tmp_path, [])}) == 4
    assert other == tree_hash(tmp_path, ["a.py"])


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_the_hash_of_a_tree_waits_for_no_pipe_and_reads_no_device(
    tmp_path: Path, kind: str
) -> None:
    if kind == "pipe":
        os.mkfifo(tmp_path / "a.py")
    else:
        (tmp_path / "a.py").symlink_to("/dev/zero")

    assert tree_hash(tmp_path, ["a.py"]) != tree_hash(tmp_path, [])
