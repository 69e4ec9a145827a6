"""``harness doctor`` as a user has it, and its checks that take long."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from harness.checkup import Check, Mark, collected, imported, orchestrated, surroundings
from tests.harness.project import Project, clean

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def lines(output: str, mark: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(mark)]


def test_a_healthy_project_is_told_to_run(project: Project) -> None:
    code, output = project.harness("doctor")

    assert code == 0, output
    assert lines(output, "problem") == []
    assert "shop:create_app() can be imported" in output
    assert "mix.py can be imported" in output
    assert "tests: 2 tests collected in tests" in output
    assert output.endswith("\nnext: harness run\n")
    assert not (project.root / "reports").exists()


def test_a_plan_of_services_only_is_told_to_start_them(project: Project) -> None:
    (project.root / "harness.toml").write_text('[services.shop]\napp = "shop:create_app()"\n')

    code, output = project.harness("doctor")

    assert code == 0, output
    assert output.endswith("\nnext: harness up\n")


def test_in_an_empty_folder_it_says_how_to_begin(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "doctor"],
        cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 64
    assert "[services.app]" in done.stdout
    assert done.stdout.endswith("next: harness test PATH --app module:attr\n")
    assert list(tmp_path.iterdir()) == []


def test_everything_that_would_keep_a_run_from_its_evidence_is_told_at_once(
    project: Project,
) -> None:
    project.change("shop.py", "    return app", "    raise OSError('no disk')")
    project.change("mix.py", "@scenario", "# @scenario")
    project.change("tests/test_shop.py", "async def test_", "async def _")
    project.change("harness.toml", '["shop.py"]', '["shpo.py"]')

    code, output = project.harness("doctor", "--reports", "shop.py/reports")

    assert code == 2, output
    assert len(lines(output, "problem")) == 5
    assert "shop.py: no run can be written there" in output
    assert "the factory of shop:create_app() raised OSError: no disk (target/factory-" in output
    assert "mix.py: this file registers no scenario" in output
    assert "pytest finds no test in tests" in output
    assert "there is no 'shpo.py' to check" in output
    assert output.endswith("\nnext: solve the problems above, then: harness doctor\n")


def test_a_stub_file_that_is_not_there_is_a_problem(project: Project) -> None:
    project.change("harness.toml", '"weather.toml"', '"wether.toml"')

    code, output = project.harness("doctor")

    assert code == 64, output
    assert "cannot read the stub file 'wether.toml'" in output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "stuck.py:1: the import of stuck:app raised ZeroDivisionError"),
        ("print('bye')\nimport os, sys\nsys.stdout.flush()\nos._exit(7)", "with code 7: bye"),
        ("from quart import Quart\napp = Quart('a')\napp.run()", "app.run() was called"),
        ("", "stuck has no 'app'"),
        ("import nowhere", "No module named 'nowhere'"),
    ],
)
def test_an_application_that_cannot_be_imported_is_a_problem(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "stuck.py").write_text(text)

    found = imported("app", "stuck:app", tmp_path, dict(os.environ))

    assert (found.mark, found.exit_code) == (Mark.PROBLEM, 2)
    assert said in found.told


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot collect tests"), ("import nowhere", "cannot collect tests")],
)
def test_tests_that_cannot_be_collected_are_a_problem(
    tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "test_it.py").write_text(text)

    assert said in collected(("tests",), tmp_path, clean()).told


def test_a_variable_that_is_not_set_is_a_problem_and_a_value_is_not_shown(
    project: Project,
) -> None:
    project.change("harness.toml", '"{weather.url}" }', '"{weather.url}", KEY = "{env.SHOP_KEY}" }')
    project.change("shop.py", "    return app", "    raise OSError(os.environ['KEY'])")

    code, output = project.harness("doctor")
    assert code == 2
    assert "harness.toml:4: services.shop.env.KEY takes its value from SHOP_KEY" in output
    assert "next: export SHOP_KEY=…" in output

    code, output = project.harness("doctor", SHOP_KEY="s3cret-key")
    assert code == 2
    assert "raised OSError: {env.SHOP_KEY}" in output
    assert "s3cret" not in output


SERVICE = "[services.shop]\napp = 'shop:create_app()'\nopenapi = 'weather.toml'\n"


@pytest.mark.parametrize(
    ("plan", "said"),
    [(f"[test]\n{SERVICE}", "unknown key 'test'"), (SERVICE, "is not YAML")],
)
def test_what_cannot_be_understood_exits_64(project: Project, plan: str, said: str) -> None:
    (project.root / "harness.toml").write_text(plan)

    code, output = project.harness("doctor")

    assert code == 64, output
    assert said in output


def test_a_profile_is_checked_by_connecting_to_its_addresses(project: Project) -> None:
    (project.root / "harness.toml").write_text(
        "[services.shop]\napp = 'shop:create_app()'\n"
        "[profiles.dead.targets]\nshop = 'http://127.0.0.1:9'\n"
    )

    code, output = project.harness("doctor", "--profile", "dead")

    assert code == 2, output
    assert "shop: nothing answers at http://127.0.0.1:9" in output
    assert "can be imported" not in output
    assert output.endswith("then: harness doctor --profile dead\n")
    assert project.harness("doctor", "--profile", "ded")[0] == 64


ALL = "[tox]\nenv_list = all\n[testenv:all]\ncommands = "


@pytest.mark.parametrize(
    ("text", "checks"),
    [
        (None, ["note there is no tox file; 'harness run' needs none"]),
        (f"{ALL}harness run", ["ok tox.ini: environments that call the harness: 1 of 1"]),
        (f"{ALL}pytest", ["note tox.ini: environments that call the harness: 0 of 1"]),
        (
            f"{ALL}- harness run",
            [
                "note tox.ini: environments that call the harness: 1 of 1",
                "problem tox.ini:4: the outcome of this command of [testenv:all] is lost: "
                "a '-' before it makes every exit code a success (tox/ignored)",
            ],
        ),
    ],
)
def test_a_tox_file_is_read_for_what_is_green_and_was_not_checked(
    tmp_path: Path, text: str | None, checks: list[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    if text is not None:
        (tmp_path / "tox.ini").write_text(text)
    found = list(orchestrated(tmp_path))

    assert [f"{one.mark} {one.told}" for one in found] == checks
    assert {one.exit_code for one in found if one.mark is Mark.PROBLEM} <= {2}
    assert all(one.next_step for one in found if one.mark is Mark.PROBLEM)


def test_a_tox_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "tox.toml").write_text("[")
    (found,) = orchestrated(tmp_path)

    assert (found.mark, found.exit_code) == (Mark.PROBLEM, 2)
    assert found.told.startswith("tox.toml: ")
    assert found.told.endswith("(tox/unreadable)")


def test_workflows_are_read_by_what_the_tox_file_makes_of_them(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "ci.yml").write_text("jobs:\n  a:\n    steps:\n      - run: tox || true\n")
    (tmp_path / "tox.ini").write_text(f"{ALL}harness run")

    *_, last = orchestrated(tmp_path)
    assert last.mark is Mark.PROBLEM
    assert last.told.startswith(".github/workflows/ci.yml:4: the verdict of this step is lost")


def test_the_plan_says_which_evidence_is_missing(project: Project) -> None:
    (project.root / "tox.ini").write_text(
        "[tox]\nenv_list = a, report\n[testenv]\nset_env = HARNESS_RUN=1\n"
        "[testenv:a]\ncommands = harness test\n"
        "[testenv:report]\ndepends = a\ncommands = harness report\n"
    )

    code, output = project.harness("doctor")

    assert code == 2, output
    assert [line.rpartition(" (")[2] for line in lines(output, "problem")] == [
        "tox/not-produced)"
    ] * 2
    assert "asks for load-mix" in output
    assert "asks for gates" in output


def test_whether_ci_is_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    told = [f"{one.mark} {one.told}" for one in surroundings(tmp_path, tmp_path / "reports")]

    assert "note CI is set" in told


def test_a_package_that_is_too_old_or_missing_is_a_problem_and_an_extra_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = ["quart>=999", "nowhere-at-all>=1", "pytest>=8", "nowhere-too>=1; extra == 'tls'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needed)

    found = list(surroundings(tmp_path, tmp_path))

    problems = [(one.told.split(" is ")[0], one.next_step) for one in found if one.exit_code]
    assert problems == [
        ("quart", "pip install 'quart>=999'"),
        ("nowhere-at-all", "pip install 'nowhere-at-all>=1'"),
    ]
    assert any("pip install 'quart-harness[tls]'" in one.told for one in found)


@pytest.mark.parametrize("kind", ["app", "scenarios"])
def test_an_import_that_does_not_end_is_ended(tmp_path: Path, kind: str) -> None:
    (tmp_path / "stuck.py").write_text(
        "import pathlib, threading, os\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "threading.Event().wait()\n"
    )
    name = "stuck:app" if kind == "app" else "stuck.py"

    found = imported(kind, name, tmp_path, dict(os.environ), limit_s=4)  # type: ignore[arg-type]  # one of the two

    assert found.mark is Mark.PROBLEM
    assert "had not ended after 4 s" in found.told
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_application_that_starts_a_thread_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(
        "import threading\nfrom quart import Quart\n"
        "threading.Thread(target=threading.Event().wait).start()\napp = Quart(__name__)\n"
    )
    began = time.monotonic()

    found = imported("app", "busy:app", tmp_path, dict(os.environ))

    assert found == Check(Mark.OK, "busy:app can be imported")
    assert time.monotonic() - began < 60


def test_tests_that_are_never_collected_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "test_stuck.py").write_text("import threading\nthreading.Event().wait()\n")

    found = collected(("test_stuck.py",), tmp_path, dict(os.environ), limit_s=2)

    assert found.mark is Mark.PROBLEM
    assert "after 2 s" in found.told


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        ("target/dead", "Nothing accepts connections"),
        ("security/B301", "Bandit's rule of that number"),
    ],
)
def test_a_slug_is_explained(tmp_path: Path, slug: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "doctor", slug],
        cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{slug}\n\n")
    assert said in done.stdout
    assert "#" not in done.stdout


def test_an_unknown_slug_is_answered_with_the_nearest(project: Project) -> None:
    code, output = project.harness("doctor", "target/unknwn")

    assert code == 64
    assert "Did you mean 'target/unknown'?" in output


def test_every_slug_of_the_messages_can_be_explained() -> None:
    from harness.cli.doctor import _explained

    headings = re.findall(r"^### (\S+)$", (ROOT / "docs/messages.md").read_text(), re.M)

    assert len(headings) > 50
    assert all(len(_explained(slug).splitlines()) > 2 for slug in headings)


def test_the_wheel_has_the_page_of_messages() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]

    assert built["targets"]["wheel"]["force-include"] == {"docs/messages.md": "harness/messages.md"}


def test_a_limit_on_coverage_that_no_test_can_measure_is_a_problem(project: Project) -> None:
    plan = project.root / "harness.toml"
    plan.write_text(f'{plan.read_text()}[profiles.live.targets]\nshop = "http://127.0.0.1:1"\n')

    code, output = project.harness("doctor", "--profile", "live")

    assert code == 2
    assert "coverage.lines >= 90%: only tests in process or served measure coverage" in output
