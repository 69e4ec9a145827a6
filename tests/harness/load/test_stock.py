"""The scenario files of the reference system under the stock `molotov`, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.project import Project

ROOT = Path(__file__).parents[3]
PLANNED = ("skeleton.py", "dataservice_mix.py", "actions.py")  # tox -e molotov runs these
FILES = sorted({path.name for path in (ROOT / "scenarios").glob("*.py")} - {*PLANNED})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_scenario_file_runs_under_the_stock_runner(project: Project, name: str) -> None:
    text = (ROOT / "harness.toml").read_text()
    plan = text.partition("[tests]")[0] + (
        f'[load.it]\nscenarios = "scenarios/{name}"\npace = "1/s for 1s"\nservice = "dataservice"\n'
    )
    (project.root / "harness.toml").write_text(plan)
    for folder in ("scenarios", "fixtures"):
        (project.root / folder).symlink_to(ROOT / folder)

    code, output = project.harness("load", "--runner", "molotov", "-w", "2", "-d", "2", "-x")

    assert code == 0, output
    (finding,) = project.record()["findings"]
    assert (finding["slug"], finding["outcome"]) == ("load/stock", "PASS")
    assert ", 0 failed: molotov scenarios/" in finding["message"]
    (log,) = project.root.glob("reports/*/logs/molotov-it.log")
    assert "FAILURES: 0" in log.read_text()
    assert "SUCCESSES: 0" not in log.read_text()


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("== 200", "== 500", 1, "FAIL     mix.py (load/stock)"),
        ("import os", "import oss", 2, "molotov ended with code 1, instead of its totals"),
        ("import os", "import os\nimport molotov\n@molotov.setup()\nasync def s(w, a): 1 / 0\n",
         2, "under the stock runner 0 visits succeeded, 0 failed"),
        ('URL + "/"', '"http://192.0.2.1/"', 1, "FAIL     mix.py (load/outside-call)"),
    ],
)  # fmt: skip
def test_what_the_stock_runner_leaves_to_its_reader_is_judged(
    project: Project, old: str, new: str, code: int, said: str
) -> None:
    project.change("mix.py", old, new)

    found, output = project.harness("load", "--runner", "molotov", "-d", "1")

    assert found == code, output
    assert said in output
    assert ("a call to 192.0.2.1:80, outside loopback" in output) == ("192.0.2.1" in new)


def test_the_stock_runner_has_no_rate(project: Project) -> None:
    code, output = project.harness("load", "--runner", "molotov", "--rate", "5")

    assert code == 64
    assert "it measures nothing" in output


def test_a_stock_run_joins_a_shared_run_and_is_judged_with_it(project: Project) -> None:
    project.harness("load", "--runner", "molotov", "-d", "1", HARNESS_RUN="one")
    project.harness("report", HARNESS_RUN="one")

    slugs = [finding["slug"] for finding in project.record()["findings"]]
    assert "load/stock" in slugs
    assert "evidence/missing-part" in slugs  # what the plan asks for is not forgotten for it
