from __future__ import annotations

import msgspec
import pytest

from harness import facts
from harness.judge import Judgement
from harness.judge.load import judge
from harness.record import LoadRow, LoadRun
from harness.sample import FailureKind, Sample
from harness.snapshot import Flight
from harness.tally import WARM_UP
from harness.verdict import Outcome, verdict
from tests.harness.judge.test_load import BEGUN, ENDED, PART, hundred, load_of, snapshot, visit


def warm(samples: list[Sample]) -> list[Sample]:
    """Return samples as they are counted that were due in the warm-up."""
    return [one._replace(scenario=one.scenario + WARM_UP) for one in samples]


def judged(
    objectives: list[str], *below: facts.Fact, due: int | None = None, stop: bool = False
) -> tuple[Judgement, LoadRun, list[LoadRow]]:
    begun = msgspec.structs.replace(load_of(objectives, due), warm_up_s=4.0, stop_at_failure=stop)
    judgement, run, rows = judge(PART, (BEGUN, begun, ENDED), below)
    assert run is not None
    return judgement, run, rows


def test_no_objective_speaks_of_the_warm_up() -> None:
    slow = warm([*hundred(900), *visit(1, FailureKind.ASSERTION, 503)])
    objectives = ["p99 < 250ms", "failures == 0", "5xx == 0", "max < 50ms"]

    judgement, _, _ = judged(objectives, snapshot([*hundred(), *slow]))

    assert {f.outcome for f in judgement.findings} == {Outcome.PASS}


def test_the_warm_up_is_shown_in_rows_of_its_own_and_as_not_checked() -> None:
    slow = warm([*hundred(900), *visit(1, FailureKind.ASSERTION)])

    judgement, _, rows = judged([], snapshot([*hundred(), *slow]))

    assert {(row.scenario, row.step): row.sent for row in rows} == {
        ("read", None): 100, ("read", "GET /"): 100,
        ("read (warm-up)", None): 101, ("read (warm-up)", "GET /"): 101,
    }  # fmt: skip
    (omission,) = judgement.not_checked
    assert omission.what == ("load-mix: 4 s of warm-up: 101 visits, 1 failed, requests' p99 900 ms")


def test_rates_are_taken_over_the_time_that_each_row_is_of() -> None:
    judgement, _, rows = judged(["rate >= 16/s"], snapshot([*hundred(), *warm(hundred())]), due=200)

    assert [row.achieved_rate for row in rows] == pytest.approx([100 / 6] * 2 + [25] * 2)
    assert verdict(judgement.findings) is Outcome.PASS


def test_what_failed_in_the_warm_up_is_listed_and_never_quoted_for_an_objective() -> None:
    def failed(scenario: str) -> facts.Failed:
        return facts.Failed(
            process=0, scenario=scenario, kind="assertion", message="why", where="mix.py:9"
        )

    samples = [*hundred(), *visit(1, FailureKind.ASSERTION), *warm(visit(1, FailureKind.TIMEOUT))]
    judgement, _, _ = judged(
        ["failures == 0"], snapshot(samples), failed("read" + WARM_UP), failed("read")
    )

    (missed,) = judgement.findings
    assert missed.message.splitlines()[1:] == ["mix.py:9 in read: assertion: why"]
    assert [notice.message for notice in judgement.notices] == ["read (warm-up): assertion: why"]


def test_a_load_that_was_nothing_but_warm_up_is_unknown() -> None:
    judgement, _, _ = judged([], snapshot(warm(hundred())))

    assert "load/no-visits" in {finding.slug for finding in judgement.findings}


def test_a_load_that_ended_at_a_failure_in_its_warm_up_did_not_last() -> None:
    samples = [*hundred(), *warm(visit(1, FailureKind.ASSERTION))]

    judgement, _, _ = judged(["failures == 0"], snapshot(samples, at_s=5), stop=True)

    assert verdict(judgement.findings) is Outcome.UNKNOWN


def test_the_visits_of_the_warm_up_were_in_flight_too() -> None:
    below = snapshot([*hundred(), *warm(hundred())])
    flight = Flight(visits_s=1.0, failed_s=0, most=1)
    health = msgspec.structs.replace(below.health, flight=flight)

    judgement, _, _ = judged(["failures == 0"], msgspec.structs.replace(below, health=health))

    assert verdict(judgement.findings) is Outcome.PASS


def test_windows_begin_after_the_warm_up() -> None:
    each = [warm(hundred(900))] * 4 + [hundred(5)] * 3 + [hundred(300)] * 3
    below = [
        snapshot(samples, number=n, at_s=n, started=1000, final=n == 10)
        for n, samples in enumerate(each, 1)
    ]

    judgement, _, _ = judged(["p99 < 250ms in every 3s"], *below)

    (missed,) = [f for f in judgement.findings if f.outcome is Outcome.FAIL]
    assert missed.message.splitlines()[1] == "worst from 7 to 10 s; of 2 windows: 1 met, 1 missed"


def test_a_scenario_named_like_a_warm_up_counts_where_none_was_asked_for() -> None:
    samples = warm(visit(1, FailureKind.ASSERTION))

    judgement, _, _ = judge(PART, (BEGUN, load_of(["failures == 0"]), ENDED), (snapshot(samples),))

    assert verdict(judgement.findings) is Outcome.FAIL
