"""Each trap of a tox matrix, planted; and matrices in which there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import tox
from harness.manifest import parse_plan
from harness.matrix import read
from harness.trap import Trap

ROOT = Path(__file__).parents[2]

HEALTHY = """\
[tox]
env_list = lint, functional-py{311,312}, served, load, gates, report
skip_missing_interpreters = true

[testenv]
pass_env = HARNESS_*

[testenv:lint]
commands =
    ruff check .
    - coverage erase

[testenv:functional-py{311,312}]
commands = harness test --target inproc {posargs}

[testenv:served]
base_python = py312
commands = harness test --target served

[testenv:load]
commands =
    load: harness load
    load: harness load --runner molotov

[testenv:gates]
depends = functional-*, served
commands = harness gates

[testenv:report]
depends = functional-py{311,312}, served, load, gates
commands = harness report --junit report.xml
"""

PLAN = """\
[services.shop]
app = "shop:app"

[tests]
paths = ["tests"]
targets = ["inproc", "served"]
pythons = ["3.11", "3.12"]

[load.mix]
scenarios = "mix.py"
pace = "20/s for 15s"

[gates]
paths = ["src"]
limits = ["complexity.max <= 10"]
"""


def found(
    root: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    *,
    name: str = "tox.ini",
    toxfile: str = "os.environ['HARNESS_RUN'] = ''",
    missing: tuple[str, ...] = (),
) -> list[Trap]:
    (root / name).write_text(text)
    (root / "toxfile.py").write_text(toxfile)
    matrix = read(root)
    assert matrix is not None
    plan = parse_plan(PLAN, "harness.toml")
    return [
        *tox.traps(matrix, environ or {}, lambda python: python not in missing),
        *tox.of_plan(matrix, plan, root, environ or {}),
    ]


def test_a_healthy_matrix_has_none(tmp_path: Path) -> None:
    assert found(tmp_path, HEALTHY) == []


def test_this_repository_s_own_has_none() -> None:
    matrix = read(ROOT)
    assert matrix is not None
    plan = parse_plan((ROOT / "harness.toml").read_text(), "harness.toml")

    assert [trap for trap in tox.traps(matrix, {}, lambda python: True) if trap.grave] == []
    assert [trap for trap in tox.of_plan(matrix, plan, ROOT, {}) if trap.grave] == []


@pytest.mark.parametrize(
    ("old", "new", "slug", "where", "said"),
    [
        ("load: harness load\n    load: harness load --", "laod: harness load\n    laod: x --",
         "tox/no-commands", "tox.ini:20", "correct 'laod' to 'load' (tox.ini:22)"),
        ("commands = harness gates", "comands = harness gates",
         "tox/no-commands", "tox.ini:25", "correct 'comands' to 'commands' (tox.ini:27)"),
        ("    load: harness load --runner", "    laod: harness load --runner",  # one of two
         "tox/factor", "tox.ini:23", "'laod', which no environment has"),
        ("pass_env = HARNESS_*", "pass_env = HARNESS_*\nparalel_show_output = true",
         "tox/unknown-key", "tox.ini:7", "correct it to 'parallel_show_output'"),
        ("skip_missing", "skip_mising", "tox/unknown-key", "tox.ini:3", "'skip_mising_inter"),
        ("[testenv:lint]", "[tesstenv:more]\nx = 1\n[testenv:lint]",
         "tox/unknown-key", "tox.ini:8", "correct it to 'testenv'"),
        ("commands = harness gates", "commands = harness gates\nignore_outcome = true",
         "tox/ignored", "tox.ini:28", "[testenv:gates] has ignore_outcome"),
        ("commands = harness gates", "commands = - harness gates",
         "tox/ignored", "tox.ini:27", "a '-' before it"),
        ("commands = harness gates", "commands = -harness gates",
         "tox/ignored", "tox.ini:27", "a '-' before it"),
        ("    - coverage erase", "    - pytest tests",
         "tox/ignored", "tox.ini:11", "a '-' before it"),
        ("commands = harness gates", "commands = bash -c 'harness gates | tee log'",
         "tox/ignored", "tox.ini:27", "'| tee log' has the exit code"),
        ("commands = harness gates", "commands = sh -ec 'harness gates || true'",
         "tox/ignored", "tox.ini:27", "every outcome a success"),
        ("depends = functional-*, served", "depends = functional-*, servd",
         "tox/depends", "tox.ini:26", "depends on servd"),
        ("commands = harness gates", "runner = uv-venv-runner\ncommands = harness gates",
         "tox/runner", "tox.ini:27", "needs tox-uv"),
        ("commands = harness gates", "commands = radon cc src",
         "tox/not-produced", "tox.ini:29", "asks for gates, and no environment"),
        ("load: harness load\n", "load: echo\n",
         "tox/not-produced", "tox.ini:29", "asks for load-mix, and no environment"),
        ("--target served", "--target inproc",
         "tox/not-produced", "tox.ini:29", "asks for functional-served"),
        ("functional-py{311,312}, served, load, gates, report", "functional-py312, served, load, "
         "gates, report", "tox/not-produced", "tox.ini:13", "for Python 3.11, too"),
        ("pass_env = HARNESS_*", "pass_env = CI",
         "tox/run-not-shared", "tox.ini:6", "does not get HARNESS_RUN"),
        ("harness report --junit", "harness report reports/newest --junit",
         "tox/run-not-shared", "tox.ini:31", "judges that folder, whatever"),
        ("served, load, gates\ncommands", "served, load\ncommands",
         "tox/report-first", "tox.ini:30", "depend on gates, and with tox -p may"),
        ("gates, report\n", "report, gates\n", "", "", ""),
        ("env_list = lint,", "env_list = report, lint,", "", "", ""),
    ],
)  # fmt: skip
def test_a_planted_trap_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, slug: str, where: str, said: str
) -> None:
    assert HEALTHY.count(old) == 1
    traps = found(tmp_path, HEALTHY.replace(old, new))

    if not slug:
        assert traps == []
        return
    first = next(trap for trap in traps if trap.slug == slug)
    assert first.grave
    assert first.where == where
    assert said in f"{first.told} {first.next_step}"


def test_a_report_that_waits_for_nothing_and_comes_first_is_early_in_every_call(
    tmp_path: Path,
) -> None:
    text = HEALTHY.replace("env_list = lint,", "env_list = report,").replace(
        "depends = functional-py{311,312}, served, load, gates\n", ""
    )
    (trap,) = found(tmp_path, text)

    assert trap.slug == "tox/report-first"
    assert "and in every call may judge before" in trap.told


def test_where_nothing_sets_the_run_the_report_may_be_yesterday_s(tmp_path: Path) -> None:
    (trap,) = found(tmp_path, HEALTHY, toxfile="")
    assert (trap.slug, trap.where, trap.grave) == ("tox/run-not-shared", "tox.ini", True)

    assert found(tmp_path, HEALTHY, {"HARNESS_RUN": "mine"}, toxfile="") == []
    own = HEALTHY.replace("pass_env = HARNESS_*", "set_env = HARNESS_RUN={env:BUILD}")
    assert found(tmp_path, own, toxfile="") == []


def test_environments_that_the_environment_takes_out_are_named(tmp_path: Path) -> None:
    (trap,) = found(tmp_path, HEALTHY, {"TOX_SKIP_ENV": "ga.*|load"})

    assert trap.grave
    assert "leaves out load, gates and says OK" in trap.told
    assert found(tmp_path, HEALTHY, {"TOX_SKIP_ENV": "windows"}) == []
    assert found(tmp_path, HEALTHY, {"TOX_SKIP_ENV": "("}) == []


def test_a_python_that_is_missing_here_is_told_where_tox_would_skip_it(tmp_path: Path) -> None:
    (trap,) = found(tmp_path, HEALTHY, missing=("3.12",))

    assert not trap.grave
    assert trap.where == "tox.ini:3"
    assert "no Python 3.12 here: tox skips functional-py312, served" in trap.told
    assert found(tmp_path, HEALTHY.replace("= true", "= false"), missing=("3.12",)) == []


def test_a_command_of_others_for_a_misspelt_factor_is_a_note(tmp_path: Path) -> None:
    text = HEALTHY.replace("    - coverage erase", "    lnit: mypy")
    (trap,) = found(tmp_path, text)

    assert (trap.slug, trap.where, trap.grave) == ("tox/factor", "tox.ini:11", False)


def test_parts_without_a_report_are_a_note(tmp_path: Path) -> None:
    text = HEALTHY.replace("commands = harness report --junit report.xml", "commands = ls")
    (trap,) = found(tmp_path, text)

    assert (trap.slug, trap.grave) == ("tox/no-report", False)


def test_one_environment_for_all_of_it_needs_neither_report_nor_shared_run(tmp_path: Path) -> None:
    text = "[tox]\nenv_list = all\n[testenv:all]\ncommands = harness run\n"

    assert found(tmp_path, text, toxfile="") == []


TOML = """\
env_list = ["lint", "all"]
[env.lint]
comands = [["ruff", "check"]]
[env.all]
commands = [["harness", "run"]]
ignore_outcome = true
"""


def test_toml_has_the_same_traps(tmp_path: Path) -> None:
    empty, key, ignored = found(tmp_path, TOML, name="tox.toml")

    assert (empty.slug, empty.where) == ("tox/no-commands", "tox.toml:2")
    assert (key.slug, key.where) == ("tox/unknown-key", "tox.toml:3")
    assert (ignored.slug, ignored.where) == ("tox/ignored", "tox.toml:6")


OF_OTHERS = {
    "factors of opt-in environments": """\
[tox]
env_list = linting, py311, py311-{pexpect,xdist}
[testenv]
commands =
    {env:_PRE:} pytest {posargs:{env:_ARGS:}}
    doctesting: {env:_PRE:} pytest --doctest-modules
    coverage: coverage report -m
setenv =
    xdist: _ARGS=-n auto
    lsof: _PRE=--lsof
    !windows: COLUMNS=80
[testenv:linting]
skip_install = true
basepython = python3
commands = pre-commit run --all-files
""",
    "factors for whoever asks for them": """\
[tox]
env_list = py311-pytestlatest, py311-pytestmain
[testenv]
deps =
    pytestmin: pytest==7.0.0
    pytestmain: pytest @ git+https://example.org/pytest.git
commands = pytest
""",
    "keys of plugins and of the project's own": """\
[gh-actions]
python = 3.11: py311
[tox]
requires = tox-docker
envlist = py311
[testenv]
docker = postgres
uv_python_preference = only-managed
lint_args = --fix
commands = ruff check {[testenv]lint_args}
[docker:postgres]
image = postgres:16
""",
    "commands that may fail, and outcomes that are asked for": """\
[tox]
env_list = clean, py311, nightly
[testenv]
commands =
    python igor.py zip_mods
    -python igor.py remove_extension
    - coverage combine
    bash -c "grep -c x log || true"
    ! grep TODO src
    bash -c 'pytest --version'
[testenv:clean]
depends =
commands = coverage erase
[testenv:nightly]
ignore_outcome = True
commands = pytest
""",
    "environments for a shell, outside of env_list": """\
[tox]
env_list = py311
[testenv]
commands = pytest
[testenv:dev]
commands =
envdir = venv
""",
    "a runner of a plugin's, and generative names": """\
[tox]
env_list = 3.1{1-3}-{tests,mypy}, coverage-{combine,report}
[testenv]
runner = uv-venv-lock-runner
commands =
    tests: pytest
    mypy: mypy
[testenv:coverage-{combine,report}]
depends = 3.1{1-3}-tests
commands =
    combine: coverage combine
    report: coverage report
""",
}


@pytest.mark.parametrize("text", OF_OTHERS.values(), ids=OF_OTHERS)
def test_what_others_do_on_purpose_is_no_trap(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []
