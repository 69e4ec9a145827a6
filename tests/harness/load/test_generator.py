from __future__ import annotations

import asyncio
import inspect
import socket
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness.demand import Load
from harness.errors import EvidenceError
from harness.evidence import Facts, Part
from harness.facts import Failed, Problem
from harness.histogram import Histogram
from harness.load.board import Board, Stop
from harness.load.book import Book
from harness.load.failure import Places
from harness.load.generator import Generator
from harness.load.job import Job
from harness.load.molotov import Scenario, Scenarios
from harness.pace import parse_pace
from harness.sample import FailureKind
from harness.scenarios import Rows
from harness.snapshot import Snapshot
from harness.tally import Tally, merged

from .conftest import Script, Service

Visit = Callable[[Any], Awaitable[object]]


class Outcome:
    """What one generator wrote down."""

    def __init__(self, folder: Path) -> None:
        self.facts = Facts.read(folder).by_part["load-test.0"]
        self.snapshots = [fact for fact in self.facts if isinstance(fact, Snapshot)]
        self.last = self.snapshots[-1]
        waited = (one.blocked.histogram() for one in self.snapshots if one.blocked)
        self.blocked = sum(waited, start=Histogram())
        self.failed = [fact for fact in self.facts if isinstance(fact, Failed)]
        self.problems = [fact for fact in self.facts if isinstance(fact, Problem)]
        self.tallies = merged(fact.tally() for one in self.snapshots for fact in one.tallies)

    def visits(self, scenario: str = "visit") -> Tally:
        return self.tallies[scenario, None]

    @property
    def counts(self) -> dict[str, int]:
        return {name: t.sent for (name, step), t in self.tallies.items() if step is None}


def scenarios(*funcs: Visit, **weights: float) -> Scenarios:
    each = [
        Scenario.of({"name": func.__name__, "weight": weights.get(func.__name__, 1), "delay": 0.0,
                     "func": func, "args": (), "kw": {}})
        for func in funcs
    ]  # fmt: skip
    file = Path(__file__)
    return Scenarios(Places(file, file.parent), tuple(each))


async def ran(
    tmp_path: Path, found: Scenarios, pace: str, *, target: str = "http://127.0.0.1:1",
    beside: Callable[[Board], Awaitable[None]] | None = None,
    process: int = 0, **options: Any,
) -> Outcome:  # fmt: skip
    board = Board(process + 1)
    for other_process in range(process):
        board.ready(other_process)
    load = Load("test", "scenarios.py", parse_pace(pace), (), **options)
    job = Job.of(load, target=target, root=tmp_path, folder=tmp_path)
    book = Book(process, found.places, board, stop_at_failure=job.stop_at_failure)
    with Part(tmp_path, "load-test.0") as part:
        generator = Generator(
            job, process, found, Namespace(), board=board, book=book, part=part,
        )  # fmt: skip
        starter = asyncio.create_task(start(board))
        other = asyncio.create_task(beside(board)) if beside else None
        await generator.run()
        await starter
        if other is not None:
            await other
    return Outcome(tmp_path)


async def start(board: Board) -> None:
    while not board.all_ready:  # noqa: ASYNC110 - as the host waits
        await asyncio.sleep(0.001)
    board.start(time.monotonic_ns())


async def visit(session: Any) -> None:
    async with session.get("/") as response:
        assert response.status == 200


async def test_a_rate_makes_exactly_the_visits_that_are_due(
    tmp_path: Path, service: Service
) -> None:
    outcome = await ran(tmp_path, scenarios(visit), "40/s for 500ms", target=service.url)

    assert outcome.last.started == 20
    assert outcome.visits().ok == 20
    assert outcome.tallies["visit", "GET /"].statuses == {"200": 20}
    assert len(service.paths) == 20
    assert outcome.last.final
    assert outcome.last.at_s >= 0.5


async def test_visits_in_flight_are_those_that_were_counted_and_the_machine_is_looked_after(
    tmp_path: Path, service: Service
) -> None:
    calls, both, stayed = iter(range(1000)), asyncio.Event(), asyncio.Event()

    async def sometimes(session: Any) -> None:
        await visit(session)
        call = next(calls)
        if call > 1:
            both.set()
        assert call % 4

    async def stays(session: Any) -> None:
        stayed.set()
        await asyncio.sleep(60)

    async def leaves(board: Board) -> None:
        await both.wait()
        await stayed.wait()
        board.stop(Stop.CANCEL)  # what is under way then is abandoned

    found = scenarios(sometimes, stays, sometimes=9)
    outcome = await ran(tmp_path, found, "100/s for 5s", target=service.url, beside=leaves)

    health, visits = outcome.last.health, [t for t in outcome.tallies.values() if t.step is None]
    assert health.flight is not None
    counted_s = sum(t.service.total_ns for t in visits) / 1e9 + health.flight.failed_s
    assert health.flight.visits_s == pytest.approx(counted_s)
    assert health.flight.failed_s > 0
    assert {k for t in visits for k in t.failures} == {
        FailureKind.ASSERTION, FailureKind.UNFINISHED,
    }  # fmt: skip
    assert health.vitals is not None
    assert health.vitals.descriptors


@pytest.mark.parametrize("pace", ["40/s for 500ms", "1 workers for 500ms"])
async def test_visits_that_are_due_in_the_warm_up_are_counted_apart(
    tmp_path: Path, service: Service, pace: str
) -> None:
    outcome = await ran(tmp_path, scenarios(visit), pace, target=service.url, warm_up_s=0.2)

    warm, counted = (outcome.tallies[name, "GET /"].ok for name in ("visit (warm-up)", "visit"))
    assert warm + counted == len(service.paths)
    assert (warm, counted) == (8, 12) if "/s" in pace else warm and counted


async def test_weights_decide_the_mix_and_a_seed_repeats_it(tmp_path: Path) -> None:
    async def often(session: Any) -> None: ...

    async def rarely(session: Any) -> None: ...

    mixes = []
    for number, seed in enumerate((7, 7, 8)):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = scenarios(often, rarely, often=9, rarely=1)
        mixes.append((await ran(folder, found, "400/s for 500ms", seed=seed)).counts)

    assert mixes[0] == mixes[1]
    assert sum(mixes[0].values()) == 200
    assert 160 < mixes[0]["often"] < 199


@pytest.mark.parametrize("pace", ["50/s for 200ms", "2 workers for 5s"])
async def test_a_scenario_that_always_fails_is_nothing_but_failures(
    tmp_path: Path, pace: str
) -> None:
    async def visit(session: Any) -> None:
        status = 500
        assert status == 200

    outcome = await ran(tmp_path, scenarios(visit), pace, max_runs=5)

    assert outcome.visits().ok == 0
    assert outcome.visits().failures == {FailureKind.ASSERTION: 10}
    assert len(outcome.failed) == 5
    assert outcome.failed[0].message.startswith("assert status == 200")
    assert outcome.failed[0].where.startswith("test_generator.py:")


async def test_whatever_a_scenario_raises_is_a_failed_visit(
    tmp_path: Path, service: Service
) -> None:
    async def skipping(session: Any) -> None:
        pytest.skip("not an Exception")

    async def leaving(session: Any) -> None:
        raise SystemExit(0)

    async def cancelling(session: Any) -> None:
        raise asyncio.CancelledError

    async def grouping(session: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stating(session))

    async def stating(session: Any) -> None:
        (await session.get("/status/503")).raise_for_status()

    async def timing(session: Any) -> None:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(5)

    found = scenarios(skipping, leaving, cancelling, grouping, stating, timing)
    outcome = await ran(tmp_path, found, "1 worker for 20s", target=service.url, single_run=True)

    assert {name: t.failures for (name, step), t in outcome.tallies.items() if not step} == {
        "skipping": {FailureKind.EXCEPTION: 1},
        "leaving": {FailureKind.EXCEPTION: 1},
        "cancelling": {FailureKind.EXCEPTION: 1},
        "grouping": {FailureKind.STATUS: 1},
        "stating": {FailureKind.STATUS: 1},
        "timing": {FailureKind.TIMEOUT: 1},
    }
    assert outcome.tallies["stating", "GET /status/{}"].ok == 1


async def test_an_exception_that_cannot_be_written_is_a_failed_visit(tmp_path: Path) -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise ValueError

    async def visit(session: Any) -> None:
        raise BrokenError

    outcome = await ran(tmp_path, scenarios(visit), "1 worker for 9s", max_runs=2)

    assert outcome.visits().failures == {FailureKind.EXCEPTION: 2}
    assert outcome.failed[0].message.startswith("BrokenError")


async def test_requests_that_visits_leave_behind_are_waited_for_and_counted(
    tmp_path: Path, service: Service
) -> None:
    left: list[object] = []

    async def visit(session: Any) -> None:
        left.append(asyncio.create_task(session.get("/")))

    async def freeze(board: Board) -> None:
        service.gate.clear()
        await asyncio.sleep(0.5)
        service.gate.set()

    found = scenarios(visit)
    outcome = await ran(
        tmp_path, found, "20/s for 200ms", target=service.url, beside=freeze
    )  # fmt: skip

    assert outcome.visits().ok == len(service.paths) == 4
    assert outcome.tallies["visit", "GET /"].ok == 4


async def test_what_a_task_asks_for_after_its_visit_has_ended_is_of_that_visit(
    tmp_path: Path, service: Service
) -> None:
    left: list[object] = []

    async def visit(session: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.05)
            async with session.get("/later") as response:
                response.raise_for_status()

        async with session.get("/"):
            left.append(asyncio.create_task(later()))

    outcome = await ran(tmp_path, scenarios(visit), "10/s for 500ms", target=service.url)

    assert service.paths.count("/later") >= 4
    assert outcome.tallies["visit", "GET /later"].sent == service.paths.count("/later")


async def test_a_request_that_was_left_behind_and_hangs_is_not_waited_for_for_ever(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.load.generator.DRAIN_S", 0.3)
    left: list[object] = []

    async def visit(session: Any) -> None:
        left.append(asyncio.create_task(session.get("/")))

    service.gate.clear()
    found = scenarios(visit)
    outcome = await ran(tmp_path, found, "1 worker for 60s", target=service.url, max_runs=1)

    assert outcome.visits().ok == 1
    assert outcome.tallies["visit", "GET /"].failures == {FailureKind.UNFINISHED: 1}


async def test_a_malformed_body_that_aiohttp_waits_for_holds_a_load_up_no_longer_than_its_drain(
    tmp_path: Path, misbehaving: Callable[[Script], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.load.generator.DRAIN_S", 0.3)

    def malformed(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        time.sleep(0.05)
        connection.sendall(b"no size\r\nhello\r\n")
        connection.recv(1)

    async def visit(session: Any) -> None:
        async with session.get("/") as response:  # an unmodified scenario waits for 300 s
            await response.read()

    outcome = await ran(
        tmp_path, scenarios(visit), "1 worker for 1s", target=misbehaving(malformed)
    )

    assert outcome.last.at_s < 5
    assert outcome.visits().failed == outcome.visits().sent
    assert outcome.tallies["visit", "GET /"].failed


async def test_what_never_ended_says_what_it_waited_for(tmp_path: Path, service: Service) -> None:
    async def stop(board: Board) -> None:
        service.gate.clear()
        await asyncio.sleep(0.3)
        board.stop(Stop.CANCEL)

    outcome = await ran(
        tmp_path, scenarios(visit), "20/s for 60s", target=service.url, beside=stop
    )  # fmt: skip

    assert outcome.failed[0].kind == FailureKind.UNFINISHED
    assert outcome.failed[0].message.startswith("GET / had no whole answer")
    line = inspect.getsourcelines(visit)[1] + 1
    assert outcome.failed[0].where == f"test_generator.py:{line}"


async def test_a_failed_step_that_the_scenario_copes_with_is_written_down(tmp_path: Path) -> None:
    async def visit(session: Any) -> None:
        with pytest.raises(aiohttp.ClientError):
            await session.get("/")

    outcome = await ran(tmp_path, scenarios(visit), "1 worker for 9s", max_runs=1)

    assert outcome.visits().ok == 1
    assert outcome.tallies["visit", "GET /"].failures == {FailureKind.REFUSED: 1}
    assert outcome.failed[0].kind == FailureKind.REFUSED
    assert outcome.failed[0].message.startswith("GET /: ClientConnectorError")


def p90(histogram: Any) -> int:
    found = histogram.quantile(Fraction(9, 10))
    assert found is not None
    return int(found)


async def test_a_stall_shows_in_the_response_time_of_all_that_were_due(
    tmp_path: Path, service: Service
) -> None:
    async def freeze(board: Board) -> None:
        await asyncio.sleep(0.3)
        service.gate.clear()
        await asyncio.sleep(0.6)
        service.gate.set()

    outcome = await ran(
        tmp_path, scenarios(visit), "40/s for 1500ms", target=service.url, beside=freeze,
        in_flight=1,
    )  # fmt: skip

    step = outcome.tallies["visit", "GET /"]
    assert step.ok == outcome.last.started == 60
    assert step.response.max_ns > 0.4e9
    assert p90(step.response) > 3 * p90(step.service)
    assert p90(step.lag) > 3 * p90(step.service)


async def test_a_scenario_that_blocks_the_loop_shows_as_lag(
    tmp_path: Path, service: Service
) -> None:
    blocked: list[int] = []

    async def visit(session: Any) -> None:
        if not blocked:
            blocked.append(1)
            time.sleep(0.5)  # noqa: ASYNC251 - the fault
        await session.get("/")

    outcome = await ran(tmp_path, scenarios(visit), "40/s for 800ms", target=service.url)

    lags = [one.health.loop_lag.histogram() for one in outcome.snapshots]
    assert max(lag.max_ns for lag in lags) > 0.3e9
    assert sum(lag.count for lag in lags) > 25  # what was due meanwhile was late as well
    assert outcome.visits().lag.max_ns > 0.3e9
    assert outcome.visits().ok == 32


async def test_arrivals_that_found_no_room_in_time_are_counted_as_not_started(
    tmp_path: Path,
) -> None:
    async def visit(session: Any) -> None:
        await asyncio.sleep(2)

    outcome = await ran(tmp_path, scenarios(visit), "40/s for 500ms", in_flight=3)

    assert outcome.last.started == 3
    assert outcome.visits().ok == 3
    assert outcome.last.not_started == 17
    assert outcome.blocked.count == 17
    assert outcome.blocked.min_ns > 0.9e9  # the last was due 25 ms before the end, and had 1 s


async def test_arrivals_that_waited_for_room_say_for_how_long(
    tmp_path: Path, service: Service
) -> None:
    async def freeze(board: Board) -> None:
        service.gate.clear()
        await asyncio.sleep(0.4)
        service.gate.set()

    outcome = await ran(
        tmp_path, scenarios(visit), "40/s for 1s", target=service.url, beside=freeze, in_flight=1
    )

    assert outcome.last.started == 40
    assert outcome.last.not_started == 0
    assert 0 < outcome.blocked.count <= 39
    assert outcome.blocked.max_ns > 0.2e9
    assert outcome.blocked.max_ns <= outcome.visits().lag.max_ns


async def test_arrivals_that_found_room_at_once_did_not_wait(tmp_path: Path) -> None:
    outcome = await ran(tmp_path, scenarios(visit_nothing), "40/s for 200ms")

    assert [one.blocked for one in outcome.snapshots] == [None] * len(outcome.snapshots)


async def test_a_load_that_is_stopped_counts_what_waited_and_not_what_was_yet_to_come(
    tmp_path: Path,
) -> None:
    async def visit(session: Any) -> None:
        await asyncio.sleep(0.5)

    async def stop(board: Board) -> None:
        while board.start_ns is None:  # noqa: ASYNC110 - a byte that another sets
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        board.stop(Stop.DRAIN)

    outcome = await ran(tmp_path, scenarios(visit), "40/s for 60s", beside=stop, in_flight=2)

    assert outcome.last.started == 2
    assert 5 <= outcome.last.not_started < 100


async def test_a_load_that_is_stopped_turns_nothing_away_that_would_have_found_room(
    tmp_path: Path,
) -> None:
    async def stop(board: Board) -> None:
        await asyncio.sleep(0.2)
        board.stop(Stop.DRAIN)

    outcome = await ran(tmp_path, scenarios(visit_nothing), "1000/s for 60s", beside=stop)

    assert outcome.last.not_started == 0
    assert outcome.blocked.count == 0


@pytest.mark.parametrize("pace", ["40/s for 250ms", "poisson 40/s for 250ms"])
async def test_one_seed_gives_one_mix_for_any_number_of_processes(
    tmp_path: Path, pace: str
) -> None:
    async def often(session: Any) -> None: ...

    async def rarely(session: Any) -> None: ...

    found = scenarios(often, rarely, often=2, rarely=1)

    async def mix(processes: int) -> dict[str, int]:
        total: Counter[str] = Counter()
        for process in range(processes):
            folder = tmp_path / f"{process}of{processes}"
            folder.mkdir()
            outcome = await ran(folder, found, pace, seed=5, process=process, processes=processes)
            total += Counter(outcome.counts)
        return dict(total)

    alone = await mix(1)
    assert await mix(3) == alone
    assert alone.keys() == {"often", "rarely"}


@pytest.mark.parametrize("pace", ["50/s for 60s", "3 workers for 60s"])
async def test_a_load_ends_when_it_has_made_the_visits_that_were_asked_for(
    tmp_path: Path, pace: str
) -> None:
    outcomes = []
    for process in range(2):
        (tmp_path / str(process)).mkdir()
        outcomes.append(
            await ran(tmp_path / str(process), scenarios(visit_nothing), pace, visits=7,
                      process=process, processes=2)
        )  # fmt: skip

    assert [outcome.visits("visit_nothing").ok for outcome in outcomes] == [4, 3]
    assert max(outcome.last.at_s for outcome in outcomes) < 10


async def test_workers_in_stages_work_while_the_level_is_above_their_number(
    tmp_path: Path,
) -> None:
    made: list[tuple[int, float]] = []

    async def visit(session: Any) -> None:
        made.append((session.context.worker_id, time.monotonic()))
        await asyncio.sleep(0.01)

    outcome = await ran(
        tmp_path, scenarios(visit), "1 worker for 300ms, spike 3 workers for 300ms, hold 300ms"
    )

    at = {number: [moment for worker, moment in made if worker == number] for number in range(3)}
    begins = made[0][1]
    assert outcome.last.at_s >= 0.9
    assert at[0][-1] - begins > 0.6
    assert min(at[1][0], at[2][0]) - begins > 0.2
    assert max(at[1][-1], at[2][-1]) < at[0][-1]


async def test_a_load_whose_rows_are_used_up_ends_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name\nAda\nGrace\nMary\n")
    rows = Rows(tmp_path / "people.csv", once=True)
    given: list[str] = []

    async def visit(session: Any) -> None:
        async with asyncio.TaskGroup():
            given.append(next(rows)["name"])

    outcome = await ran(tmp_path, scenarios(visit), "50/s for 60s")

    assert given == ["Ada", "Grace", "Mary"]
    assert outcome.visits().ok == outcome.visits().sent == outcome.last.started == 3
    assert [problem.slug for problem in outcome.problems] == ["load/rows-used-up"]
    assert "people.csv has no row left: 3 were given" in outcome.problems[0].message


async def test_workers_make_their_runs_and_are_never_late(tmp_path: Path) -> None:
    async def visit(session: Any) -> None: ...

    outcome = await ran(tmp_path, scenarios(visit), "3 workers for 20s", max_runs=4)

    assert outcome.visits().ok == 12
    assert outcome.visits().lag.max_ns == 0
    assert outcome.last.at_s < 15


async def test_a_single_run_is_each_scenario_once_for_each_worker(tmp_path: Path) -> None:
    async def one(session: Any) -> None: ...

    async def two(session: Any) -> None: ...

    outcome = await ran(tmp_path, scenarios(one, two, one=99), "3 workers for 20s", single_run=True)

    assert outcome.counts == {"one": 3, "two": 3}


async def test_a_delay_keeps_workers_apart_from_their_next_visit(tmp_path: Path) -> None:
    async def visit(session: Any) -> None: ...

    outcome = await ran(tmp_path, scenarios(visit), "2 workers for 500ms", delay_s=0.2)

    assert 2 <= outcome.visits().ok <= 6


async def test_workers_start_one_after_the_other_over_the_ramp(tmp_path: Path) -> None:
    began: list[float] = []

    async def visit(session: Any) -> None:
        began.append(time.monotonic())

    asked = time.monotonic()
    await ran(tmp_path, scenarios(visit), "4 workers for 20s", max_runs=1, ramp_up_s=0.8)

    assert len(began) == 4
    assert began[-1] - asked >= 0.6
    assert began == sorted(began)


async def test_a_picker_that_fails_is_a_failed_visit(tmp_path: Path) -> None:
    def pick(worker_id: int, step_id: int) -> str:
        return "visit" if step_id == 1 else "nothing"

    found = replace(scenarios(visit_nothing), picker=pick)
    outcome = await ran(tmp_path, found, "1 worker for 20s", max_runs=3)

    assert outcome.counts == {"(scenario_picker)": 3}
    assert outcome.visits("(scenario_picker)").failures == {FailureKind.EXCEPTION: 3}


async def visit_nothing(session: Any) -> None: ...


async def test_the_first_failure_stops_a_load_that_asks_for_it(tmp_path: Path) -> None:
    async def visit(session: Any) -> None:
        await asyncio.sleep(0.01)
        raise ValueError

    outcome = await ran(tmp_path, scenarios(visit), "1 worker for 20s", stop_at_failure=True)

    assert outcome.visits().failures == {FailureKind.EXCEPTION: 1}
    assert outcome.last.final


@pytest.mark.parametrize("pace", ["100/s for 60s", "5 workers for 60s"])
async def test_a_load_that_is_stopped_lets_its_visits_end(tmp_path: Path, pace: str) -> None:
    async def visit(session: Any) -> None:
        await asyncio.sleep(0.5)

    async def stop(board: Board) -> None:
        await asyncio.sleep(0.3)
        board.stop(Stop.DRAIN)

    outcome = await ran(tmp_path, scenarios(visit), pace, beside=stop)

    assert outcome.visits().ok == outcome.last.started > 0
    assert outcome.last.final


@pytest.mark.parametrize("pace", ["100/s for 60s", "5 workers for 60s"])
async def test_a_load_that_is_cancelled_counts_what_was_under_way(
    tmp_path: Path, service: Service, pace: str
) -> None:
    async def visit(session: Any) -> None:
        try:
            await session.get("/")
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)  # a scenario may resist, for a while

    async def stop(board: Board) -> None:
        service.gate.clear()
        await asyncio.sleep(0.3)
        board.stop(Stop.CANCEL)

    outcome = await ran(tmp_path, scenarios(visit), pace, target=service.url, beside=stop)

    assert outcome.visits().failures == {FailureKind.UNFINISHED: outcome.last.started}
    assert outcome.tallies["visit", "GET /"].failures.keys() == {FailureKind.UNFINISHED}


async def test_fixtures_are_called_as_molotov_calls_them(tmp_path: Path, service: Service) -> None:
    called: list[object] = []

    async def setup(worker_id: int, args: Any) -> dict[str, Any]:
        called.append(("setup", worker_id, type(args)))
        return {"headers": {"X-Own": "1"}}

    async def setup_session(worker_id: int, session: Any) -> None:
        called.append(("setup_session", worker_id, session.headers["X-Own"]))
        session.token = "secret"

    async def teardown_session(worker_id: int, session: Any) -> None:
        called.append(("teardown_session", worker_id, session.closed))

    def teardown(worker_id: int) -> None:
        called.append(("teardown", worker_id))

    async def visit(session: Any) -> None:
        called.append((session.token, session.context.worker_id, session.context.step))

    found = replace(
        scenarios(visit), setup=setup, setup_session=setup_session,
        teardown_session=teardown_session, teardown=teardown,
    )  # fmt: skip
    await ran(tmp_path, found, "1 worker for 20s", target=service.url, max_runs=2)

    assert called == [
        ("setup", 0, Namespace),
        ("setup_session", 0, "1"),
        ("secret", 0, 1),
        ("secret", 0, 2),
        ("teardown_session", 0, False),
        ("teardown", 0),
    ]


async def test_listeners_are_told_and_what_they_raise_is_printed(
    tmp_path: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, set[str]]] = []

    async def listen(event: str, **info: Any) -> None:
        told.append((event, set(info)))
        raise ValueError("of a listener")

    async def failing(session: Any) -> None:
        raise KeyError

    found = replace(scenarios(visit, failing), listeners=(listen,))
    outcome = await ran(tmp_path, found, "1 worker for 20s", target=service.url, single_run=True)

    assert [one for one in told if one[0] != "current_workers"] == [
        ("scenario_start", {"scenario", "wid"}),
        ("sending_request", {"session", "request"}),
        ("response_received", {"session", "response", "request"}),
        ("scenario_success", {"scenario", "wid"}),
        ("scenario_start", {"scenario", "wid"}),
        ("scenario_failure", {"scenario", "exception", "wid"}),
    ]
    assert ("current_workers", {"workers"}) in told
    assert outcome.visits("visit").ok == 1
    assert "of a listener" in capsys.readouterr().err


async def test_a_slow_set_up_does_not_count_as_latency(tmp_path: Path, service: Service) -> None:
    async def setup(worker_id: int, args: Any) -> None:
        await asyncio.sleep(0.4)

    async def pausing(session: Any) -> None:
        await session.get("/")
        await asyncio.sleep(0.1)

    found = replace(scenarios(pausing), setup=setup)
    outcome = await ran(tmp_path, found, "40/s for 500ms", target=service.url)

    assert outcome.tallies["pausing", "GET /"].ok == 20
    assert outcome.tallies["pausing", "GET /"].response.max_ns < 0.4e9


async def test_what_is_being_written_at_the_end_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Part.note

    def slowly(part: Part, *facts: Any) -> None:
        time.sleep(0.3)
        note(part, *facts)

    async def slow(board: Board) -> None:
        monkeypatch.setattr(Part, "note", slowly)

    outcome = await ran(tmp_path, scenarios(visit_nothing), "20/s for 2100ms", beside=slow)

    assert outcome.visits("visit_nothing").ok == outcome.last.started == 42
    assert [one.number for one in outcome.snapshots] == [1, 2, 3]


@pytest.mark.parametrize("slot", ["setup", "setup_session"])
@pytest.mark.parametrize("pace", ["50/s for 60s", "2 workers for 60s"])
async def test_a_set_up_that_fails_ends_the_load_without_a_visit(
    tmp_path: Path, slot: str, pace: str
) -> None:
    async def failing(worker_id: int, other: Any) -> None:
        raise ValueError("no database")

    outcome = await ran(tmp_path, replace(scenarios(visit), **{slot: failing}), pace)

    (problem,) = outcome.problems
    assert problem.slug == "load/set-up-failed"
    assert "no database" in problem.message
    assert problem.where.startswith("test_generator.py:")
    assert outcome.last.started == 0
    assert outcome.last.final


@pytest.mark.parametrize("returned", [["not a dict"], {"no_such_option": 1}])
async def test_a_setup_that_returns_what_no_session_takes_has_failed(
    tmp_path: Path, returned: object
) -> None:
    async def setup(worker_id: int, args: Any) -> object:
        return returned

    outcome = await ran(tmp_path, replace(scenarios(visit), setup=setup), "1 worker for 60s")

    assert [problem.slug for problem in outcome.problems] == ["load/set-up-failed"]
    assert outcome.problems[0].where == "test_generator.py"


async def test_a_teardown_that_raises_anything_takes_nothing_away(
    tmp_path: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    async def teardown_session(worker_id: int, session: Any) -> None:
        raise SystemExit(3)

    def teardown(worker_id: int) -> None:
        raise KeyboardInterrupt

    found = replace(scenarios(visit), teardown_session=teardown_session, teardown=teardown)
    outcome = await ran(tmp_path, found, "1 worker for 9s", target=service.url, max_runs=2)

    assert outcome.last.final
    assert outcome.visits().ok == 2
    assert "SystemExit" in capsys.readouterr().err


async def test_a_full_disk_ends_the_load_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(part: Part, *facts: object) -> None:
        raise EvidenceError("evidence/not-written", "could not write: no space left on device")

    async def fill(board: Board) -> None:
        monkeypatch.setattr(Part, "note", full)

    began = time.monotonic()
    with pytest.raises(EvidenceError):
        await ran(tmp_path, scenarios(visit_nothing), "20/s for 60s", beside=fill)
    assert time.monotonic() - began < 30


async def test_snapshots_are_numbered_and_only_the_last_is_final(tmp_path: Path) -> None:
    outcome = await ran(tmp_path, scenarios(visit_nothing), "20/s for 2200ms")

    found = outcome.snapshots
    assert [fact.number for fact in found] == list(range(1, len(found) + 1))
    assert [fact.final for fact in found] == [False] * (len(found) - 1) + [True]
    assert len(found) >= 3
    assert [fact.started for fact in found] == sorted(fact.started for fact in found)
