from __future__ import annotations

import os
from pathlib import Path

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


def test_a_folder_of_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="not the folder of a run"):
        RunFolder(tmp_path).identity  # noqa: B018 - asking is the test


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write("record.json", b"one")
    folder.write("record.json", b"two")

    assert (tmp_path / "record.json").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_the_hash_of_a_tree_changes_with_names_and_content(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    one = tree_hash(tmp_path, ["a.py"])
    (tmp_path / "a.py").write_text("2")
    other = tree_hash(tmp_path, ["a.py"])

    assert len({one, other, tree_hash(tmp_path, ["b.py"]), tree_hash(tmp_path, [])}) == 4
    assert other == tree_hash(tmp_path, ["a.py"])
