"""The files and lines that a verb writes of its verdict, beside what it prints."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from harness import facts
from harness.cli import outputs
from harness.cli.load import verb as load
from harness.cli.report import verb as report
from harness.cli.run import verb as run
from harness.cli.test import verb as functional
from harness.errors import EvidenceError, UsageError
from harness.evidence import Environment, Identity, Part, RunFolder

ENVIRONMENT = Environment(
    python="3.11.7", platform="", cpu_count=2, packages={}, commit="", dirty=False, tree="0"
)
FILES = ("--junit", "j.xml", "--sarif", "s.sarif", "--markdown", "m.md", "--badge", "b.svg")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved run, whose verdict is FAIL: one of its two tests failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(outputs.SUMMARY_VARIABLE, raising=False)
    identity = Identity(
        run_id="r", started_at="2026-01-01T00:00:00+00:00", asked=("functional-inproc",),
        plan_source="", environment=ENVIRONMENT,
    )  # fmt: skip
    kept = RunFolder.create(tmp_path / "reports", identity)
    with Part(kept.path, "functional-inproc") as part:
        for outcome in ("passed", "failed"):
            part.note(
                facts.Tested(
                    nodeid=f"tests/test_a.py::test_{outcome}", where="tests/test_a.py:1",
                    outcome=outcome, duration_s=0.1, exchanges=1, target="inproc",  # type: ignore[arg-type]  # one of a test's
                    message="assert 1 == 2",
                )
            )  # fmt: skip
        part.note(facts.PytestEnded(exit_status=1, collected=2, deselected=0))
    return kept.path


def shown(*arguments: str) -> object:
    return report.main(list(arguments), standalone_mode=False)


def test_a_saved_run_is_drawn_in_every_format(folder: Path) -> None:
    assert shown(str(folder), "--json", "r.json", *FILES) == 1

    assert json.loads(Path("r.json").read_text())["outcome"] == "FAIL"
    assert [
        [case.get("name") for case in suite] for suite in ElementTree.parse("j.xml").getroot()
    ] == [["test_passed", "test_failed"], ["verdict"]]
    assert json.loads(Path("s.sarif").read_text())["version"] == "2.1.0"
    assert Path("m.md").read_text().startswith("## \u274c FAIL")
    assert "FAIL" in Path("b.svg").read_text()


def test_annotations_follow_the_verdict_where_they_are_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(str(folder), "--annotations") == 1
    printed = capsys.readouterr().out.splitlines()

    assert printed[0].startswith("FAIL")
    assert printed[-2].startswith("::error title=harness%3A FAIL::1 of 2 tests failed")
    assert printed[-1].startswith("::error file=tests/test_a.py,line=1,")


def test_github_s_variables_alone_write_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv(outputs.SUMMARY_VARIABLE, "summary.md")

    shown(str(folder))

    assert "::" not in capsys.readouterr().out.replace("test_a.py::test_failed", "")
    assert not Path("summary.md").exists()


def test_github_s_summary_is_added_to_and_any_other_file_begun_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(outputs.SUMMARY_VARIABLE, "summary.md")
    for name in ("summary.md", "other.md"):
        Path(name).write_text("# before\n")
        shown(str(folder), "--markdown", name)

    assert Path("summary.md").read_text().startswith("# before\n## \u274c FAIL")
    assert Path("other.md").read_text().startswith("## \u274c FAIL")


@pytest.mark.parametrize("option", ["json", *outputs.FORMATS])
@pytest.mark.parametrize("name", ["", ".", "nowhere/file"])
def test_a_file_that_cannot_be_written_is_refused_first(
    folder: Path, option: str, name: str
) -> None:
    with pytest.raises(UsageError, match=rf"--{option}: .*cannot be written") as caught:
        shown(str(folder), f"--{option}", name)

    assert caught.value.slug == "evidence/not-writable"
    assert not (folder / "record.json").exists()


def test_two_reports_do_not_share_a_file(folder: Path) -> None:
    with pytest.raises(UsageError, match="--junit and --sarif are both"):
        shown(str(folder), "--junit", "x", "--sarif", "./x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_file_that_turns_out_not_to_be_written_is_an_error_and_the_others_are_written(
    folder: Path,
) -> None:
    with pytest.raises(EvidenceError, match=r"verdict is FAIL, .*full: No space") as caught:
        shown(str(folder), "--json", "/dev/full", "--markdown", "m.md")

    assert (caught.value.slug, caught.value.exit_code) == ("evidence/not-written", 2)
    assert Path("m.md").exists()


@pytest.mark.parametrize("verb", [run, functional, load, report])
def test_each_verb_that_judges_has_the_options(verb: click.Command) -> None:
    names = {name for parameter in verb.params for name in parameter.opts}

    assert {"--json", "--annotations", *(f"--{name}" for name in outputs.FORMATS)} <= names


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_may_not_be_written_is_refused_though_its_folder_may(folder: Path) -> None:
    Path("kept.md").touch(mode=0o400)

    with pytest.raises(UsageError):
        shown(str(folder), "--markdown", "kept.md")
