"""Living with findings, from code to verdict: what is accepted, what is new, what is worse."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import facts, inspection
from harness.baseline import parsed
from harness.errors import HarnessError, UsageError
from harness.evidence import Environment, Identity
from harness.gates.complexity import Complexity
from harness.gates.security import Security
from harness.gates.suppressions import Suppressions
from harness.inventory import python_files
from harness.judge.gates import judge
from harness.objective import Family, parse_objective
from harness.ratchet import Ratchet
from harness.record import GateRow, Notice
from harness.verdict import Finding, Outcome, verdict

LIMITS = ("complexity.max <= 2", "security.high == 0", "security.medium == 0")
CODE = """import subprocess

def total(a, b):
    if a:
        if b:
            return 1
    return eval(a)

def run(command):
    subprocess.call(command, shell=True)
"""
CALL = "    subprocess.call(command, shell=True)\n"
IDENTITY = Identity(
    run_id="r", started_at="2026-05-04T03:02:01+00:00", asked=("gates",), plan_source="",
    environment=Environment(
        python="3", platform="p", cpu_count=1, packages={}, commit="c0ffee" * 3, dirty=False,
        tree="t",
    ),
)  # fmt: skip


class Judged:
    def __init__(self, findings: list[Finding], rows: list[GateRow], notices: list[Notice]) -> None:
        self.outcome = verdict(findings)
        self.bad = [f for f in findings if f.counts_as is Outcome.FAIL]
        self.places = [f.where for f in self.bad if "gates/" not in f.slug]
        self.accepted = [f for f in findings if f.waiver]
        self.slugs = {f.slug for f in findings} | {notice.slug for notice in notices}
        self.rows = rows
        self.told = {notice.slug: notice for notice in notices}


class Code:
    """A folder of code, inspected in process as `harness gates` does it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: list[str] = []
        self.noted: tuple[facts.Fact, ...] = ()
        self.baseline = root / "harness-baseline.jsonl"

    def write(self, text: str, name: str = "shop.py") -> None:
        (self.root / name).write_text(text)

    def gates(
        self, *, accept: bool = False, reason: str = "", new_only: str = "",
        limits: tuple[str, ...] = LIMITS, paths: tuple[str, ...] = (".",),
        more: tuple[facts.Fact, ...] = (),
    ) -> Judged:  # fmt: skip
        self.said.clear()
        ratchet = Ratchet(self.baseline, self.said.append, accept, reason, new_only)
        files = python_files(self.root, paths)
        found = [*Complexity().inspect(self.root, paths, files), *more]
        found += Security().inspect(self.root, paths, files)
        found += Suppressions().inspect(self.root, paths, files)
        parsed_limits = [parse_objective(text, Family.GATE) for text in limits]
        changes = ratchet.changes(self.root, files)
        compared = ratchet.facts(self.root, parsed_limits, found, changes, IDENTITY)
        begun = facts.Begun(part="gates", at="", python="3", pid=1)
        ended = facts.Ended(part="gates", at="")
        self.noted = (begun, inspection.GatesBegun(limits=limits), *found, *compared, ended)
        judgement, rows = judge("gates", self.noted)
        return Judged(judgement.findings, rows, judgement.notices)

    def git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
            cwd=self.root, check=True, capture_output=True,
        )  # fmt: skip

    def commit(self) -> None:
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "all")


@pytest.fixture
def code(tmp_path: Path) -> Code:
    code = Code(tmp_path)
    code.write(CODE)
    return code


@pytest.fixture
def known(code: Code) -> Code:
    """Code whose findings are accepted."""
    assert code.gates(accept=True).outcome is Outcome.PASS
    return code


def test_what_is_accepted_is_tolerated_listed_and_counted(code: Code) -> None:
    assert code.gates().outcome is Outcome.FAIL
    assert code.gates(accept=True).outcome is Outcome.PASS

    judged = code.gates()

    assert judged.outcome is Outcome.PASS
    assert [row.accepted for row in judged.rows] == [1, 1, 1]
    assert {f.slug for f in judged.accepted} == {
        "complexity/limit", "security/B307", "security/B602"
    }  # fmt: skip
    assert all(f.waiver and "harness-baseline.jsonl:" in f.waiver.baseline for f in judged.accepted)
    assert judged.told["baseline/used"].message.startswith("3 findings")


def test_an_entry_says_when_and_by_what_it_was_found(known: Code) -> None:
    entries = parsed(known.baseline.read_bytes(), "b").entries

    assert {(e.since, e.commit) for e in entries} == {("2026-05-04", "c0ffeec0ffee")}
    assert {e.tool.split()[0] for e in entries} == {"radon", "bandit"}
    assert known.said == [
        "harness-baseline.jsonl: new: complexity/limit in shop.py, total, 3",
        "harness-baseline.jsonl: new: security/B307 in shop.py, total",
        "harness-baseline.jsonl: new: security/B602 in shop.py, run",
    ]


def test_a_verdict_is_computed_again_from_the_facts_alone(known: Code) -> None:
    known.gates()
    known.baseline.unlink()
    (known.root / "shop.py").unlink()

    judgement, rows = judge("gates", known.noted)

    assert verdict(judgement.findings) is Outcome.PASS
    assert sum(row.accepted for row in rows) == 3


@pytest.mark.parametrize(
    "changed",
    [
        "# more\n\n" + CODE,
        CODE.replace("    return eval(a)", "    # why\n    return eval(\n        a,\n    )"),
        CODE.replace("command", "command").replace("def run", "\n\n\ndef run"),
        CODE.replace("def run", "async def helper():\n    pass\n\n\ndef run"),
    ],
    ids=["moved", "laid out", "apart", "more code"],
)
def test_moved_lines_and_new_layout_change_nothing(known: Code, changed: str) -> None:
    known.write(changed)

    assert known.gates().outcome is Outcome.PASS


def test_a_renamed_file_keeps_what_was_accepted(known: Code) -> None:
    (known.root / "shop.py").rename(known.root / "store.py")

    assert known.gates().outcome is Outcome.PASS


def test_a_renamed_function_keeps_its_findings(known: Code) -> None:
    known.write(CODE.replace("def run", "def start"))

    assert known.gates().outcome is Outcome.PASS


def test_a_copy_of_what_is_accepted_is_new(known: Code) -> None:
    known.write(CODE, "copy.py")

    judged = known.gates(paths=("copy.py",))
    assert (judged.outcome, len(judged.places)) == (Outcome.FAIL, 3)
    assert len(known.gates().places) == 3


def test_of_two_that_are_alike_and_one_accepted_one_fails(known: Code) -> None:
    known.write(CODE + CALL)

    judged = known.gates()

    assert judged.outcome is Outcome.FAIL
    assert judged.places == ["shop.py:11"]
    row = judged.rows[1]
    assert (row.measured, row.findings, row.accepted) == (2, 1, 1)


def test_worse_fails_and_names_what_was_accepted(known: Code) -> None:
    known.write(CODE.replace("        if b:", "        if b or a:"))

    judged = known.gates()

    (worse,) = (f for f in judged.bad if f.slug == "complexity/limit")
    assert worse.measured == 4
    assert "worse than the 3 of the baseline (harness-baseline.jsonl:2)" in worse.message


def test_overlapping_limits_share_an_entry_and_separate_files_do_not(known: Code) -> None:
    twice = ("complexity.max <= 2", "shop.py complexity.max < 1", *LIMITS[1:])

    assert known.gates(limits=("complexity.max <= 2", "*.py complexity.max <= 2")).outcome is (
        Outcome.PASS
    )
    assert known.gates(limits=twice).outcome is Outcome.FAIL  # of run, which is beyond that


def test_better_and_gone_are_told_and_tightened_without_a_reason(known: Code) -> None:
    better = CODE.replace("        if b:\n            return 1\n", "        return 1\n")
    limits = ("complexity.max <= 1", *LIMITS[1:])
    known.gates(accept=True, reason="stricter", limits=limits)
    known.write(better.replace("eval(a)", "a"))

    judged = known.gates(limits=limits)

    assert judged.outcome is Outcome.PASS
    assert "harness gates --accept" in judged.told["baseline/better"].message
    assert "security/B307 in shop.py, total is gone" in judged.told["baseline/stale"].message
    assert known.gates(accept=True, limits=limits).outcome is Outcome.PASS
    assert "harness-baseline.jsonl: better: complexity/limit in shop.py, total, 2, was 3" in (
        known.said
    )
    after = known.gates(limits=limits)
    assert {"baseline/better", "baseline/stale"}.isdisjoint(after.told)
    assert b"B307" not in known.baseline.read_bytes()


def test_to_accept_more_needs_a_reason_which_is_kept(known: Code) -> None:
    before = known.baseline.read_bytes()
    known.write(CODE + CALL)

    refused = known.gates(accept=True)

    assert refused.outcome is Outcome.FAIL
    assert "baseline/no-reason" in refused.slugs
    assert known.baseline.read_bytes() == before
    assert known.gates(accept=True, reason="until May").outcome is Outcome.PASS
    entries = parsed(known.baseline.read_bytes(), "b").entries
    assert [entry.reason for entry in entries if entry.occurrence == 2] == ["until May"]
    assert sum(bool(entry.reason) for entry in entries) == 1
    assert known.gates().outcome is Outcome.PASS


def test_a_comment_that_hides_all_can_be_accepted_and_a_second_one_is_new(code: Code) -> None:
    hidden = "import subprocess\n\nsubprocess.call(input(), shell=True)  # nosec\n"
    code.write(hidden)
    assert code.gates().outcome is Outcome.FAIL
    assert code.gates(accept=True).outcome is Outcome.PASS
    assert code.gates().outcome is Outcome.PASS

    code.write(f"{hidden}subprocess.call(input(), shell=True)  # nosec\n")
    assert [f.slug for f in code.gates().bad] == ["suppressions/blanket"]
    code.write("import subprocess\n")
    assert "baseline/stale" in code.gates().told


def test_an_exclusion_that_was_accepted_stands_for_no_other(code: Code) -> None:
    def excluding(*patterns: str, **accepting: Any) -> Judged:
        exclude = tuple(
            inspection.Exclusion(path=one, reason="why", where="harness.toml:4", files=("v/a.py",))
            for one in patterns
        )
        begun = inspection.GatesBegun(limits=(), exclude=exclude)
        return code.gates(limits=("suppressions == 0",), more=(begun,), **accepting)

    assert excluding("v/*").outcome is Outcome.FAIL
    assert excluding("v/*", accept=True).outcome is Outcome.PASS
    assert excluding("v/*").outcome is Outcome.PASS
    assert excluding("*.py").outcome is Outcome.FAIL
    assert excluding("v/*", "*.py").places == ["harness.toml:4"]


def test_a_file_that_became_less_maintainable_is_worse_than_accepted(code: Code) -> None:
    limits = ("maintainability.min >= 99",)

    def indexed(index: float, **accepting: Any) -> Judged:
        found = inspection.Maintained(path="shop.py", index=index)
        looked = inspection.Inspected(
            gate="maintainability", tool="radon 6", paths=(".",), inventory=1,
            checked=("shop.py",), not_checked=(), duration_s=0,
        )  # fmt: skip
        return code.gates(limits=limits, more=(looked, found), **accepting)

    assert indexed(40.5).outcome is Outcome.FAIL
    assert indexed(40.5, accept=True).outcome is Outcome.PASS
    assert code.said == ["harness-baseline.jsonl: new: maintainability/limit in shop.py, 40"]

    assert indexed(40.47).outcome is Outcome.PASS  # as f-strings of another Python move it
    assert "baseline/better" in indexed(60.0).told
    worse = indexed(39.9)
    assert worse.outcome is Outcome.FAIL
    assert any("worse than the 40 of the baseline" in finding.message for finding in worse.bad)


def test_accepting_again_changes_no_byte(known: Code) -> None:
    before = known.baseline.read_bytes()
    known.write("# moved\n" + CODE)

    known.gates(accept=True)

    assert known.baseline.read_bytes() == before
    assert known.said == ["harness-baseline.jsonl: nothing changes, 3 findings"]


def test_what_this_run_did_not_look_at_stays_and_is_not_stale(known: Code) -> None:
    known.write("x = 1\n", "other.py")
    before = known.baseline.read_bytes()

    assert "baseline/stale" not in known.gates(paths=("other.py",)).told
    assert "baseline/stale" not in known.gates(limits=LIMITS[1:2]).told
    (known.root / "shop.py").rename(known.root / "of.py")
    assert "baseline/stale" not in known.gates(paths=("other.py",)).told
    known.gates(accept=True, paths=("other.py",))
    assert known.baseline.read_bytes() == before


def test_a_file_that_cannot_be_parsed_is_unknown_and_keeps_its_entries(known: Code) -> None:
    known.write(CODE + "def (")
    before = known.baseline.read_bytes()

    judged = known.gates(accept=True)

    assert judged.outcome is Outcome.UNKNOWN
    assert known.baseline.read_bytes() == before


def test_a_damaged_baseline_is_an_error_and_no_pass(known: Code) -> None:
    known.baseline.write_bytes(known.baseline.read_bytes() + b"<<<<<<< HEAD\n")

    with pytest.raises(UsageError) as caught:
        known.gates()
    assert (caught.value.slug, caught.value.where) == (
        "baseline/damaged", "harness-baseline.jsonl:5"
    )  # fmt: skip


def test_an_average_has_no_place_that_could_be_accepted(code: Code) -> None:
    limits = ("complexity.average <= 1",)

    assert code.gates(accept=True, limits=limits).outcome is Outcome.FAIL


def covered(missing: int, statements: int = 10, path: str = "shop.py") -> tuple[facts.Fact, ...]:
    lines = tuple(range(1, statements + 1))
    return (
        inspection.Inspected(
            gate="coverage", tool="coverage 7", paths=(".",), inventory=1, checked=(path,),
            not_checked=(), duration_s=0,
        ),
        inspection.Covered(
            path=path, statements=statements, covered=statements - missing, branches=0,
            covered_branches=0, missing=lines[:missing], ran=lines[missing:],
        ),
    )  # fmt: skip


def test_coverage_is_counted_in_lines_so_that_deleting_code_turns_nothing_red(code: Code) -> None:
    limits = ("coverage.lines >= 90%",)

    def judged(*more: facts.Fact, accept: bool = False) -> Outcome:
        return code.gates(limits=limits, more=more, accept=accept).outcome

    assert judged(*covered(3), accept=True) is Outcome.PASS
    assert judged(*covered(3, statements=4)) is Outcome.PASS  # well-covered code was deleted
    assert judged(*covered(2)) is Outcome.PASS
    assert judged(*covered(4)) is Outcome.FAIL
    assert judged(*covered(4, statements=30)) is Outcome.FAIL


def test_only_what_a_change_adds_is_judged(code: Code) -> None:
    code.commit()
    assert code.gates(new_only="main").outcome is Outcome.PASS  # of no change there is nothing bad

    code.write(CODE.replace("import subprocess", "import subprocess  # nosec") + "\nx = 1\n")
    judged = code.gates(new_only="main")
    assert (judged.outcome, judged.accepted) == (Outcome.PASS, [])
    assert judged.told["gates/new-only"].where == "main"

    code.write(CODE + CALL)
    assert code.gates(new_only="main").places == ["shop.py:11"]


@pytest.mark.parametrize("was", ["shell=False", "shell=True,  # nosec"])
def test_a_change_anywhere_in_a_statement_makes_its_finding_new(code: Code, was: str) -> None:
    text = "import subprocess\n\nsubprocess.call(\n    {} + input(),\n    {},\n)\n"
    code.write(text.format("'a'", was))
    code.commit()
    code.write(text.format("'b'", "shell=True"))

    assert code.gates(new_only="main").places == ["shop.py:5"]
    code.commit()
    code.write(text.format("'c'", "shell=True"))
    assert code.gates(new_only="main").places == ["shop.py:5"]


def test_a_complex_function_is_a_changes_where_it_grew(code: Code) -> None:
    code.commit()
    code.write(CODE.replace("return 1", "return 2"))
    assert code.gates(new_only="main").outcome is Outcome.PASS

    code.write(CODE.replace("if b:", "if b or a:"))
    assert code.gates(new_only="main").places == ["shop.py:3"]


def test_a_renamed_file_and_an_untracked_one_are_judged_by_what_is_new_in_them(code: Code) -> None:
    code.commit()
    code.git("mv", "shop.py", "store.py")
    assert code.gates(new_only="main").outcome is Outcome.PASS

    code.write(CODE, "fresh.py")
    assert {place.partition(":")[0] for place in code.gates(new_only="main").places} == {"fresh.py"}


def test_a_twin_of_an_accepted_finding_is_new_wherever_it_stands(known: Code) -> None:
    known.commit()
    for text in (CODE + CALL, CODE.replace(CALL, CALL + CALL)):
        known.write(text)
        assert known.gates(new_only="main").outcome is Outcome.FAIL


CHANGED = ("coverage.changed >= 90%",)


@pytest.mark.parametrize(
    ("missing", "outcome"), [((3,), Outcome.PASS), ((11,), Outcome.FAIL), ((), Outcome.PASS)]
)
def test_the_coverage_of_a_change_is_that_of_its_lines(
    code: Code, missing: tuple[int, ...], outcome: Outcome
) -> None:
    code.commit()
    code.write(CODE + CALL)
    ran = tuple(n for n in (1, 3, 4, 5, 6, 7, 9, 10, 11) if n not in missing)
    inspected, _ = covered(0)
    found = inspection.Covered(
        path="shop.py", statements=9, covered=len(ran), branches=0, covered_branches=0,
        missing=missing, ran=ran,
    )  # fmt: skip

    for limits in (CHANGED, ("coverage.lines >= 90%",)):
        judged = code.gates(new_only="main", limits=limits, more=(inspected, found))
        assert judged.outcome is outcome
        assert judged.places == (["shop.py:11"] if outcome is Outcome.FAIL else [])


def test_a_changed_file_that_nothing_measured_is_unknown(code: Code) -> None:
    code.commit()
    code.write("x = 1\n", "fresh.py")
    missed = inspection.NotChecked(path="fresh.py", slug="gates/not-parsed", reason="why")
    inspected, found = covered(0)
    assert isinstance(inspected, inspection.Inspected)
    partly = inspection.Inspected(
        gate="coverage", tool="coverage 7", paths=(".",), inventory=2, checked=("shop.py",),
        not_checked=(missed,), duration_s=0,
    )  # fmt: skip

    assert code.gates(new_only="main", limits=CHANGED, more=(partly, found)).outcome is (
        Outcome.UNKNOWN
    )
    assert code.gates(new_only="main", limits=CHANGED).outcome is Outcome.UNKNOWN


def test_a_limit_of_changes_is_unknown_where_no_change_is_named(code: Code) -> None:
    judged = code.gates(limits=CHANGED, more=covered(0))

    assert judged.outcome is Outcome.UNKNOWN
    assert "coverage/no-change" in judged.slugs


def test_limits_that_only_a_whole_has_are_no_evidence_of_a_change(code: Code) -> None:
    code.commit()

    judged = code.gates(new_only="main", limits=("complexity.average <= 99",))

    assert judged.outcome is Outcome.UNKNOWN


def test_a_change_that_git_cannot_tell_is_an_error(code: Code) -> None:
    with pytest.raises(HarnessError):
        code.gates(new_only="main")


def test_a_baseline_that_cannot_be_written_is_an_error(code: Code) -> None:
    code.baseline = code.root / "none" / "harness-baseline.jsonl"

    with pytest.raises(UsageError) as caught:
        code.gates(accept=True)
    assert caught.value.slug == "evidence/not-writable"
    assert os.listdir(code.root) == ["shop.py"]
