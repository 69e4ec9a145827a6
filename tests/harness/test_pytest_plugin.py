"""The plugin in a pytest of its own: what it records, and that unused it is not felt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import facts as noted
from harness.judge.functional import judge
from harness.verdict import Outcome
from tests.harness.suite import (
    APP,
    LOOP,
    PART,
    REACHING,
    Suite,
    outcome_of,
    outcomes_in,
    problems_in,
)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def test_a_test_that_reaches_its_target_is_recorded_and_passes(suite: Suite) -> None:
    suite.write("test_a.py", REACHING)

    facts = suite.recorded()

    assert outcomes_in(facts) == {"test_a.py::test_index": "passed"}
    assert outcome_of(facts) is Outcome.PASS


@pytest.mark.parametrize("option", ["--setup-only", "--setup-plan", "--collect-only"])
def test_a_test_that_was_not_called_has_not_passed(suite: Suite, option: str) -> None:
    suite.write("test_a.py", "def test_a():\n    assert 0\n")

    facts = suite.recorded(option)

    assert outcomes_in(facts) == {}
    assert outcome_of(facts) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "conftest",
    [
        "def pytest_runtest_protocol(item):\n    return item.name == 'test_bad' or None\n",
        "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n",
        "def pytest_sessionfinish():\n    raise ValueError\n",
        "def pytest_unconfigure():\n    raise ValueError\n",
    ],
)
def test_a_session_that_leaves_tests_out_or_ends_badly_is_unknown(
    suite: Suite, conftest: str
) -> None:
    bad = "def test_bad():\n    assert 'protocol' not in open('conftest.py').read()\n"
    suite.write("test_a.py", REACHING + bad)
    suite.write("conftest.py", conftest)

    assert outcome_of(suite.recorded()) is Outcome.UNKNOWN


def test_a_session_that_a_test_ends_early_is_unknown_although_pytest_exits_0(suite: Suite) -> None:
    end = "def test_end():\n    import pytest\n    pytest.exit('enough', returncode=0)\n"
    suite.write("test_a.py", f"{REACHING}\n{end}\ndef test_more():\n    assert 0\n")

    assert outcome_of(suite.recorded()) is Outcome.UNKNOWN


def test_a_module_that_skips_itself_is_recorded_with_its_reason(suite: Suite) -> None:
    suite.write("test_a.py", REACHING)
    suite.write("test_b.py", "import pytest\npytest.skip('no docker', allow_module_level=True)\n")

    facts = suite.recorded()

    assert outcomes_in(facts) == {"test_a.py::test_index": "passed", "test_b.py": "skipped"}
    judgement, _ = judge(PART, facts)
    assert [omission.why for omission in judgement.not_checked] == ["skipped: no docker"]
    assert outcome_of(facts) is Outcome.PASS


def test_a_suite_whose_only_module_skips_itself_has_no_test_that_ran(suite: Suite) -> None:
    suite.write("test_a.py", "import pytest\npytest.importorskip('nowhere_at_all')\n")

    judged = suite.judged()

    assert (judged.outcome, judged.slugs) == (Outcome.UNKNOWN, ["functional/none-ran"])


def test_a_subtest_that_is_skipped_does_not_skip_its_test(suite: Suite) -> None:
    if int(pytest.__version__.partition(".")[0]) < 9:
        pytest.skip("pytest has subtests from 9 on")
    suite.write(
        "test_a.py",
        "import pytest\n\n\ndef test_a(subtests):\n    for n in (1, 2):\n"
        "        with subtests.test(n=n):\n            if n == 1: pytest.skip('one')\n",
    )

    assert outcomes_in(suite.recorded()) == {"test_a.py::test_a": "passed"}


def test_a_message_with_a_lone_surrogate_is_recorded(suite: Suite) -> None:
    suite.write("test_a.py", 'def test_a():\n    raise ValueError("\\udcff")\n')

    facts = suite.recorded()

    assert outcomes_in(facts) == {"test_a.py::test_a": "failed"}
    assert outcome_of(facts) is Outcome.FAIL


def test_a_misspelt_application_is_told_although_no_test_uses_it(suite: Suite) -> None:
    suite.write("test_a.py", "def test_a():\n    pass\n")

    facts = suite.recorded(app="apq:app")

    assert [(p.slug, p.exit_code) for p in problems_in(facts)] == [("target/no-module", 64)]


def test_an_application_may_run_a_loop_while_it_is_imported(suite: Suite) -> None:
    suite.write("app.py", f"import asyncio\nasyncio.run(asyncio.sleep(0))\n{APP}")
    suite.write("test_a.py", REACHING)

    assert outcome_of(suite.recorded()) is Outcome.PASS


def test_a_process_that_is_gone_at_once_leaves_its_scratch_files_in_the_run_folder(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    suite.write("test_a.py", "import os\n\n\ndef test_a():\n    os._exit(0)\n")

    facts = suite.recorded()

    assert outcome_of(facts) is Outcome.UNKNOWN
    assert list(elsewhere.glob("harness-*")) == []


def test_where_the_harness_is_not_used_pytest_is_as_it_is_without_it(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        "import pytest\n\n\n@pytest.fixture\ndef client():\n    return 5\n\n\n"
        "def pytest_configure(config):\n    config.addinivalue_line('markers', 'stubs: mine')\n",
    )
    suite.write(
        "test_a.py",
        "import pytest\n\n\n@pytest.mark.stubs('mine')\ndef test_a(client):\n"
        "    assert client == 5\n\n\ndef test_b(request):\n"
        "    request.getfixturevalue('webtest')\n",
    )

    for asked in (["--collect-only"], ["--fixtures"], ["--markers"], ["-v", "--durations=0"]):
        options = (*asked, "--strict-markers", "-W", "error", *LOOP)
        told = [suite.pytest(*options, *without) for without in ([], ["-p", "no:harness"])]
        (code, output), (other_code, other_output) = told
        assert code == other_code
        assert comparable(output) == comparable(other_output)


def comparable(output: str) -> list[str]:
    """Leave out the plugins' names and what is measured in seconds."""
    lines = [line for line in output.splitlines() if not line.startswith("plugins: ")]
    return sorted(re.sub(r"\d+\.\d+s|0x\w+", "", line) for line in lines)


def test_where_the_harness_is_not_used_nothing_of_it_is_imported(suite: Suite) -> None:
    suite.write(
        "test_a.py",
        "import sys\n\n\ndef test_a():\n"
        "    mine = {name for name in sys.modules if name.startswith('harness')}\n"
        "    assert mine == {'harness', 'harness.pytest_plugin'}\n"
        "    assert 'quart' not in sys.modules\n",
    )

    code, output = suite.pytest(*LOOP)

    assert code == 0, output


def test_where_there_is_a_plan_plain_pytest_has_the_client(suite: Suite) -> None:
    suite.write("harness.toml", '[services.app]\napp = "app:app"\n')
    suite.write("test_a.py", f"import pytest\n\n\n@pytest.mark.asyncio{REACHING}")

    code, output = suite.pytest("-W", "error", "-o", "asyncio_mode=strict", *LOOP)

    assert code == 0, output


def test_a_module_that_cannot_be_imported_is_told_in_the_words_of_its_error(suite: Suite) -> None:
    suite.write("test_a.py", "import nowhere_at_all\n")

    (problem,) = problems_in(suite.recorded())

    assert problem.message == "ModuleNotFoundError: No module named 'nowhere_at_all'"


BREAKS = """
import socket

from quart import Quart

app = Quart(__name__)


@app.get("/")
async def index():
    try:
        socket.getaddrinfo("api.example.org", 443)
    except OSError as error:
        raise LookupError("no weather") from error


@app.get("/calm")
async def calm():
    try:
        socket.getaddrinfo("api.example.org", 443)
    except OSError:
        return "calm"
"""


@pytest.mark.parametrize("target", ["inproc", "served"])
def test_an_exception_behind_a_status_is_part_of_the_failure(suite: Suite, target: str) -> None:
    suite.write("app.py", BREAKS)
    suite.write("test_a.py", REACHING)

    said = suite.judged(target=target).said

    assert "meanwhile app.py:14 raised LookupError: no weather" in said
    assert "outside call to api.example.org:443" in said


def test_a_failure_outside_the_project_is_told_at_the_test_s_own_line(suite: Suite) -> None:
    suite.write("app.py", BREAKS)
    suite.write(
        "test_a.py",
        "import json\n\n\ndef test_json():\n    x = 1\n    json.loads('{')\n\n\n"
        "async def test_calm(client):\n    await client.get('/calm')\n",
    )

    tested = [fact for fact in suite.recorded() if isinstance(fact, noted.Tested)]

    assert [test.where for test in tested] == ["test_a.py:6", "test_a.py:9"]
    assert [test.outcome for test in tested] == ["failed", "failed"]


STOPS_BADLY = """

@app.after_serving
async def stop():
    raise OSError("no disk")
"""


@pytest.mark.parametrize("target", ["inproc", "served"])
def test_a_shut_down_that_raises_is_seen_in_plain_pytest(suite: Suite, target: str) -> None:
    suite.write("app.py", APP + STOPS_BADLY)
    suite.write("test_a.py", REACHING)

    code, output = suite.pytest(
        "--asyncio-mode=auto", "--harness-app=app:app", f"--harness-target={target}", *LOOP
    )

    assert code == 1
    assert "1 passed, 1 error" in output
    assert "app did not shut down well: no disk" in output


def test_a_shut_down_that_raises_is_recorded_and_no_test_is_blamed(suite: Suite) -> None:
    suite.write("app.py", APP + STOPS_BADLY)
    suite.write("test_a.py", REACHING)

    facts = suite.recorded()

    assert [f.slug for f in facts if isinstance(f, noted.Surprise)] == ["target/shut-down"]
    assert outcomes_in(facts) == {"test_a.py::test_index": "passed"}
    assert outcome_of(facts) is Outcome.FAIL


def test_a_module_of_the_tests_is_not_taken_for_the_application(suite: Suite) -> None:
    suite.write("tests/app.py", "app = None")
    suite.write("tests/test_a.py", f"import app\n{REACHING}")

    (found,) = problems_in(suite.recorded())

    assert found.slug == "target/other-module"
    assert str(suite.root / "tests" / "app.py") in found.message
    assert found.exit_code == 64
