"""Faults in a copy of a small project: what is found, what is not, and what becomes of the copy."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.evidence import RunFolder
from harness.gates.complexity import Complexity
from harness.gates.security import Security
from harness.manifest import parse_plan
from harness.planted import Planted, Seen
from harness.proofs.load import _decided
from harness.prove import prove
from harness.record import ProofRow, Record
from harness.run import Run, judge
from harness.verdict import Outcome
from tests.harness.project import Project

PLAN = """
[gates]
paths = ["shop"]
limits = ["complexity.max <= 10", "security.high == 0", "security.medium == 0"]
"""
SHOP = "def price(n):\n    return n\n"


class Shop:
    """A folder of code with a plan of gates, proved in this process."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        (root / "shop").mkdir()
        (root / "shop/price.py").write_text(SHOP)
        self.scratch = root.parent / "scratch"
        self.scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(self.scratch))

    def prove(self, plan: str = PLAN, *only: str) -> Record:
        (self.root / "harness.toml").write_text(plan)
        before = digest(self.root)
        run = Run.begin(
            parse_plan(plan, "harness.toml"), self.root, self.root / "reports", ("prove",),
            lambda line: None, lambda line: None, plan_file=self.root / "harness.toml",
        )  # fmt: skip
        try:
            prove(run, only)
        finally:
            assert list(self.scratch.iterdir()) == []
            assert digest(self.root) == before
        record = judge(RunFolder(run.folder.path))
        assert Record.from_json(record.to_json(), "record.json") == record
        return record


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    (tmp_path / "project").mkdir()
    return Shop(tmp_path / "project", monkeypatch)


def digest(root: Path) -> str:
    """Hash a tree but for its reports."""
    found = sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and "reports" not in path.parts:
            found.update(str(path).encode() + path.read_bytes())
    return found.hexdigest()


def told(record: Record) -> list[tuple[str, str, Outcome]]:
    return [(row.fault, row.found, row.outcome) for row in record.proofs]


def test_each_gate_is_shown_a_fault_of_its_own_and_tells_of_it(shop: Shop) -> None:
    record = shop.prove()

    assert record.outcome is Outcome.PASS
    assert record.headline == "7 planted faults found"
    assert told(record) == [
        ("a closure of complexity 11", "complexity/limit", Outcome.PASS),
        ("a shell", "security/B602", Outcome.PASS),
        ("an eval", "security/B307", Outcome.PASS),
        ("a file that does not parse", "gates/not-parsed", Outcome.PASS),
        ("a path of the gates that is gone", "gates/no-path", Outcome.PASS),
        ("gates that were killed", "evidence/incomplete", Outcome.PASS),
        ("gates that recorded nothing", "evidence/missing-part", Outcome.PASS),
    ]
    assert "prove load: the plan has not a load" in [
        f"{one.what}: {one.why}" for one in record.not_checked
    ]


def test_a_gate_that_does_not_look_into_functions_stays_green_and_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Complexity.inspect

    def at_the_top(self: Complexity, *given: object) -> list[object]:
        return [fact for fact in looked(self, *given) if "." not in getattr(fact, "name", "")]  # type: ignore[arg-type]

    monkeypatch.setattr(Complexity, "inspect", at_the_top)
    record = shop.prove(PLAN, "complexity")

    assert record.outcome is Outcome.FAIL
    (finding,) = record.findings
    assert (finding.slug, finding.where) == ("prove/missed", "complexity: the gate")
    assert "a closure of complexity 11 at shop/planted_by_harness" in finding.message


def test_a_gate_that_checks_no_file_that_is_new_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Security.inspect

    def at_the_old(self: Security, root: Path, paths: list[str], files: list[str]) -> object:
        return looked(self, root, paths, [file for file in files if "planted" not in file])

    monkeypatch.setattr(Security, "inspect", at_the_old)

    assert [row.outcome for row in shop.prove(PLAN, "security").proofs] == [Outcome.FAIL] * 2


def test_a_copy_that_does_not_pass_without_a_fault_proves_nothing(shop: Shop) -> None:
    (shop.root / "shop/price.py").write_text("def price(text):\n    return eval(text)\n")

    record = shop.prove(PLAN, "security")

    assert (record.outcome, record.proofs) == (Outcome.UNKNOWN, [])
    assert [one.slug for one in record.findings] == ["prove/unharmed"]
    assert (
        "shop/price.py:2" in record.findings[0].message or "security" in record.findings[0].message
    )


@pytest.mark.parametrize(
    "limit", ["complexity.max >= 1", "security.low >= 0", "nowhere/* complexity.max <= 5"]
)
def test_a_limit_that_no_fault_can_break_is_not_proved(shop: Shop, limit: str) -> None:
    record = shop.prove(f'[gates]\npaths = ["shop"]\nlimits = ["{limit}"]\n')

    assert record.outcome is Outcome.UNKNOWN
    assert {one.slug for one in record.findings if one.outcome is not Outcome.PASS} <= {
        "prove/not-planted", "prove/unharmed",
    }  # fmt: skip


@pytest.mark.parametrize(
    "limit",
    [
        "complexity.average <= B", "complexity.max < 7", "shop/* complexity.max <= 3",
        "shop/price.py complexity.max <= 3", "security.low <= 2",
    ],
)  # fmt: skip
def test_a_limit_of_any_kind_is_broken_within_what_it_covers(shop: Shop, limit: str) -> None:
    record = shop.prove(
        f'[gates]\npaths = ["shop"]\nlimits = ["{limit}"]\n', limit.split(".")[0].split()[-1]
        if "price.py" not in limit else "complexity",
    )  # fmt: skip

    (row,) = record.proofs
    assert (row.outcome, row.against) == (Outcome.PASS, limit)


def test_code_is_added_to_a_file_where_the_plan_names_files(shop: Shop) -> None:
    record = shop.prove(PLAN.replace('"shop"', '"shop/price.py"'))

    assert record.outcome is Outcome.PASS
    assert record.proofs[0].where == "shop/price.py:6"


def test_a_waiver_that_tolerates_whatever_comes_fails(shop: Shop) -> None:
    until = datetime.now(UTC).date() + timedelta(days=30)
    waivers = "".join(
        f'[[waivers]]\nslug = "{slug}"\npath = "*"\nreason = "later"\nuntil = {until}\n'
        for slug in ("complexity/limit", "gates/limit-broken")
    )

    record = shop.prove(f"{PLAN}\n{waivers}", "complexity")

    assert record.outcome is Outcome.FAIL
    assert "waivers tolerate it" in record.findings[0].message


def test_coverage_without_tests_is_not_proved(shop: Shop) -> None:
    record = shop.prove('[gates]\npaths = ["shop"]\nlimits = ["coverage.lines >= 90%"]\n')

    assert record.outcome is Outcome.UNKNOWN
    assert "no functional tests" in record.findings[0].message


@pytest.mark.parametrize("only", ["load", "complexty"])
def test_what_the_plan_has_not_cannot_be_asked_for(shop: Shop, only: str) -> None:
    with pytest.raises(UsageError):
        shop.prove(PLAN, only)


def test_an_interruption_leaves_neither_the_copy_nor_a_fault(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Complexity, "inspect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shop.prove()


def test_links_that_lead_out_of_the_project_are_copied_and_not_followed_back(shop: Shop) -> None:
    outside = shop.root.parent / "outside.py"
    outside.write_text(SHOP)
    (shop.root / "shop/linked.py").symlink_to(outside)

    assert shop.prove(PLAN.replace('"shop"', '"shop/linked.py"')).outcome is Outcome.PASS
    assert outside.read_text() == SHOP


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "project").mkdir()
    (tmp_path / "scratch").mkdir()
    made = Project(tmp_path / "project")
    made.change("harness.toml", '"inproc", "served"', '"inproc"')
    made.change("harness.toml", "p50 < 2s", "p50 < 200ms")
    made.change("harness.toml", '90%",', '90%", "shop.py coverage.branches >= 50%"')
    yield made
    deadline = time.monotonic() + 20
    while list((tmp_path / "scratch").iterdir()):
        assert time.monotonic() < deadline, "the copy is still there"
        time.sleep(0.05)


def test_tests_stubs_coverage_and_loads_are_shown_faults_and_tell_of_them(
    project: Project, tmp_path: Path
) -> None:
    before = digest(project.root)

    code, output = project.harness("prove", TMPDIR=str(tmp_path / "scratch"))

    assert (code, output.count("PASS: 16 planted faults found")) == (0, 1), output
    found: list[ProofRow] = project.record()["proofs"]
    assert {(row["proof"], row["found"]) for row in found} >= {  # type: ignore[index]
        ("coverage", "coverage/lines"), ("coverage", "coverage/branches"),
        ("tests", "functional/failed"),
        ("tests", "functional/error"), ("tests", "functional/unreached"),
        ("stubs", "stubs/unused"), ("load", "load/objective-missed"),
    }  # fmt: skip
    assert digest(project.root) == before


def test_a_killed_proof_leaves_no_copy(project: Project, tmp_path: Path) -> None:
    process = project.start("prove", "--only", "tests", TMPDIR=str(tmp_path / "scratch"))
    deadline = time.monotonic() + 60
    while not list((tmp_path / "scratch").glob("*/project/tests/test_planted*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)

    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


@pytest.mark.parametrize(
    ("slug", "message", "obstacle"),
    [
        ("load/objective-missed", "p99 < 5ms", False),
        ("load/objective-undecided", "p99 < 5ms\nneither met nor missed: it lagged", False),
        ("load/objective-undecided", "p99 < 5ms\ntoo few samples", True),
    ],
)
def test_an_objective_that_lacks_samples_says_nothing_of_the_fault(
    slug: str, message: str, obstacle: bool
) -> None:
    seen = Seen(slug=slug, outcome=Outcome.UNKNOWN, where="mix", message=message)
    planted = Planted(
        proof="load", subject="load mix", fault="late", against="p99 < 5ms",
        slugs=("load/objective-missed", "load/objective-undecided"), seen=(seen,),
    )  # fmt: skip

    assert bool(_decided(planted).obstacle) is obstacle
