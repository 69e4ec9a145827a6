"""JUnit XML: a suite for the tests of each service, target and Python, and one for all else.

There are several dialects. This is the one that Jenkins's schema describes and GitLab, Azure and
the rest read: counts on each suite, ``failure`` for FAIL, ``error`` for UNKNOWN, ``skipped`` for
what was not run and for what is waived. The last suite holds the limits, the objectives, all
other findings and the verdict, so that it is red wherever the verdict is not PASS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape

from harness.record import Case, FunctionalRow, Record
from harness.render import entry, outline
from harness.render.outline import Capped, plural
from harness.render.plain import line, visible
from harness.verdict import Finding, Outcome

FILE_NAME = "junit.xml"

MOST_FINDINGS = 1_000
"""Cases of what is no test. Tests are all there: a count of some of them would be another."""
_MOST_IN_FULL, _LINES, _FEWER_LINES, _EXCHANGES = 100, 60, 3, 3
_LONGEST, _LONGEST_TEXT = 500, 10_000
_ELEMENTS = {Outcome.FAIL: "failure", Outcome.UNKNOWN: "error"}
_SKIPPED = "skipped"
_OF_TESTS = {name: f"functional/{name}" for name in ("failed", "error", "xpassed")}
"""The slug of the finding that a test of this outcome has."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A test case; `element` is what it has inside: none where it passed."""

    classname: str
    name: str
    element: str = ""
    kind: str = ""
    message: str = ""
    text: str = ""
    duration_s: float = 0.0

    def drawn(self) -> str:
        head = (
            f'    <testcase classname="{_attribute(self.classname)}" '
            f'name="{_attribute(self.name)}" time="{_seconds(self.duration_s)}"'
        )
        if not self.element:
            return f"{head}/>"
        inside = (
            f'{self.element} type="{_attribute(self.kind)}" message="{_attribute(self.message)}"'
        )
        return f"{head}>\n      <{inside}>{_content(self.text)}</{self.element}>\n    </testcase>"


@dataclass(frozen=True, slots=True)
class _Suite:
    """A suite, which counts its own cases."""

    name: str
    cases: list[_Case]
    duration_s: float = 0.0

    def count(self, element: str) -> int:
        return sum(case.element == element for case in self.cases)

    def drawn(self, timestamp: str) -> str:
        counts = " ".join(
            [
                f'tests="{len(self.cases)}"',
                f'failures="{self.count("failure")}"',
                f'errors="{self.count("error")}"',
                f'skipped="{self.count(_SKIPPED)}"',
                f'time="{_seconds(self.duration_s)}"',
            ]
        )
        when = f' timestamp="{timestamp}"' if timestamp else ""
        cases = "".join(f"{case.drawn()}\n" for case in self.cases)
        return f'  <testsuite name="{_attribute(self.name)}" {counts}{when}>\n{cases}  </testsuite>'


def render(record: Record) -> str:
    """Write `record` as one XML document."""
    told = _Told(record)
    suites = [_tests(row, told) for row in record.functional]
    suites.append(_rest(record, told))  # last: it leaves out what tests have told
    timestamp = _timestamp(record)
    counts = " ".join(
        [
            f'tests="{sum(len(suite.cases) for suite in suites)}"',
            f'failures="{sum(suite.count("failure") for suite in suites)}"',
            f'errors="{sum(suite.count("error") for suite in suites)}"',
            f'time="{_seconds(record.duration_s)}"',
        ]
    )
    name = _attribute(f"harness {record.run_id}".strip())
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="{name}" {counts}>',
            *(suite.drawn(timestamp) for suite in suites),
            "</testsuites>\n",
        ]
    )


class _Told:
    """What the record says of tests: the findings of those that failed, why others were skipped."""

    def __init__(self, record: Record) -> None:
        self._findings = {
            (finding.slug, finding.message.partition("\n")[0]): finding
            for finding in record.findings
            if finding.slug in _OF_TESTS.values()
        }
        self._reasons = {omission.what: omission.why for omission in record.not_checked}
        self._in_full = _MOST_IN_FULL
        self._of_tests: set[tuple[str, str]] = set()

    def finding(self, row: FunctionalRow, case: Case) -> Finding | None:
        """Return the finding of a test that did not pass, and remember that a test has it."""
        key = (_OF_TESTS[case.outcome], _named(row, case))
        self._of_tests.add(key)
        return self._findings.get(key)

    def reason(self, row: FunctionalRow, case: Case) -> str:
        """Return why a test was skipped, or was expected to fail."""
        return self._reasons.get(_named(row, case)) or self._reasons.get(case.nodeid, case.outcome)

    def is_of_a_test(self, finding: Finding) -> bool:
        """Tell whether a test has told of a finding."""
        return (finding.slug, finding.message.partition("\n")[0]) in self._of_tests

    def text(self, finding: Finding) -> str:
        """Say all of the first findings, and of the others what is on their first lines."""
        in_full, self._in_full = self._in_full > 0, self._in_full - 1
        told = [line(finding.where)] if finding.where else []
        told += entry.said(finding, _LINES if in_full else _FEWER_LINES)
        told += [visible(one) for one in finding.evidence[: _EXCHANGES if in_full else 0]]
        return "\n".join(told)


def _named(row: FunctionalRow, case: Case) -> str:
    return f"{case.nodeid} [{row.target}]"


def _tests(row: FunctionalRow, told: _Told) -> _Suite:
    name = f"{row.service} {row.target}, Python {row.python}".strip()
    suite = _Suite(name, [_test(row, case, told) for case in row.cases], row.duration_s)
    if row.tests and not row.cases:
        why = f"this record counts its {row.tests} tests and does not name them"
        suite.cases.append(_Case(name, "tests", _SKIPPED, "record", why))
    return suite


def _test(row: FunctionalRow, case: Case, told: _Told) -> _Case:
    head, bracket, parameters = case.nodeid.partition("[")
    path, *classes, name = head.split("::") if "::" in head else (head, head)
    classname = ".".join([path.removesuffix(".py").replace("/", "."), *classes])
    drawn = _Case(classname, name + bracket + parameters, duration_s=case.duration_s)
    if case.outcome == "passed":
        return drawn
    if case.outcome not in _OF_TESTS:
        return replace(drawn, element=_SKIPPED, kind=case.outcome, message=told.reason(row, case))
    finding = told.finding(row, case)
    if finding is None:
        return replace(drawn, element="failure", kind=case.outcome, message=case.outcome)
    return _with(drawn, finding, told)


def _with(drawn: _Case, finding: Finding, told: _Told) -> _Case:
    """Put a finding into a case: nothing of one that is PASS."""
    if finding.waiver is not None:
        why = f"waived {entry.through(finding.waiver)}: {finding.waiver.reason}"
        return replace(
            drawn, element=_SKIPPED, kind=finding.slug, message=why, text=told.text(finding)
        )
    if finding.outcome is Outcome.PASS:
        return drawn
    return replace(
        drawn, element=_ELEMENTS[finding.outcome], kind=finding.slug,
        message=_message(finding), text=told.text(finding),
    )  # fmt: skip


def _message(finding: Finding) -> str:
    """Say in a line what is wrong: of a test, its name is there already."""
    first, _, rest = finding.message.strip().partition("\n")
    of_test = finding.slug in _OF_TESTS.values()
    return line((rest.strip().partition("\n")[0] if of_test else "") or first, 300)


def _rest(record: Record, told: _Told) -> _Suite:
    """Make the suite of limits, objectives and all other findings, which ends in the verdict."""
    ranked = [
        *entry.worst_first(record),
        *entry.waived(record),
        *outline.of_outcome(record, Outcome.PASS),
    ]
    others = [
        finding
        for finding in ranked
        if not told.is_of_a_test(finding) and finding.slug != "functional/passed"
    ]
    shown = Capped.of(others, MOST_FINDINGS)
    suite = _Suite("limits, objectives and findings", [_other(one, told) for one in shown.shown])
    if shown.left_out:
        why = f"and {plural(shown.left_out, 'more finding')}, see the report"
        suite.cases.append(_Case("harness", "and more", _SKIPPED, "harness", why))
    verdict = _Case("harness", "verdict")
    if record.outcome is not Outcome.PASS:
        verdict = replace(
            verdict, element=_ELEMENTS[record.outcome], kind=record.outcome.value,
            message=line(record.headline, 300) or record.outcome.value,
        )  # fmt: skip
    suite.cases.append(verdict)
    return suite


def _other(finding: Finding, told: _Told) -> _Case:
    name = f"{entry.title(finding)} ({line(finding.where) or 'the run'})"
    return _with(_Case(finding.slug.replace("/", "."), name), finding, told)


def _timestamp(record: Record) -> str:
    """Return when the run began, without a zone, as the schema has it; empty if unknown."""
    try:
        return f"{datetime.fromisoformat(record.started_at).astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    except (ValueError, OverflowError):
        return ""


def _seconds(duration_s: float) -> str:
    return f"{duration_s:.3f}" if math.isfinite(duration_s) and duration_s > 0 else "0.000"


def _attribute(text: str) -> str:
    return escape(line(text, _LONGEST))


def _content(text: str) -> str:
    return escape(visible(text[:_LONGEST_TEXT]), quote=False)
