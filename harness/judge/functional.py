"""Judging the functional tests of one target."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.facts import Begun, Ended, Fact, PytestEnded, Tested
from harness.judge import Judgement, of_part, unknown, watched
from harness.record import Case, FunctionalRow, Omission
from harness.target import TargetKind
from harness.verdict import Finding, Outcome

_PYTEST_STATUS = {
    2: ("functional/interrupted", "pytest was interrupted"),
    3: ("functional/pytest-crashed", "pytest ended in an internal error"),
    4: ("functional/pytest-usage", "pytest did not understand its command line"),
}


def judge(
    part: str, facts: tuple[Fact, ...], below: tuple[Fact, ...] = ()
) -> tuple[Judgement, list[FunctionalRow]]:
    """Judge one part; a row for each service. Tests that said nothing of theirs are listed."""
    tests = tests_of(facts, below)
    row = _row(part, facts, tests)
    judgement = of_part(part, facts, below)
    judgement.findings.extend(_died(below))
    judgement.findings.extend(_failure(test) for test in tests if test.outcome in _BAD)
    judgement.extend(_pytest(part, facts, row, judgement.findings))
    judgement.extend(_deselected(part, (*facts, *below)))
    judgement.extend(_reach(part, tests))
    judgement.extend(watched.judge(part, (*facts, *below)))
    judgement.not_checked.extend(
        Omission(what=f"{test.nodeid} [{test.target}]", why=f"skipped: {test.message}")
        for test in tests
        if test.outcome == "skipped"
    )
    judgement.not_checked.extend(
        Omission(
            what=test.nodeid, why=f"expected to fail, so its failure says nothing: {test.message}"
        )
        for test in tests
        if test.outcome == "xfailed"
    )
    if row.passed and not judgement.findings:
        judgement.findings.append(
            Finding(
                slug="functional/passed",
                outcome=Outcome.PASS,
                where=part,
                message=f"{row.passed} of {row.tests} tests passed",
            )
        )
    services = dict.fromkeys(test.service for test in tests)
    rows = [_row(part, facts, [t for t in tests if t.service == one]) for one in services]
    return judgement, rows or [row]


_BAD = ("failed", "error", "xpassed")


def tests_of(facts: tuple[Fact, ...], below: tuple[Fact, ...]) -> list[Tested]:
    """Return each test once: what was noted of one whose worker died in it tells how it ended."""
    own = [fact for fact in facts if isinstance(fact, Tested)]
    known = {test.nodeid for test in own}
    others = [fact for fact in below if isinstance(fact, Tested)]
    return [*own, *(test for test in others if test.nodeid not in known)]


def _died(below: tuple[Fact, ...]) -> list[Finding]:
    """Find pytest-xdist's workers that did not end by themselves."""
    ended = {fact.part for fact in below if isinstance(fact, Ended)}
    begun = [fact.part for fact in below if isinstance(fact, Begun)]
    return [
        unknown(
            "functional/worker-died",
            name,
            "this worker of pytest-xdist did not end by itself: it was killed or crashed",
            "run it again; what it had recorded is counted",
        )
        for name in begun
        if name not in ended
    ]


def python_of(facts: tuple[Fact, ...]) -> str:
    """Return the version of the Python that a part ran on; empty: it did not even begin."""
    return next((fact.python for fact in facts if isinstance(fact, Begun)), "")


def _row(part: str, facts: tuple[Fact, ...], tests: Sequence[Tested]) -> FunctionalRow:
    def count(outcome: str) -> int:
        return sum(test.outcome == outcome for test in tests)

    return FunctionalRow(
        service=tests[0].service if tests else "",
        target=(tests[0].target if tests else "") or part.split("-")[1],
        python=python_of(facts),
        tests=len(tests),
        passed=count("passed"),
        failed=count("failed"),
        errors=count("error"),
        skipped=count("skipped"),
        xfailed=count("xfailed"),
        xpassed=count("xpassed"),
        reached=sum(test.exchanges > 0 for test in tests),
        exchanges=sum(test.exchanges for test in tests),
        duration_s=sum(test.duration_s for test in tests),
        cases=[
            Case(nodeid=test.nodeid, outcome=test.outcome, duration_s=test.duration_s)
            for test in tests
        ],
    )


def _failure(test: Tested) -> Finding:
    said = {
        "failed": test.message,
        "error": f"set-up or tear-down raised: {test.message}",
        "xpassed": "expected to fail, and passed",
    }[test.outcome]
    return Finding(
        slug=f"functional/{test.outcome}",
        outcome=Outcome.FAIL,
        where=test.where,
        message=f"{test.nodeid} [{test.target}]\n{said}",
        next_step=" ".join(
            ["harness test", shlex.quote(test.nodeid)]
            + [f"--target {one}" for one in test.target.split()]
        ),
        evidence=test.evidence,
    )


def _pytest(
    part: str, facts: tuple[Fact, ...], row: FunctionalRow, found: Sequence[Finding]
) -> Judgement:
    """Judge how pytest itself ended, which its exit status says and its tests must explain."""
    judgement = Judgement()
    ended = next((fact for fact in facts if isinstance(fact, PytestEnded)), None)
    if ended is None:
        return judgement
    if any(one.slug == "functional/not-collected" for one in found):
        return judgement  # pytest goes no further, and calls that interrupted
    if ended.exit_status in _PYTEST_STATUS:
        slug, message = _PYTEST_STATUS[ended.exit_status]
        judgement.findings.append(unknown(slug, part, message, "see what it printed: harness test"))
    elif not row.tests and not ended.collected and not found:
        judgement.findings.append(
            unknown(
                "functional/no-tests",
                part,
                "no test was found",
                "name a file or folder with test_*.py in it",
            )
        )
    elif row.tests and not row.passed and not found:
        judgement.findings.append(
            unknown(
                "functional/none-ran",
                part,
                f"none of {row.tests} tests ran: {row.skipped} skipped, "
                f"{row.xfailed} expected to fail",
                "run them without what skips them",
            )
        )
    elif ended.exit_status and not found:
        judgement.findings.append(
            unknown(
                "functional/unexplained",
                part,
                f"pytest exited with {ended.exit_status}, and no test says why",
            )
        )
    elif row.tests < ended.collected and not found:
        judgement.findings.append(
            unknown(
                "functional/unexplained",
                part,
                f"pytest found {ended.collected} tests and ran {row.tests}, "
                "and nothing says why it left out the others",
                "see its output, and what its configuration or a plugin makes it do",
            )
        )
    return judgement


def _deselected(part: str, facts: tuple[Fact, ...]) -> Judgement:
    """Say how many tests were left out; each of pytest-xdist's workers leaves out the same."""
    most = max((f.deselected for f in facts if isinstance(f, PytestEnded)), default=0)
    left_out = Omission(what=f"{most} tests in {part}", why="deselected")
    return Judgement(not_checked=[left_out] if most else [])


def _reach(part: str, tests: Sequence[Tested]) -> Judgement:
    """List the tests that passed without an exchange with their target: they say nothing of it."""
    judgement = Judgement()
    ran = [test for test in tests if test.outcome in ("passed", "failed")]
    for service in dict.fromkeys(test.service for test in ran):
        own = [test for test in ran if test.service == service]
        if own[0].target == TargetKind.INPROC:  # tests of other things may be among them
            own = [test for test in own if test.asks]
        passed = any(test.outcome == "passed" for test in own)
        if passed and not any(test.exchanges for test in own):
            judgement.findings.append(
                unknown(
                    "functional/unreached",
                    f"{part} {service}".rstrip(),
                    f"none of {len(own)} tests had an exchange with {own[0].target}",
                    _reaching(own),
                )
            )
    judgement.not_checked.extend(
        Omission(what=f"{test.nodeid} [{test.target}]", why=_why(test), next_step=_USE)
        for test in ran
        if test.apart or (test.outcome == "passed" and not test.exchanges)
    )
    return judgement


def _reaching(tests: Sequence[Tested]) -> str:
    """Say what lets tests reach their target: no application is known where no service is named."""
    if any(test.apart and not test.service for test in tests):
        return (
            "name the application with --app MODULE:ATTR, so that clients which the tests make of "
            "it speak to the target; or let them use the harness's fixture 'client'"
        )
    return (
        "let the tests use the harness's fixture 'client', "
        "and not a client of their own, and await what it gives"
    )


_USE = "let it use the harness's fixture 'client'"


def _why(test: Tested) -> str:
    """Say why a test is not, or not only, one of its target."""
    if test.apart:
        return "spoke to an application of its own, in process"
    return "had no exchange with its target"
