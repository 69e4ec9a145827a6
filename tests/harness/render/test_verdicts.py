"""The same verdict in each report, from the same record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import msgspec
import pytest

from harness import facts
from harness.evidence import Environment, Facts, Identity
from harness.judge.whole import fold
from harness.record import Record
from harness.render import badge, github, html, junit, markdown, sarif, text
from harness.verdict import Outcome, Waived
from harness.waiver import Waiver

AT = "2026-01-01T00:00:00+00:00"
PART = "functional-served-py311"


def recorded(*outcomes: facts.TestOutcome, ended: bool = True, waived: bool = False) -> Record:
    """Fold a run of tests with these outcomes."""
    begun = facts.Begun(part=PART, at=AT, python="3.11.7", pid=1)
    tests = [
        facts.Tested(
            nodeid=f"tests/test_it.py::test_{n}", where=f"tests/test_it.py:{n + 1}",
            outcome=outcome, duration_s=0.1, exchanges=1, target="served", message="said",
        )
        for n, outcome in enumerate(outcomes)
    ]  # fmt: skip
    status = facts.PytestEnded(exit_status=0, collected=len(tests), deselected=0)
    end = (status, facts.Ended(part=PART, at=AT)) if ended else ()
    waiver = Waiver(slug="functional/failed", path="*", reason="known", until=date(2026, 2, 1))
    identity = Identity(
        run_id="r", started_at=AT, asked=(PART,), plan_source="harness.toml",
        environment=Environment(python="3.11.7", platform="", cpu_count=2, packages={}, commit="",
                                dirty=False, tree="0"),
        waivers=(waiver,) if waived else (),
    )  # fmt: skip
    return fold(identity, Facts({PART: (begun, *tests, *end)}))


RUNS = {
    "pass": (recorded("passed", "skipped", "xfailed"), Outcome.PASS),
    "fail": (recorded("passed", "failed"), Outcome.FAIL),
    "fail in a fixture": (recorded("passed", "error"), Outcome.FAIL),
    "fail by passing": (recorded("passed", "xpassed"), Outcome.FAIL),
    "unknown": (recorded("skipped"), Outcome.UNKNOWN),
    "waived": (recorded("passed", "failed", waived=True), Outcome.PASS),
    "interrupted": (recorded("passed", ended=False), Outcome.UNKNOWN),
    "interrupted after a failure": (recorded("failed", ended=False), Outcome.FAIL),
}


def of_text(record: Record) -> str:
    return re.split(r"\W", text.render(record))[0]


def of_html(record: Record) -> str:
    found = re.search(r"<h1[^>]*>(?:\s|<[^>]+>|[^A-Z<])*(PASS|FAIL|UNKNOWN)", html.render(record))
    assert found is not None
    return found[1]


def of_junit(record: Record) -> str:
    """Read it as a CI does, which knows only of counts."""
    root = ElementTree.fromstring(junit.render(record))
    for attribute, outcome in (("failures", "FAIL"), ("errors", "UNKNOWN")):
        if root.get(attribute) != "0":
            return outcome
    return "PASS"


def of_sarif(record: Record) -> str:
    """Read it as one must who knows nothing of us: by results, then by whether it was whole."""
    (run,) = json.loads(sarif.render(record))["runs"]
    counting = [one["kind"] for one in run["results"] if "suppressions" not in one]
    if "fail" in counting:
        return "FAIL"
    return "PASS" if run["invocations"][0]["executionSuccessful"] else "UNKNOWN"


def of_github(record: Record) -> str:
    first, *others = github.render(record).splitlines()
    level, outcome = re.match(r"::(\w+) title=harness%3A (\w+)::", first).groups()  # type: ignore[union-attr]  # it matches
    assert (
        (level == "error")
        == (outcome != "PASS")
        == any(line.startswith("::error ") for line in [first, *others])
    )
    return str(outcome)


def of_markdown(record: Record) -> str:
    found = re.match(r"## \S (\w+)", markdown.render(record))
    assert found is not None
    return found[1]


def of_badge(record: Record) -> str:
    shown = ElementTree.fromstring(badge.render(record)).findall(".//{*}text")[-1].text
    assert shown is not None
    return shown.split()[1]


@pytest.mark.parametrize(
    "read", [of_text, of_html, of_junit, of_sarif, of_github, of_markdown, of_badge]
)
@pytest.mark.parametrize("run", RUNS)
def test_each_report_says_the_same(run: str, read: Callable[[Record], str]) -> None:
    record, outcome = RUNS[run]

    assert record.outcome is outcome
    assert read(record) == outcome.value


def test_a_run_that_was_cut_short_is_not_a_successful_execution_though_it_failed() -> None:
    record, _ = RUNS["interrupted after a failure"]
    (invocation,) = json.loads(sarif.render(record))["runs"][0]["invocations"]

    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 1
    assert [one["associatedRule"]["id"] for one in invocation["toolExecutionNotifications"]] == [
        "evidence/incomplete"
    ]


def test_tests_are_cases_of_their_target_s_suite_and_the_rest_is_the_last() -> None:
    record, _ = RUNS["waived"]
    tests, rest = ElementTree.fromstring(junit.render(record))

    assert tests.get("name") == "served, Python 3.11.7"
    assert [(case.get("classname"), case.get("name")) for case in tests] == [
        ("tests.test_it", "test_0"),
        ("tests.test_it", "test_1"),
    ]
    (skipped,) = tests.findall(".//skipped")
    assert skipped.get("message") == "waived until 2026-02-01: known"
    assert [case.get("name") for case in rest] == ["verdict"]


@pytest.mark.parametrize("render", [junit.render, sarif.render, markdown.render, text.render])
def test_what_the_baseline_tolerates_is_told_with_its_line_and_without_a_day(
    render: Callable[[Record], str],
) -> None:
    record, _ = RUNS["waived"]
    accepted = Waived("old", "", "harness-baseline.jsonl:7")
    findings = [replace(one, waiver=accepted) if one.waiver else one for one in record.findings]
    told = render(msgspec.structs.replace(record, findings=findings))

    assert "harness-baseline.jsonl:7" in told.replace("\\", "")
    assert not re.search(r"until *[:)]", told)


def test_what_a_test_was_skipped_for_is_told() -> None:
    record, _ = RUNS["pass"]
    told = ElementTree.fromstring(junit.render(record)).findall(".//skipped")

    assert [one.get("message") for one in told] == [
        "skipped: said",
        "expected to fail, so its failure says nothing: said",
    ]
