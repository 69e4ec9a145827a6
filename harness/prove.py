"""`harness prove`: each gate and judge that a plan uses is shown a fault, and must tell of it.

In a copy of the project, first as it is: where that does not pass, nothing is proved by what
follows. Then with faults in it, each of which must turn the verdict by a finding of its own, at
its own place. Loads are cut to a second or two, and tests to the planted ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from harness.errors import UsageError, nearest
from harness.evidence import Part
from harness.facts import Fact
from harness.ground import Ground, copied
from harness.objective import Objective
from harness.plan import Plan
from harness.planted import LeftOut, ProvingBegun
from harness.proofs import Proof, code, load, tests
from harness.rig import environment
from harness.run import RUN_VARIABLE, Run
from harness.trial import Trials, plan_in

PART = "prove"
PROOFS = {
    "complexity": "a limit of complexity",
    "security": "a limit of security",
    "evidence": "a limit of complexity or security",
    "coverage": "a limit of coverage",
    "tests": "a target of tests that is not live",
    "stubs": "a stub file and tests",
    "load": "a load",
}
"""What can be proved, and what a plan must have for it."""

_NOT_PROVED = (
    LeftOut(what="what tests are watched for beside their assertions", why="no fault for it yet"),
    LeftOut(what="objectives on rates, on answers' statuses and of single scenarios",
            why="no fault for them yet"),
)  # fmt: skip


def prove(run: Run, only: Collection[str] = ()) -> None:
    """Prove what the plan uses, or `only` that, and write down what was planted and what found.

    Raises UsageError where there is nothing to prove, or for a name that is no proof.
    """
    wanted = _wanted(run.plan, only)
    reports = Path(os.path.abspath(run.folder.path.parent))
    with Part(run.folder.path, PART) as part:
        part.note(ProvingBegun(proofs=wanted, left_out=_left_out(run.plan, wanted)))
        with copied(run.root, reports) as ground, _surroundings(ground):
            trials = Trials(run.plan, ground, plan_in(ground, run.plan_file), run.tick)
            for name in wanted:
                run.say(f"prove {name}")
                for fact in _PROVING[name](Proof(name, run.plan, ground, trials)):
                    part.note(fact)


_PROVING: dict[str, Callable[[Proof], Iterator[Fact]]] = {
    "complexity": code.complexity,
    "security": code.security,
    "evidence": code.evidence,
    "coverage": tests.coverage,
    "tests": tests.functional,
    "stubs": tests.stubs,
    "load": load.loads,
}


def _surroundings(ground: Ground) -> AbstractContextManager[None]:
    """Let Python import the copy, and keep its runs out of the one that they are made for."""
    return environment({**ground.variables, RUN_VARIABLE: ""})


def _wanted(plan: Plan, only: Collection[str]) -> tuple[str, ...]:
    for name in only:
        if name not in PROOFS:
            raise UsageError(
                "usage", f"there is no proof {name!r}", next_step=nearest(name, PROOFS)
            )
    usable = _usable(plan)
    missing = [name for name in only if name not in usable]
    if missing or not usable:
        lacking = ", ".join(PROOFS[name] for name in missing) or "tests, loads or gates"
        raise UsageError(
            "plan/nothing", f"there is nothing to prove: the plan lacks {lacking}",
            next_step="add it to the plan, or prove what it has: harness prove",
        )  # fmt: skip
    return tuple(name for name in usable if not only or name in only)


def _usable(plan: Plan) -> tuple[str, ...]:
    gates = {_gate(limit) for limit in plan.gates.limits} if plan.gates else set()
    uses = {
        "complexity": "complexity" in gates,
        "security": "security" in gates,
        "evidence": bool(gates & {"complexity", "security"}),
        "coverage": "coverage" in gates,
        "tests": bool(tests.targets(plan)),
        "stubs": bool(tests.targets(plan)) and any(one.stubs for one in plan.standins),
        "load": bool(plan.loads),
    }
    return tuple(name for name in PROOFS if uses[name])


def _left_out(plan: Plan, wanted: Collection[str]) -> tuple[LeftOut, ...]:
    """List what is not proved: what nobody asked for, and what the plan does not use."""
    usable = _usable(plan)
    told = [
        LeftOut(what=name, why="not asked for" if name in usable else f"the plan has not {lacking}")
        for name, lacking in PROOFS.items()
        if name not in wanted
    ]
    return (*told, *_NOT_PROVED)


def _gate(limit: Objective) -> str:
    return limit.indicator.partition(".")[0]
