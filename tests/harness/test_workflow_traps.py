"""Each trap of a workflow, planted; and workflows in which there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import workflow
from harness.trap import Trap

ROOT = Path(__file__).parents[2]

HEALTHY = """\
on:
  push:
    branches: [main]
  pull_request:
env:
  FORCE_COLOR: 1
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix: { python: ["3.11", "3.12"] }
    steps:
      - uses: actions/checkout@v6
      - run: pip install tox
      - run: tox -e ${{ matrix.python }}
      - uses: actions/upload-artifact@v6
        if: ${{ !cancelled() }}
        with: { path: reports/ }
  report:
    needs: test
    if: ${{ always() }}
    runs-on: ubuntu-latest
    steps:
      - run: |
          set -o pipefail
          harness report --annotations | tee log
"""


def found(root: Path, text: str, *, tox: bool = True) -> list[Trap]:
    folder = root / workflow.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ci.yml").write_text(text)
    return list(workflow.traps(root, tox, ["report"]))


def test_a_healthy_workflow_has_none(tmp_path: Path) -> None:
    assert found(tmp_path, HEALTHY) == []


def test_this_repository_s_own_has_none() -> None:
    assert [trap for trap in workflow.traps(ROOT, True, ["report"]) if trap.grave] == []


PUSH = "  push:\n    branches: [main]\n  pull_request:\n"


@pytest.mark.parametrize(
    ("old", "new", "slug", "line", "grave", "said"),
    [
        ("run: tox -e ${{", "run: tox || true # ${{", "ci/ignored", 15, True, "every outcome a"),
        ("run: tox -e ${{ matrix.python }}", "run: tox | tee log", "ci/ignored", 15, True,
         "or give it 'shell: bash'"),
        ("          set -o pipefail\n", "", "ci/ignored", 24, True, "'| tee log' has the exit"),
        ("      - run: tox -e ${{ matrix.python }}", "      - run: tox\n        env:\n"
         "          TOX_SKIP_ENV: gates", "ci/left-out", 16, True, "TOX_SKIP_ENV=gates"),
        ("FORCE_COLOR: 1", "TOX_SKIP_ENV: gates", "ci/left-out", 15, True, "TOX_SKIP_ENV=gates"),
        ("    if: ${{ always() }}\n", "", "ci/report-skipped", 20, True, "job report is skipped"),
        ("${{ always() }}", "github.ref == 'main'", "ci/report-skipped", 21, True, "is skipped"),
        ("${{ matrix.python }}", "report", "ci/run-not-shared", 15, True, "a run of its own"),
        ("    runs-on: ubuntu-latest\n    strategy", "    if: github.actor != 'bot'\n    strategy",
         "ci/skipped", 9, False, "job test can be skipped"),
        ("  pull_request:\n", "  pull_request:\n    paths-ignore: [docs]\n",
         "ci/filtered", 5, False, "stays pending"),
        ("        if: ${{ !cancelled() }}\n", "", "ci/not-kept", 16, False, "only where all"),
        ("        if: ${{ !cancelled() }}\n", "        if: success()\n",
         "ci/not-kept", 17, False, "only where all"),
    ],
)  # fmt: skip
def test_a_planted_trap_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, slug: str, line: int, grave: bool, said: str
) -> None:
    assert HEALTHY.count(old) == 1
    (trap, *_) = [one for one in found(tmp_path, HEALTHY.replace(old, new)) if one.slug == slug]

    assert trap.where == f".github/workflows/ci.yml:{line}"
    assert trap.grave is grave
    assert said in f"{trap.told} {trap.next_step}"


def test_a_verdict_that_may_fail_is_grave_only_where_there_is_no_other(tmp_path: Path) -> None:
    one = HEALTHY.replace("  test:\n", "  test:\n    continue-on-error: true\n")
    (trap,) = found(tmp_path, one)
    assert (trap.slug, trap.where[-2:], trap.grave) == ("ci/ignored", ":9", False)

    both = one.replace("      - run: |\n", "      - continue-on-error: true\n        run: |\n")
    assert [trap.grave for trap in found(tmp_path, both)] == [True, True]


def test_what_is_not_known_before_the_run_is_not_guessed(tmp_path: Path) -> None:
    text = HEALTHY.replace("  test:\n", "  test:\n    continue-on-error: ${{ matrix.new }}\n")

    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    "shell",
    ["      - run: tox | tee log\n        shell: bash\n",
     "      - run: bash -eo pipefail -c 'tox | tee log'\n"],
)  # fmt: skip
def test_a_shell_that_fails_with_a_pipe_is_well(tmp_path: Path, shell: str) -> None:
    text = HEALTHY.replace("      - run: tox -e ${{ matrix.python }}\n", shell)

    assert found(tmp_path, text) == []


def test_the_default_of_a_job_names_the_shell_too(tmp_path: Path) -> None:
    text = HEALTHY.replace("tox -e ${{ matrix.python }}", "tox | tee log").replace(
        "    strategy", "    defaults: { run: { shell: bash } }\n    strategy"
    )

    assert found(tmp_path, text) == []


def test_tox_counts_only_where_its_environments_judge(tmp_path: Path) -> None:
    text = HEALTHY.replace("tox -e ${{ matrix.python }}", "tox || true")

    assert found(tmp_path, text, tox=False) == []
    assert len(found(tmp_path, text)) == 1


@pytest.mark.parametrize("run", ["tox --notest", "tox list", "pip install tox", "pytest"])
def test_workflows_that_judge_nothing_are_told_of(tmp_path: Path, run: str) -> None:
    (trap,) = found(tmp_path, f"on: push\njobs:\n  a:\n    steps:\n      - run: {run}\n")

    assert (trap.slug, trap.grave) == ("ci/not-run", False)


def test_a_project_without_workflows_has_no_trap(tmp_path: Path) -> None:
    assert list(workflow.traps(tmp_path, True)) == []


@pytest.mark.parametrize("text", ["a: [", "\x00", "a: *unknown", "x: !!python/name:os {}"])
def test_what_is_not_yaml_is_named(tmp_path: Path, text: str) -> None:
    slugs = [trap.slug for trap in found(tmp_path, text)]

    assert slugs[0] in ("ci/unreadable", "ci/not-run")
    assert (slugs[0] == "ci/not-run") == text.startswith("x:")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "jobs: 1", "jobs: {a: 1}", "jobs: {a: {steps: {b: c}}}",
     "on: 1\njobs: {a: {steps: [1]}}", "a: &x\n  b: *x\n",
     "jobs: {a: {steps: [{run: [harness, run]}]}}"],
)  # fmt: skip
def test_yaml_that_is_no_workflow_is_read_all_the_same(tmp_path: Path, text: str) -> None:
    assert {trap.slug for trap in found(tmp_path, text)} <= {"ci/not-run", "ci/unreadable"}
