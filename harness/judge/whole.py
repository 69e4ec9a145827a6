"""Judging a whole run: every part that was asked for, and what only the whole can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.evidence import Facts, Identity
from harness.facts import PytestEnded, StubUse
from harness.judge import Judgement, functional, gates, load, unknown
from harness.record import FunctionalRow, GateRow, LoadRow, LoadRun, Omission, Record
from harness.verdict import Finding, Outcome, verdict


def fold(identity: Identity, facts: Facts, parts: Sequence[str] | None = None) -> Record:
    """Fold a run's facts into its record: of the `parts` named, or of all that were asked for."""
    asked = identity.asked if parts is None else tuple(parts)
    judgement = Judgement()
    tests: list[FunctionalRow] = []
    rows: list[LoadRow] = []
    loads: list[LoadRun] = []
    gate_rows: list[GateRow] = []
    for part in asked if parts is not None else (*asked, *_others(asked, facts)):
        found = facts.part(part)
        if found is None:
            judgement.findings.append(_missing(part))
        elif part.startswith("functional-"):
            told, row = functional.judge(part, found)
            judgement.extend(told)
            tests.append(row)
        elif part.startswith("load-"):
            told, run, some = load.judge(part, found, facts.below(part))
            judgement.extend(told)
            rows.extend(some)
            loads.extend([run] if run else [])
        else:
            told, some_gates = gates.judge(part, found)
            judgement.extend(told)
            gate_rows.extend(some_gates)
    judgement.extend(_unreadable(facts))
    judgement.findings.extend(_unused_stubs(asked, facts))
    if not asked:
        judgement.findings.append(unknown("evidence/nothing-asked", "", "nothing was asked for"))
    outcome = verdict(judgement.findings)
    return Record(
        run_id=identity.run_id,
        started_at=identity.started_at,
        duration_s=facts.duration_s,
        environment=identity.environment,
        plan_source=identity.plan_source,
        outcome=outcome,
        headline=headline(outcome, judgement.findings, tests, loads, gate_rows),
        findings=judgement.findings,
        not_checked=judgement.not_checked,
        functional=tests,
        load=rows,
        loads=loads,
        gates=gate_rows,
    )


def _others(asked: Sequence[str], facts: Facts) -> list[str]:
    """Name the parts that a run has and was not asked for: what they found is not forgotten."""
    known = [part for part in facts.by_part if part not in asked]
    return [
        part
        for part in known
        if part.startswith(("functional-", "load-")) or part == "gates"
        if not any(part.startswith(f"{other}.") for other in facts.by_part)
    ]


_MOST_SAID = 3


def headline(
    outcome: Outcome,
    findings: Sequence[Finding],
    tests: Sequence[FunctionalRow],
    loads: Sequence[LoadRun],
    gate_rows: Sequence[GateRow],
) -> str:
    """Say in one line what the verdict rests on."""
    if outcome is Outcome.PASS:
        said = _passed(tests, loads, gate_rows)
    else:
        bad = [f for f in findings if f.outcome is outcome]
        said = list(dict.fromkeys(_said(f, tests) for f in bad if not _is_place(f)))
    more = f" (and {len(said) - _MOST_SAID} more)" if len(said) > _MOST_SAID else ""
    return "; ".join(said[:_MOST_SAID]) + more


def _is_place(finding: Finding) -> bool:
    """Tell whether it is a place beyond a limit, of which the limit is a finding, too."""
    return finding.outcome is Outcome.FAIL and finding.slug.startswith(
        ("complexity/", "coverage/", "security/")
    )


def _passed(
    tests: Sequence[FunctionalRow], loads: Sequence[LoadRun], gate_rows: Sequence[GateRow]
) -> list[str]:
    said = []
    if tests:
        targets = " and ".join(dict.fromkeys(row.target for row in tests))
        said.append(f"{sum(row.passed for row in tests)} tests passed ({targets})")
    if loads:
        said.append(f"{sum(run.visits_started for run in loads)} visits under load")
    if gate_rows:
        said.append(f"{len(gate_rows)} limits kept")
    return said


def _said(finding: Finding, tests: Sequence[FunctionalRow]) -> str:
    """Say one bad finding in a few words; all failed tests say the same."""
    if finding.slug in ("functional/failed", "functional/error", "functional/xpassed"):
        bad = sum(row.failed + row.errors + row.xpassed for row in tests)
        return f"{bad} of {sum(row.tests for row in tests)} tests failed"
    first = (finding.message.splitlines() or [""])[0]
    if finding.measured is None or finding.limit is None:
        own = finding.where and finding.where not in first and finding.limit is None
        return f"{finding.where}: {first}" if own else first
    short = f"{finding.measured:.4g}"
    exact = short if float(short) != finding.limit else repr(finding.measured)
    return f"{first}: measured {exact}{finding.unit or ''}"


def _missing(part: str) -> Finding:
    verb = {"functional": "test", "load": "load"}.get(part.partition("-")[0], "gates")
    return unknown(
        "evidence/missing-part",
        part,
        f"this run has no evidence of {part}",
        f"run it: harness {verb}",
    )


def _unreadable(facts: Facts) -> Judgement:
    judgement = Judgement()
    for line in facts.unreadable:
        judgement.findings.append(
            unknown("evidence/unreadable", line, "a line of evidence cannot be read")
        )
        judgement.not_checked.append(Omission(what=line, why="cannot be read"))
    return judgement


def _unused_stubs(asked: Sequence[str], facts: Facts) -> Iterable[Finding]:
    """A file's stub that nothing used is stale, or hides a test that is missing.

    Only a whole run can tell: every part that was asked is there, and no test was left out.
    """
    complete = all(facts.part(part) is not None for part in asked)
    whole = len({part.partition("-")[0] for part in asked}) > 1
    ended = [f for p in asked for f in facts.part(p) or () if isinstance(f, PytestEnded)]
    if not (whole and complete and ended) or any(f.deselected or f.exit_status for f in ended):
        return
    uses: dict[str, StubUse] = {}
    calls: dict[str, int] = {}
    for found in facts.by_part.values():
        for use in (fact for fact in found if isinstance(fact, StubUse)):
            uses[use.stub] = use
            calls[use.stub] = calls.get(use.stub, 0) + use.calls
    for name, use in uses.items():
        if not calls[name]:
            yield Finding(
                slug="stubs/unused",
                outcome=Outcome.FAIL,
                where=use.where,
                message=f"nothing in this run used the stub {name}",
                next_step="delete it, or test what it stands for",
            )
