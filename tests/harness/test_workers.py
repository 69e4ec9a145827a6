"""Tests that pytest-xdist spreads over processes: each counted once, a worker's death no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import workers
from harness.verdict import Outcome
from tests.harness.project import Project, clean
from tests.harness.suite import REACHING, Suite

pytest.importorskip("xdist")

TWO = ("-n", "2")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


@pytest.mark.parametrize("target", ["inproc", "served"])
def test_each_test_is_counted_once(suite: Suite, target: str) -> None:
    suite.write("test_a.py", REACHING)
    suite.write(
        "test_b.py",
        "import pytest\n\n\n@pytest.mark.parametrize('n', range(7))\n"
        "def test_web(webtest, n):\n    assert webtest.get('/').json\n\n\n"
        "def test_left():\n    pass\n",
    )
    suite.write("test_c.py", "import pytest\npytest.skip('not here', allow_module_level=True)\n")

    judged = suite.judged(*TWO, "-k", "not left", target=target)

    assert judged.outcome is Outcome.PASS, judged.said
    assert judged.counted == len(judged.outcomes) == 9
    assert list(judged.outcomes.values()).count("skipped") == 1
    assert sum(judged.reached.values()) == 8
    assert sorted(judged.not_checked.values()) == ["deselected", "skipped: not here"]


def test_a_test_that_fails_is_told_once(suite: Suite) -> None:
    suite.write("test_a.py", f"{REACHING}\ndef test_bad():\n    assert 0\n")

    judged = suite.judged(*TWO)

    assert (judged.outcome, judged.said.count("test_bad")) == (Outcome.FAIL, 1)


def test_a_module_that_cannot_be_imported_is_told_once(suite: Suite) -> None:
    suite.write("test_a.py", REACHING)
    suite.write("test_b.py", "import nowhere_at_all\n")

    judged = suite.judged(*TWO)

    assert judged.outcome is Outcome.UNKNOWN
    assert judged.said.count("No module named 'nowhere_at_all'") == 1


def test_the_test_in_which_a_worker_is_killed_has_failed(suite: Suite) -> None:
    kill = "def test_kill():\n    import os\n    os.kill(os.getpid(), 9)\n"
    suite.write("test_a.py", f"{REACHING}\n{kill}\n{REACHING.replace('index', 'more')}")

    judged = suite.judged(*TWO)

    assert judged.outcome is Outcome.FAIL
    assert {"functional/failed", "functional/worker-died"} <= set(judged.slugs)
    assert "crashed while running" in judged.said
    assert judged.counted == 3


def test_a_worker_that_dies_after_its_last_test_is_unknown(suite: Suite) -> None:
    suite.write("test_a.py", REACHING)
    suite.write(
        "conftest.py",
        "import os\n\n\ndef pytest_unconfigure(config):\n"
        "    if hasattr(config, 'workerinput'):\n        os.kill(os.getpid(), 9)\n",
    )

    assert suite.judged(*TWO).outcome is Outcome.UNKNOWN


def test_a_misspelt_application_is_understood_as_such(suite: Suite) -> None:
    suite.write("test_a.py", REACHING)

    judged = suite.judged(*TWO, app="apq:app")

    assert (judged.outcome, judged.slugs[-1]) == (Outcome.UNKNOWN, "target/no-module")


def test_a_run_with_workers_measures_the_same_coverage(tmp_path: Path) -> None:
    measured = []
    for name, options in (("one", ""), ("two", "-n 2")):
        (tmp_path / name).mkdir()
        project = Project(tmp_path / name)
        project.change("harness.toml", 'targets = ["inproc", "served"]', 'targets = ["inproc"]')
        project.drop("load.mix")

        code, output = project.harness(
            "run", PYTEST_ADDOPTS=f"{clean()['PYTEST_ADDOPTS']} {options}"
        )

        assert code == 0, output
        measured.append(lines_of(project.record()))

    assert measured[0] == measured[1]


def lines_of(record: dict[str, Any]) -> list[Any]:
    return [row["measured"] for row in record["gates"] if "coverage" in str(row)]


def test_without_pytest_xdist_the_option_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'xdist' else find(name, *a)\n"
    )

    code, output = project.harness("test", "-n", "2", PYTHONPATH=str(tmp_path))

    assert code == 64
    assert "pip install pytest-xdist" in output


def test_a_process_without_workers_is_none_itself(pytestconfig: pytest.Config) -> None:
    alone = not hasattr(pytestconfig, "workerinput")

    assert (workers.name_of(pytestconfig) == "") is alone
