"""What a load can no longer meet, seen while it runs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import facts
from harness.judge.load import judge
from harness.judge.lost import Prospect
from harness.sample import FailureKind, Sample
from harness.tally import WARM_UP
from harness.verdict import Outcome
from tests.harness.judge.test_load import BEGUN, ENDED, PART, load_of, snapshot, visit

FAILED = FailureKind.ASSERTION


def lost(objectives: Sequence[str], samples: Sequence[Sample], due: int | None = None) -> str:
    prospect = Prospect(load_of(objectives, due))
    prospect.take(snapshot(samples, at_s=1, final=False, cpu_s=0))
    return prospect.lost()


def several(good: int, bad: int = 0, slow: int = 0) -> list[Sample]:
    made = [visit(5)] * good + [visit(5, FAILED)] * bad + [visit(900)] * slow
    return [sample for samples in made for sample in samples]


@pytest.mark.parametrize(
    ("objective", "good", "bad", "slow", "due"),
    [
        ("failures == 0", 5, 1, 0, None),
        ("failures < 2", 5, 2, 0, None),
        ("read failures <= 1", 5, 2, 0, None),
        ("max < 500ms", 50, 0, 1, None),
        ("failures <= 1%", 8, 2, 0, 100),
        ("completed >= 99%", 8, 2, 0, 100),
        ("completed >= 99", 8, 2, 0, 100),
        ("p90 < 500ms", 5, 0, 11, 100),
        ("mean < 50ms", 1, 0, 11, 100),
        ('read "GET /" p90 < 500ms', 5, 0, 11, 100),
        ("5xx == 0", 5, 0, 0, None),
    ],
)
def test_an_objective_is_lost_that_no_visit_to_come_can_mend(
    objective: str, good: int, bad: int, slow: int, due: int | None
) -> None:
    samples = several(good, bad, slow)
    if objective.startswith("5xx"):
        samples += visit(5, status=503)

    assert lost([objective, "failures < 99"], samples, due) == objective


@pytest.mark.parametrize(
    ("objective", "good", "bad", "slow", "due"),
    [
        ("failures < 2", 5, 1, 0, None),  # met so far
        ("failures <= 1%", 8, 2, 0, None),  # nobody knows how many are to come
        ("failures <= 2%", 8, 2, 0, 100),  # all that are left may succeed
        ("p90 < 500ms", 5, 0, 9, 100),
        ("p90 < 500ms", 5, 0, 11, None),
        ("completed >= 98%", 8, 2, 0, 100),
        ("rate > 100/s", 5, 0, 0, 100),
        ("p90 < 500ms in every 1s", 5, 0, 20, 100),
        ("failures > 7", 5, 2, 0, None),
        ("failures == 3", 5, 2, 0, None),
    ],
)
def test_an_objective_is_not_lost_that_may_be_met_yet(
    objective: str, good: int, bad: int, slow: int, due: int | None
) -> None:
    assert lost([objective, "failures < 99"], several(good, bad, slow), due) == ""


def test_what_nobody_spoke_of_is_lost_by_its_default() -> None:
    assert lost([], several(5, 1)) == "read failures == 0"


def test_a_load_that_may_have_spoiled_its_figures_has_lost_nothing() -> None:
    prospect = Prospect(load_of(["max < 500ms"]))
    prospect.take(snapshot(several(50, slow=1), at_s=1, final=False, cpu_s=0.99))

    assert prospect.lost() == ""


def test_what_failed_in_the_warm_up_loses_nothing() -> None:
    cold = [sample._replace(scenario=f"read{WARM_UP}") for sample in several(0, bad=3)]
    prospect = Prospect(msgspec.structs.replace(load_of(["failures == 0"]), warm_up_s=1.0))
    prospect.take(snapshot([*several(3), *cold], at_s=2, final=False, cpu_s=0))

    assert prospect.lost() == ""


def test_snapshots_of_all_processes_are_seen_together() -> None:
    prospect = Prospect(load_of(["failures < 3"], processes=2))
    found = []
    for number in (1, 2):
        for process in (0, 1):
            prospect.take(
                snapshot(several(2, int(number == 1 or process == 1)), number=number,
                         process=process, final=False)
            )  # fmt: skip
            found.append(prospect.lost())

    assert found == ["", "", "", "failures < 3"]


visits = st.lists(st.sampled_from([(5, None), (900, None), (5, FAILED)]), min_size=1, max_size=60)


@given(
    visits, visits,
    st.sampled_from(["failures <= 5%", "failures < 3", "p50 < 500ms", "p90 < 500ms", "mean < 300ms",
                     "completed >= 95%", "max < 500ms"]),
)  # fmt: skip
def test_what_was_lost_is_missed_in_the_end_whatever_came(
    before: list[tuple[int, FailureKind | None]], after: list[tuple[int, FailureKind | None]],
    objective: str,
) -> None:  # fmt: skip
    due = len(before) + len(after)
    first = [sample for took, failure in before for sample in visit(took, failure)]
    rest = [sample for took, failure in after for sample in visit(took, failure)]
    begun = load_of([objective, "failures < 999"], due)
    prospect = Prospect(begun)
    prospect.take(snapshot(first, at_s=1, final=False, cpu_s=0))

    whole: tuple[facts.Fact, ...] = (
        snapshot(first, at_s=1, final=False, cpu_s=0),
        snapshot(rest, number=2, started=due),
    )
    judgement, _, _ = judge(PART, (BEGUN, begun, ENDED), whole)
    found = {f.message.splitlines()[0]: f.outcome for f in judgement.findings}
    assert not prospect.lost() or found[objective] is Outcome.FAIL
