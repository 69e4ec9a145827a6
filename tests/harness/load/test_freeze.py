"""A target that stands still for two seconds at 100 visits a second, and what each figure says."""

from __future__ import annotations

import asyncio
import itertools
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from harness.histogram import Histogram
from harness.load.board import Board
from harness.load.book import Book
from harness.load.failure import Places
from harness.snapshot import Snapshot
from harness.tally import Tally

from .test_generator import ran, scenarios

MS, S = 1_000_000, 1_000_000_000
RATE, FREEZE_NS = 100, 2 * S
QUANTILES = [Fraction(text) for text in ("1/2", "9/10", "99/100", "999/1000")]


def nearest_rank(values: list[int], q: Fraction) -> int:
    return sorted(values)[-(-q.numerator * len(values) // q.denominator) - 1]


def told(histogram: Histogram, q: Fraction) -> int:
    found = histogram.quantile(q)
    assert found is not None
    return found


def scheduled(visits: int, service_ns: int, frozen_at_ns: int) -> list[tuple[int, int]]:
    """Return when each visit is due and done: what is under way in the freeze waits for its end."""
    thaw_ns = frozen_at_ns + FREEZE_NS
    times = []
    for number in range(visits):
        due_ns = number * S // RATE
        done_ns = due_ns + service_ns
        waits = due_ns < thaw_ns and done_ns > frozen_at_ns
        times.append((due_ns, thaw_ns + service_ns if waits else done_ns))
    return times


def measured(times: list[tuple[int, int]], late_ns: int) -> Tally:
    """Let a book take down visits on a clock of its own, each sent `late_ns` after it was due."""
    clock = [0]
    file = Path(__file__)
    book = Book(0, Places(file, file.parent), Board(1), now=lambda: clock[0])
    under_way: dict[int, Any] = {}
    events = sorted(
        [(due + late_ns, 0, n) for n, (due, _) in enumerate(times)]
        + [(done + late_ns, 1, n) for n, (_, done) in enumerate(times)]
    )
    for at_ns, is_answer, number in events:
        clock[0] = at_ns
        if is_answer:
            visit, step = under_way.pop(number)
            book.answered(step, 200)
            book.done(step, 5)
            book.end(visit, None)
        else:
            visit = book.begin("visit", times[number][0])
            under_way[number] = visit, book.ask(visit, "GET /")
    snapshot = book.facts(clock[0] / S, 0)[-1]
    assert isinstance(snapshot, Snapshot)
    return next(fact.tally() for fact in snapshot.tallies if fact.step)


@pytest.mark.parametrize("late_ns", [0, 300_000])
@pytest.mark.parametrize("service_ns", [5 * MS, 40 * MS])
def test_response_times_are_what_the_schedule_says_and_a_waiting_client_hides_the_freeze(
    service_ns: int, late_ns: int
) -> None:
    times = scheduled(20 * RATE, service_ns, frozen_at_ns=5 * S)

    tally = measured(times, late_ns)

    truth = [done - due + late_ns for due, done in times]
    assert tally.response.count == len(times)
    for q in QUANTILES:
        assert told(tally.response, q) == pytest.approx(nearest_rank(truth, q), rel=0.02)
    assert told(tally.response, QUANTILES[2]) > 40 * service_ns
    assert told(tally.uncorrected, QUANTILES[2]) == pytest.approx(service_ns, rel=0.02)
    assert told(tally.service, QUANTILES[2]) == pytest.approx(  # since it is sent on time
        told(tally.response, QUANTILES[2]), rel=0.02
    )


def test_without_a_freeze_a_waiting_client_says_the_same() -> None:
    times = [(n * S // RATE, n * S // RATE + (n % 7 + 1) * MS) for n in range(1_000)]

    tally = measured(times, 0)

    assert tally.uncorrected == tally.response == tally.service


class Freezing:
    """Answers 100 ms after it was asked, but for two seconds not at all; knows when it did."""

    def __init__(self) -> None:
        self.answered_ns: dict[int, int] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.start_ns = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            number = int(head.split(b" ", 2)[1].removeprefix(b"/"))
            await asyncio.sleep(0.1)
            await self.gate.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            self.answered_ns[number] = time.monotonic_ns()

    async def freeze(self, board: Board) -> None:
        while board.start_ns is None:  # noqa: ASYNC110 - as the generator waits
            await asyncio.sleep(0.001)
        self.start_ns = board.start_ns
        await asyncio.sleep(1)
        self.gate.clear()
        await asyncio.sleep(FREEZE_NS / S)
        self.gate.set()


async def test_a_generator_whose_target_freezes_says_how_long_each_visit_waited(
    tmp_path: Path,
) -> None:
    target, numbers = Freezing(), itertools.count()

    async def visit(session: Any) -> None:
        async with session.get(f"/{next(numbers)}") as response:
            await response.read()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await target.serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await ran(
            tmp_path, scenarios(visit), f"{RATE}/s for 5s", target=f"http://127.0.0.1:{port}",
            beside=target.freeze,
        )  # fmt: skip

    tally = outcome.tallies["visit", "GET /{}"]
    due_ns = {n: target.start_ns + n * S // RATE for n in target.answered_ns}
    truth = [at_ns - due_ns[n] for n, at_ns in target.answered_ns.items()]
    assert tally.ok == len(truth) == 5 * RATE
    for q in QUANTILES:
        assert told(tally.response, q) == pytest.approx(nearest_rank(truth, q), rel=0.02)
    hidden = told(tally.response, QUANTILES[1]) / told(tally.uncorrected, QUANTILES[1])
    assert hidden > 5  # a client who waits has one request in the freeze, and omits 199
