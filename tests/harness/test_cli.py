"""The command line as a user has it: a process, its output, its exit code, what it leaves."""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli.request import Live
from tests.harness.project import Project
from tests.harness.project import clean as _clean

GATES = ("--limit", "security.high == 0", "--limit", "security.medium == 0")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_healthy_project_passes_with_the_verdict_on_the_first_line(project: Project) -> None:
    code, output = project.harness("run", "--json", "out.json")

    assert code == 0, output
    assert "\nPASS: 4 tests passed (inproc and served); 40 visits under load; 4 limits" in output
    record = json.loads((project.root / "out.json").read_text())
    assert record["outcome"] == "PASS"
    assert record == project.record()
    assert [row["target"] for row in record["functional"]] == ["inproc", "served"]
    assert {row["name"]: row["outcome"] for row in record["gates"]}.popitem()[1] == "PASS"
    assert record["not_checked"] == []
    (page,) = (project.root / "reports").glob("*/report.html")
    assert page.stat().st_size < 300_000


@pytest.mark.parametrize(
    ("verb", "name", "old", "new", "said"),
    [
        ("test", "shop.py", '"world"}', '"world"}, 202', "tests/test_shop.py:5"),
        ("load", "shop.py", "SLOW_S = 0", "SLOW_S = 3", "p50 < 2s"),
        ("gates", "shop.py", "SLOW_S = 0", "SLOW_S = eval('0')", "shop.py:8"),
        (
            "load",
            "mix.py",
            "== 15",
            "== 16",
            "weather failed before the load, which was not driven: assertion",
        ),
        ("test", "weather.toml", '"/now"', '"/then"', "path: wanted /then, got /now"),
        ("run", "tests/test_shop.py", "async def test_the_w", "async def _", "coverage.lines"),
    ],
)
def test_a_planted_fault_fails_and_the_message_names_its_place(
    project: Project, verb: str, name: str, old: str, new: str, said: str
) -> None:
    project.change(name, old, new)
    if verb == "run":
        project.drop("load.mix")

    code, output = project.harness(verb, *GATES if verb == "gates" else ())

    assert code == 1, output
    assert said in output


def test_a_closure_of_twenty_branches_fails(project: Project) -> None:
    branches = "\n".join(f"        if request == {n}: return {n}" for n in range(20))
    project.change(
        "shop.py", "    return app", f"    def inner(request):\n{branches}\n    return app"
    )

    code, output = project.harness("gates", "shop.py", "--limit", "complexity.max <= 10")

    assert code == 1
    assert "create_app.inner" in output
    assert "measured 21, limit 10" in output


def test_a_stub_that_the_plan_names_and_no_file_has_cannot_be_understood(project: Project) -> None:
    project.change("weather.toml", 'name = "now"', 'name = "then"')

    code, output = project.harness("run")

    assert code == 64, output
    assert "no stub 'now'" in output
    assert "Known: then" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--plan", "nowhere.toml"], "there is no plan"),
        (["test", "nowhere"], "there is no 'nowhere'"),
        (["test", "tests", "--target", "outer"], "unknown target 'outer'"),
        (["test", "tests", "--app", "shop app"], "cannot read the import string"),
        (["test", "tests", "--app", "shopp:app"], "there is no module 'shopp'"),
        (["test", "tests", "--app", "shop:create"], "Did you mean 'create_app'?"),
        (["test", "tests", "--app", "shop:SLOW_S"], "not an ASGI application"),
        (["load", "nowhere.py"], "there is no scenario file"),
        (["load", "weather.toml", "--target", "http://127.0.0.1:9"], "weather.toml"),
        (["load", "mix.py", "--target", "http://192.0.2.1"], "--allow-host 192.0.2.1"),
        (["load", "mix.py", "--target", "127.0.0.1:5000"], "with its scheme"),
        (["load", "mix.py", "--target", ""], "cannot read the address"),
        (["load", "mix.py", "--objective", "p9x < 1s"], "expected an indicator; found 'p9x'"),
        (["load", "mix.py", "--rate", "5", "-w", "2"], "choose one"),
        (["load", "mix.py", "--pace", "5/s for 9s", "-w", "2"], "--pace says all of a pace"),
        (["load", "mix.py", "--pace", "ramp 0->5/s"], "expected 'over' and a duration"),
        (["gates", "nowhere"], "there is no 'nowhere'"),
        (["gates", "shop.py", "--limit", "complexity <= 3"], "complexity.max"),
        (["gatse"], "gates"),
        (["run", "--nope"], "--nope"),
        (["run", "--reports", "harness.toml"], "cannot be written"),
        (["report", "--json"], "requires an argument"),
    ],
)
def test_what_cannot_be_understood_exits_64_with_one_message(
    project: Project, arguments: list[str], said: str
) -> None:
    code, output = project.harness(*arguments)

    assert code == 64, output
    assert said in output
    assert "Traceback" not in output


def test_an_empty_plan_cannot_be_understood(project: Project) -> None:
    (project.root / "harness.toml").write_text("")

    assert project.harness("run")[0] == 64


def test_outside_a_project_the_message_says_what_to_type(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run"],
        cwd=tmp_path, env=_clean(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 64
    assert "harness test PATH --app module:attr" in done.stderr


def test_a_dead_port_is_unknown(project: Project) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"

        code, output = project.harness("load", "mix.py", "--target", url, "-d", "2")

    assert code == 2
    assert "nothing answers" in output
    assert url in output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def create_app():", "1 / 0\ndef create_app():", "ZeroDivisionError"),
        ("    return app", "    raise RuntimeError('no settings')", "no settings"),
        (
            "    return app",
            "    @app.before_serving\n    async def start(): raise OSError('no database')\n"
            "    return app",
            "no database",
        ),
    ],
)
def test_a_service_that_does_not_start_is_unknown_in_every_part(
    project: Project, old: str, new: str, said: str
) -> None:
    project.change("shop.py", old, new)

    for arguments in (["test"], ["load"]):
        code, output = project.harness(*arguments)
        assert code == 2, output
        assert said in output


def test_a_test_file_that_cannot_be_imported_is_unknown_although_others_pass(
    project: Project,
) -> None:
    (project.root / "tests" / "test_more.py").write_text("import nowhere_at_all\n")

    code, output = project.harness("test", "--target", "inproc")

    assert code == 2
    assert "tests/test_more.py" in output
    assert "nowhere_at_all" in output


def test_a_conftest_that_cannot_be_imported_is_named_as_what_stopped_pytest(
    project: Project,
) -> None:
    (project.root / "tests" / "conftest.py").write_text("import nowhere_at_all\n")

    code, output = project.harness("test", "--target", "inproc")

    assert code == 2
    assert "before it recorded anything: a conftest.py" in output


def test_a_handler_that_ends_the_process_is_unknown_and_its_test_can_be_found(
    project: Project,
) -> None:
    project.change("shop.py", 'os.environ["WEATHER_URL"]', "os._exit(0)")

    code, output = project.harness("test", "--target", "served")

    assert code == 2
    assert "ended with code 0 in the test after tests/test_shop.py::test_the_index" in output


def test_a_suite_that_skips_everything_is_unknown(project: Project) -> None:
    project.change(
        "tests/test_shop.py", "async def", "import pytest\n\n\n@pytest.mark.skip('x')\nasync def"
    )

    assert project.harness("test", "--target", "inproc")[0] == 2
    assert not list(project.root.glob("reports/*/coverage/.*"))  # which no gate could ask for


def test_a_scenario_that_always_fails_exits_1_quietly_or_not(project: Project) -> None:
    project.change("mix.py", "== 200", "== 500")
    arguments = ["load", "mix.py", "-d", "1", "--app", "shop:create_app()"]

    code, output = project.harness(*arguments)

    assert code == 1
    assert "mix.py:12 (load/rehearsal-failed)" in output


def test_a_load_that_stops_at_a_failure_that_is_tolerated_has_not_passed(project: Project) -> None:
    project.change("mix.py", "URL =", "SEEN = []\nURL =")
    project.change("mix.py", "== 200", "== 200\n        SEEN.append(1)\n        assert SEEN == [1]")

    code, output = project.harness("load", "mix.py", "-x", "-f", "9", "-d", "30", "-q")

    assert code == 2, output
    assert "it ended at its first failed visit" in output


@pytest.mark.parametrize(("every_s", "told"), [(0, "9 s left\n8 s left\n"), (1e9, "")])
def test_how_far_a_run_is_is_a_line_now_and_then_but_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], every_s: float, told: str
) -> None:
    monkeypatch.setattr("harness.cli.request._EVERY_S", every_s)
    log, terminal = Live(), Live(rewriting=True)

    log("9 s left")
    log("8 s left")
    assert capsys.readouterr().err == told
    terminal("9 s left")
    assert capsys.readouterr().err == "\r9 s left"  # and what clears the line, on a terminal


@pytest.mark.parametrize(("term", "obeys"), [("dumb", False), ("xterm", True)])
def test_only_a_terminal_that_knows_escape_sequences_gets_any(
    project: Project, term: str, obeys: bool
) -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "gates", "--limit", "security.high == 0"],
        cwd=project.root, env={**_clean(), "TERM": term}, stdout=theirs, stderr=theirs, check=False,
    )  # fmt: skip
    os.close(theirs)
    output = os.read(ours, 10_000)
    os.close(ours)

    assert done.returncode == 0
    assert b"1 limit kept" in output
    assert (b"\x1b" in output) is obeys


def test_a_quiet_load_prints_its_verdict_and_nothing_before_it(project: Project) -> None:
    code, output = project.harness("load", "mix.py", "-r", "2", "-q")

    assert code == 0
    assert output.startswith("PASS: 2 visits under load\n")


def test_an_outside_call_fails_the_test_that_made_it_and_names_the_host(project: Project) -> None:
    project.change("shop.py", 'os.environ["WEATHER_URL"]', '"http://weather.example.org"')

    code, output = project.harness("test", "--target", "served")

    assert code == 1
    assert "weather.example.org" in output


def test_a_stub_that_a_test_selected_and_did_not_use_fails_it(project: Project) -> None:
    project.change(
        "tests/test_shop.py",
        "async def test_the_index",
        'import pytest\n\n\n@pytest.mark.stubs("weather.now")\nasync def test_the_index',
    )

    code, output = project.harness("test", "--target", "inproc")

    assert code == 1
    assert "selected the stub weather.now (weather.toml:2), and nothing called it" in output


def test_a_crash_of_our_own_is_unknown_and_not_a_traceback(project: Project) -> None:
    (project.root / "sitecustomize.py").write_text(
        "import harness.judge.whole\n"
        "def crash(*arguments): raise KeyError('ours')\n"
        "harness.judge.whole.fold = crash\n"
    )

    code, output = project.harness("gates", "shop.py", PYTHONPATH=str(project.root))

    assert code == 2
    assert "UNKNOWN" in output
    assert "the harness itself failed" in output
    assert "Traceback" not in output


def test_a_run_can_be_judged_again_from_its_folder_alone(project: Project) -> None:
    project.harness("gates", "shop.py", "--limit", "complexity.max <= 10")
    (folder,) = (project.root / "reports").iterdir()
    before = (folder / "record.json").read_bytes()
    (folder / "record.json").unlink()
    moved = folder.rename(project.root / "elsewhere")
    (project.root / "shop.py").unlink()

    code, _ = project.harness("report", "elsewhere")

    assert code == 0
    assert (moved / "record.json").read_bytes() == before


def test_commands_of_one_run_share_a_folder_and_the_report_misses_what_was_not_run(
    project: Project,
) -> None:
    shared = {"HARNESS_RUN": "one"}

    assert project.harness("test", "--target", "inproc", **shared)[0] == 0
    assert list(project.root.glob("reports/one/coverage/.*"))
    code, output = project.harness("report", **shared)

    assert code == 2
    assert "no evidence of functional-served" in output
    assert "no evidence of load-mix" in output
    assert project.harness("test", "--target", "inproc", **shared)[0] == 64


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 2)])
def test_a_python_of_the_matrix_that_is_not_there_is_noted_and_in_ci_unknown(
    project: Project, ci: str, code: int
) -> None:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    project.change("harness.toml", "[tests]", f'[tests]\npythons = ["{own}", "3.99"]')
    project.drop("load.mix", "gates")
    shared = {"HARNESS_RUN": "one", "CI": ci}
    project.harness("test", **shared)

    found, output = project.harness("report", **shared)

    assert found == code
    assert "no test ran on Python 3.99" in output
    assert f"no test ran on Python {own}" not in output


def test_evidence_about_other_code_does_not_join_a_run(project: Project) -> None:
    project.harness("test", "--target", "inproc", HARNESS_RUN="one")
    project.change("shop.py", "world", "moon")

    code, output = project.harness("gates", HARNESS_RUN="one")

    assert code == 64
    assert "the code has changed" in output


def test_a_report_without_a_run_is_unknown(project: Project) -> None:
    code, output = project.harness("report")

    assert code == 2
    assert "harness run" in output


@pytest.mark.parametrize(
    ("arguments", "at"),
    [
        (["run"], "functional tests, inproc"),
        (["test", "--target", "served"], "functional tests, served"),
        (["load"], "load mix"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_process_and_a_readable_folder(
    project: Project, arguments: list[str], at: str, number: signal.Signals
) -> None:
    project.change("harness.toml", "for 1s", "for 30s")
    if at.startswith("functional"):
        project.change("shop.py", "SLOW_S = 0", "SLOW_S = 30")
    process = project.start(*arguments)
    assert process.stdout is not None
    seen = ""
    while at not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    time.sleep(0.5)
    process.send_signal(number)
    rest, _ = process.communicate(timeout=40)

    assert process.returncode == 130, seen + rest
    assert _left_in(project.root) == []
    assert project.record()["outcome"] in ("UNKNOWN", "FAIL")
    assert project.harness("report")[0] in (1, 2)


def test_an_interrupted_load_is_judged_by_what_there_is(project: Project) -> None:
    project.change("harness.toml", "for 1s", "for 60s")
    process = project.start("load")
    deadline = time.monotonic() + 60
    while not any(b'"started":' in path.read_bytes() for path in _generated(project)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 130, output
    record = project.record()
    assert record["outcome"] == "UNKNOWN"
    assert record["loads"][0]["visits_started"] > 0
    visits = [row for row in record["load"] if row["step"] is None]
    assert sum(row["ok"] for row in visits) == record["loads"][0]["visits_started"]
    assert {"load/objective-met", "load/cut-short"} <= {one["slug"] for one in record["findings"]}


def _generated(project: Project) -> list[Path]:
    return list((project.root / "reports").glob("*/load-mix.0.jsonl"))


def test_a_killed_run_leaves_no_process_and_a_readable_folder(project: Project) -> None:
    project.change("harness.toml", "for 1s", "for 30s")
    process = project.start("load")
    assert process.stdout is not None
    while "load mix" not in process.stdout.readline():
        pass
    time.sleep(3)
    process.kill()
    process.communicate(timeout=20)

    deadline = time.monotonic() + 15
    while _left_in(project.root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _left_in(project.root) == []
    code, output = project.harness("report")
    assert code == 2
    assert "did not end by itself" in output


def _left_in(folder: Path) -> list[str]:
    """Return the command lines of processes whose working directory is `folder`."""
    found = subprocess.run(
        ["ps", "-axo", "pid=,command="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in found if str(folder) in line and "ps -axo" not in line]


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/b", "..", " "])
def test_a_shared_run_cannot_leave_the_reports_folder(project: Project, name: str) -> None:
    before = sorted(project.root.parent.iterdir())

    code, output = project.harness("gates", "shop.py", HARNESS_RUN=name)

    assert code == 64, output
    assert "a run cannot be called" in output
    assert sorted(project.root.parent.iterdir()) == before
    assert not (project.root / "reports").exists()


@pytest.mark.parametrize("given", [None, "", "mine"])
def test_all_environments_of_a_tox_call_share_a_run_that_has_a_name(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.setenv("HARNESS_RUN", given or "")
    if given is None:
        monkeypatch.delenv("HARNESS_RUN")

    runpy.run_path(str(Path(__file__).parents[2] / "toxfile.py"))

    named = os.environ["HARNESS_RUN"]
    assert named == given if given else re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", named)


@pytest.mark.parametrize("arguments", [(), ("--debug",)])
def test_without_a_verb_the_help_is_printed_and_nothing_was_understood(
    project: Project, arguments: tuple[str, ...]
) -> None:
    code, output = project.harness(*arguments)

    assert code == 64
    assert output == project.harness("--help")[1]


@pytest.mark.parametrize(
    ("old", "new", "slug"),
    [
        ('paths = ["tests"]', 'paths = ["test"]', "functional/no-path"),
        ('"mix.py"', '"mux.py"', "load/scenario-file"),
        ('paths = ["shop.py"]', 'paths = ["shp.py"]', "gates/no-path"),
    ],
)
def test_what_a_plan_names_and_is_not_there_is_told_before_anything_runs(
    project: Project, old: str, new: str, slug: str
) -> None:
    project.change("harness.toml", old, new)

    code, output = project.harness("run")

    assert code == 64
    assert f"({slug})\n  next: Did you mean" in output
    assert not (project.root / "reports").exists()


def test_a_failed_test_says_which_outside_call_had_no_answer(project: Project) -> None:
    project.change("weather.toml", 'path = "/now"', 'path = "/then"')
    project.change("tests/test_shop.py", 'assert await (await client.get("/weather")).get_json()',
                   'assert (await client.get("/weather")).status_code')  # fmt: skip

    _, output = project.harness("test", "--target", "inproc", "-k", "weather")

    assert "FAIL     tests/test_shop.py:10 (functional/failed)" in output
    assert "no stub answers GET /now" in output.partition("FAIL: ")[2]


def test_a_test_that_only_a_surprise_fails_is_named_by_its_own_line(project: Project) -> None:
    project.change("weather.toml", 'path = "/now"', 'path = "/then"')
    asserted = 'assert await (await client.get("/weather")).get_json() == {"celsius": 15}'
    project.change("tests/test_shop.py", asserted, 'await client.get("/weather")')

    _, output = project.harness("test", "--target", "inproc", "-k", "weather")

    assert "FAIL     tests/test_shop.py:9 (functional/failed)" in output


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_without_standard_streams_is_like_any_other(project: Project, closed: str) -> None:
    command = f"{sys.executable} -m harness test --target inproc --json out.json {closed}"

    done = subprocess.run(command, shell=True, cwd=project.root, env=_clean(), check=False)

    assert done.returncode == 0
    assert json.loads((project.root / "out.json").read_text())["outcome"] == "PASS"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_verdict_that_cannot_be_printed_is_told_and_is_no_success(project: Project) -> None:
    command = f"{sys.executable} -m harness gates --limit 'security.high == 0' > /dev/full"

    done = subprocess.run(
        command, shell=True, cwd=project.root, env=_clean(), stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "the verdict could not be printed: No space left on device" in done.stderr
    assert "next: harness report" in done.stderr


def test_a_warm_up_and_what_it_leaves_of_a_load_are_asked_of_the_command(project: Project) -> None:
    typed = ("load", "mix.py", "-q", "-w", "1", "-d", "1", "--warm-up")

    code, output = project.harness(*typed, "1")
    assert (code, "(load/warm-up)" in output) == (64, True)
    code, output = project.harness(*typed, "0.5")
    assert code == 0, output
    (told,) = [one["what"] for one in project.record()["not_checked"] if "warm-up" in one["what"]]
    assert "0.5 s of warm-up" in told
