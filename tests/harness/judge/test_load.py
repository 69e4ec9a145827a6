from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from harness import facts
from harness.histogram import Histogram
from harness.judge.load import judge
from harness.record import LoadRow, LoadRun
from harness.sample import FailureKind, Sample
from harness.snapshot import Health, HistogramFact, Snapshot, TallyFact
from harness.tally import Tallies
from harness.verdict import Finding, Outcome, verdict

MS = 1_000_000
PART = "load-mix"
BEGUN = facts.Begun(part=PART, at="2026-01-01T00:00:00+00:00", python="3.11.7", pid=1)
ENDED = facts.Ended(part=PART, at="2026-01-01T00:00:09+00:00")


def visit(took_ms: float, failure: FailureKind | None = None, status: int = 200) -> list[Sample]:
    done = int(took_ms * MS)
    return [
        Sample("read", None, 0, 0, done, failure=failure),
        Sample("read", "GET /", 0, 0, done, status=status),
    ]


def load_of(
    objectives: Sequence[str], visits: int | None = None, processes: int = 1
) -> facts.LoadBegun:
    return facts.LoadBegun(
        load="mix", scenarios="mix.py", target="http://127.0.0.1:1", pace="10/s for 10s",
        duration_s=10.0, processes=processes, asked_rate=visits and visits / 10, visits=visits,
        objectives=tuple(objectives),
    )  # fmt: skip


def snapshot(
    samples: Sequence[Sample], *, lag_ms: float = 1, cpu_s: float = 1, started: int | None = None,
    number: int = 1, process: int = 0, final: bool = True, at_s: float = 10,
) -> Snapshot:  # fmt: skip
    tallies, lag = Tallies(), Histogram()
    for sample in samples:
        tallies.add(sample)
    lag.record(int(lag_ms * MS), 100)
    return Snapshot(
        process=process, number=number, at_s=at_s, final=final,
        started=sum(s.step is None for s in samples) if started is None else started,
        tallies=[TallyFact.of(tally) for tally in tallies.taken()],
        health=Health(cpu_s=cpu_s, loop_lag=HistogramFact.of(lag)),
    )  # fmt: skip


def judged(
    begun: facts.LoadBegun, *below: facts.Fact
) -> tuple[Outcome, dict[str, Finding], LoadRun, list[LoadRow]]:
    judgement, run, rows = judge(PART, (BEGUN, begun, ENDED), below)
    assert run is not None
    return verdict(judgement.findings), {f.slug: f for f in judgement.findings}, run, rows


def outcome_of(begun: facts.LoadBegun, *below: facts.Fact) -> Outcome:
    return judged(begun, *below)[0]


def hundred(took_ms: float = 5) -> list[Sample]:
    return [sample for _ in range(100) for sample in visit(took_ms)]


def test_a_load_that_kept_its_objectives_passes() -> None:
    assert outcome_of(load_of(["p99 < 250ms", "failures == 0"], 100), snapshot(hundred())) is (
        Outcome.PASS
    )


def test_a_missed_latency_fails_and_says_measured_and_limit() -> None:
    outcome, found, _, _ = judged(load_of(["p99 < 250ms"], 100), snapshot(hundred(300)))

    missed = found["load/objective-missed"]
    assert outcome is Outcome.FAIL
    assert missed.measured == pytest.approx(300, rel=0.002)
    assert (missed.limit, missed.unit) == (250, "ms")


def test_failed_visits_fail_and_quote_their_place() -> None:
    quoted = facts.Failed(
        process=0, scenario="read", kind="assertion", message="assert 500 == 200", where="mix.py:9"
    )
    samples = [*hundred(), *visit(1, FailureKind.ASSERTION, 500)]

    outcome, found, _, _ = judged(load_of(["failures == 0"]), snapshot(samples), quoted)

    assert outcome is Outcome.FAIL
    assert "mix.py:9 in read: assertion: assert 500 == 200" in (
        found["load/objective-missed"].message
    )


def test_a_generator_that_others_kept_waiting_has_counted_its_failures_all_the_same() -> None:
    late = snapshot(hundred(), lag_ms=900)
    waited = msgspec.structs.replace(
        late.health, blocked=snapshot(hundred(), lag_ms=1).health.loop_lag
    )
    starved = msgspec.structs.replace(late, health=waited)

    outcome, found, _, rows = judged(load_of(["failures == 0"]), starved)

    assert outcome is Outcome.PASS
    assert "load/generator-blocked" not in found
    assert "lagged 900 ms" in rows[0].invalid_because
    assert outcome_of(load_of(["p99 < 1ms"]), starved) is Outcome.UNKNOWN
    assert outcome_of(load_of(["failures == 0"]), late) is Outcome.UNKNOWN


def test_rebased_requests_and_aiohttps_are_added_up_over_processes_and_seconds() -> None:
    below = [
        msgspec.structs.replace(
            snapshot(hundred(), process=process, number=number, final=number == 2),
            rebased={"http://localhost:5000": 10},
            by_aiohttp={"websocket": 1},
        )
        for process in (0, 1)
        for number in (1, 2)
    ]

    _, _, run, _ = judged(load_of(["failures == 0"], processes=2), *below)

    assert run.rebased == {"http://localhost:5000": 40}
    assert run.by_aiohttp == {"websocket": 4}


def test_a_scenario_whose_name_has_two_lines_is_quoted_on_one() -> None:
    quoted = facts.Failed(
        process=0, scenario="read\nPASS", kind="assertion", message="why", where="mix.py:9"
    )
    samples = visit(1, FailureKind.ASSERTION, 500)

    _, found, _, _ = judged(load_of(["failures == 0"]), snapshot(samples), quoted)

    assert found["load/objective-missed"].message.splitlines()[1:] == [
        "mix.py:9 in read PASS: assertion: why"
    ]


def test_a_load_that_ended_at_its_first_failure_has_not_passed_with_one_tolerated() -> None:
    asked = msgspec.structs.replace(load_of(["failures < 5"]), stop_at_failure=True)
    samples = [*hundred(), *visit(1, FailureKind.ASSERTION)]

    outcome, found, _, _ = judged(asked, snapshot(samples, at_s=2))

    assert outcome is Outcome.UNKNOWN
    assert "first failed visit, after 2.0 s" in found["load/cut-short"].message
    assert outcome_of(asked, snapshot(hundred(), at_s=10)) is Outcome.PASS
    assert outcome_of(asked, snapshot(samples, at_s=10)) is Outcome.PASS  # its last visit


def test_a_request_that_failed_counts_although_its_scenario_swallowed_the_error() -> None:
    swallowed = Sample("read", "GET /", 0, 0, MS, failure=FailureKind.REFUSED)

    assert outcome_of(load_of(["failures == 0"]), snapshot([*hundred(), swallowed])) is Outcome.FAIL


def test_a_share_of_failures_is_compared_exactly() -> None:
    samples = [*hundred(), *visit(1, FailureKind.TIMEOUT)]

    assert outcome_of(load_of(["failures <= 1%"]), snapshot(samples)) is Outcome.PASS
    assert outcome_of(load_of(["failures <= 0.99%"]), snapshot(samples)) is Outcome.FAIL


def test_status_classes_are_judged_by_objectives_on_them() -> None:
    samples = [*hundred(), *visit(1, status=503)]

    assert outcome_of(load_of(["failures == 0"]), snapshot(samples)) is Outcome.PASS
    assert outcome_of(load_of(["5xx == 0"]), snapshot(samples)) is Outcome.FAIL
    assert outcome_of(load_of(["4xx == 0"]), snapshot(samples)) is Outcome.PASS


def test_no_visits_are_unknown() -> None:
    outcome, found, _, _ = judged(load_of(["failures == 0"]), snapshot([]))

    assert outcome is Outcome.UNKNOWN
    assert "load/no-visits" in found


def test_visits_without_a_request_are_unknown() -> None:
    only_visit = [Sample("read", None, 0, 0, MS)]

    outcome, found, _, _ = judged(load_of(["failures == 0"]), snapshot(only_visit))

    assert outcome is Outcome.UNKNOWN
    assert "load/no-requests" in found


def test_a_percentile_with_too_few_samples_is_unknown_however_good_it_looks() -> None:
    outcome, found, _, rows = judged(load_of(["p99 < 250ms"]), snapshot(hundred()[:100]))

    assert outcome is Outcome.UNKNOWN
    assert "p99 needs 100, there are 50" in found["load/objective-undecided"].message
    assert all(row.response_ms.p99 is None for row in rows)


def test_few_samples_suffice_where_even_the_fastest_breaks_the_limit() -> None:
    assert outcome_of(load_of(["p99 < 250ms"]), snapshot(visit(900))) is Outcome.FAIL


def test_an_objective_on_a_scenario_that_never_ran_is_unknown_and_names_those_that_did() -> None:
    _, found, _, _ = judged(load_of(["raed p50 < 1s"]), snapshot(hundred()))

    assert "Did you mean 'read'?" in found["load/no-samples"].message


def test_an_objective_on_a_step_looks_at_that_step_only() -> None:
    other = [Sample("read", "GET /slow", 0, 0, 900 * MS) for _ in range(100)]
    samples = [*hundred(), *other]

    assert outcome_of(load_of(['read "GET /" p99 < 50ms']), snapshot(samples)) is Outcome.PASS
    assert outcome_of(load_of(['"GET /slow" p99 < 50ms']), snapshot(samples)) is Outcome.FAIL


def test_a_rate_that_was_not_reached_fails_where_the_generator_was_well() -> None:
    outcome, found, _, _ = judged(load_of([], 200), snapshot(hundred()))

    assert outcome is Outcome.FAIL
    assert found["load/rate-not-reached"].measured == 10


def test_a_rate_that_was_not_reached_is_unknown_where_the_generator_was_the_bottleneck() -> None:
    sick = snapshot(hundred(), cpu_s=9.9)

    outcome, _, _, rows = judged(load_of([], 200), sick)

    assert outcome is Outcome.UNKNOWN
    assert not any(row.valid for row in rows)


def test_a_latency_missed_on_a_sick_generator_is_unknown_and_one_that_was_met_stays_met() -> None:
    lagging = snapshot(hundred(300), lag_ms=30)

    assert outcome_of(load_of(["p99 < 250ms"]), lagging) is Outcome.UNKNOWN
    assert outcome_of(load_of(["p99 < 310ms"]), lagging) is Outcome.PASS


def test_a_generator_that_its_scenarios_block_is_unknown() -> None:
    outcome, found, _, _ = judged(load_of(["failures == 0"]), snapshot(hundred(), lag_ms=400))

    assert outcome is Outcome.UNKNOWN
    assert "load/generator-blocked" in found


def test_failures_that_a_sick_generator_may_have_made_are_unknown() -> None:
    timed_out, refused = visit(1, FailureKind.TIMEOUT), visit(1, FailureKind.REFUSED)
    begun = load_of(["failures == 0"])

    sick = snapshot([*hundred(), *timed_out], cpu_s=9.9)
    assert judged(begun, sick)[1]["load/objective-undecided"].outcome is Outcome.UNKNOWN
    assert outcome_of(begun, snapshot([*hundred(), *timed_out])) is Outcome.FAIL
    assert outcome_of(begun, snapshot([*hundred(), *refused], cpu_s=9.9)) is Outcome.FAIL


def test_what_was_under_way_when_a_load_was_cut_short_is_not_the_targets_failure() -> None:
    under_way = snapshot([*hundred(), *visit(1, FailureKind.UNFINISHED)])
    told = facts.Problem(slug="load/interrupted", message="told to end")

    assert outcome_of(load_of(["failures == 0"]), under_way) is Outcome.FAIL
    assert outcome_of(load_of(["failures == 0"]), under_way, told) is Outcome.UNKNOWN
    assert outcome_of(load_of(["completed == 100%"]), under_way, told) is Outcome.UNKNOWN


def test_a_rate_that_the_scenarios_own_pauses_kept_down_is_unknown() -> None:
    late = [
        sample
        for _ in range(100)
        for sample in (
            Sample("read", None, 0, 900 * MS, 3900 * MS),
            Sample("read", "GET /", 0, 900 * MS, 905 * MS, status=200),
        )
    ]
    begun = load_of(["p99 < 250ms"], 200)

    outcome, found, _, _ = judged(begun, snapshot(late))

    assert outcome is Outcome.UNKNOWN
    assert "pauses" in found["load/rate-not-reached"].message
    busy = [one._replace(done_ns=3900 * MS) for one in late]
    assert outcome_of(begun, snapshot(busy)) is Outcome.FAIL


def test_a_generator_is_as_busy_as_it_was_until_the_drain() -> None:
    during = snapshot(hundred(), cpu_s=9.9, at_s=10.01, final=False)
    drained = snapshot([], cpu_s=10, at_s=20, number=2, started=100)

    assert judged(load_of([], 200), during, drained)[2].generator_cpu == pytest.approx(0.99, 0.01)


def test_a_snapshot_that_is_missing_is_unknown() -> None:
    outcome, found, _, _ = judged(load_of([]), snapshot(hundred(), number=3))

    assert outcome is Outcome.UNKNOWN
    assert "2 snapshots" in found["load/cut-short"].message


def test_a_series_has_a_point_for_each_interval_also_without_a_request() -> None:
    taken = [
        snapshot(some, number=number, at_s=number, started=100, final=number == 3)
        for number, some in enumerate((hundred()[:20], [], hundred()[20:]), 1)
    ]

    _, _, run, rows = judged(load_of([]), *taken)

    assert [point.sent for point in run.series] == [10, 0, 90]
    assert all([point.sent for point in row.series] == [10, 0, 90] for row in rows)


def test_a_generator_that_died_is_unknown_and_what_it_counted_is_included() -> None:
    begun = load_of(["failures == 0"], processes=2)
    died = snapshot(hundred(), process=1, final=False)

    outcome, found, run, _ = judged(begun, snapshot(hundred()), died)

    assert outcome is Outcome.UNKNOWN
    assert "load/cut-short" in found
    assert run.visits_started == 200


def test_the_snapshots_of_all_processes_add_up_and_none_counts_twice() -> None:
    first = snapshot(hundred()[:20], number=1, at_s=1, final=False)
    last = snapshot(hundred()[20:], number=2, at_s=2, started=100)

    _, _, run, rows = judged(load_of([]), last, first, last)

    assert run.visits_started == 100
    assert [point.sent for point in run.series] == [10, 90]
    assert {row.step: row.sent for row in rows} == {None: 100, "GET /": 100}


def test_a_closed_pace_says_that_queueing_is_not_visible() -> None:
    assert not judged(load_of([]), snapshot(hundred()))[2].queueing_visible
    assert judged(load_of([], 100), snapshot(hundred()))[2].queueing_visible


def test_a_rate_is_not_blamed_on_the_target_where_the_load_was_cut_short() -> None:
    outcome, found, _, _ = judged(load_of([], 100), snapshot(hundred()[:20], at_s=3, final=False))

    assert outcome is Outcome.UNKNOWN
    assert "load/rate-not-reached" not in found


def test_a_rate_of_workers_counts_the_time_in_which_their_last_visits_ended() -> None:
    drained = snapshot(hundred(), at_s=20)

    outcome, found, _, rows = judged(load_of(["rate >= 10/s"]), drained)

    assert outcome is Outcome.FAIL
    assert found["load/objective-missed"].measured == 5
    assert rows[0].achieved_rate == 5
    assert outcome_of(load_of(["rate >= 10/s"], 100), drained) is Outcome.PASS


def ending(number: int, at_s: float, each_ms: Sequence[float]) -> facts.Snapshot:
    samples = [sample for took_ms in each_ms for sample in visit(took_ms)]
    return snapshot(samples, number=number, at_s=at_s, started=100, final=number == 3)


def test_a_target_that_ends_its_visits_late_has_not_reached_the_rate_that_they_were_sent_at() -> (
    None
):
    behind = [ending(1, 5, [100, 2500]), ending(2, 10, [5000] * 48), ending(3, 20, [10_000] * 50)]

    outcome, found, _, _ = judged(load_of(["rate >= 9/s"], 100), *behind)

    assert outcome is Outcome.FAIL
    late_s = 10 - 2.5 - 1
    assert found["load/objective-missed"].measured == pytest.approx(100 / (10 + late_s))


@pytest.mark.parametrize(
    "visits",
    [
        ([4000] * 10, [4000] * 40, [4000] * 50),  # long from the first to the last
        ([], [8000] * 20, [8000] * 80),  # longer than half of the load
        ([50] * 50, [50] * 49, [900]),  # a straggler
    ],
)
def test_visits_that_take_no_longer_at_the_end_than_before_are_as_many_as_were_sent(
    visits: tuple[list[float], ...],
) -> None:
    each = zip((1, 2, 3), (5.0, 10.0, 10 + visits[2][0] / 1000), visits, strict=True)

    steady = [ending(number, at_s, took) for number, at_s, took in each]

    assert outcome_of(load_of(["rate >= 10/s"], 100), *steady) is Outcome.PASS


def test_what_never_ended_does_not_make_those_late_that_did() -> None:
    hung = Sample("read", None, 0, 0, 10_000 * MS, failure=FailureKind.UNFINISHED)
    last = snapshot([hung], number=3, at_s=20, started=101)
    load = load_of(["rate >= 10/s", "failures <= 10%"], 100)

    assert outcome_of(load, ending(1, 5, [9] * 50), ending(2, 10, [9] * 50), last) is Outcome.PASS


def test_an_objective_on_one_scenarios_failures_does_not_let_the_others_fail() -> None:
    broken = Sample("write", None, 0, 0, MS, failure=FailureKind.ASSERTION)

    for speaking in ("read failures <= 5%", '"GET /" completed >= 95%'):
        outcome, found, _, _ = judged(load_of([speaking]), snapshot([*hundred(), broken]))
        assert outcome is Outcome.FAIL
        assert found["load/objective-missed"].message == "write failures == 0"

    tolerated = load_of(["read failures == 0", "write failures <= 1"])
    assert outcome_of(tolerated, snapshot([*hundred(), broken])) is Outcome.PASS


def test_answers_of_500_that_nothing_judged_are_listed_as_not_checked() -> None:
    below = snapshot([*hundred(), *visit(1, status=500)])

    def unjudged(*objectives: str) -> list[str]:
        judgement, _, _ = judge(PART, (BEGUN, load_of(objectives), ENDED), (below,))
        return [omission.what for omission in judgement.not_checked]

    assert unjudged("failures == 0") == ["load-mix: 1 of 101 requests were answered 5xx"]
    assert not unjudged("5xx <= 1%")


def test_a_generator_without_a_file_left_for_a_connection_is_unknown() -> None:
    unsent = [*hundred(), *visit(1, FailureKind.EXHAUSTED)]

    outcome, found, _, rows = judged(load_of(["failures == 0", "rate >= 99/s"]), snapshot(unsent))

    assert outcome is Outcome.UNKNOWN
    assert "ulimit -n" in found["load/objective-undecided"].message
    assert not rows[0].valid
