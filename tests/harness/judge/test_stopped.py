"""Visits that waited or were never started, and loads that ended since they had lost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from harness import facts
from harness.histogram import Histogram
from harness.judge import Judgement
from harness.judge.load import judge
from harness.record import LoadRun
from harness.sample import FailureKind, Sample
from harness.snapshot import HistogramFact, Snapshot
from harness.verdict import Outcome, verdict
from tests.harness.judge.test_load import BEGUN, ENDED, PART, load_of, snapshot, visit

MS = 1_000_000


def judged(begun: facts.LoadBegun, *noted: facts.Fact) -> tuple[Judgement, LoadRun]:
    own = tuple(fact for fact in noted if isinstance(fact, facts.LoadStopped))
    below = tuple(fact for fact in noted if fact not in own)
    judgement, run, _ = judge(PART, (BEGUN, begun, *own, ENDED), below)
    assert run is not None
    return judgement, run


def blocked(samples: Sequence[Sample], waited_ms: Sequence[int], never: int = 0) -> Snapshot:
    waited = Histogram()
    for ms in waited_ms:
        waited.record(ms * MS)
    return msgspec.structs.replace(
        snapshot(samples), blocked=HistogramFact.of(waited), not_started=never
    )


def hundred(number: int = 100, took_ms: float = 5) -> list[Sample]:
    return [sample for _ in range(number) for sample in visit(took_ms)]


def test_visits_that_waited_for_room_are_told_and_judge_nothing() -> None:
    begun = msgspec.structs.replace(load_of(["p99 < 250ms"], 100), in_flight=3)
    judgement, run = judged(begun, blocked(hundred(), [200] * 9 + [400]))

    assert verdict(judgement.findings) is Outcome.PASS
    assert [(notice.slug, notice.message) for notice in judgement.notices] == [
        ("load/blocked", "10 visits that were due waited for room, since 3 were under way in a "
                         "process: 2.2 s in all, p99 400 ms")
    ]  # fmt: skip
    assert run.blocked_ms is not None
    assert (run.blocked_ms.count, run.blocked_ms.max, run.turned_away) == (10, 400, 0)


def test_a_load_that_nothing_waited_in_says_nothing_of_it() -> None:
    judgement, run = judged(load_of(["p99 < 250ms"], 100), snapshot(hundred()))

    assert judgement.notices == []
    assert run.blocked_ms is None


def test_visits_that_a_late_generator_never_started_are_told_by_themselves() -> None:
    judgement, run = judged(
        load_of(["p50 < 250ms"], 100),
        msgspec.structs.replace(snapshot(hundred(99)), not_started=1),
    )

    assert judgement.notices[0].message == "1 visit that was due was never started"
    assert run.turned_away == 1


def test_a_rate_that_was_not_reached_names_the_limit_that_visits_waited_at() -> None:
    begun = msgspec.structs.replace(load_of([], 100), in_flight=3)
    judgement, _ = judged(begun, blocked(hundred(50), [900] * 60, never=50))

    (found,) = [one for one in judgement.findings if one.slug == "load/rate-not-reached"]
    assert found.message.endswith("did not keep up with 3 visits of a process at once (in_flight)")


@pytest.mark.parametrize(
    ("objective", "outcome"), [("p99 < 250ms", Outcome.UNKNOWN), ("p90 < 250ms", Outcome.PASS)]
)
def test_visits_that_were_never_started_leave_open_what_they_might_have_changed(
    objective: str, outcome: Outcome
) -> None:
    samples = hundred(988) + hundred(4, 900)
    judgement, run = judged(load_of([objective], 1000), blocked(samples, [900] * 9, never=8))

    told = [finding for finding in judgement.findings if finding.slug == "load/not-started"]
    assert verdict(judgement.findings) is outcome
    assert [finding.message for finding in told] == (
        [f"8 of 1000 visits that were due never started, and {objective!r} might not be met "
         "with them"] if outcome is Outcome.UNKNOWN else []
    )  # fmt: skip
    assert "; 8 visits that were due were never started" in judgement.notices[0].message
    assert run.turned_away == 8


def test_a_load_that_ended_since_it_had_lost_is_fail_and_says_so() -> None:
    failed = visit(5, FailureKind.ASSERTION)
    judgement, run = judged(
        load_of(["failures == 0"], 100), snapshot([*hundred(10), *failed], at_s=3),
        facts.LoadStopped(objective="failures == 0", at_s=2.0),
    )  # fmt: skip

    assert verdict(judgement.findings) is Outcome.FAIL
    assert {finding.slug for finding in judgement.findings} == {"load/objective-missed"}
    assert judgement.notices[0].slug == "load/stopped-early"
    assert judgement.notices[0].message == (
        "it was stopped after 3.0 of 10 s: 'failures == 0' could not be met any more"
    )
    assert run.stopped_by == "failures == 0"


def test_a_load_that_ended_early_and_had_not_lost_after_all_is_cut_short() -> None:
    judgement, _ = judged(
        load_of(["max < 250ms"], 100), snapshot(hundred(11), at_s=3),
        facts.LoadStopped(objective="max < 250ms", at_s=2.0),
    )  # fmt: skip

    assert verdict(judgement.findings) is Outcome.UNKNOWN
    assert "load/cut-short" in {finding.slug for finding in judgement.findings}


def test_a_load_that_lost_at_its_very_end_was_not_stopped() -> None:
    failed = visit(5, FailureKind.ASSERTION)
    judgement, run = judged(
        load_of(["failures == 0"], 101), snapshot([*hundred(), *failed], at_s=10),
        facts.LoadStopped(objective="failures == 0", at_s=10.0),
    )  # fmt: skip

    assert judgement.notices == []
    assert run.stopped_by == ""
