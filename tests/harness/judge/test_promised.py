from __future__ import annotations

import msgspec
import pytest

from harness import facts
from harness.judge.load import judge
from harness.sample import FailureKind, Sample
from harness.snapshot import Snapshot
from harness.verdict import Finding, Outcome
from tests.harness.judge.test_load import BEGUN, ENDED, MS, PART, hundred, load_of, snapshot, visit


def finding(
    objective: str, *below: facts.Fact, due: int | None = None, lasts: float = 10
) -> Finding:
    """Return what is found of one objective."""
    begun = msgspec.structs.replace(load_of([objective], due), duration_s=lasts)
    judgement, _, _ = judge(PART, (BEGUN, begun, ENDED), below)
    (found,) = [f for f in judgement.findings if f.message.startswith(objective)
                or objective in f.message]  # fmt: skip
    return found


def seconds(*each: list[Sample], process: int = 0, lag_ms: float = 1) -> list[Snapshot]:
    """Return a snapshot of each second; in the last one the load was drained."""
    started = sum(s.step is None for samples in each for s in samples)
    return [
        snapshot(samples, number=n, at_s=n, process=process, started=started,
                 final=n == len(each), lag_ms=lag_ms)
        for n, samples in enumerate(each, 1)
    ]  # fmt: skip


def test_the_mean_size_of_an_answer_is_judged() -> None:
    sized = [one._replace(bytes_in=2048 if one.step else 0) for one in hundred()]
    refused = Sample("read", "GET /", 0, 0, MS, failure=FailureKind.REFUSED)

    assert finding("bytes <= 2KiB", snapshot([*sized, refused])).outcome is Outcome.PASS
    missed = finding("bytes < 2KiB", snapshot(sized))
    assert (missed.outcome, missed.measured, missed.unit) == (Outcome.FAIL, 2048, "B")
    unanswered = finding("bytes < 2KiB", snapshot([refused, *visit(1)[:1]]))
    assert (unanswered.slug, unanswered.outcome) == ("load/no-samples", Outcome.UNKNOWN)


def test_any_percentile_is_judged_and_needs_its_samples() -> None:
    samples = [*hundred(), *visit(900)]

    assert finding("p75 < 6ms", snapshot(samples)).outcome is Outcome.PASS
    assert finding("p99.95 < 6s", snapshot(samples)).outcome is Outcome.UNKNOWN
    assert finding("max < 900ms", snapshot(samples)).outcome is Outcome.FAIL


def test_no_failure_in_ten_requests_is_no_failure() -> None:
    assert finding("failures <= 0.1%", snapshot(hundred()[:20])).outcome is Outcome.PASS


def test_visits_that_were_due_and_never_began_are_not_completed() -> None:
    found = finding("completed >= 99%", snapshot(hundred()), due=200)

    assert (found.outcome, found.measured) == (Outcome.FAIL, 50)
    assert finding("completed >= 99%", snapshot(hundred()), due=100).outcome is Outcome.PASS
    assert finding("completed >= 50%", snapshot(hundred()), due=200).outcome is Outcome.PASS


def test_visits_that_a_sick_generator_did_not_begin_are_not_the_targets() -> None:
    sick = snapshot(hundred(), cpu_s=9.9)

    assert finding("completed >= 99%", sick, due=200).outcome is Outcome.UNKNOWN


def test_visits_that_never_began_have_no_scenario_and_may_be_anyones() -> None:
    both = [*hundred(), Sample("write", None, 0, 0, MS), *visit(1, FailureKind.ASSERTION)]

    assert finding("read completed >= 99%", snapshot(both), due=110).outcome is Outcome.UNKNOWN
    assert finding("read completed >= 90%", snapshot(both), due=110).outcome is Outcome.PASS
    missed = finding("read completed == 100%", snapshot(both), due=110)
    assert missed.outcome is Outcome.FAIL  # one of its own failed


def test_a_visit_that_coped_with_a_failed_request_is_completed_and_the_request_is_listed() -> None:
    coped = [*hundred(), Sample("read", "GET /", 0, 0, MS, failure=FailureKind.REFUSED)]
    judgement, _, _ = judge(
        PART, (BEGUN, load_of(["completed == 100%"]), ENDED), (snapshot(coped),)
    )

    assert [f.outcome for f in judgement.findings] == [Outcome.PASS]
    assert [o.what for o in judgement.not_checked] == ["load-mix: 1 of 101 requests failed"]


def test_an_objective_holds_in_every_window_or_the_worst_one_is_named_with_its_time() -> None:
    quick, slow = hundred(5), hundred(300)
    below = seconds(*[quick] * 6, slow, *[quick] * 3)

    found = finding("p99 < 250ms in every 5s", *below)

    assert found.outcome is Outcome.FAIL
    assert found.measured == pytest.approx(300, rel=0.002)
    assert found.message.splitlines()[1] == "worst from 5 to 10 s; of 2 windows: 1 met, 1 missed"
    assert finding("p90 < 250ms", *below).outcome is Outcome.PASS  # over the run it is
    assert finding("p99 < 310ms in every 5s", *below).outcome is Outcome.PASS


def test_a_window_with_too_few_samples_leaves_the_objective_open() -> None:
    few = finding("p99 < 250ms in every 5s", *seconds(*[hundred()] * 5, *[hundred()[:4]] * 5))
    assert few.outcome is Outcome.UNKNOWN
    assert "1 met, 1 undecided" in few.message
    assert "too few samples: p99 needs 100, there are 10" in few.message


def test_a_window_in_which_nothing_ended_is_no_evidence_but_for_a_rate_of_nothing() -> None:
    below = seconds(*[hundred()] * 5, *[[]] * 5)

    assert finding("failures == 0 in every 5s", *below).outcome is Outcome.UNKNOWN
    stood_still = finding("rate >= 50/s in every 5s", *below)
    assert (stood_still.outcome, stood_still.measured) == (Outcome.FAIL, 0)


def test_the_last_window_takes_what_is_left_of_the_load_and_its_drain() -> None:
    late = snapshot(hundred(4000), number=13, at_s=18, started=1300)
    running = seconds(*[hundred()] * 12)
    below = [*running[:-1], msgspec.structs.replace(running[-1], final=False), late]

    found = finding("p99 < 250ms in every 5s", *below, lasts=12, due=1300)

    assert found.outcome is Outcome.FAIL
    assert "worst from 5 to 12 s; of 2 windows" in found.message


def test_snapshots_of_several_processes_are_aligned_by_their_time() -> None:
    first = seconds(*[hundred(5)] * 10)
    other = [  # its second snapshot was held up until the sixth second
        snapshot(hundred(5), process=1, number=1, at_s=1, final=False),
        snapshot(hundred(300), process=1, number=2, at_s=10, started=200),
    ]

    found = finding("p50 < 250ms in every 5s", *first, *other)

    assert "worst from 5 to 10 s" in found.message


def test_a_load_shorter_than_a_window_is_unknown() -> None:
    found = finding("p99 < 250ms in every 20s", snapshot(hundred()))

    assert found.outcome is Outcome.UNKNOWN
    assert "lasted 10 s, less than a window" in found.message


def test_a_window_in_which_the_generator_lagged_is_undecided_and_another_is_missed() -> None:
    slow = seconds(*[hundred(300)] * 10)
    lagged = [msgspec.structs.replace(s, health=snapshot([], lag_ms=30).health) for s in slow[:5]]

    assert finding("p99 < 250ms in every 5s", *lagged, *slow[5:]).outcome is Outcome.FAIL
    quick = seconds(*[hundred(5)] * 10)[5:]
    found = finding("p99 < 250ms in every 5s", *lagged, *quick)
    assert found.outcome is Outcome.UNKNOWN
    assert "lagged 30.0 ms" in found.message


def test_a_step_is_judged_in_windows_and_one_that_never_ran_is_named() -> None:
    below = seconds(*[hundred()] * 10)

    assert finding('read "GET /" p99 < 50ms in every 5s', *below).outcome is Outcome.PASS
    unknown = finding('read "GET /x" p99 < 50ms in every 5s', *below)
    assert unknown.slug == "load/no-samples"
    assert "Did you mean 'GET /'?" in unknown.message
