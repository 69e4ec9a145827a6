"""Molotov's documented options, configuration and helpers, as users type and write them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import molotov
import pytest
from molotov.run import _parser

from harness.cli.config import Test, read_test
from harness.cli.load import UNSUPPORTED, verb
from harness.cli.request import _EVERY_S
from harness.errors import UsageError
from harness.load.board import DRAIN_S
from harness.pace import DEFAULT_DURATION_S
from tests.harness.project import clean

PACKAGE = Path(molotov.__file__).parent
PAGES = [Path(__file__).parents[3] / "docs" / name for name in ("load.md", "molotov.md")]


def harness(folder: Path, target: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "load", *arguments, "--target", target,
         "--rebase", "http://localhost:8080", "--rebase", "http://localhost:8888"],
        cwd=folder, env=clean(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_documented_example_passes_unmodified(tmp_path: Path, target: str) -> None:
    example = str(PACKAGE / "tests/example.py")

    listener = str(PACKAGE / "tests/example8.py")
    code, output = harness(
        tmp_path, target, example, "--use-extension", listener, "-r", "4", "-w", "2", "-c"
    )

    assert code == 0, output
    (log,) = tmp_path.glob("reports/*/logs/load-example.log")
    assert log.read_text().count('"type": "scenario_success"') == 8 + 1  # one before the load
    assert "PASS: 8 visits under load" in output
    assert "Sent to the target instead: 8 requests for http://localhost:8" in output


def test_a_single_scenario_is_run_once(tmp_path: Path, target: str) -> None:
    example = str(PACKAGE / "tests/example2.py")

    code, output = harness(tmp_path, target, example, "-s", "scenario_two")

    assert code == 0, output
    assert "PASS: 1 visit under load" in output
    assert "neither -d nor -r" not in output


def test_a_single_run_names_each_outcome_with_its_place_and_last_answer(
    tmp_path: Path, target: str
) -> None:
    scenario = "@scenario()\nasync def {}(session):\n    async with session.get('/') as response:\n"
    (tmp_path / "mix.py").write_text(
        "from molotov import scenario\n"
        + scenario.format("good") + "        assert response.status == 200\n"
        + scenario.format("bad") + "        assert response.status == 404\n"
    )  # fmt: skip

    code, output = harness(tmp_path, target, "mix.py", "--single-run")

    assert code == 1, output
    (path,) = tmp_path.glob("reports/*/record.json")
    findings = {
        one["message"].partition(" ")[0]: one for one in json.loads(path.read_text())["findings"]
    }
    assert {name: one["outcome"] for name, one in findings.items()} == {
        "good": "PASS",
        "bad": "FAIL",
    }
    assert findings["bad"]["message"].endswith(
        "mix.py:9 in bad: assertion: assert response.status == 404 (last answer: GET /: 200)"
    )


@pytest.mark.parametrize(("failing", "expected"), [("2", 1), ("3", 0)])
def test_fail_is_an_objective_quietly_or_not(
    tmp_path: Path, target: str, failing: str, expected: int
) -> None:
    (tmp_path / "mix.py").write_text(
        "from molotov import scenario\nvisits = []\n\n@scenario()\nasync def visit(session):\n"
        "    await session.get('/')\n    visits.append(1)\n    assert len(visits) < 2\n"
    )

    code, output = harness(tmp_path, target, "mix.py", "-r", "2", "-f", failing, "-q")

    assert code == expected, output


HELPERS = """
import molotov
from molotov import json_request, scenario

@molotov.global_setup()
def begin(args):
    molotov.set_var("of", json_request("/things")["content"]["result"])
    assert molotov.request("http://localhost:8080/", verb="POST")["status"] == 200

@scenario()
async def visit(session):
    assert molotov.get_var("of") == "OK"
    assert molotov.get_var("never") is None
    async with session.get("/") as response:
        await response.read()
"""


def test_the_helpers_of_set_up_reach_the_target_as_sessions_do(tmp_path: Path, target: str) -> None:
    (tmp_path / "mix.py").write_text(HELPERS)

    code, output = harness(tmp_path, target, "mix.py", "-r", "1")

    assert code == 0, output


def test_a_helper_goes_nowhere_that_a_session_may_not_go(tmp_path: Path, target: str) -> None:
    (tmp_path / "mix.py").write_text(HELPERS.replace("localhost:8080", "example.org"))

    code, output = harness(tmp_path, target, "mix.py", "-r", "1")

    assert code == 64, output
    assert "--rebase http://example.org where it means the target" in output


def test_a_traceback_or_what_was_sent_is_printed_where_it_is_asked_for(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "mix.py").write_text(HELPERS + "    raise KeyError(7)\n")

    told = harness(tmp_path, target, "mix.py", "-r", "1", "-v")[1]
    wordy = harness(tmp_path, target, "mix.py", "-r", "1", "-vv")[1]

    assert "Traceback" in told
    assert "> GET" not in told
    assert f"> GET {target}/" in wordy
    assert "< Content-Type: application/json" in wordy


CONFIG: dict[str, Any] = {
    "env": {"OF_ALL": "1"},
    "requirements": "requirements.txt",
    "tests": {
        "test": {
            "scenario": "mix.py", "max_runs": 2, "workers": 3, "verbose": 0, "console": True,
            "console_update": 0, "delay": 0.0, "ramp_up": 0, "env": {"OF_ONE": "2"},
        },
        "big": {"scenario": "mix.py", "duration": 60, "statsd": True},
    },
}  # fmt: skip


def configured(folder: Path, **changes: Any) -> None:
    tests = {**CONFIG["tests"], "test": {**CONFIG["tests"]["test"], **changes}}
    (folder / "molotov.json").write_text(json.dumps({"molotov": {**CONFIG, "tests": tests}}))
    text = (
        HELPERS + "    import os\n    assert os.environ['OF_ALL'] + os.environ['OF_ONE'] == '12'\n"
    )
    (folder / "mix.py").write_text(text)


def test_a_test_of_molotov_json_runs_and_what_is_typed_beats_it(
    tmp_path: Path, target: str
) -> None:
    configured(tmp_path)

    code, output = harness(tmp_path, target, "--config", "molotov.json", "-w", "1")

    assert code == 0, output
    assert "PASS: 2 visits" in output


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"worker": 3}, "unknown key 'worker' (load/config)\n  next: Did you mean 'workers'?"),
        ({"workers": "3"}, "Expected `int | null`, got `str`"),
        ({"quiet": "yes"}, "Expected `bool`"),
        ({"env": {"A": 1}}, "Expected `str`"),
    ],
)
def test_what_a_config_cannot_mean_is_named_with_its_test(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    configured(tmp_path, **changes)

    with pytest.raises(UsageError) as caught:
        read_test(str(tmp_path / "molotov.json"), "big")

    assert said in str(caught.value)
    assert caught.value.where.endswith("molotov.json, test 'test'")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"molotov": {}}', '{"molotov": {"tests": 1}}']
)
def test_what_is_no_config_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "molotov.json"
    path.write_text(content)

    with pytest.raises(UsageError) as caught:
        read_test(str(path), "test")

    assert caught.value.slug == "load/config"


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"workers": 0}, [], "0 is not in the range x>=1"),
        ({}, ["tset"], "Did you mean 'test'? Known: big, test."),
        ({}, ["big"], "--statsd is not supported (load/unsupported)"),
        ({}, ["-q", "-v"], "exclude each other"),
    ],
)
def test_a_config_is_no_way_around_what_the_command_refuses(
    tmp_path: Path, changes: dict[str, Any], arguments: list[str], said: str
) -> None:
    configured(tmp_path, **changes)

    code, output = harness(tmp_path, "http://127.0.0.1:1", "--config", "molotov.json", *arguments)

    assert code == 64, output
    assert said in output


def test_the_page_says_the_figures_that_hold() -> None:
    page = " ".join(" ".join(page.read_text() for page in PAGES).split())

    assert f"visits under way have {DRAIN_S:g} s" in page
    assert f"cancelled {DRAIN_S:g} s after the end" in page
    assert f"{DEFAULT_DURATION_S} s where there is neither it nor a count" in page
    assert f"it says so every {_EVERY_S:g} s" in page


def test_every_option_of_molotov_is_one_of_this_command_or_the_page_says_that_it_is_not() -> None:
    ours = {option for param in verb.params for option in param.opts}
    options = {option for action in _parser()._actions for option in action.option_strings}

    assert options - ours == {"-h", "--help", "--version"}
    keys = {action.dest for action in _parser()._actions} - {"help", "version", "config"}
    assert keys - set(Test.__struct_fields__) == set()
    assert {f"--{name}" for name in UNSUPPORTED} <= ours
