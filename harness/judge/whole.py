"""Judging a whole run: every part that was asked for, and what only the whole can tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from harness.errors import HarnessError
from harness.evidence import Facts, Identity
from harness.facts import Fact, PytestEnded, StubUse
from harness.judge import (
    Judgement,
    divergence,
    functional,
    gates,
    load,
    proofs,
    provenance,
    repeated,
    stock,
    unknown,
)
from harness.judge.code import described
from harness.judge.unchecked import Tolerated
from harness.record import (
    Code,
    FunctionalRow,
    GateRow,
    LoadRow,
    LoadRun,
    Notice,
    Omission,
    ProofRow,
    Record,
)  # fmt: skip
from harness.verdict import Finding, Outcome, verdict
from harness.waiver import applied, tolerated


@dataclass(frozen=True, slots=True)
class _Folded:
    """What has been judged so far, part by part."""

    judgement: Judgement = field(default_factory=Judgement)
    tests: list[FunctionalRow] = field(default_factory=list)
    rows: list[LoadRow] = field(default_factory=list)
    loads: list[LoadRun] = field(default_factory=list)
    gates: list[GateRow] = field(default_factory=list)
    code: list[Code] = field(default_factory=list)
    tolerated: Tolerated = lambda finding: False
    proofs: list[ProofRow] = field(default_factory=list)

    def take(self, part: str, facts: Facts) -> None:
        """Judge one part. One of which nothing can be said is UNKNOWN, as one that is missing."""
        found = facts.part(part)
        if found is None:
            self.judgement.findings.append(_missing(part))
            return
        before = len(self.judgement.findings)
        try:
            self.judgement.extend(self._judged(part, found, facts))
        except HarnessError as error:  # a limit, say, that a later version knows and this does not
            told = f"{part} cannot be judged: {error.message}"
            self.judgement.findings.append(unknown(error.slug, part, told, error.next_step))
        if len(self.judgement.findings) == before:
            told = "this part recorded nothing that can be judged"
            self.judgement.findings.append(unknown("evidence/incomplete", part, told, _AGAIN))
        self.judgement.findings.extend(_mute(part, facts))

    def _judged(self, part: str, found: tuple[Fact, ...], facts: Facts) -> Judgement:
        if part.startswith("functional-"):
            told, tested = functional.judge(part, found, facts.below(part))
            self.tests.extend(tested)
        elif part.startswith("load-"):
            told, run, rows = load.judge(part, found, facts.below(part))
            self.rows.extend(rows)
            self.loads.extend([repeated.told(run, found, facts.below(part))] if run else [])
        elif part.startswith("molotov-"):
            told = stock.judge(part, found, facts.below(part))
        elif part == "prove":
            told, planted = proofs.judge(part, found)
            self.proofs.extend(planted)
        else:
            told, limits = gates.judge(part, found, self.tolerated)
            self.gates.extend(limits)
            self.code.extend(described(found))
        return told


_AGAIN = "run it again"


def _mute(part: str, facts: Facts) -> Iterator[Finding]:
    """Find processes of a part that could not even note that they began: their facts are lost."""
    for name, noted in facts.by_part.items():
        if name.startswith(f"{part}.") and not noted:
            yield unknown("evidence/incomplete", name, "it recorded nothing at all", _AGAIN)


def fold(identity: Identity, facts: Facts, parts: Sequence[str] | None = None) -> Record:
    """Fold a run's facts into its record: of the `parts` named, or of all that were asked for.

    What a whole run holds beyond what it was asked for is judged, too. What is not its own is not.
    """
    facts, strange = provenance.own(identity, facts)
    wanted = dict.fromkeys(identity.asked if parts is None else parts)
    asked = tuple(part for one in wanted for part in facts.parts(one) or (one,))
    day = _day(identity)
    folded = _Folded(tolerated=lambda one: tolerated(one, identity.waivers, day))
    others = _others(asked, facts) if parts is None else ()
    for part in (*asked, *others):
        folded.take(part, facts)
    judgement = _differing((*asked, *others), facts)  # first: it explains failures of theirs
    judgement.extend(folded.judgement)
    judgement.findings.extend(strange)
    judgement.extend(_unreadable(facts))
    if identity.whole and parts is None:
        judgement.findings.extend(_unused_stubs(asked, facts))
    if parts is None:
        judgement.extend(_pythons(identity, folded.tests))
    if not asked:
        judgement.findings.append(
            unknown(
                "evidence/nothing-asked",
                "",
                "nothing was asked for",
                "write a plan, harness.toml: it says what a shared run must have",
            )
        )
    findings, notices = _tolerated(identity, judgement.findings, asked, facts, parts is None)
    outcome = verdict(findings)
    return Record(
        run_id=identity.run_id,
        started_at=identity.started_at,
        duration_s=facts.duration_s,
        environment=identity.environment,
        plan_source=identity.plan_source,
        outcome=outcome,
        headline=headline(
            outcome, findings, folded.tests, folded.loads, folded.gates, folded.proofs
        ),
        findings=findings,
        not_checked=judgement.not_checked,
        functional=folded.tests,
        load=folded.rows,
        loads=folded.loads,
        gates=folded.gates,
        proofs=folded.proofs,
        notices=[*judgement.notices, *notices],
        code=next(iter(folded.code), None),
    )


def _differing(parts: Iterable[str], facts: Facts) -> Judgement:
    """Compare what the same tests said of several targets."""
    found = {part: facts.part(part) or () for part in parts if part.startswith("functional-")}
    return divergence.judge(
        (functional.python_of(noted), functional.tests_of(noted, facts.below(part)))
        for part, noted in found.items()
    )


def _others(asked: Sequence[str], facts: Facts) -> list[str]:
    """Name the parts that a run has and was not asked for: what they found is not forgotten."""
    known = [part for part in facts.by_part if part not in asked]
    return [
        part
        for part in known
        if part.startswith(("functional-", "load-", "molotov-")) or part in ("gates", "prove")
        if not any(part.startswith(f"{other}.") for other in facts.by_part)
    ]


_MOST_SAID = 3


def headline(
    outcome: Outcome,
    findings: Sequence[Finding],
    tests: Sequence[FunctionalRow],
    loads: Sequence[LoadRun],
    gate_rows: Sequence[GateRow],
    proof_rows: Sequence[ProofRow] = (),
) -> str:
    """Say in one line what the verdict rests on."""
    if outcome is Outcome.PASS:
        said = _passed(tests, loads, gate_rows)
        stocks = sum(finding.slug == "load/stock" for finding in findings)
        said += [f"{_some(stocks, 'file')} under the stock molotov"] if stocks else []
        said += [f"{_some(len(proof_rows), 'planted fault')} found"] if proof_rows else []
        return "; ".join(said)
    bad = [f for f in findings if f.counts_as is outcome]
    said = list(dict.fromkeys(_said(f, tests) for f in bad if not _is_place(f)))
    more = f" (and {len(said) - _MOST_SAID} more)" if len(said) > _MOST_SAID else ""
    return "; ".join(said[:_MOST_SAID]) + more


def _is_place(finding: Finding) -> bool:
    """Tell whether it is a place beyond a limit, of which the limit is a finding, too."""
    return finding.outcome is Outcome.FAIL and finding.slug.startswith(
        ("complexity/", "coverage/", "maintainability/", "security/", "suppressions/limit")
    )


def _passed(
    tests: Sequence[FunctionalRow], loads: Sequence[LoadRun], gate_rows: Sequence[GateRow]
) -> list[str]:
    said = []
    if tests:
        targets = " and ".join(dict.fromkeys(row.target for row in tests))
        said.append(f"{_some(sum(row.passed for row in tests), 'test')} passed ({targets})")
    if loads:
        noun = "request" if all(run.repeated for run in loads) else "visit"
        said.append(f"{_some(sum(run.visits_started for run in loads), noun)} under load")
    if gate_rows:
        said.append(f"{_some(len(gate_rows), 'limit')} kept{_without(gate_rows)}")
    if accepted := sum(row.accepted for row in gate_rows):
        said.append(f"{_some(accepted, 'finding')} of the baseline")
    return said


def _without(gate_rows: Sequence[GateRow]) -> str:
    """Say that limits were judged without files that could not be checked."""
    waived = max(row.waived for row in gate_rows)
    return f" (without {_some(waived, 'file')} that a waiver names)" if waived else ""


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_TESTS_FAILED = (
    "functional/differs",
    "functional/failed",
    "functional/error",
    "functional/xpassed",
)


def _said(finding: Finding, tests: Sequence[FunctionalRow]) -> str:
    """Say one bad finding in a few words; all failed tests say the same."""
    if finding.slug in _TESTS_FAILED:
        bad = sum(row.failed + row.errors + row.xpassed for row in tests)
        return f"{bad} of {sum(row.tests for row in tests)} tests failed"
    first = (finding.message.splitlines() or [""])[0]
    if finding.measured is None or finding.limit is None:
        own = finding.where and finding.where not in first and finding.limit is None
        return f"{finding.where}: {first}" if own else first
    short = format(finding.measured, ".4g" if finding.measured < 10_000 else ".0f")
    crosses = float(short) == finding.limit != finding.measured
    exact = repr(finding.measured) if crosses else short
    return f"{first}: measured {exact}{finding.unit or ''}"


def _missing(part: str) -> Finding:
    verbs = {"functional": "test", "load": "load", "molotov": "load --runner molotov",
             "prove": "prove"}  # fmt: skip
    verb = verbs.get(part.partition("-")[0], "gates")
    return unknown(
        "evidence/missing-part",
        part,
        f"this run has no evidence of {part}",
        f"run it: harness {verb}",
    )


def _pythons(identity: Identity, tests: Sequence[FunctionalRow]) -> Judgement:
    """List the Pythons on which no test ran: one is not installed here, and CI should have it."""
    judgement = Judgement()
    ran = {row.python.rpartition(".")[0] for row in tests if row.tests}
    for python in (python for python in identity.pythons if python not in ran):
        told, step = f"no test ran on Python {python}", f"install Python {python} and run tox again"
        judgement.not_checked.append(Omission(what=f"Python {python}", why=told, next_step=step))
        if identity.environment.ci:
            judgement.findings.append(unknown("evidence/python", f"Python {python}", told, step))
    return judgement


def _unreadable(facts: Facts) -> Judgement:
    judgement = Judgement()
    for line in facts.unreadable:
        judgement.findings.append(
            unknown("evidence/unreadable", line, "a line of evidence cannot be read")
        )
        judgement.not_checked.append(Omission(what=line, why="cannot be read"))
    return judgement


def _tolerated(
    identity: Identity,
    found: Sequence[Finding],
    asked: Sequence[str],
    facts: Facts,
    everything: bool,
) -> tuple[list[Finding], list[Notice]]:
    """Apply the waivers. One that covers nothing is stale: of a part of the plan, who can tell."""
    findings, unused = applied(found, identity.waivers, _day(identity))
    told = [(one, f"nothing in this run needed the waiver of {one.slug}") for one in unused]
    if not (everything and identity.whole and _is_complete(asked, facts)):
        return findings, [
            Notice(slug="waivers/unused", where=one.where, message=f"{said}; a whole run may")
            for one, said in told
        ]
    stale = [
        Finding(
            slug="waivers/unused",
            outcome=Outcome.FAIL,
            where=one.where,
            message=said,
            next_step="delete it, or mend its slug or its path",
        )
        for one, said in told
    ]
    return [*findings, *stale], []


def _day(identity: Identity) -> date:
    """Return the day on which the run began: a verdict is of that day, whenever it is computed."""
    try:
        return datetime.fromisoformat(identity.started_at).date()
    except ValueError:  # of a damaged folder: no waiver is known to hold
        return date.max


def _is_complete(asked: Sequence[str], facts: Facts) -> bool:
    """Tell whether every part that was asked is there, and no test was left out."""
    found = all(facts.part(part) is not None for part in asked)
    return found and not any(session.deselected for session in _sessions(asked, facts))


def _sessions(asked: Sequence[str], facts: Facts) -> list[PytestEnded]:
    noted = [f for p in asked for f in (*(facts.part(p) or ()), *facts.below(p))]
    return [fact for fact in noted if isinstance(fact, PytestEnded)]


def _unused_stubs(asked: Sequence[str], facts: Facts) -> Iterable[Finding]:
    """A file's stub that nothing used is stale, or hides a test that is missing.

    Only a whole run can tell: every part that was asked is there, and no test was left out.
    """
    ended = _sessions(asked, facts)
    if not (_is_complete(asked, facts) and ended) or any(f.exit_status for f in ended):
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
