from __future__ import annotations

import pytest

from harness import facts
from harness.judge.functional import judge
from harness.verdict import Outcome, verdict

PART = "functional-served"
BEGUN = facts.Begun(part=PART, at="2026-01-01T00:00:00+00:00", python="3.11.7", pid=1)
ENDED = facts.Ended(part=PART, at="2026-01-01T00:00:09+00:00")


def result(
    outcome: facts.TestOutcome = "passed", exchanges: int = 1, name: str = "a"
) -> facts.Tested:
    return facts.Tested(
        nodeid=f"t.py::test_{name}", where="t.py:3", outcome=outcome, duration_s=0.1,
        exchanges=exchanges, message="assert 1 == 2", service="shop", target="served",
    )  # fmt: skip


def pytest_ended(status: int, collected: int = 1) -> facts.PytestEnded:
    return facts.PytestEnded(exit_status=status, collected=collected, deselected=0)


def judged(*found: facts.Fact, ended: bool = True) -> tuple[Outcome, set[str]]:
    judgement, _ = judge(PART, (BEGUN, *found, *([ENDED] if ended else [])))
    bad = {f.slug for f in judgement.findings if f.outcome is not Outcome.PASS}
    return verdict(judgement.findings), bad


def test_tests_that_passed_and_reached_their_target_pass() -> None:
    assert judged(result(), pytest_ended(0)) == (Outcome.PASS, set())


@pytest.mark.parametrize("outcome", ["failed", "error", "xpassed"])
def test_a_bad_test_fails(outcome: facts.TestOutcome) -> None:
    assert judged(result(outcome), result(name="b"), pytest_ended(1)) == (
        Outcome.FAIL,
        {f"functional/{outcome}"},
    )


def test_a_failing_test_names_its_place_and_the_command_to_see_it_again() -> None:
    judgement, _ = judge(PART, (BEGUN, result("failed"), pytest_ended(1), ENDED))

    (finding,) = judgement.findings
    assert finding.where == "t.py:3"
    assert "assert 1 == 2" in finding.message
    assert finding.next_step == "harness test t.py::test_a --target served"


def test_no_tests_at_all_is_unknown() -> None:
    assert judged(pytest_ended(5, 0)) == (Outcome.UNKNOWN, {"functional/no-tests"})


def test_a_suite_that_skipped_everything_is_unknown() -> None:
    assert judged(result("skipped", 0), pytest_ended(0)) == (
        Outcome.UNKNOWN,
        {"functional/none-ran"},
    )


def test_a_suite_that_was_killed_is_unknown_although_all_its_tests_had_passed() -> None:
    assert judged(result(), ended=False) == (Outcome.UNKNOWN, {"evidence/incomplete"})


@pytest.mark.parametrize("status", [2, 3, 4])
def test_pytests_own_failures_are_unknown(status: int) -> None:
    outcome, slugs = judged(result(), pytest_ended(status))

    assert outcome is Outcome.UNKNOWN
    assert len(slugs) == 1


def test_a_bad_exit_status_that_no_test_explains_is_unknown() -> None:
    assert judged(result(), pytest_ended(1)) == (Outcome.UNKNOWN, {"functional/unexplained"})


def test_a_module_that_was_not_collected_is_unknown_beside_tests_that_passed() -> None:
    missing = facts.Problem(slug="functional/not-collected", message="SyntaxError", where="u.py")

    assert judged(result(), missing, pytest_ended(2))[0] is Outcome.UNKNOWN


def test_a_call_between_tests_that_nothing_answered_fails() -> None:
    surprise = facts.Surprise(slug="functional/between-tests", message="m", where="w")

    assert judged(result(), surprise, pytest_ended(0))[0] is Outcome.FAIL


def test_served_tests_of_which_none_reached_the_server_are_unknown() -> None:
    assert judged(result(exchanges=0), pytest_ended(0)) == (
        Outcome.UNKNOWN,
        {"functional/unreached"},
    )


def test_clients_of_an_application_that_nobody_named_are_told_of_the_option() -> None:
    alone = facts.Tested(
        nodeid="t.py::test_o", where="t.py:9", outcome="passed", duration_s=0.1, exchanges=0,
        apart=1, target="http://127.0.0.1:5000",
    )  # fmt: skip

    judgement, _ = judge(PART, (BEGUN, alone, ENDED))

    (finding,) = [one for one in judgement.findings if one.slug == "functional/unreached"]
    assert "--app MODULE:ATTR" in finding.next_step


def test_a_test_that_did_not_reach_its_target_is_listed() -> None:
    judgement, (row,) = judge(PART, (BEGUN, result(), result(exchanges=0, name="b"), ENDED))

    assert [omission.what for omission in judgement.not_checked] == ["t.py::test_b [served]"]
    assert (row.tests, row.reached) == (2, 1)


def test_skipped_expected_and_deselected_tests_are_listed_as_not_checked() -> None:
    ended = facts.PytestEnded(exit_status=0, collected=4, deselected=2)

    judgement, _ = judge(
        PART, (BEGUN, result(), result("skipped", 0), result("xfailed"), ended, ENDED)
    )

    assert [omission.why.split(":")[0] for omission in judgement.not_checked] == [
        "deselected",
        "skipped",
        "expected to fail, so its failure says nothing",
    ]


def test_tests_that_were_found_and_not_run_are_missing_evidence() -> None:
    assert judged(result(), pytest_ended(0, 2)) == (Outcome.UNKNOWN, {"functional/unexplained"})


def test_one_service_that_was_reached_is_no_evidence_of_another() -> None:
    other = facts.Tested(
        nodeid="t.py::test_o", where="t.py:9", outcome="passed", duration_s=0.1, exchanges=0,
        service="stock", target="served",
    )  # fmt: skip

    assert judged(result(), other, pytest_ended(0)) == (Outcome.UNKNOWN, {"functional/unreached"})


def test_where_every_test_failed_their_failures_say_enough() -> None:
    assert judged(result("failed", exchanges=0), pytest_ended(1)) == (
        Outcome.FAIL,
        {"functional/failed"},
    )


def worker(name: str, *found: facts.Fact, ended: bool = True) -> tuple[facts.Fact, ...]:
    part, at = f"{PART}.{name}", BEGUN.at
    begun = facts.Begun(part=part, at=at, python="3.11.7", pid=2)
    end = [pytest_ended(0, 2), facts.Ended(part=part, at=at)] if ended else []
    return (begun, *found, *end)


def test_the_tests_of_workers_are_the_parts() -> None:
    below = (*worker("gw0", result(name="a")), *worker("gw1", result(name="b")))

    judgement, (row,) = judge(PART, (BEGUN, pytest_ended(0, 2), ENDED), below)

    assert (verdict(judgement.findings), row.tests) == (Outcome.PASS, 2)


def test_a_test_that_no_worker_noted_is_missed() -> None:
    below = (*worker("gw0", result(name="a")), *worker("gw1"))

    judgement, _ = judge(PART, (BEGUN, pytest_ended(0, 2), ENDED), below)

    assert [f.slug for f in judgement.findings] == ["functional/unexplained"]


def test_a_worker_that_did_not_end_is_unknown_although_its_tests_passed() -> None:
    below = worker("gw0", result(name="a"), ended=False)

    judgement, _ = judge(PART, (BEGUN, pytest_ended(0, 1), ENDED), below)

    (finding,) = judgement.findings
    assert (finding.slug, finding.where) == ("functional/worker-died", f"{PART}.gw0")


def test_a_test_in_which_its_worker_died_has_failed_whatever_the_worker_noted() -> None:
    below = worker("gw0", result(name="a"), ended=False)

    judgement, (row,) = judge(PART, (BEGUN, result("failed"), pytest_ended(1), ENDED), below)

    assert (verdict(judgement.findings), row.tests, row.failed) == (Outcome.FAIL, 1, 1)


def test_what_each_worker_left_out_is_told_once() -> None:
    left = facts.PytestEnded(exit_status=0, collected=1, deselected=3)
    below = (*worker("gw0", result(), left), *worker("gw1", left))

    judgement, _ = judge(PART, (BEGUN, pytest_ended(0), ENDED), below)

    assert [one.what for one in judgement.not_checked] == [f"3 tests in {PART}"]
