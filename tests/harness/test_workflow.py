"""The workflow for GitHub runs what the README says, where pyproject says that we run."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    return parser


def test_each_command_is_the_readme_s_or_that_for_one_environment() -> None:
    page = (ROOT / "README.md").read_text()
    (readme,) = re.findall(r"## Test it\n.*?```sh\n(.+?)\n```", page, re.DOTALL)
    known = {f"{readme} -e {name.removeprefix('testenv:')}" for name in tox().sections()}
    commands = {step["run"] for step in STEPS if "run" in step}

    assert readme in commands
    assert commands - known == {readme}


def test_a_server_that_a_job_brings_reaches_the_tests_through_tox() -> None:
    named = {name for job in WORKFLOW["jobs"].values() for name in job.get("env", {})}
    passed = [section.get("pass_env", "") for section in tox().values()]

    assert named == {"TEST_POSTGRES_URL"}
    assert named <= set(" ".join(passed).split()), "name it in tox.ini's pass_env"


def test_every_python_that_we_claim_is_in_the_matrix_and_in_each_job_of_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = set(re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"])))
    job = WORKFLOW["jobs"]["tox"]
    (set_up,) = (step["with"] for step in job["steps"] if "setup-python" in step.get("uses", ""))

    assert len(claimed) >= 3
    assert claimed <= set(job["strategy"]["matrix"]["python"])
    assert claimed <= set(set_up["python-version"].split())


def test_actions_are_pinned_and_may_only_read() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]

    assert used
    assert [action for action in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", action)] == []
    assert WORKFLOW["permissions"] == {"contents": "read"}
