from __future__ import annotations

import msgspec

from harness import facts
from harness.judge.load import judge
from harness.record import LoadRow
from harness.sample import FailureKind, Sample
from harness.snapshot import Snapshot
from harness.tally import MOST_STEPS, OTHER_STEPS

from .test_load import BEGUN, ENDED, MS, PART, hundred, judged, load_of, snapshot


def exchange(due_s: float = 0.0, response_ms: float = 1.0) -> facts.Exchanged:
    return facts.Exchanged(
        curl="curl -i http://127.0.0.1:1/", wanted=(), status=200, headers=(), body="",
        due_s=due_s, response_ms=response_ms, service_ms=response_ms,
    )  # fmt: skip


def row_of(step: str | None, *below: facts.Fact, visits: int | None = 100) -> LoadRow:
    _, _, _, rows = judged(load_of([], visits, processes=2), *below)
    return next(row for row in rows if row.step == step)


def test_successes_and_failures_have_times_of_their_own() -> None:
    slow = Sample("read", "GET /", 0, 0, 30_000 * MS, failure=FailureKind.TIMEOUT)

    row = row_of("GET /", snapshot([*hundred(5), slow, slow]))

    assert row.response_ms.max == row.service_ms.max == 5
    assert row.failed_ms is not None
    assert (row.failed_ms.count, row.failed_ms.max) == (2, 30_000)


def test_first_bytes_and_what_a_waiting_client_says_are_rows_figures() -> None:
    samples = [
        Sample("read", "GET /", 0, 1 * MS, 9 * MS, answered_ns=4 * MS, alone=alone)
        for alone in (True, False, True)
    ]

    row = row_of("GET /", snapshot(samples))

    assert row.first_byte_ms is not None
    assert (row.first_byte_ms.count, row.first_byte_ms.max) == (3, 3)
    assert row.uncorrected_ms is not None
    assert (row.uncorrected_ms.count, row.uncorrected_ms.max) == (2, 8)
    assert row_of("GET /", snapshot(samples), visits=None).uncorrected_ms is None  # closed


def test_what_was_out_of_range_is_counted_in_the_record() -> None:
    beyond = Sample("read", "GET /", 0, 0, 4_000_000 * MS)

    row = row_of("GET /", snapshot([beyond]))

    assert (row.response_ms.clipped, row.response_ms.max) == (1, 4_000_000)


def test_the_slowest_of_all_processes_and_the_first_failures_of_each_kind_are_shown() -> None:
    slow = [
        facts.Slow(process=n % 2, scenario="read", step="GET /", where="mix.py:1",
                   exchange=exchange(response_ms=n))
        for n in range(12)
    ]  # fmt: skip
    failed = [
        facts.Failed(process=n % 2, scenario="read", kind=kind, message=f"{n}", where="mix.py:2",
                     step="GET /", exchange=exchange(due_s=10 - n))
        for kind in ("timeout", "refused") for n in range(8)
    ]  # fmt: skip
    without = facts.Failed(process=0, scenario="read", kind="exception", message="", where="x")

    below = (snapshot(hundred()), snapshot([], process=1), *slow, *failed, without)
    found = row_of("GET /", *below).examples

    assert [e.exchange and e.exchange.response_ms for e in found if e.failure is None] == [
        11, 10, 9, 8, 7,
    ]  # fmt: skip
    for kind in ("timeout", "refused"):
        assert [e.message for e in found if e.failure == kind] == ["7", "6", "5", "4", "3"]
    assert [e.failure for e in row_of(None, *below).examples] == ["exception"]


def test_the_bound_on_steps_holds_over_all_processes_and_is_noticed() -> None:
    def asked(process: int, number: int) -> Snapshot:
        samples = [
            Sample("read", f"GET /{process}/{n}", 0, 0, MS, status=200)
            for n in range(150)
            for _ in range(1 + (process == 0))
        ]
        return snapshot([*hundred()[:2], *samples], process=process, number=number)

    slow = facts.Slow(process=1, scenario="read", step="GET /1/99", where="", exchange=exchange())
    below = (asked(0, 1), asked(1, 1), slow)
    judgement, run, rows = judge(PART, (BEGUN, load_of([], processes=2), ENDED), below)

    assert run is not None
    steps = {row.step: row for row in rows if row.step}
    assert len(steps) == MOST_STEPS + 1
    assert sum(row.sent for row in steps.values()) == 2 * 150 + 150 + 2
    assert all(f"GET /0/{n}" in steps for n in range(150))
    assert steps[OTHER_STEPS].sent == sum(point.sent for point in steps[OTHER_STEPS].series)
    assert [one.exchange for one in steps[OTHER_STEPS].examples] == [exchange()]
    (notice,) = judgement.notices
    assert (notice.slug, notice.where) == ("load/steps", PART)
    assert "more than 200 steps" in notice.message
    assert "steps = [" in notice.message


def test_few_steps_are_not_noticed() -> None:
    judgement, _, _ = judge(PART, (BEGUN, load_of([]), ENDED), (snapshot(hundred()),))

    assert judgement.notices == []


def test_a_folder_of_before_there_were_examples_is_read() -> None:
    taken = msgspec.json.decode(msgspec.json.encode(snapshot(hundred())))
    for tally in taken["tallies"]:
        for name in ("first_byte", "failed_response", "uncorrected"):
            del tally[name]

    row = row_of("GET /", msgspec.convert(taken, Snapshot))

    assert row.sent == 100
    assert row.first_byte_ms is not None
    assert row.first_byte_ms.p50 is None
