from __future__ import annotations

import msgspec

from harness.record import Check, Latency, LoadRun, Shares, Validity
from harness.render.believed import believed

LAG = Latency(count=9, mean=1, p50=1, p90=1, p95=1, p99=3.04, p99_9=None, max=4)
SHARES = Shares(processors=2, generator=0.62, target=0.8, others=0.1)
FILES = Check(
    what="open files", measured=97.6, op="<=", limit=90, unit="%", within=True, helps="ulimit -n"
)
VALIDITY = Validity(
    checks=[FILES], cpus=[0.62], in_flight=3.2, most_in_flight=9, machine=SHARES
)  # fmt: skip
RUN = LoadRun(
    load="mix", scenarios="mix.py", target="http://127.0.0.1:1", pace="10/s for 10s",
    duration_s=10, processes=1, queueing_visible=True, visits_due=100, visits_started=100,
    generator_cpu=0.62, loop_lag_ms=LAG, series=[], validity=VALIDITY,
)  # fmt: skip


def told(**changed: object) -> list[str]:
    validity = msgspec.structs.replace(VALIDITY, **changed)
    return list(believed(msgspec.structs.replace(RUN, validity=validity)))


def test_a_generator_that_was_well_takes_two_lines() -> None:
    assert told() == [
        "Generator: event loop 3.04 ms late (p99), 62 % of a processor, "
        "3.20 visits in flight on average, at most 9 at once.",
        "The machine: generator 0.62 of 2 processors, target 0.80, others 0.10.",
    ]


def test_a_target_that_is_not_found_is_said_to_be_unknown() -> None:
    machine = msgspec.structs.replace(SHARES, target=None)

    assert told(machine=machine)[1] == (
        "The machine: generator 0.62 of 2 processors, others 0.10 "
        "(which of them is the target is not known)."
    )


def test_a_system_that_does_not_tell_is_said_not_to() -> None:
    lines = told(machine=None, in_flight=None, checks=[_unknown(FILES)])

    assert "in flight" not in lines[0]
    assert "no /proc" in lines[1]
    assert lines[2] == "Not known of the generator: open files."


def _unknown(check: Check) -> Check:
    return msgspec.structs.replace(check, measured=None)


def test_what_is_beyond_its_limit_is_told_with_what_helps() -> None:
    beyond = msgspec.structs.replace(FILES, within=False)

    assert told(checks=[beyond])[2] == (
        "! open files: 97.6 %, where it should be <= 90 %; what helps: ulimit -n"
    )


def test_a_record_of_before_says_nothing() -> None:
    assert list(believed(msgspec.structs.replace(RUN, validity=None))) == []
