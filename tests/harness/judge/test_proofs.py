from __future__ import annotations

from typing import Any

import pytest

from harness import facts
from harness.judge.proofs import judge
from harness.planted import LeftOut, Planted, ProvingBegun, Seen, Unharmed
from harness.record import ProofRow
from harness.verdict import Finding, Outcome, verdict

BEGUN = facts.Begun(part="prove", at="2026-01-01T00:00:00+00:00", python="3.11.7", pid=1)
ENDED = facts.Ended(part="prove", at="2026-01-01T00:00:09+00:00")
WELL = Unharmed(proof="security", subject="the gate", outcome=Outcome.PASS, told="")
FOUND = Seen(slug="security/B307", outcome=Outcome.FAIL, where="shop/planted.py:2", message="eval")
LIMIT = Seen(
    slug="gates/limit-broken", outcome=Outcome.FAIL, where="security",
    message="security.medium == 0",
)  # fmt: skip


def planted(**changes: Any) -> Planted:
    whole: dict[str, Any] = {
        "proof": "security", "subject": "the gate", "fault": "an eval",
        "against": "security.medium == 0", "slugs": ("security/B307",),
        "at": "shop/planted.py:", "outcome": Outcome.FAIL, "seen": (FOUND, LIMIT),
    }  # fmt: skip
    return Planted(**{**whole, **changes})


def judged(*found: facts.Fact) -> tuple[Outcome, list[Finding], list[ProofRow]]:
    begun = ProvingBegun(proofs=("security",), left_out=(LeftOut(what="load", why="no load"),))
    judgement, rows = judge("prove", (BEGUN, begun, *found, ENDED))
    assert [one.what for one in judgement.not_checked] == ["prove load"]
    return verdict(judgement.findings), judgement.findings, rows


def test_a_fault_that_its_run_told_of_is_caught() -> None:
    outcome, (finding,), (row,) = judged(WELL, planted())

    assert outcome is row.outcome is Outcome.PASS
    assert (finding.slug, row.found, row.where) == (
        "prove/caught", "security/B307", "shop/planted.py:",
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"seen": (), "outcome": Outcome.PASS},
        {"seen": (LIMIT,)},
        {"at": "shop/other.py:"},
        {"slugs": ("security/B602",)},
        {"says": "another test"},
        {"outcome": Outcome.PASS},
    ],
    ids=["green", "the limit alone", "elsewhere", "by another slug", "other words", "no verdict"],
)
def test_a_fault_that_no_finding_of_its_own_tells_of_fails(changes: dict[str, Any]) -> None:
    outcome, (finding,), (row,) = judged(WELL, planted(**changes))

    assert outcome is row.outcome is Outcome.FAIL
    assert finding.slug == "prove/missed"
    assert "an eval" in finding.message
    assert finding.where == "security: the gate"


def test_a_fault_that_the_plan_tolerates_fails_and_says_so() -> None:
    waived = Seen(**{**_as_dict(FOUND), "waived": True})

    outcome, (finding,), _ = judged(WELL, planted(seen=(waived,)))

    assert outcome is Outcome.FAIL
    assert "waivers tolerate it" in finding.message


def test_a_waived_place_whose_limit_still_counts_turns_the_verdict() -> None:
    waived = Seen(**{**_as_dict(FOUND), "waived": True})

    assert judged(WELL, planted(seen=(waived, LIMIT)))[0] is Outcome.PASS


def _as_dict(seen: Seen) -> dict[str, Any]:
    return {name: getattr(seen, name) for name in seen.__struct_fields__}


def test_a_fault_that_could_not_be_planted_is_never_green() -> None:
    outcome, (finding,), (row,) = judged(WELL, planted(obstacle="the limit covers no file"))

    assert outcome is row.outcome is Outcome.UNKNOWN
    assert finding.slug == "prove/not-planted"
    assert "the limit covers no file" in finding.message


def test_a_copy_that_does_not_pass_without_a_fault_proves_nothing() -> None:
    sick = Unharmed(proof="security", subject="the gate", outcome=Outcome.FAIL, told="an old eval")

    outcome, (finding,), rows = judged(sick)

    assert (outcome, rows) == (Outcome.UNKNOWN, [])
    assert finding.slug == "prove/unharmed"
    assert "an old eval" in finding.message


def test_a_proof_of_which_nothing_was_written_down_is_unknown() -> None:
    outcome, (finding,), _ = judged()

    assert (outcome, finding.slug, finding.where) == (
        Outcome.UNKNOWN, "prove/not-planted", "security",
    )  # fmt: skip


def test_an_interrupted_proof_is_unknown() -> None:
    judgement, _ = judge("prove", (BEGUN, WELL, planted()))

    assert verdict(judgement.findings) is Outcome.UNKNOWN
