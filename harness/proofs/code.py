"""Proofs about code: a closure that is too complex, an eval, a file that nothing could read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from harness import plants
from harness.facts import Fact
from harness.inspection import Block, Inspected
from harness.objective import Objective
from harness.plan import Gates
from harness.plants import NAME, Place, Plant
from harness.proofs import Proof
from harness.trial import Trial
from harness.verdict import Outcome


def complexity(proof: Proof) -> Iterator[Fact]:
    """Add a closure beyond each limit."""
    yield from _limits(proof)


def security(proof: Proof) -> Iterator[Fact]:
    """Add as many weaknesses as each limit does not tolerate."""
    yield from _limits(proof)


def _limits(proof: Proof) -> Iterator[Fact]:
    gates = proof.limits(proof.name)
    trial = proof.trials.gates(gates)
    yield proof.unharmed("the gate", trial)
    if trial.outcome is Outcome.PASS:
        checked = _checked(trial)
        blocks = sum(isinstance(fact, Block) for fact in trial.facts)
        planted = [
            _plant(proof, limit, place(proof, limit, checked, number), blocks)
            for number, limit in enumerate(gates.limits)
        ]
        yield from proof.harmed("the gate", planted, lambda: proof.trials.gates(gates))


def _plant(proof: Proof, limit: Objective, found: Place | None, blocks: int) -> Plant:
    if found is None:
        return Plant(
            "code beyond the limit", limit.text, (), obstacle="the limit covers no file to add to"
        )
    if proof.name == "complexity":
        return plants.closure(limit, found, blocks)
    return plants.weakness(limit, found)


def _checked(trial: Trial) -> list[str]:
    return [path for fact in trial.facts if isinstance(fact, Inspected) for path in fact.checked]


def place(proof: Proof, limit: Objective, files: Sequence[str], number: int) -> Place | None:
    """Find where code can be added that a limit covers: a new file or, else, one that it has."""
    own = [path for path in files if limit.covers(path) and not os.path.isabs(path)]
    for path in own:
        new = str(PurePosixPath(path).parent / f"{NAME}_{proof.name}_{number}.py")
        if limit.covers(new) and _is_inside(proof, new):
            return Place(new)
    for path in own:
        if (text := proof.ground.text(path)) is not None:
            return Place(path, text)
    return None


def _is_inside(proof: Proof, new: str) -> bool:
    """Tell whether a new file would be below a folder that the gates are given."""
    folders = [path for path in proof.limits().paths if (proof.ground.root / path).is_dir()]
    return any(PurePosixPath(new).is_relative_to(os.path.normpath(path)) for path in folders)


def evidence(proof: Proof) -> Iterator[Fact]:
    """Leave out what the gates should have seen, and what they wrote down."""
    gates = proof.limits("complexity", "security")
    trial = proof.trials.gates(gates)
    yield proof.unharmed("the gates", trial)
    if trial.outcome is not Outcome.PASS:
        return
    yield from _unreadable(proof, gates, _checked(trial))
    told = "every part that is asked for ends"
    killed = Plant("gates that were killed", told, ("evidence/incomplete",), "gates")
    yield from proof.found(
        "the gates", [killed], proof.trials.without(trial, "gates.jsonl", last_lines=1)
    )
    lost = Plant("gates that recorded nothing", told, ("evidence/missing-part",), "gates")
    yield from proof.found(
        "the gates", [lost], proof.trials.without(trial, "gates.jsonl", last_lines=0)
    )


def _unreadable(proof: Proof, gates: Gates, checked: Sequence[str]) -> Iterator[Fact]:
    found = next(
        (one for limit in gates.limits if (one := place(proof, limit, checked, 0))), Place("")
    )
    if found.path:
        planted = plants.unparsable(found)
        yield from proof.harmed("the gates", [planted], lambda: proof.trials.gates(gates))
    gone = f"{NAME}_gone"
    told = "every path that is asked for is there"
    missing = Plant("a path of the gates that is gone", told, ("gates/no-path",), "", gone)
    without = replace(gates, paths=(*gates.paths, gone))
    yield from proof.found("the gates", [missing], proof.trials.gates(without))
