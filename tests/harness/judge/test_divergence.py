from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import facts
from harness.judge.divergence import judge
from harness.verdict import Outcome

BAD = ("failed", "error", "xpassed")
SILENT = ("skipped", "xfailed")


def result(
    outcome: facts.TestOutcome, target: str = "inproc", name: str = "t", service: str = "shop"
) -> facts.Tested:
    return facts.Tested(
        nodeid=f"test_a.py::{name}", where=f"test_a.py:{len(target)}", outcome=outcome,
        duration_s=0.1, exchanges=1, message=f"said in {target}" if outcome != "passed" else "",
        service=service, target=target,
    )  # fmt: skip


def runs(*tests: facts.Tested, python: str = "3.11.7") -> list[tuple[str, list[facts.Tested]]]:
    return [(python, [test]) for test in tests]


def test_a_test_that_passes_here_and_fails_there_is_told_with_both_outcomes() -> None:
    judgement = judge(runs(result("passed"), result("failed", "served")))

    (finding,) = judgement.findings
    assert (finding.slug, finding.outcome) == ("functional/differs", Outcome.FAIL)
    assert finding.message.splitlines() == [
        "test_a.py::t passes in inproc and fails in served (Python 3.11.7)",
        "inproc: passed",
        "served: failed: said in served",
    ]
    assert finding.where == result("failed", "served").where
    assert finding.next_step == "harness test test_a.py::t --target inproc --target served"


@pytest.mark.parametrize("silent", SILENT)
def test_a_test_that_ran_here_only_is_not_checked_there(silent: facts.TestOutcome) -> None:
    judgement = judge(runs(result("passed"), result(silent, "served")))

    assert judgement.findings == []
    (gap,) = judgement.not_checked
    assert (gap.what, gap.why) == (
        "test_a.py::t",
        f"ran in inproc, and in served it was {silent}",
    )


def test_the_same_test_on_another_python_is_another() -> None:
    passed = (("3.11.7", [result("passed")]), ("3.12.1", [result("failed", "served")]))

    assert judge(passed).findings == []


def test_tests_of_one_name_about_two_services_are_two() -> None:
    judgement = judge(runs(result("passed"), result("failed", "served", service="other")))

    assert judgement.findings == []


outcomes = st.sampled_from(get_args(facts.TestOutcome))
some_tests = st.lists(
    st.builds(
        result,
        outcomes,
        st.sampled_from(["inproc", "served", "http://a", "http://b"]),
        st.sampled_from("tuv"),
    ),
    max_size=20,
    unique_by=lambda test: (test.target, test.nodeid),
)


@settings(deadline=None)  # a busy machine is no fault
@given(some_tests)
def test_a_finding_for_each_test_that_both_passed_and_failed_and_for_no_other(
    tests: list[facts.Tested],
) -> None:
    judgement = judge(runs(*tests))

    def has(name: str, *wanted: str) -> bool:
        return any(test.nodeid == name and test.outcome in wanted for test in tests)

    names = {test.nodeid for test in tests}
    assert {f.message.partition(" ")[0] for f in judgement.findings} == {
        name for name in names if has(name, "passed") and has(name, *BAD)
    }
    assert {gap.what for gap in judgement.not_checked} == {
        name for name in names if has(name, "passed", *BAD) and has(name, *SILENT)
    }


@settings(deadline=None)  # a busy machine is no fault
@given(some_tests, st.randoms())
def test_the_order_of_the_parts_makes_no_difference(
    tests: list[facts.Tested], random: object
) -> None:
    shuffled = list(tests)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's own

    def told(some: list[facts.Tested]) -> set[str]:
        return {f.where + f.message.partition(" ")[0] for f in judge(runs(*some)).findings}

    assert {one.split(":")[0] for one in told(tests)} == {
        one.split(":")[0] for one in told(shuffled)
    }
    assert len(told(tests)) == len(told(shuffled))


@settings(deadline=None)  # a busy machine is no fault
@given(some_tests)
def test_targets_that_agree_say_nothing(tests: list[facts.Tested]) -> None:
    agreeing = [test for test in tests if test.outcome == "passed"]

    judgement = judge(runs(*agreeing))

    assert (judgement.findings, judgement.not_checked) == ([], [])
