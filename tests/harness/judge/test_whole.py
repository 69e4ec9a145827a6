from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness import facts, inspection
from harness.evidence import Environment, Facts, Identity
from harness.judge.whole import fold, headline
from harness.record import Record
from harness.verdict import Finding, Outcome
from harness.waiver import Waiver

LIMITS = ("complexity.max <= 10",)
ENVIRONMENT = Environment(
    python="3.11.7", platform="", cpu_count=2, packages={}, commit="", dirty=False, tree="0"
)
INSPECTED = inspection.Inspected(
    gate="complexity", tool="radon", paths=(".",), inventory=1, checked=("a.py",),
    not_checked=(), duration_s=0.1,
)  # fmt: skip


def noted(part: str, *found: facts.Fact) -> tuple[facts.Fact, ...]:
    at = "2026-01-01T00:00:00+00:00"
    begun = facts.Begun(part=part, at=at, python="3.11.7", pid=1)
    return (begun, *found, facts.Ended(part=part, at=at))


def gates(complexity: int = 1, limits: tuple[str, ...] = LIMITS) -> tuple[facts.Fact, ...]:
    block = inspection.Block(path="a.py", line=1, name="f", complexity=complexity)
    return noted("gates", inspection.GatesBegun(limits=limits), INSPECTED, block)


def served(outcome: facts.TestOutcome) -> tuple[facts.Fact, ...]:
    test = facts.Tested(
        nodeid="t.py::t", where="t.py:1", outcome=outcome, duration_s=0.1, exchanges=1
    )
    return noted(
        "functional-served", test, facts.PytestEnded(exit_status=0, collected=1, deselected=0)
    )


def folded(
    *asked: str, waivers: tuple[Waiver, ...] = (), only: bool = False,
    **parts: tuple[facts.Fact, ...],
) -> Record:  # fmt: skip
    """Fold the parts given; ``functional_served`` is the part functional-served."""
    by_part = {name.replace("_", "-"): found for name, found in parts.items()}
    identity = Identity(
        run_id="r", started_at="2026-01-01T00:00:00+00:00", asked=asked, plan_source="",
        environment=ENVIRONMENT, waivers=waivers, whole=not only,
    )  # fmt: skip
    return fold(identity, Facts(by_part), asked if only else None)


def test_a_whole_run_without_anything_bad_passes() -> None:
    record = folded("gates", "functional-served", gates=gates(), functional_served=served("passed"))

    assert record.outcome is Outcome.PASS
    assert record.headline == "1 test passed (served); 1 limit kept"


def test_the_headline_of_a_pass_names_all_that_it_rests_on() -> None:
    tested = folded("functional-served", functional_served=served("passed")).functional
    limits = folded("gates", gates=gates()).gates
    loads: Any = [SimpleNamespace(visits_started=310, repeated=None)]
    stock = Finding(slug="load/stock", outcome=Outcome.PASS, where="a.py", message="2 succeeded")

    assert headline(Outcome.PASS, [stock], tested, loads, limits) == (
        "1 test passed (served); 310 visits under load; 1 limit kept; "
        "1 file under the stock molotov"
    )


def test_visits_of_one_request_are_called_requests() -> None:
    loads: Any = [SimpleNamespace(visits_started=310, repeated="GET /")]

    assert headline(Outcome.PASS, [], [], loads, []) == "310 requests under load"


def test_a_part_that_was_asked_for_and_is_not_there_is_unknown() -> None:
    assert folded("gates", "functional-served", gates=gates()).outcome is Outcome.UNKNOWN


def test_a_run_that_was_asked_for_nothing_is_unknown() -> None:
    assert folded().outcome is Outcome.UNKNOWN


def test_what_a_run_was_not_asked_for_and_found_all_the_same_counts() -> None:
    record = folded("gates", gates=gates(), functional_served=served("failed"))

    assert record.outcome is Outcome.FAIL
    assert [row.target for row in record.functional] == ["served"]


def test_tests_count_for_their_target_on_any_python() -> None:
    record = folded("functional-served", functional_served_py312=served("passed"))

    assert record.outcome is Outcome.PASS
    assert [row.target for row in record.functional] == ["served"]


def test_tests_on_two_pythons_are_judged_each() -> None:
    record = folded(
        "functional-served",
        functional_served_py311=served("passed"),
        functional_served_py312=served("failed"),
    )

    assert record.outcome is Outcome.FAIL
    assert len(record.functional) == 2


def test_tests_of_another_target_are_not_those_that_were_asked_for() -> None:
    record = folded("functional-inproc", functional_inproc_more=served("passed"))

    assert [f.slug for f in record.findings if f.outcome is not Outcome.PASS] == [
        "evidence/missing-part"
    ]


@pytest.mark.parametrize(
    ("run", "tree", "told"),
    [("r", "0", ""), ("", "", ""), ("other", "0", "another run, other"), ("r", "1", "hash is 1")],
)
def test_evidence_of_another_run_or_of_other_code_is_refused(
    run: str, tree: str, told: str
) -> None:
    found = gates()
    begun = msgspec.structs.replace(found[0], run=run, tree=tree)  # type: ignore[arg-type]  # Begun

    record = folded("gates", gates=(begun, *found[1:]))

    refused = [f.message for f in record.findings if f.slug == "evidence/other-run"]
    assert [told in message for message in refused] == ([True] if told else [])
    assert (record.outcome is Outcome.PASS) is (not told)
    assert bool(record.gates) is (not told)


@pytest.mark.parametrize(
    ("path", "until", "outcome"),
    [
        ("b.py", date(2026, 2, 1), Outcome.PASS),
        ("b.py", date(2025, 12, 31), Outcome.UNKNOWN),
        ("c.py", date(2026, 2, 1), Outcome.FAIL),
    ],
)
def test_a_file_that_cannot_be_checked_is_waived_by_its_path_until_a_day(
    path: str, until: date, outcome: Outcome
) -> None:
    lost = inspection.NotChecked(path="b.py", slug="gates/not-parsed", reason="line 1: no")
    begun, limits, inspected, *rest = gates()
    some = msgspec.structs.replace(inspected, not_checked=(lost,))  # type: ignore[type-var]
    waiver = Waiver(slug="gates/not-parsed", path=path, reason="a template", until=until)

    record = folded("gates", gates=(begun, limits, some, *rest), waivers=(waiver,))

    assert record.outcome is outcome  # a waiver that nothing needs fails a whole run
    assert (record.gates[0].outcome is Outcome.PASS) is (outcome is Outcome.PASS)
    if outcome is Outcome.PASS:
        assert record.headline == "1 limit kept (without 1 file that a waiver names)"


def test_a_process_of_another_run_is_refused_beside_its_part() -> None:
    begun = facts.Begun(part="gates.0", at="", python="3.11.7", pid=1, run="other", tree="0")

    record = folded("gates", **{"gates": gates(), "gates.0": (begun,)})

    assert record.outcome is Outcome.UNKNOWN
    assert "gates.0" in record.headline


def test_a_part_that_was_asked_for_twice_is_counted_once() -> None:
    assert len(folded("gates", "gates", gates=gates()).gates) == 1


@pytest.mark.parametrize("part", ["gates", "load-mix"])
def test_a_part_that_began_and_ended_and_says_nothing_is_unknown(part: str) -> None:
    record = folded(part, **{part: noted(part)})

    assert record.outcome is Outcome.UNKNOWN
    assert "nothing that can be judged" in record.headline


def test_a_process_that_could_not_even_say_that_it_began_is_unknown() -> None:
    record = folded("gates", **{"gates": gates(), "gates.helper": ()})

    assert record.outcome is Outcome.UNKNOWN
    assert "gates.helper" in record.headline


def test_a_limit_of_a_later_version_is_unknown_and_the_other_parts_are_judged() -> None:
    record = folded(
        "gates", "functional-served",
        gates=gates(limits=("cognitive.max <= 3",)), functional_served=served("passed"),
    )  # fmt: skip

    assert record.outcome is Outcome.UNKNOWN
    assert "found 'cognitive.max'" in record.headline
    assert record.functional[0].passed == 1


def test_the_headline_names_the_file_that_was_not_checked() -> None:
    missed = inspection.NotChecked(path="src/b.py", slug="gates/not-parsed", reason="line 3: no")
    account = inspection.Inspected(
        gate="complexity", tool="radon", paths=(".",), inventory=2, checked=("a.py",),
        not_checked=(missed,), duration_s=0.1,
    )  # fmt: skip
    found = noted("gates", inspection.GatesBegun(limits=LIMITS), account)

    assert folded("gates", gates=found).headline.startswith(
        "src/b.py: not checked (complexity): line 3: no"
    )


def test_the_headline_has_a_broken_limit_once_and_not_its_places() -> None:
    assert folded("gates", gates=gates(21)).headline == "complexity.max <= 10: measured 21"


def test_the_headline_writes_out_a_large_count() -> None:
    assert folded("gates", gates=gates(48_890)).headline.endswith("measured 48890")


@pytest.mark.parametrize(
    ("covered", "said"), [(90_000, "measured 90%"), (89_999, "measured 89.999%")]
)
def test_the_headline_rounds_no_number_to_its_limit(covered: int, said: str) -> None:
    files = inspection.Covered(
        path="a.py", statements=100_000, covered=covered, branches=0, covered_branches=0, missing=()
    )
    found = noted(
        "gates", inspection.GatesBegun(limits=("coverage.lines > 90%",)),
        msgspec.structs.replace(INSPECTED, gate="coverage"), files,
    )  # fmt: skip

    assert folded("gates", gates=found).headline == f"coverage.lines > 90%: {said}"


@pytest.mark.parametrize(("deselected", "outcome"), [(0, Outcome.FAIL), (1, Outcome.PASS)])
def test_a_stub_is_not_stale_where_workers_left_out_tests(
    deselected: int, outcome: Outcome
) -> None:
    ended = facts.PytestEnded(exit_status=0, collected=1, deselected=deselected)
    use = facts.StubUse(stub="weather.now", where="weather.toml:1", calls=0)
    worker = noted("functional-served.gw0", use, ended)

    record = folded(
        "gates", "functional-served",
        **{"gates": gates(), "functional-served": served("passed"),
           "functional-served.gw0": worker},
    )  # fmt: skip

    assert record.outcome is outcome


def waiver(until: date = date(2026, 2, 1), path: str = "t.py*") -> Waiver:
    return Waiver(
        slug="functional/failed", path=path, reason="known", until=until, where="harness.toml:9"
    )


def test_a_failure_that_is_waived_is_kept_and_counts_no_more() -> None:
    record = folded("functional-served", functional_served=served("failed"), waivers=(waiver(),))

    assert record.outcome is Outcome.PASS
    (finding,) = record.findings
    assert (finding.outcome, finding.waiver is not None) == (Outcome.FAIL, True)
    assert Record.from_json(record.to_json(), "record.json") == record


def test_a_waiver_that_ended_before_the_run_began_holds_no_more() -> None:
    ended = waiver(date(2025, 12, 31))

    record = folded("functional-served", functional_served=served("failed"), waivers=(ended,))

    assert record.outcome is Outcome.FAIL
    assert "its waiver (harness.toml:9) ended on 2025-12-31: known" in record.findings[0].message


def test_an_unknown_cannot_be_waived() -> None:
    everything = Waiver(
        slug="evidence/missing-part", path="*", reason="known", until=date(2026, 2, 1)
    )

    assert folded("gates", waivers=(everything,)).outcome is Outcome.UNKNOWN


def test_a_waiver_that_nothing_needs_fails_a_whole_run_and_is_noticed_in_a_part_of_one() -> None:
    parts = {"gates": gates(), "functional_served": served("passed")}

    whole = folded("gates", "functional-served", waivers=(waiver(),), **parts)
    part = folded("functional-served", only=True, waivers=(waiver(),), **parts)

    assert whole.outcome is Outcome.FAIL
    assert "waivers/unused" in {finding.slug for finding in whole.findings}
    assert part.outcome is Outcome.PASS
    assert [notice.slug for notice in part.notices] == ["waivers/unused"]
