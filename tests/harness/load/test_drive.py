"""Whole loads: a parent, a host and its generators, against a server on loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.demand import Load
from harness.errors import HarnessError, TargetError, UsageError
from harness.evidence import Facts
from harness.facts import Begun, Failed, LoadBegun, LoadStopped, Problem, Rehearsed, Surprise
from harness.load.drive import drive, pace_text
from harness.pace import parse_pace
from harness.snapshot import Snapshot
from harness.tally import Tally, merged

from .conftest import Service

SCENARIO = """
import os
from molotov import scenario

TARGET = os.environ["HARNESS_TARGET"]

@scenario(weight=1)
async def visit(session):
    async with session.get(f"{TARGET}/things/1") as response:
        assert response.status == 200
"""
SLOW = """
import asyncio
from molotov import scenario

@scenario()
async def visit(session):
    await session.get("/")
    await asyncio.sleep(0.5)
"""
WAIT_S = 20


class Project:
    """A folder with a scenario file and a run folder; `drive` runs a load there."""

    def __init__(self, root: Path, service: Service) -> None:
        self.root = root
        self.folder = root / "run"
        self.folder.mkdir()
        self.file = root / "mix.py"
        self.target = service.url

    def drive(self, text: str, pace: str, **options: Any) -> None:
        self.file.write_text(text)
        more = {key: options.pop(key) for key in ("allow_hosts", "rebase", "progress", "target")
                if key in options}  # fmt: skip
        drive(
            Load("mix", "mix.py", parse_pace(pace), (), **options),
            folder=self.folder, root=self.root, env=os.environ, **{"target": self.target, **more},
        )  # fmt: skip

    def facts(self, kind: type[Any]) -> list[Any]:
        found = Facts.read(self.folder)
        assert not found.unreadable
        return [fact for facts in found.by_part.values() for fact in facts
                if isinstance(fact, kind)]  # fmt: skip

    @property
    def last(self) -> dict[int, Snapshot]:
        return {fact.process: fact for fact in self.facts(Snapshot)}

    @property
    def tallies(self) -> dict[tuple[str, str | None], Tally]:
        return merged(fact.tally() for one in self.facts(Snapshot) for fact in one.tallies)

    @property
    def log(self) -> str:
        return (self.folder / "logs" / "load-mix.log").read_text()

    def pid(self, part: str) -> int:
        """Return the process that writes a part, once it does."""
        return until(
            lambda: next((f.pid for f in self.facts(Begun) if f.part == f"load-mix{part}"), None)
        )


@pytest.fixture
def project(tmp_path: Path, service: Service) -> Project:
    return Project(tmp_path, service)


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (answer := found()):
        assert time.monotonic() < deadline, "this did not happen"
        time.sleep(0.02)
    return answer


def group(leader: int) -> list[str]:
    """Return the processes of a group that are alive: a zombie is not."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat=,pid="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [pid for pgid, stat, pid in rows if pgid == str(leader) and not stat.startswith("Z")]


@pytest.fixture
def background(project: Project) -> Iterator[Callable[[str, str], subprocess.Popen[bytes]]]:
    """Drive a load in a process of its own, which may be interrupted or killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(text: str, pace: str) -> subprocess.Popen[bytes]:
        project.file.write_text(text)
        program = (
            "import os, pathlib\n"
            "from harness.load.drive import drive\n"
            "from harness.pace import parse_pace\n"
            "from harness.demand import Load\n"
            f"drive(Load('mix', 'mix.py', parse_pace({pace!r}), ()), target={project.target!r},\n"
            f"      folder=pathlib.Path({str(project.folder)!r}), env=os.environ,\n"
            f"      root=pathlib.Path({str(project.root)!r}))\n"
        )
        started.append(subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_two_processes_make_the_visits_between_them(project: Project, service: Service) -> None:
    told: list[str] = []

    project.drive(SCENARIO, "50/s for 1500ms", processes=2, progress=told.append)

    assert sum(one.started for one in project.last.values()) == 75
    assert sorted(one.started for one in project.last.values()) == [37, 38]
    assert all(one.final for one in project.last.values())
    assert project.tallies["visit", None].ok == 75
    assert project.tallies["visit", "GET /things/{}"].ok == 75
    assert len(service.paths) == 76  # and the one before the load, which showed that it can pass
    assert project.facts(Rehearsed) == [Rehearsed(scenario="visit", visits=1, outcome="passed")]
    assert re.fullmatch(r"load mix: (1 s left, \d+ visits, 0 failed|setting up)", told[0])
    (begun,) = project.facts(LoadBegun)
    assert (begun.asked_rate, begun.visits, begun.processes) == (50.0, 75, 2)
    assert begun.pace == "50/s for 1.5s"
    assert not project.facts(Problem)
    assert not project.facts(Failed)


def test_workers_are_counted_for_each_process(project: Project) -> None:
    project.drive(SCENARIO, "2 workers for 20s", processes=2, max_runs=3)

    assert project.tallies["visit", None].ok == 12
    (begun,) = project.facts(LoadBegun)
    assert (begun.asked_rate, begun.visits) == (None, 12)
    assert begun.pace == "2 workers for 20s, at most 3 visits each"


def test_a_count_is_of_all_processes_together(project: Project, service: Service) -> None:
    project.drive(SCENARIO, "2 workers for 24h", processes=2, visits=7)

    assert len(service.paths) - 1 == project.tallies["visit", None].ok == 7  # one came before
    assert sorted(one.started for one in project.last.values()) == [3, 4]
    (begun,) = project.facts(LoadBegun)
    assert (begun.visits, begun.pace) == (7, "2 workers, at most 7 visits in all")


@pytest.mark.parametrize(
    ("pace", "visits", "asked"),
    [
        ("20/s for 24h", 10, (10, 20.0, 0.5)),
        ("20/s for 1s", 100, (20, 20.0, 1.0)),
        ("ramp 0→20/s over 200ms, hold 400ms", None, (10, 16.67, 0.6)),
    ],
)
def test_what_is_due_is_told_before_it_begins(
    project: Project, pace: str, visits: int | None, asked: tuple[int, float, float]
) -> None:
    project.drive(SCENARIO, pace, visits=visits, in_flight=7)

    (begun,) = project.facts(LoadBegun)
    assert (begun.visits, begun.asked_rate, begun.duration_s) == asked
    assert begun.in_flight == 7
    assert project.tallies["visit", None].ok == asked[0]


def test_rows_for_once_are_one_visits_each_over_all_processes(
    project: Project, service: Service
) -> None:
    (project.root / "ids.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(20)))
    text = (
        "from harness.scenarios import Rows\n"
        "from molotov import scenario\n"
        "ROWS = Rows('ids.csv', once=True)\n"
        "@scenario()\n"
        "async def visit(session):\n"
        "    await session.get(f'/{next(ROWS)[\"id\"]}')\n"
    )

    with pytest.raises(HarnessError, match=r"ids.csv has no row left: \d+ were given") as caught:
        project.drive(text, "1 worker for 60s", processes=3)

    assert caught.value.slug == "load/rows-used-up"
    assert caught.value.where == "mix.py:6"
    assert len(service.paths) == len(set(service.paths)) >= 6
    assert project.tallies["visit", None].sent == len(service.paths) - 1  # one came before


def test_a_load_that_has_lost_an_objective_ends_at_once_if_it_is_to(project: Project) -> None:
    text = f"ANSWERS = []\n{SCENARIO}".replace(
        "assert response.status == 200",
        "ANSWERS.append(response)\n        assert len(ANSWERS) < 3",
    )
    project.drive(text, "20/s for 60s", processes=2, stop_when_lost=True)

    (stopped,) = project.facts(LoadStopped)
    assert stopped.objective == "visit failures == 0"
    assert 0 < stopped.at_s < 30
    assert all(one.final for one in project.last.values())
    assert not project.facts(Problem)


@pytest.mark.parametrize(
    ("pace", "options", "said"),
    [
        ("20/s for 24h", {"visits": 1}, "20/s, at most 1 visit in all"),
        ("poisson 20/s for 1m", {"visits": 9}, "poisson 20/s for 1m, at most 9 visits in all"),
        ("2 workers for 24h", {"max_runs": 1}, "2 workers, at most 1 visit each"),
        ("1 worker for 24h", {"single_run": True}, "1 worker, each scenario once"),
        ("2 workers for 10s", {}, "2 workers for 10s"),
    ],
)
def test_what_was_asked_is_said_without_a_duration_that_nobody_asked_for(
    pace: str, options: dict[str, Any], said: str
) -> None:
    assert pace_text(Load("mix", "mix.py", parse_pace(pace), (), **options)) == said


def test_a_whole_molotov_file_runs_unmodified(project: Project, service: Service) -> None:
    text = (
        SCENARIO
        + """
import molotov

@molotov.global_setup()
def begin(args):
    molotov.set_var("who", f"{args.processes} processes of {args.workers} workers")
    print("global_setup")

@molotov.setup()
async def setup(worker_id, args):
    return {"headers": {"X-Worker": str(worker_id)}}

@molotov.setup_session()
async def setup_session(worker_id, session):
    session.who = molotov.get_var("who")

@molotov.scenario(name="known")
async def second(session):
    context = molotov.get_context(session)
    assert session.who == "1 processes of 1 workers"
    assert (context.worker_id, context.step, context.statsd) == (0, 1, None), context
    assert session.statsd is None
    context.attach("seen", 1)
    molotov.set_var("seen", molotov.get_context(session).seen)
    assert molotov.request(os.environ["HARNESS_TARGET"] + "/")["content"] == "hello"

@molotov.events()
async def listen(event, **info):
    if event == "response_received":
        print(event, info["response"].status, info["request"].url.path)

@molotov.teardown_session()
async def teardown_session(worker_id, session):
    print("teardown_session")

@molotov.teardown()
def teardown(worker_id):
    print("teardown")

@molotov.global_teardown()
def end():
    print("global_teardown", molotov.get_var("seen"))
"""
    )
    project.drive(text, "1 worker for 20s", single_run=True)

    assert project.facts(Failed) == []
    assert project.tallies["known", None].ok == 1
    assert service.paths.count("/things/1") == 1  # a single run is itself the first visit
    said = project.log.split()
    assert said[0] == "global_setup"
    assert said[-2:] == ["global_teardown", "1"]  # of one process: it knows what the visits did
    assert "response_received 200 /things/1" in project.log
    assert "teardown_session\nteardown\n" in project.log


def test_failures_say_what_did_not_hold_and_where(project: Project) -> None:
    after_the_first = "{'/status/503' if seen else '/things/1'}"
    text = SCENARIO.replace("/things/1", after_the_first).replace("@scen", "seen = []\n@scen")
    project.drive(text + "    seen.append(1)\n", "20/s for 500ms")

    assert project.tallies["visit", None].failures == {"assertion": 10}
    assert project.tallies["visit", "GET /status/{}"].statuses == {"503": 10}
    failed = project.facts(Failed)
    assert len(failed) == 5
    assert failed[0].where == "mix.py:11"
    assert failed[0].message == (
        "assert response.status == 200 (last answer: GET /status/{}: 503 hello)"
    )


def test_a_rebased_origin_is_counted_in_the_facts(project: Project, service: Service) -> None:
    text = (
        SCENARIO.replace("{TARGET}", "http://shop.example.org:8080")
        + """
    await session.get("http://localhost:5000/things/2")
    await session.get("/things/3")
"""
    )
    rebase = ("http://shop.example.org:8080", "http://localhost:5000", project.target)
    project.drive(text, "2 workers for 20s", rebase=rebase, max_runs=3)

    counted = sum((Counter(one.rebased) for one in project.facts(Snapshot)), Counter())
    assert counted == {"http://shop.example.org:8080": 6, "http://localhost:5000": 6}
    assert len(service.paths) == 18 + 3  # of the visit before


def test_an_address_at_which_nothing_answers_says_what_it_may_have_meant(project: Project) -> None:
    text = SCENARIO.replace("{TARGET}", "http://localhost:1")
    project.drive(text, "1 worker for 60s")  # which are not waited for

    (failed,) = project.facts(Rehearsed)
    assert (failed.outcome, failed.kind) == ("failed", "refused")
    assert "if it means the target: --rebase http://localhost:1" in failed.message


@pytest.mark.parametrize("where", ["import", "global_setup", "visit", "stream"])
def test_a_call_outside_is_refused_and_named(project: Project, where: str) -> None:
    call = (
        "import socket\n{0}try:\n{0}    socket.create_connection(('192.0.2.1', 80), 1)\n"
        "{0}except OSError: pass\n"
    )
    text = {
        "import": SCENARIO + call.format(""),
        "global_setup": f"{SCENARIO}\nimport molotov\n@molotov.global_setup()\n"
                        f"def begin(args):\n    {call.format('    ')}",
        "visit": f"{SCENARIO}    {call.format('    ')}",
        "stream": f"{SCENARIO}    import asyncio\n    try:\n        await asyncio.open_connection("
                  "'192.0.2.1', 80)\n    except OSError: pass\n",
    }[where]  # fmt: skip
    project.drive(text, "1 worker for 20s", max_runs=2)

    assert project.facts(Failed) == []
    (surprise,) = project.facts(Surprise)
    assert surprise.slug == "load/outside-call"
    assert "192.0.2.1" in surprise.message
    assert project.tallies["visit", None].ok == 2


def test_a_foreign_url_in_a_scenario_stops_the_load_at_once(project: Project) -> None:
    text = SCENARIO.replace('f"{TARGET}/things/1"', '"http://example.org/things"')

    with pytest.raises(UsageError) as caught:
        project.drive(text, "100/s for 60s")

    assert caught.value.slug == "load/foreign-host"
    assert caught.value.where == "mix.py:9"
    assert "http://example.org/things" in caught.value.message
    assert "--allow-host example.org" in caught.value.next_step


def test_a_foreign_target_is_refused_before_anything(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        project.drive(SCENARIO, "1 worker for 1s", target="http://192.0.2.1")

    assert caught.value.slug == "load/foreign-host"


def test_a_target_by_name_is_reached(project: Project) -> None:
    target = project.target.replace("127.0.0.1", "localhost")
    project.drive(SCENARIO, "1 worker for 20s", target=target, max_runs=1)

    assert project.tallies["visit", None].ok == 1


def test_a_target_that_is_no_url_is_a_usage_error(project: Project) -> None:
    with pytest.raises(UsageError, match="localhost:5000"):
        project.drive(SCENARIO, "1 worker for 1s", target="localhost:5000")


def test_a_dead_target_is_named_before_anything_starts(project: Project) -> None:
    with pytest.raises(TargetError) as caught:
        project.drive(SCENARIO, "1 worker for 1s", target="http://127.0.0.1:1")

    assert caught.value.slug == "target/dead"
    assert "http://127.0.0.1:1" in str(caught.value)


@pytest.mark.parametrize(
    ("pace", "options", "said"),
    [
        ("1/s for 1s", {"ramp_up_s": 1.0, "max_runs": 2}, "--ramp-up, --max-runs .* a rate$"),
        ("ramp 0→2/s over 1s", {"delay_s": 1.0}, "--delay .* a rate in stages$"),
        ("ramp 0→2 workers over 1s", {"ramp_up_s": 1.0}, "--ramp-up .* workers in stages$"),
        ("2 workers for 1s", {"in_flight": 7}, "--in-flight cannot be combined with workers$"),
    ],
)
def test_options_that_mean_nothing_at_a_pace_are_refused(
    project: Project, pace: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        project.drive(SCENARIO, pace, **options)

    assert re.search(said, caught.value.message)
    assert caught.value.slug == "load/pace-option"


@pytest.mark.parametrize(
    ("text", "slug", "code"),
    [
        ("", "load/no-scenarios", 64),
        ("raise ValueError('why')", "load/import-failed", 2),
        (SCENARIO + "\nimport molotov\n@molotov.global_setup()\ndef begin(args): 1 / 0\n",
         "load/set-up-failed", 2),
        (SCENARIO + "\nimport molotov\n@molotov.setup()\nasync def begin(w, args): 1 / 0\n",
         "load/set-up-failed", 2),
    ],
)  # fmt: skip
def test_what_the_children_noted_is_raised_here(
    text: str, slug: str, code: int, project: Project
) -> None:
    with pytest.raises(HarnessError) as caught:
        project.drive(text, "2 workers for 60s")

    assert (caught.value.slug, caught.value.exit_code) == (slug, code)
    assert caught.value.where.startswith("mix.py")
    assert [problem.slug for problem in project.facts(Problem)] == [slug]


def test_a_warm_up_is_counted_apart(project: Project) -> None:
    project.drive(SCENARIO, "1 worker for 400ms", warm_up_s=0.2)

    assert project.tallies["visit (warm-up)", None].ok
    assert project.tallies["visit", None].ok


def test_no_scenario_may_be_named_like_a_warm_up(project: Project) -> None:
    named = SCENARIO.replace("weight=1", "name='visit (warm-up)'")

    with pytest.raises(UsageError, match="as if it were a part of the warm-up") as caught:
        project.drive(named, "1 worker for 400ms", warm_up_s=0.2)

    assert (caught.value.slug, caught.value.where) == ("load/warm-up", "mix.py")


def test_a_global_teardown_that_exits_takes_nothing_away(project: Project) -> None:
    text = f"{SCENARIO}\nimport molotov\n@molotov.global_teardown()\ndef end(): raise SystemExit(5)"
    project.drive(text, "1 worker for 9s", max_runs=2)

    assert project.tallies["visit", None].ok == 2


def test_an_unknown_scenario_is_a_usage_error(project: Project) -> None:
    with pytest.raises(UsageError, match="no scenario 'vist'"):
        project.drive(SCENARIO, "1 worker for 1s", single="vist")


def test_a_generator_that_is_killed_is_named_and_the_others_are_counted(project: Project) -> None:
    def kill() -> None:
        pid = project.pid(".1")
        until(lambda: 1 in project.last and 0 in project.last)
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(HarnessError, match="SIGKILL") as caught:
        project.drive(SCENARIO, "20/s for 60s", processes=2)
    killer.join()

    assert caught.value.slug == "load/worker-died"
    assert project.last[0].final
    assert not project.last[1].final
    assert project.last[1].started > 0


def test_a_scenario_that_ends_its_process_is_a_dead_worker(project: Project) -> None:
    with pytest.raises(HarnessError, match="ended by what it executed") as caught:
        project.drive(SCENARIO + "    os._exit(0)\n", "2 workers for 60s")

    assert caught.value.slug == "load/worker-died"


def test_one_ctrl_c_lets_the_visits_end_and_keeps_what_was_counted(
    project: Project, background: Any
) -> None:
    parent = background(SLOW, "20/s for 60s")
    host = project.pid(".host")
    until(lambda: project.last)

    parent.send_signal(signal.SIGINT)
    parent.wait(WAIT_S)

    assert parent.returncode != 0
    assert project.last[0].final
    assert project.tallies["visit", None].ok == project.last[0].started > 0
    assert group(host) == []


@pytest.mark.parametrize(
    ("part", "number", "slug"),
    [
        (".host", signal.SIGINT, "load/interrupted"),
        (".host", signal.SIGTERM, "load/interrupted"),
        (".0", signal.SIGTERM, "load/worker-died"),
    ],
)
def test_a_load_that_a_signal_ends_early_is_no_whole_load(
    part: str, number: signal.Signals, slug: str, project: Project
) -> None:
    def interrupt() -> None:
        pid = project.pid(part)
        until(lambda: project.last)
        os.kill(pid, number)

    killer = threading.Thread(target=interrupt)
    killer.start()
    with pytest.raises(HarnessError, match=number.name) as caught:
        project.drive(SLOW, "2 workers for 60s")
    killer.join()

    assert caught.value.slug == slug


def test_a_second_ctrl_c_cancels_the_visits_and_keeps_what_was_counted(
    project: Project, background: Any
) -> None:
    parent = background(SLOW.replace("0.5", "8"), "20/s for 60s")
    host = project.pid(".host")
    until(lambda: project.last)

    parent.send_signal(signal.SIGINT)
    time.sleep(0.5)
    parent.send_signal(signal.SIGINT)
    parent.wait(5)

    assert project.last[0].final
    assert project.tallies["visit", None].failures == {"unfinished": project.last[0].started}
    assert group(host) == []


def test_a_killed_parent_leaves_no_process_and_what_was_counted(
    project: Project, background: Any
) -> None:
    parent = background(SCENARIO, "20/s for 60s")
    host = project.pid(".host")
    until(lambda: project.last)
    assert len(group(host)) == 3  # the host, its leash and a generator

    parent.kill()

    until(lambda: not group(host))
    assert project.last[0].started > 0
