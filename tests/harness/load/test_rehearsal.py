"""The visits before a load, in this process, against a server on loopback or none at all."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.demand import Load
from harness.evidence import Facts, Part
from harness.facts import Begun, Ended, Fact, LoadBegun, Problem, Rehearsed
from harness.judge.load import judge
from harness.load.board import Board, Stop
from harness.load.job import TRIES, Job
from harness.load.molotov import Scenarios
from harness.load.rehearsal import Rehearsal
from harness.objective import Family, parse_objective
from harness.pace import parse_pace
from harness.verdict import Outcome

from .conftest import Service
from .test_generator import scenarios, visit


def job_of(folder: Path, target: str, *objectives: str, **options: Any) -> Job:
    parsed = tuple(parse_objective(text, Family.LOAD) for text in objectives)
    load = Load("test", "scenarios.py", parse_pace("1 worker for 1s"), parsed, **options)
    return Job.of(load, target=target, root=folder, folder=folder)


async def rehearsed(
    folder: Path, found: Scenarios, *objectives: str, target: str = "http://127.0.0.1:1",
    board: Board | None = None, limit_s: float = 20.0,
) -> dict[str, Rehearsed]:  # fmt: skip
    board = board or Board(1)
    with Part(folder, "load-test.0") as part:
        await Rehearsal(
            job_of(folder, target, *objectives), found, Namespace(), board=board, part=part,
            limit_s=limit_s,
        ).run()  # fmt: skip
    told = {fact.scenario: fact for fact in facts(folder, Rehearsed)}
    assert (board.level > Stop.NO) >= any(one.outcome == "failed" for one in told.values())
    return told


def facts(folder: Path, kind: type[Any]) -> list[Any]:
    return [fact for fact in Facts.read(folder).by_part["load-test.0"] if isinstance(fact, kind)]


async def test_each_scenario_passes_once_and_nothing_stops(
    tmp_path: Path, service: Service
) -> None:
    async def other(session: Any) -> None:
        await session.get("/other")

    board = Board(1)
    told = await rehearsed(tmp_path, scenarios(visit, other), target=service.url, board=board)

    assert {name: (one.outcome, one.visits) for name, one in told.items()} == {
        "visit": ("passed", 1), "other": ("passed", 1),
    }  # fmt: skip
    assert sorted(service.paths) == ["/", "/other"]
    assert board.level == Stop.NO


async def test_one_that_fails_stops_the_load_with_its_place_and_last_answer(
    tmp_path: Path, service: Service
) -> None:
    async def broken(session: Any) -> None:
        async with session.get("/status/503") as response:
            assert response.status == 200

    told = await rehearsed(tmp_path, scenarios(visit, broken), target=service.url)

    assert told["visit"].outcome == "passed"
    assert (told["broken"].outcome, told["broken"].kind) == ("failed", "assertion")
    assert told["broken"].message.startswith("assert response.status == 200")
    assert told["broken"].message.endswith("(last answer: GET /status/{}: 503 hello)")
    assert told["broken"].where.startswith("test_rehearsal.py:")


@pytest.mark.parametrize(
    ("objectives", "outcome", "visits"),
    [
        (("failures <= 5%",), "passed", 3),
        (("completed >= 95%",), "passed", 3),
        (("failures < 2", "p50 < 1s"), "passed", 3),
        ((), "failed", 1),
        (("p50 < 1s",), "failed", 1),
        (("failures == 0",), "failed", 1),
        (("failures < 1",), "failed", 1),
        (("completed == 100%",), "failed", 1),
    ],
)
async def test_a_load_that_tolerates_failures_lets_its_scenarios_try_again(
    tmp_path: Path, objectives: tuple[str, ...], outcome: str, visits: int
) -> None:
    tried: list[int] = []

    async def flaky(session: Any) -> None:
        tried.append(1)
        assert len(tried) == TRIES

    told = await rehearsed(tmp_path, scenarios(flaky), *objectives)

    assert (told["flaky"].outcome, told["flaky"].visits, len(tried)) == (outcome, visits, visits)


async def test_one_that_never_passes_fails_in_spite_of_all_tolerance(tmp_path: Path) -> None:
    async def broken(session: Any) -> None:
        raise KeyError("why")

    told = await rehearsed(tmp_path, scenarios(broken), "failures <= 50%")

    assert (told["broken"].outcome, told["broken"].visits) == ("failed", TRIES)


async def test_a_picker_decides_what_comes_first_and_what_it_does_not_name_is_told(
    tmp_path: Path,
) -> None:
    made: list[tuple[str, int]] = []

    async def browse(session: Any) -> None:
        assert made[0][0] == "log_in"
        made.append(("browse", session.context.step))

    async def log_in(session: Any) -> None:
        made.append(("log_in", session.context.step))

    async def never(session: Any) -> None: ...

    def pick(worker_id: int, step_id: int) -> str:
        return "log_in" if step_id == 1 else "browse"

    told = await rehearsed(tmp_path, replace(scenarios(browse, log_in, never), picker=pick))

    assert made[:2] == [("log_in", 1), ("browse", 2)]
    assert told["browse"].outcome == told["log_in"].outcome == "passed"
    assert (told["never"].outcome, told["never"].visits) == ("undecided", 0)
    assert told["never"].message == "scenario_picker() did not name it"


async def test_a_picker_that_raises_fails_the_load(tmp_path: Path) -> None:
    def pick(worker_id: int, step_id: int) -> str:
        return "nothing"

    told = await rehearsed(tmp_path, replace(scenarios(visit), picker=pick))

    assert told["(scenario_picker)"].outcome == "failed"
    assert told["visit"].outcome == "undecided"


async def test_one_that_is_long_by_design_is_not_taken_for_broken(
    tmp_path: Path, service: Service
) -> None:
    async def soak(session: Any) -> None:
        await session.get("/")
        await asyncio.sleep(60)

    async def later(session: Any) -> None: ...

    board = Board(1)
    found = scenarios(soak, later)
    told = await rehearsed(tmp_path, found, target=service.url, board=board, limit_s=0.2)

    assert {name: (one.outcome, one.visits) for name, one in told.items()} == {
        "soak": ("undecided", 1), "later": ("undecided", 0),
    }  # fmt: skip
    assert told["soak"].message == "the 0.2 s for it were over"
    assert board.level == Stop.NO


async def test_one_that_had_no_answer_at_all_in_its_time_failed(
    tmp_path: Path, service: Service
) -> None:
    service.gate.clear()

    told = await rehearsed(tmp_path, scenarios(visit), target=service.url, limit_s=0.2)

    assert (told["visit"].outcome, told["visit"].kind) == ("failed", "unfinished")
    assert told["visit"].message.startswith("GET / had no whole answer 0.2 s after it was sent")


@pytest.mark.parametrize("level", [Stop.DRAIN, Stop.CANCEL])
async def test_ctrl_c_ends_it_and_blames_no_scenario(
    tmp_path: Path, service: Service, level: Stop
) -> None:
    board = Board(1)
    service.gate.clear()

    async def interrupt() -> None:
        await asyncio.sleep(0.1)
        board.stop(level)
        await asyncio.sleep(0.1)
        service.gate.set()

    interrupting = asyncio.create_task(interrupt())

    async def second(session: Any) -> None: ...

    found = scenarios(visit, second)
    told = await rehearsed(tmp_path, found, target=service.url, board=board)
    await interrupting

    assert told["visit"].outcome == ("passed" if level is Stop.DRAIN else "undecided")
    assert told["second"].message == "the load was told to end"


@pytest.mark.parametrize("fixture", ["setup", "setup_session"])
async def test_a_set_up_that_fails_is_a_problem_and_no_scenario_s_fault(
    tmp_path: Path, fixture: str
) -> None:
    async def begin(worker_id: int, given: Any) -> None:
        raise ValueError("no token")

    board = Board(1)
    parts: dict[str, Any] = {fixture: begin}
    told = await rehearsed(tmp_path, replace(scenarios(visit), **parts), board=board)

    assert told == {}
    assert [one.slug for one in facts(tmp_path, Problem)] == ["load/set-up-failed"]
    assert board.level == Stop.DRAIN


async def test_its_worker_has_left_before_the_load_begins_and_listeners_hear_of_it(
    tmp_path: Path, service: Service
) -> None:
    said: list[str] = []

    async def begin(worker_id: int, given: Any) -> None:
        said.append(f"setup {worker_id}")

    async def hear(event: str, **info: Any) -> None:
        said.append(event)

    def leave(worker_id: int) -> None:
        said.append(f"teardown {worker_id}")

    found = replace(scenarios(visit), setup=begin, teardown=leave, listeners=(hear,))
    await rehearsed(tmp_path, found, target=service.url)

    assert said == [
        "setup 0", "scenario_start", "sending_request", "response_received", "scenario_success",
        "teardown 0",
    ]  # fmt: skip


BEGUN = LoadBegun(
    load="test", scenarios="mix.py", target="http://127.0.0.1:1", pace="1 worker", duration_s=1,
    processes=1, asked_rate=None, visits=None, objectives=(),
)  # fmt: skip


def judged(*found: Rehearsed) -> Any:
    own: tuple[Fact, ...] = (
        Begun(part="load-test", at="", python="", pid=1), BEGUN, Ended(part="load-test", at=""),
    )  # fmt: skip
    return judge("load-test", own, found)


FAILED = Rehearsed(
    scenario="write", visits=3, outcome="failed", kind="assertion", message="assert 0",
    where="mix.py:7",
)  # fmt: skip


def test_a_scenario_that_failed_is_the_only_finding_of_its_load() -> None:
    judgement, run, rows = judged(
        FAILED, Rehearsed(scenario="read", visits=2, outcome="passed")
    )  # fmt: skip

    (finding,) = judgement.findings
    assert (finding.slug, finding.outcome, finding.where) == (
        "load/rehearsal-failed", Outcome.FAIL, "mix.py:7"
    )  # fmt: skip
    assert finding.message == (
        "write failed 3 times before the load, which was not driven: assertion: assert 0"
    )
    assert run.rehearsed == {"read": 2}
    assert rows == []


def test_a_generator_without_ports_left_proves_no_scenario_broken() -> None:
    judgement, _, _ = judged(Rehearsed(scenario="write", visits=1, outcome="failed",
                                       kind="exhausted", message="no port"))  # fmt: skip

    assert [finding.outcome for finding in judgement.findings] == [Outcome.UNKNOWN]


def test_what_is_undecided_is_listed_as_not_checked() -> None:
    judgement, _, _ = judged(Rehearsed(scenario="soak", visits=1, outcome="undecided", message="y"))

    assert [(one.what, one.why) for one in judgement.not_checked] == [
        ("load-test: that soak passes once before the load", "y")
    ]
