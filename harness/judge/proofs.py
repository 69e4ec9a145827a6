"""Judging proofs: of each fault that was planted, whether a run of the copy told of it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.facts import Fact
from harness.judge import Judgement, of_part, unknown
from harness.planted import Planted, ProvingBegun, Seen, Unharmed
from harness.record import Omission, ProofRow
from harness.verdict import Finding, Outcome


def judge(part: str, facts: tuple[Fact, ...]) -> tuple[Judgement, list[ProofRow]]:
    """Judge what was planted. A part that proved nothing of what it was to prove is UNKNOWN."""
    judgement = of_part(part, facts)
    planted = [fact for fact in facts if isinstance(fact, Planted)]
    for fact in facts:
        if isinstance(fact, ProvingBegun):
            judgement.not_checked.extend(Omission(what=f"prove {one.what}", why=one.why)
                                         for one in fact.left_out)  # fmt: skip
            judgement.findings.extend(_unproved(fact.proofs, facts))
        elif isinstance(fact, Unharmed) and fact.outcome is not Outcome.PASS:
            judgement.findings.append(_sick(fact))
    rows = [_row(fact) for fact in planted]
    judgement.findings.extend(map(_finding, rows))
    return judgement, rows


def _unproved(proofs: Sequence[str], facts: Sequence[Fact]) -> list[Finding]:
    """Find the proofs of which nothing was written down, although the part ended."""
    told = {fact.proof for fact in facts if isinstance(fact, Planted | Unharmed)}
    return [
        unknown("prove/not-planted", name, f"nothing was planted for {name}", "run it again")
        for name in proofs
        if name not in told
    ]


def _sick(fact: Unharmed) -> Finding:
    return unknown(
        "prove/unharmed",
        f"{fact.proof}: {fact.subject}",
        f"the copy without a fault does not pass, so nothing was planted: {fact.outcome}, "
        f"{fact.told}",
        "see whether 'harness run' passes; files that git ignores are not in the copy",
    )


def _row(planted: Planted) -> ProofRow:
    hits = [seen for seen in planted.seen if planted.hits(seen)]
    outcome, told = _judged(planted, hits)
    return ProofRow(
        proof=planted.proof, subject=planted.subject, fault=planted.fault,
        against=planted.against, where=planted.at, expected=" or ".join(planted.slugs),
        found=hits[0].slug if hits else "", outcome=outcome, told=told,
    )  # fmt: skip


def _judged(planted: Planted, hits: Sequence[Seen]) -> tuple[Outcome, str]:
    if planted.obstacle:
        return Outcome.UNKNOWN, planted.obstacle
    if not hits:
        others = [seen for seen in planted.seen if not seen.waived]
        instead = f"; it found {others[0].slug} at {others[0].where}" if others else ""
        return Outcome.FAIL, f"its run is {planted.outcome} and does not tell of it{instead}"
    if planted.outcome is Outcome.PASS or not any(_turns(planted, seen) for seen in planted.seen):
        return Outcome.FAIL, f"{hits[0].slug} tells of it, and the plan's waivers tolerate it"
    return Outcome.PASS, f"{hits[0].outcome}: {hits[0].message.splitlines()[0]}"


def _turns(planted: Planted, seen: Seen) -> bool:
    """Tell whether a finding turns the verdict on account of this fault: itself or its limit."""
    of_limit = seen.slug.startswith("gates/limit-") and seen.message.startswith(planted.against)
    return not seen.waived and (planted.hits(seen) or of_limit)


_SLUG = {Outcome.PASS: "caught", Outcome.FAIL: "missed", Outcome.UNKNOWN: "not-planted"}


def _finding(row: ProofRow) -> Finding:
    place = f" at {row.where.rstrip(':')}" if row.where else ""
    steps = {
        Outcome.FAIL: "a fault like this one passes: see what the plan leaves out or waives",
        Outcome.UNKNOWN: "change the limit or the plan so that a fault can break it",
    }
    return Finding(
        slug=f"prove/{_SLUG[row.outcome]}",
        outcome=row.outcome,
        where=f"{row.proof}: {row.subject}",
        message=f"{row.fault}{place} against '{row.against}'\n{row.told}",
        next_step=steps.get(row.outcome, ""),
    )
