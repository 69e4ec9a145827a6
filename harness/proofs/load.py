"""Proofs about loads: a scenario that fails, answers that come late, a generator that dies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import PurePosixPath

import msgspec

from harness import plants
from harness.demand import Load
from harness.facts import Fact
from harness.histogram import samples_needed
from harness.objective import Objective
from harness.pace import Rate, Workers, is_open, peak
from harness.plan import Plan, Service
from harness.planted import Planted, Seen
from harness.plants import NAME, Plant
from harness.proofs import Proof
from harness.target import AppPath
from harness.verdict import Outcome

_SHORT_S = Fraction(1)
_CALM = 20
"""Visits a second, or workers, of a load in stages or with more workers."""
_LONGEST_DELAY_S = 8
"""A load waits 10 s for answers after its time; those that come later are failures."""
_APP = f"{NAME}_app"
_SPOILED = "neither met nor missed"
"""Said of an objective that was missed where the generator, too, was in its way."""


def loads(proof: Proof) -> Iterator[Fact]:
    """Run each load of the plan, cut short: as it is, then with faults."""
    for number, load in enumerate(proof.plan.loads):
        slow, failing = _latency(load), _failures(load)
        short = _shortened(load, slow, failing)
        subject = f"load {load.name}"
        trial = proof.trials.load(short, proof.plan)
        if trial.outcome is not Outcome.PASS:  # so short a load has no second to spare
            trial = proof.trials.load(short, proof.plan)
        yield proof.unharmed(subject, trial)
        if trial.outcome is not Outcome.PASS:
            continue
        yield from _harmed(proof, subject, short, slow, failing)
        if number == 0:
            yield from _dead(proof, subject, short)


def _latency(load: Load) -> Objective | None:
    """Choose the objective on latency that needs the fewest samples, and of those the closest."""
    found = [
        one
        for one in load.objectives
        if one.unit == "ms" and _is_of_all(one) and one.op in ("<", "<=")
    ]
    return min(found, key=lambda one: (_needed(one), one.limit), default=None)


def _is_of_all(objective: Objective) -> bool:
    parted = (objective.scenario, objective.step, objective.window_s)
    return all(one is None for one in parted)


def _failures(load: Load) -> Objective | None:
    """Return the objective on all failures; None: none may fail, unless the plan says otherwise."""
    return next(
        (
            one
            for one in load.objectives
            if one.indicator in ("failures", "completed") and _is_of_all(one)
        ),
        None,
    )


def _needed(objective: Objective | None) -> int:
    """Return how many samples an objective on latency needs."""
    if objective is None:
        return 1
    return samples_needed(objective.quantile) if objective.quantile is not None else 1


def _shortened(load: Load, *objectives: Objective | None) -> Load:
    """Cut a load down to what its objectives need: a second, or as many visits as samples."""
    kept = tuple(one for one in objectives if one is not None)
    needed = max(map(_needed, kept), default=1) + 5
    pace: Rate | Workers
    lasts = load.pace.duration_s
    if isinstance(load.pace, Rate):
        rate = load.pace.per_second
        pace = Rate(rate, min(max(_SHORT_S, Fraction(needed) / rate), lasts))
    elif is_open(load.pace):  # of stages, a pace that is below their peak
        rate = min(peak(load.pace), Fraction(_CALM))
        pace = Rate(rate, min(max(_SHORT_S, Fraction(needed) / rate), lasts))
    else:
        pace = Workers(max(1, min(int(peak(load.pace)), _CALM)), min(lasts, 2 * _SHORT_S))
    return replace(load, pace=pace, objectives=kept, warm_up_s=0.0, stop_when_lost=False)


def _harmed(
    proof: Proof, subject: str, load: Load, slow: Objective | None, failing: Objective | None
) -> Iterator[Fact]:
    """Make nine visits of ten fail and, where there is an objective on latency, answers late."""
    changed, changes = _with_scenario(proof, load, deadly=False)
    missed = ("load/objective-missed", "load/objective-undecided")
    planted = [
        Plant(
            "a scenario that fails", failing.text if failing else "failures == 0", missed[:1],
            "", NAME, changes, "" if failing is None else _tolerated(failing),
        )
    ]  # fmt: skip
    plan = proof.plan
    if slow is not None:
        service = plan.service_of(load)
        delay_s = float(slow.limit) * 1.5 / 1000 + 0.05
        text = plants.slow_application(
            service.app.module, service.app.attribute, service.app.is_factory, delay_s
        )
        too_long = f"it would take longer than {_LONGEST_DELAY_S} s"
        planted.append(
            Plant(
                f"answers {delay_s:.3g} s late", slow.text, missed, "", slow.text,
                {f"{_APP}.py": text}, too_long if delay_s > _LONGEST_DELAY_S else "",
            )
        )  # fmt: skip
        if delay_s <= _LONGEST_DELAY_S:
            plan = _with_app(plan, service)
    for one in proof.harmed(subject, planted, lambda: proof.trials.load(changed, plan)):
        yield _decided(one)


def _decided(planted: Planted) -> Planted:
    """Keep apart what is undecided for want of samples: it is so with the fault and without."""
    hits = [seen for seen in planted.seen if planted.hits(seen)]
    if not hits or any(_is_about_it(seen) for seen in hits):
        return planted
    told = f"its run decides nothing: {hits[0].message}"
    return msgspec.structs.replace(planted, obstacle=told)


def _is_about_it(seen: Seen) -> bool:
    return seen.slug == "load/objective-missed" or _SPOILED in seen.message


def _tolerated(failing: Objective) -> str:
    """Say why an objective cannot be missed by failures; empty where it can."""
    bad = Fraction(50) if failing.unit == "%" else Fraction(5)
    if failing.indicator == "failures" and failing.op in ("<", "<=", "=="):
        return f"{failing.text} tolerates it" if failing.holds(bad) else ""
    if failing.indicator == "completed" and failing.unit == "%" and failing.op in (">", ">=", "=="):
        return f"{failing.text} tolerates it" if failing.holds(bad) else ""
    return "failures cannot break it"


def _dead(proof: Proof, subject: str, load: Load) -> Iterator[Fact]:
    """Kill a generator from within."""
    changed, changes = _with_scenario(proof, load, deadly=True)
    plant = Plant(
        "a generator that is killed", "every generator ends by itself",
        ("load/worker-died", "load/cut-short", "evidence/incomplete"), changes=changes,
    )  # fmt: skip
    yield from proof.harmed(subject, [plant], lambda: proof.trials.load(changed, proof.plan))


def _with_scenario(proof: Proof, load: Load, *, deadly: bool) -> tuple[Load, dict[str, str]]:
    """Return a load of a copy of its file with a scenario added, and that copy."""
    kind = "deadly" if deadly else "failing"
    if load.scenarios.endswith(".py"):
        name = str(PurePosixPath(load.scenarios).parent / f"{NAME}_{kind}.py")
        text = proof.ground.text(load.scenarios) or ""
    else:  # the name of a module
        name, text = f"{NAME}_{kind}.py", f"import {load.scenarios}  # noqa: F401\n"
    return replace(load, scenarios=name), {name: plants.scenario(text, deadly=deadly)}


def _with_app(plan: Plan, service: Service) -> Plan:
    slow = replace(service, app=AppPath(_APP, "app", is_factory=False))
    return replace(plan, services=tuple(slow if one is service else one for one in plan.services))
