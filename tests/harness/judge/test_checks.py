from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.judge.checks import LIMITS
from harness.judge.load import judge
from harness.record import Check, Validity
from harness.sample import FailureKind, Sample
from harness.snapshot import Flight, Machine, Snapshot, Vitals
from harness.verdict import Finding, Outcome
from tests.harness.judge.test_load import BEGUN, ENDED, MS, PART, hundred, load_of, snapshot, visit

ROOT = Path(__file__).parents[3]
FLIGHT = Flight(visits_s=0.5, failed_s=0.0, most=3)  # of a hundred visits of 5 ms
MACHINE = Machine(processors=2, busy_s=15.2, target_s=8.0, starved_s=0.4)
VITALS = Vitals(descriptors=61, most_descriptors=1024, waiting=2000, ports=28_232, machine=MACHINE)


def healthy(
    below: Snapshot,
    flight: Flight | None = FLIGHT,
    vitals: Vitals | None = VITALS,
) -> Snapshot:
    """Return a snapshot with what its generator knows of itself."""
    health = msgspec.structs.replace(below.health, flight=flight, vitals=vitals)
    return msgspec.structs.replace(below, health=health)


def found(
    *below: Snapshot, objectives: tuple[str, ...] = ("failures == 0",),
    due: int | None = None, processes: int = 1,
) -> tuple[dict[str, Finding], Validity]:  # fmt: skip
    begun = load_of(objectives, due, processes)
    judgement, run, _ = judge(PART, (BEGUN, begun, ENDED), below)
    assert run is not None
    assert run.validity is not None
    return {finding.slug: finding for finding in judgement.findings}, run.validity


def check(validity: Validity, what: str) -> Check:
    (one,) = [check for check in validity.checks if check.what.startswith(what)]
    return one


def test_the_page_has_every_limit_with_its_number_and_what_helps() -> None:
    page = (ROOT / "docs" / "load.md").read_text()
    begins = page.index("| figure | limit |")
    rows = page[begins : page.index("\n\n", begins)].splitlines()[2:]

    assert rows == [
        f"| {one.what} | {one.op} {one.limit} {one.unit}".rstrip()
        + f" | {one.doubtful} | {one.helps} |"
        for one in LIMITS
    ]


def test_a_generator_that_was_well_is_within_every_limit() -> None:
    _, validity = found(healthy(snapshot(hundred())), objectives=("p99 < 250ms",), due=100)

    assert [one.what for one in validity.checks] == [limit.what for limit in LIMITS]
    assert all(one.within and one.measured is not None for one in validity.checks)
    assert check(validity, "visits in flight").measured == pytest.approx(0, abs=1e-9)
    assert check(validity, "event loop's lag (p99), of").measured == pytest.approx(0.4, rel=0.01)
    assert (validity.in_flight, validity.most_in_flight) == (0.05, 3)


def test_who_used_the_machine_is_told_and_decides_nothing() -> None:
    findings, validity = found(healthy(snapshot(hundred(), cpu_s=6.2)))

    shares = validity.machine
    assert shares is not None
    assert (shares.processors, shares.generator, shares.target) == (2, 0.62, 0.8)
    assert shares.others == pytest.approx(0.1)
    assert {finding.outcome for finding in findings.values()} == {Outcome.PASS}


@pytest.mark.parametrize(
    ("others_s", "starved_s", "outcome"),
    [
        (9.0, 6.0, "undecided"),
        (9.0, 2.0, "missed"),  # by a fifth of its time
        (1.0, 6.0, "missed"),  # by the generator, or its own threads
    ],
)
def test_a_latency_is_undecided_where_others_kept_the_target_waiting(
    others_s: float, starved_s: float, outcome: str
) -> None:
    machine = Machine(
        processors=2, busy_s=8.0 + others_s, target_s=8.0, starved_s=starved_s
    )  # fmt: skip
    vitals = msgspec.structs.replace(VITALS, machine=machine)

    findings, _ = found(
        healthy(snapshot(hundred(300)), vitals=vitals), objectives=("p99 < 250ms",)
    )  # fmt: skip

    missed = findings[f"load/objective-{outcome}"]
    assert ("others had the processor in 43 %" in missed.message) == (outcome == "undecided")


def test_what_the_target_waited_for_is_no_fault_of_the_generators() -> None:
    machine = Machine(processors=2, busy_s=17.0, target_s=8.0, starved_s=6.0)
    vitals = msgspec.structs.replace(VITALS, machine=machine)

    begun = load_of(("failures == 0",))
    told, run, rows = judge(
        PART, (BEGUN, begun, ENDED), (healthy(snapshot(hundred()), vitals=vitals),)
    )

    assert run is not None
    assert run.validity is not None
    assert not check(run.validity, "target's wait").within
    assert all(row.valid for row in rows)
    assert told.not_checked == []
    assert {finding.outcome for finding in told.findings} == {Outcome.PASS}


def test_a_latency_is_missed_that_no_wait_of_the_target_explains() -> None:
    machine = Machine(processors=2, busy_s=10.0, target_s=0.02, starved_s=0.04)
    vitals = msgspec.structs.replace(VITALS, machine=machine)
    slow = healthy(snapshot(hundred(300)), vitals=vitals)

    findings, _ = found(slow, objectives=("p99 < 250ms",))

    assert "load/objective-missed" in findings


def test_all_generators_are_one_share_and_each_has_its_own_figure() -> None:
    first = healthy(snapshot(hundred(), cpu_s=6.2))
    other = snapshot(hundred(), cpu_s=1.2, process=1)
    no_machine = msgspec.structs.replace(VITALS, machine=None, waiting=None, ports=None)

    _, validity = found(first, healthy(other, vitals=no_machine), processes=2)

    assert validity.cpus == [0.62, 0.12]
    assert validity.machine is not None
    assert validity.machine.generator == pytest.approx(0.74)
    assert check(validity, "connections open").measured == pytest.approx(
        100 * (2000 + 2 * 61) / 28_232
    )


def test_what_a_system_does_not_tell_is_not_known_and_beyond_no_limit() -> None:
    findings, validity = found(snapshot(hundred()))

    assert (validity.machine, validity.in_flight) == (None, None)
    unknown = [one for one in validity.checks if one.measured is None]
    assert len(unknown) == 3
    assert all(one.within for one in unknown)
    assert {finding.outcome for finding in findings.values()} == {Outcome.PASS}


def test_figures_that_contradict_each_other_are_unknown() -> None:
    off = msgspec.structs.replace(FLIGHT, visits_s=0.53)
    findings, validity = found(healthy(snapshot(hundred()), flight=off))

    assert findings["load/figures-disagree"].outcome is Outcome.UNKNOWN
    assert findings["load/figures-disagree"].measured == pytest.approx(100 * 0.03 / 0.53)
    assert not check(validity, "visits in flight").within
    nearly = msgspec.structs.replace(FLIGHT, visits_s=0.52)
    assert "load/figures-disagree" not in found(healthy(snapshot(hundred()), flight=nearly))[0]


def test_the_time_of_visits_that_failed_is_in_flight_too() -> None:
    failed = [*hundred(), *visit(500, FailureKind.ASSERTION)]
    flight = Flight(visits_s=1.0, failed_s=0.5, most=3)

    findings, _ = found(healthy(snapshot(failed), flight=flight))

    assert "load/figures-disagree" not in findings


def test_a_generator_that_did_not_say_its_last_is_not_held_to_littles_law() -> None:
    died = healthy(snapshot(hundred(), final=False), flight=Flight(
        visits_s=9.0, failed_s=0, most=3))  # fmt: skip

    assert "load/figures-disagree" not in found(died)[0]


def test_files_that_run_out_are_named_with_what_helps_and_decide_nothing_yet() -> None:
    full = msgspec.structs.replace(VITALS, descriptors=1000)
    findings, validity = found(healthy(snapshot(hundred()), vitals=full))

    files = check(validity, "open files")
    assert (files.within, files.limit) == (False, 90)
    assert "ulimit -n" in files.helps
    assert {finding.outcome for finding in findings.values()} == {Outcome.PASS}


@pytest.mark.parametrize(
    ("lag_ms", "blocked_ms", "helps"),
    [(30, 29, "more processes (-p)"), (30, 1, "let nothing else work on this machine")],
)
def test_a_lag_that_spoils_a_latency_says_what_helps(
    lag_ms: float, blocked_ms: float, helps: str
) -> None:
    late = snapshot(hundred(300), lag_ms=lag_ms)
    alone = snapshot([], lag_ms=blocked_ms).health.loop_lag
    health = msgspec.structs.replace(late.health, blocked=alone)

    findings, _ = found(msgspec.structs.replace(late, health=health), objectives=("p99 < 250ms",))

    assert findings["load/objective-undecided"].next_step.startswith(helps)


def test_a_rate_that_a_busy_generator_did_not_reach_says_what_helps() -> None:
    findings, validity = found(snapshot(hundred(), cpu_s=9.9), due=200)

    assert "more processes (-p)" in findings["load/rate-not-reached"].next_step
    assert not check(validity, "processor time").within
    assert not check(validity, "visits that were started").within


def test_visits_that_wait_for_the_target_are_not_the_schedules_fault() -> None:
    waited = [
        sample
        for _ in range(100)
        for sample in (
            Sample("read", None, 0, 900 * MS, 1900 * MS),
            Sample("read", "GET /", 0, 900 * MS, 1900 * MS, status=200),
        )
    ]

    assert check(found(snapshot(waited), due=100)[1], "wait for room").within
    paused = [one if one.step is None else one._replace(done_ns=905 * MS) for one in waited]
    assert not check(found(snapshot(paused), due=100)[1], "wait for room").within
