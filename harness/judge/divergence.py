"""Judging targets against each other: a test whose outcome depends on where it runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from harness.facts import Tested
from harness.judge import Judgement
from harness.record import Omission
from harness.verdict import Finding, Outcome

_KINDS = {"passed": "passes", "failed": "fails", "error": "fails", "xpassed": "fails",
          "xfailed": "", "skipped": ""}  # fmt: skip
"""What an outcome says of a target. Empty: nothing."""


def judge(runs: Iterable[tuple[str, Sequence[Tested]]]) -> Judgement:
    """Compare the targets of each Python: `runs` are Pythons, each with the tests of a part.

    A test that passes in one target and fails in another is a finding; one that said something
    of one target and nothing of another is listed as not checked.
    """
    judgement = Judgement()
    for python, tests in _by_test(runs).items():
        for by_target in tests.values():
            told = {target: test for target, test in by_target.items() if _KINDS[test.outcome]}
            if len({_KINDS[test.outcome] for test in told.values()}) > 1:
                judgement.findings.append(_differs(python, told))
            if told and len(told) < len(by_target):
                judgement.not_checked.append(_half(by_target, told))
    return judgement


def _by_test(
    runs: Iterable[tuple[str, Sequence[Tested]]],
) -> Mapping[str, Mapping[tuple[str, str], dict[str, Tested]]]:
    """Sort by Python, then service and test, then target; of two of one target, keep a failure."""
    sorted_: dict[str, dict[tuple[str, str], dict[str, Tested]]] = {}
    for python, tests in runs:
        known = sorted_.setdefault(python, {})
        for test in tests:
            of_test = known.setdefault((test.service, test.nodeid), {})
            before = of_test.get(test.target)
            if before is None or _KINDS[test.outcome] == "fails":
                of_test[test.target] = test
    return sorted_


def _differs(python: str, told: Mapping[str, Tested]) -> Finding:
    bad = [target for target, test in told.items() if _KINDS[test.outcome] == "fails"]
    good = [target for target in told if target not in bad]
    first = told[bad[0]]
    lines = [f"{target}: {test.outcome}{_because(test)}" for target, test in told.items()]
    return Finding(
        slug="functional/differs",
        outcome=Outcome.FAIL,
        where=first.where,
        message="\n".join(
            [
                f"{first.nodeid} passes in {_listed(good)} and fails in {_listed(bad)}"
                + (f" (Python {python})" if python else ""),
                *lines,
            ]
        ),
        next_step=" ".join(
            ["harness test", shlex.quote(first.nodeid)]
            + [f"--target {one}" for target in told for one in target.split()]
        ),
    )


def _half(by_target: Mapping[str, Tested], told: Mapping[str, Tested]) -> Omission:
    silent = [target for target in by_target if target not in told]
    how = dict.fromkeys(by_target[target].outcome for target in silent)
    return Omission(
        what=next(iter(told.values())).nodeid,
        why=f"ran in {_listed(told)}, and in {_listed(silent)} it was {' or '.join(how)}",
    )


def _because(test: Tested) -> str:
    return f": {test.message.strip()}" if test.message.strip() else ""


def _listed(targets: Iterable[str]) -> str:
    return " and ".join(targets)
