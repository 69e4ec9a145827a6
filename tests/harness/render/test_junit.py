from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import msgspec

from harness.record import Case, Record
from harness.render import junit
from harness.verdict import Finding, Outcome, Waived

ATTRIBUTES = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"name"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        {"name", "tests", "failures", "errors"},
    ),
    "testcase": ({"classname", "name", "time"}, {"name"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
}
"""What Jenkins's schema, junit-10.xsd, allows of each element and what it requires."""
INSIDE = {"testsuites": {"testsuite"}, "testsuite": {"testcase"},
          "testcase": {"failure", "error", "skipped"}}  # fmt: skip


def read(record: Record) -> ElementTree.Element:
    """Parse it, and hold it to the schema and its counts to its cases."""
    root = ElementTree.fromstring(junit.render(record))
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, required = ATTRIBUTES[element.tag]
        assert required <= set(element.keys()) <= allowed
        assert {child.tag for child in element} <= INSIDE.get(element.tag, set())
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))
    for counting in (root, *root):
        found = {
            "tests": "testcase",
            "failures": "failure",
            "errors": "error",
            "skipped": "skipped",
        }
        for attribute, tag in found.items():
            if attribute in counting.keys():  # noqa: SIM118 - an element's attributes
                assert counting.get(attribute) == str(len(list(counting.iter(tag))))
    return root


def with_cases(record: Record, *cases: tuple[str, str]) -> Record:
    row = record.functional[1]
    told = [Case(nodeid=n, outcome=o, duration_s=0.25) for n, o in cases]  # type: ignore[arg-type]  # outcomes of tests
    return msgspec.structs.replace(
        record, functional=[msgspec.structs.replace(row, cases=told, tests=len(told))]
    )


THING = "tests/functional/test_things.py::test_a_thing_is_kept"


def test_a_failed_test_is_a_failure_with_its_message_its_place_and_its_exchanges(
    representative: Record,
) -> None:
    tests, rest = read(with_cases(representative, (THING, "failed"), ("tests/a.py::b", "passed")))

    failed, passed = tests
    assert failed.attrib == {
        "classname": "tests.functional.test_things", "name": "test_a_thing_is_kept",
        "time": "0.250",
    }  # fmt: skip
    (failure,) = failed
    assert failure.get("type") == "functional/failed"
    assert failure.get("message") == "assert 500 == 201"
    assert failure.text is not None
    assert failure.text.startswith("tests/functional/test_things.py:41\n")
    assert "curl -i --data-raw 'a=1' http://127.0.0.1:41001/things/1" in failure.text
    assert len(passed) == 0
    assert "functional.failed" not in [case.get("classname") for case in rest]


def test_limits_and_objectives_are_cases_and_the_last_one_is_the_verdict(
    representative: Record,
) -> None:
    *_, rest = read(representative)
    told = [(case.get("name"), [inside.tag for inside in case]) for case in rest]

    assert ("coverage.lines >= 90% (coverage)", ["failure"]) in told
    assert ("complexity.max <= 10 (complexity)", ["error"]) in told
    assert ("p99 < 250ms (mix (scenarios/mix.py))", []) in told
    assert told[-1] == ("verdict", ["failure"])


def test_a_failed_test_without_a_finding_is_a_failure_all_the_same(representative: Record) -> None:
    tests, _ = read(with_cases(representative, ("tests/a.py::b", "error")))

    assert [inside.tag for inside in tests[0]] == ["failure"]


def test_names_of_classes_and_parameters_are_kept_apart(representative: Record) -> None:
    tests, _ = read(with_cases(representative, ("tests/a.py::TestA::test_b[x::y/z.py]", "passed")))

    assert (tests[0].get("classname"), tests[0].get("name")) == (
        "tests.a.TestA", "test_b[x::y/z.py]"
    )  # fmt: skip


def test_a_record_that_only_counts_its_tests_says_so(representative: Record) -> None:
    tests, *_ = read(representative)

    assert [one.get("message") for one in tests.iter("skipped")] == [
        "this record counts its 41 tests and does not name them"
    ]


def test_a_waived_finding_is_skipped_with_its_reason(representative: Record) -> None:
    waived = Finding(
        slug="security/B311", outcome=Outcome.FAIL, where="a.py:1", message="random",
        waiver=Waived("jitter", "2027-03-31"),
    )  # fmt: skip
    record = msgspec.structs.replace(representative, findings=[waived], outcome=Outcome.PASS)
    *_, rest = read(record)

    assert rest[0][0].get("message") == "waived until 2027-03-31: jitter"
    assert len(rest[1]) == 0


def test_whatever_a_name_holds_it_is_xml(
    hostile: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    record = with_text_everywhere(hostile)
    rows = [
        msgspec.structs.replace(
            row, cases=[Case(nodeid=hostile, outcome="failed", duration_s=float("nan"))]
        )
        for row in record.functional
    ]

    read(msgspec.structs.replace(record, functional=rows))


def test_all_tests_are_there_and_other_findings_are_cut(representative: Record) -> None:
    cases = [(f"tests/a.py::test_{n}", "failed") for n in range(10_000)]
    findings = [
        Finding(slug="functional/failed", outcome=Outcome.FAIL, where="tests/a.py:1",
                message=f"{name} [served]\n" + "long " * 1_000, evidence=("x" * 50_000,))
        for name, _ in cases
    ] + [
        Finding(slug="watch/tasks", outcome=Outcome.FAIL, where=f"a.py:{n}", message="goes on")
        for n in range(10_000)
    ]  # fmt: skip
    record = msgspec.structs.replace(with_cases(representative, *cases), findings=findings)
    tests, rest = read(record)

    assert len(tests) == 10_000
    assert len(rest) == junit.MOST_FINDINGS + 2
    assert rest[-2][0].get("message") == "and 9,000 more findings, see the report"
    assert len(junit.render(record)) < 15_000_000
