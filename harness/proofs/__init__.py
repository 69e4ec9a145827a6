"""What `harness prove` does for each part of a plan: a run without a fault, and runs with some.

    code    complexity, security, and that no file goes missing
    tests   functional tests, their coverage, and stubs that nothing uses
    load    a scenario that fails, answers that come late, a generator that dies

A member of the family is a function of a `Proof` that yields its facts as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from harness.ground import Ground
from harness.objective import Objective
from harness.plan import Gates, Plan
from harness.planted import Planted, Seen, Unharmed
from harness.plants import Plant
from harness.trial import Trial, Trials
from harness.verdict import Finding, Outcome

_MOST_SEEN = 5


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof under way, by its `name` in ``harness prove --only``."""

    name: str
    plan: Plan
    ground: Ground
    trials: Trials

    def limits(self, *names: str) -> Gates:
        """Return what the plan says of gates, with the limits of those named."""
        gates = self.plan.gates or Gates((), ())
        kept = tuple(limit for limit in gates.limits if gate_of(limit) in names)
        return replace(gates, limits=kept)

    def unharmed(self, subject: str, trial: Trial) -> Unharmed:
        """Say what a run without a fault came to."""
        told = trial.told
        if trial.outcome is not Outcome.PASS and (bad := _worst(trial.findings)):
            told = f"{bad.where or subject} ({bad.slug}): {bad.message}"
        return Unharmed(proof=self.name, subject=subject, outcome=trial.outcome, told=told)

    def harmed(
        self, subject: str, planted: Sequence[Plant], perform: Callable[[], Trial]
    ) -> Iterator[Planted]:
        """Make a run with these faults in the copy. Those that cannot be planted are told, too.

        Faults that change the same file are tried one after the other.
        """
        yield from self.found(subject, [one for one in planted if one.obstacle], None)
        for batch in _apart([one for one in planted if not one.obstacle]):
            changes = {name: text for one in batch for name, text in one.changes.items()}
            with self.ground.planted(changes):
                trial = perform()
            yield from self.found(subject, batch, trial)

    def found(self, subject: str, batch: Sequence[Plant], trial: Trial | None) -> Iterator[Planted]:
        """Say of each fault what a run had to say of it; None: it could not be planted."""
        for plant in batch:
            yield self._planted(subject, plant, trial, batch)

    def _planted(
        self, subject: str, plant: Plant, trial: Trial | None, batch: Sequence[Plant]
    ) -> Planted:
        made = Planted(
            proof=self.name, subject=subject, fault=plant.fault, against=plant.against,
            slugs=plant.slugs, at=plant.at, says=plant.says, obstacle=plant.obstacle,
        )  # fmt: skip
        if trial is None:
            return made
        bad = [_seen(one) for one in trial.findings if one.outcome is not Outcome.PASS]
        hits = [one for one in bad if made.hits(one)]
        others = [one for one in bad if one not in hits]
        limits = [one for one in others if one.message.startswith(plant.against)]
        return msgspec.structs.replace(
            made, outcome=trial.outcome, obstacle="" if hits else _stranger(batch, bad),
            seen=(*hits[:_MOST_SEEN], *limits[:1], *others[:_MOST_SEEN]),
        )  # fmt: skip


def gate_of(limit: Objective) -> str:
    """Return the gate that a limit is about."""
    return limit.indicator.partition(".")[0]


def _worst(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that tells most: a FAIL before an UNKNOWN."""
    bad = [one for one in findings if one.counts_as is not Outcome.PASS]
    return next((one for one in bad if one.outcome is Outcome.FAIL), bad[0] if bad else None)


def _seen(finding: Finding) -> Seen:
    return Seen(
        slug=finding.slug, outcome=finding.outcome, where=finding.where,
        message=finding.message, waived=finding.waiver is not None,
    )  # fmt: skip


def _stranger(batch: Sequence[Plant], bad: Sequence[Seen]) -> str:
    """Say what else kept a run from its evidence: a fault that it missed then is not unseen."""
    expected = {slug for plant in batch for slug in plant.slugs}
    for one in bad:
        undecided = one.slug.endswith("-undecided") and one.outcome is Outcome.UNKNOWN
        if one.outcome is Outcome.UNKNOWN and one.slug not in expected and not undecided:
            return f"its run has no evidence: {one.where} ({one.slug}): {one.message}"
    return ""


def _apart(planted: Sequence[Plant]) -> list[list[Plant]]:
    """Share faults out over runs, so that no two of a run change the same file."""
    batches: list[list[Plant]] = []
    for plant in planted:
        for batch in batches:
            if all(plant.changes.keys().isdisjoint(other.changes) for other in batch):
                batch.append(plant)
                break
        else:
            batches.append([plant])
    return batches
