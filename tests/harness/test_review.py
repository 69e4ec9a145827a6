"""Gates from a plan to a verdict, in one process: what exists, what is left of it, who looked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.evidence import RunFolder
from harness.manifest import parse_plan
from harness.record import Record
from harness.review import Review
from harness.run import Run, judge
from harness.verdict import Outcome

PLAN = """\
[gates]
paths = ["shop"]

[[gates.exclude]]
path = "shop/vendor/*"
reason = "not ours"

[[waivers]]
slug = "gates/not-parsed"
path = "shop/template.py"
reason = "has placeholders"
until = {until}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in {
        "shop/app.py": "def f(a):\n    return a if a else None\n",
        "shop/vendor/old.py": "print 'x'\n",
        "shop/template.py": "class {{ name }}: pass\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def run(root: Path, reports: Path, text: str) -> RunFolder:
    plan = parse_plan(text, "harness.toml")
    assert plan.gates is not None
    begun = Run.begin(plan, root, reports, ("gates",), lambda said: None, lambda said: None)
    begun.gates(plan.gates)
    return begun.folder


def far() -> str:
    """A day that a waiver may end on whenever this is run."""
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) + timedelta(days=90)).date().isoformat()


def told(record: Record) -> dict[str, Outcome]:
    return {finding.where: finding.outcome for finding in record.findings}


def test_what_is_excluded_and_waived_is_listed_and_the_rest_is_judged(
    shop: Path, tmp_path: Path
) -> None:
    record = judge(run(shop, tmp_path / "reports", PLAN.format(until=far())))

    assert record.outcome is Outcome.PASS
    assert "without 1 file that a waiver names" in record.headline
    assert {(row.checked, row.waived, row.excluded) for row in record.gates} == {(1, 1, 1)}
    assert "shop/vendor/* (1 file)" in {gap.what for gap in record.not_checked}
    assert record.code is not None
    assert [row.kind for row in record.code.suppressions] == ["exclude"]
    assert {row.gate for row in record.code.inspections} == {
        "complexity", "maintainability", "security", "suppressions",
    }  # fmt: skip
    assert len({row.content for row in record.code.inspections}) == 1


def test_without_its_waiver_a_file_that_was_not_checked_is_named_and_unknown(
    shop: Path, tmp_path: Path
) -> None:
    text = PLAN.partition("[[waivers]]")[0]

    record = judge(run(shop, tmp_path / "reports", text))

    assert record.outcome is Outcome.UNKNOWN
    assert told(record)["shop/template.py"] is Outcome.UNKNOWN


def test_the_same_code_gives_the_same_hashes_and_other_code_another(
    shop: Path, tmp_path: Path
) -> None:
    def hashes() -> list[tuple[str, str]]:
        record = judge(run(shop, tmp_path / "reports", PLAN.format(until=far())))
        assert record.code is not None
        return [(row.configuration, row.content) for row in record.code.inspections]

    before, again = hashes(), hashes()
    (shop / "shop/app.py").write_text("x = 1\n")
    after = hashes()

    assert before == again
    assert [one for one, _ in before] == [one for one, _ in after]
    assert not {content for _, content in before} & {content for _, content in after}


def test_gates_of_another_run_that_were_copied_into_this_one_are_refused(
    shop: Path, tmp_path: Path
) -> None:
    plan = PLAN.format(until=far())
    one, other = (run(shop, tmp_path / "reports", plan) for _ in range(2))
    shutil.copy(one.path / "gates.jsonl", other.path / "gates.jsonl")

    record = judge(other)

    assert record.outcome is Outcome.UNKNOWN
    assert record.gates == []
    assert "evidence/other-run" in {finding.slug for finding in record.findings}


def test_a_path_that_does_not_exist_is_refused_before_the_part_begins(tmp_path: Path) -> None:
    plan = parse_plan('[gates]\npaths = ["shop"]\n', "harness.toml")
    assert plan.gates is not None

    with pytest.raises(UsageError, match="no 'shop'"):
        Review.of(tmp_path, plan.gates)
