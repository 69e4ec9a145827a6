"""Proofs about functional tests: some that do not pass, code that none runs, a stub unused.

They share their runs: one of tests that pass, one of tests that do not, for each target. In the
first target these run modules that were added, too, whose coverage is then judged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from harness import plants
from harness.evidence import functional_part
from harness.facts import Fact
from harness.inventory import python_files
from harness.objective import Objective
from harness.plan import Gates, Plan
from harness.plants import NAME, Plant
from harness.proofs import Proof
from harness.target import Target, TargetKind
from harness.trial import Trial
from harness.verdict import Outcome


def targets(plan: Plan) -> list[Target]:
    """Return the targets in which tests can be run on a copy."""
    found = plan.tests.targets if plan.tests else ()
    return [target for target in found if target.kind is not TargetKind.LIVE]


def functional(proof: Proof) -> Iterator[Fact]:
    """Add tests of which one fails and one is not set up; then one that asks its target nothing."""
    told = "every test passes"
    for number, target in enumerate(targets(proof.plan)):
        part = functional_part(str(target))
        trial = proof.trials.of_part(_tested(proof, number, healthy=True), part)
        yield proof.unharmed(str(target), trial)
        if trial.outcome is not Outcome.PASS:
            continue
        name = _file(proof, number, "ill")
        planted = [
            Plant("a test that fails", told, ("functional/failed",), name, plants.FAILING),
            Plant("a fixture that raises", told, ("functional/error",), name, plants.RAISING),
        ]
        ill = proof.trials.of_part(_tested(proof, number, healthy=False), part)
        yield from proof.found(str(target), planted, ill)
        if number == 0:
            yield from _mute(proof, target)


def _mute(proof: Proof, target: Target) -> Iterator[Fact]:
    part = functional_part(str(target))
    plant = Plant(
        "tests that ask their target nothing", "tests reach their target",
        ("functional/unreached",), part,
    )  # fmt: skip
    yield from proof.found(str(target), [plant], _idle(proof))


_UNUSED = "stubs/unused"


def _idle(proof: Proof) -> Trial:
    """Run a test that asks nothing, with a stub added, as if that were a whole run.

    What it finds of the plan's own stubs is tolerated: the tests that use them are left out here.
    """
    target = targets(proof.plan)[0]
    healthy = _tested(proof, 0, healthy=True)
    _, waivers = proof.trials.tolerating(healthy, functional_part(str(target)), _UNUSED)
    name, stub_file = _file(proof, 0, "mute"), _stub_file(proof)
    changes = {name: plants.mute_test()}
    if text := proof.ground.text(stub_file):
        changes[stub_file] = f"{text}{plants.STUB}"

    def run() -> Trial:
        with proof.ground.planted(changes):
            return proof.trials.tests(target, [name], whole=True, waivers=waivers)

    return proof.trials.once(name, run)


def _stub_file(proof: Proof) -> str:
    """Name the first file of stubs; where there is none, the folder itself, which has no text."""
    return next((file for one in proof.plan.standins for file in one.stubs), ".")


def _tested(proof: Proof, number: int, *, healthy: bool) -> Trial:
    """Run tests that pass, or such that do not, in a target of the plan by its number."""
    target = targets(proof.plan)[number]
    gates = _added(proof) if number == 0 else None
    files = gates.paths if gates else ()
    modules = tuple(str(proof.ground.root / path) for path in files)
    file = _file(proof, number, "well" if healthy else "ill")
    text = plants.healthy_test(modules) if healthy else plants.faulty_test(modules)

    def run() -> Trial:
        with proof.ground.planted({file: text, **dict.fromkeys(files, plants.MODULE)}):
            return proof.trials.tests(target, [file], gates)

    return proof.trials.once(file, run)


def _file(proof: Proof, number: int, name: str) -> str:
    """Name a file of tests beside the first of the plan's. No two trials share one."""
    first = (proof.plan.tests.paths if proof.plan.tests else (".",))[0].partition("::")[0]
    folder = Path(first) if (proof.ground.root / first).is_dir() else Path(first).parent
    return (folder / f"test_{NAME}_{number}_{name}.py").as_posix()


def coverage(proof: Proof) -> Iterator[Fact]:
    """Add a module: once tests run all of it, once next to nothing."""
    planted = [plant for _, plant in _uncovered(proof)]
    yield from proof.found("the gate", [one for one in planted if one.obstacle], None)
    possible = [one for one in planted if not one.obstacle]
    if possible:
        trial = proof.trials.of_part(_tested(proof, 0, healthy=True), "gates")
        yield proof.unharmed("the gate", trial)
        if trial.outcome is Outcome.PASS:
            ill = proof.trials.of_part(_tested(proof, 0, healthy=False), "gates")
            yield from proof.found("the gate", possible, ill)


def _uncovered(proof: Proof) -> list[tuple[Objective, Plant]]:
    """Return each limit of coverage with the fault that is to break it."""
    limits = proof.limits("coverage")
    if not limits.limits:
        return []
    files = python_files(proof.ground.root, limits.paths)
    found = []
    for number, limit in enumerate(limits.limits):
        path = _beside(limit, files, number)
        plant = plants.uncovered(limit, path)
        if not limit.covers(path):  # it names files: the number is proved, on one more
            limit = replace(limit, pattern=path, text=f"{path} {_unscoped(limit)}")
        if not targets(proof.plan):
            plant = replace(plant, obstacle="the plan has no functional tests that could run it")
        found.append((limit, plant))
    return found


def _unscoped(limit: Objective) -> str:
    return limit.text.removeprefix(limit.pattern or "").strip()


def _beside(limit: Objective, files: Sequence[str], number: int) -> str:
    """Name a new file beside the first that a limit covers. Judged by itself, it may lie there."""
    own = [path for path in files if limit.covers(path) and not os.path.isabs(path)]
    beside = [str(PurePosixPath(path).parent / f"{NAME}_covered_{number}.py") for path in own]
    return next(filter(limit.covers, beside), (beside or [f"{NAME}_covered_{number}.py"])[0])


def _added(proof: Proof) -> Gates | None:
    """Return the gates of the modules that are added, where a limit of coverage can be broken."""
    usable = [(limit, plant) for limit, plant in _uncovered(proof) if not plant.obstacle]
    paths = tuple(plant.at.rstrip(":") for _, plant in usable)
    gates = replace(proof.limits("coverage"), paths=paths)
    return replace(gates, limits=tuple(limit for limit, _ in usable)) if usable else None


def stubs(proof: Proof) -> Iterator[Fact]:
    """Add a stub that nothing uses."""
    part = functional_part(str(targets(proof.plan)[0]))
    trial, _ = proof.trials.tolerating(_tested(proof, 0, healthy=True), part, _UNUSED)
    yield proof.unharmed("the stubs", trial)
    if trial.outcome is Outcome.PASS:
        file = _stub_file(proof)
        obstacle = "" if proof.ground.text(file) else f"{file} is not in the copy"
        told = "every stub is used"
        plant = Plant("a stub that nothing uses", told, (_UNUSED,), file, NAME, obstacle=obstacle)
        yield from proof.found("the stubs", [plant], None if obstacle else _idle(proof))
