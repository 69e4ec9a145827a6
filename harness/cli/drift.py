"""``harness standins --check``: how far the plan's stubs are from what they stand for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from harness import secret
from harness.cli.request import read_plan
from harness.drift import Drift, drift_of
from harness.errors import EvidenceError, UsageError
from harness.evidence import RunFolder
from harness.facts import StubUse
from harness.plan import Plan, StandIn
from harness.replay import replayed
from harness.run import newest
from harness.standins.group import StandIns, contract_of, stubs_of


def check(plan_file: str | None, reports: Path) -> int:
    """Print what was found of each stand-in, and return the exit code.

    Raises UsageError for a plan without stand-ins and for what cannot be read.
    """
    plan, path = read_plan(plan_file, required=True)
    if not plan.standins or path is None:
        raise UsageError(
            "plan/nothing", "the plan has no stand-ins: there is nothing to check",
            where=str(path), next_step="name one, as [standins.NAME]",
        )  # fmt: skip
    run, calls = _calls(reports)
    found = {one.name: _checked(one, calls) for one in plan.standins}
    can_start = _can_start(plan)
    for one in plan.standins:
        if one.provider:
            _replay(found[one.name], one, path, can_start=can_start)
    for name, drift in found.items():
        _show(name, drift)
    if run is not None:
        click.echo(f"newest run: {run.path}")
    wrong = sum(len(drift.wrong) for drift in found.values())
    checked = [name for name, drift in found.items() if drift.basis]
    if wrong:
        click.echo(f"FAIL: {wrong} found wrong")
        return 1
    if not checked:
        click.echo(
            "UNKNOWN: nothing was checked: no stand-in has 'openapi', 'provider' or 'max_age'"
        )
        return EvidenceError.exit_code
    click.echo(f"PASS: nothing is wrong with the stubs of {', '.join(checked)}")
    return 0


def _calls(reports: Path) -> tuple[RunFolder | None, Counter[str] | None]:
    """Return the newest run, and how often each stub answered in it; None: there is none."""
    try:
        run = newest(reports)
    except EvidenceError:
        return None, None
    noted = [fact for facts in run.facts().by_part.values() for fact in facts]
    uses = [fact for fact in noted if isinstance(fact, StubUse)]
    calls: Counter[str] = Counter()
    for use in uses:
        calls[use.stub] += use.calls
    return run, calls if uses else None


def _checked(planned: StandIn, calls: Counter[str] | None) -> Drift:
    stubs, contract = stubs_of(planned, Path.cwd()), contract_of(planned, Path.cwd())
    return drift_of(planned, stubs, contract, calls, datetime.now(UTC).date())


def _can_start(plan: Plan) -> bool:
    """Tell whether stand-ins start: with stubs that contradict their document none do."""
    try:
        StandIns.of(plan.standins, Path.cwd())
    except UsageError as error:
        if error.slug != "stubs/contradiction":
            raise
        return False
    return True


def _replay(drift: Drift, planned: StandIn, path: Path, *, can_start: bool) -> None:
    if not can_start:
        drift.notes.append("nothing was replayed: stubs that contradict a document are in the way")
        return
    found = replayed(path, planned.name)
    if not all(one.skipped for one in found):
        drift.basis.append(f"the service {planned.provider}")
    for one in found:
        named = f"{one.stub} ({one.where})"
        drift.wrong += [f"{named} is answered otherwise: {told}" for told in one.differences]
        drift.notes += [f"{named}: {told}" for told in one.extras]
        if one.skipped:
            drift.notes.append(f"{named} was not replayed: {one.skipped}")


def _show(name: str, drift: Drift) -> None:
    click.echo(f"{name}: {', '.join(drift.basis) or 'held to nothing'}")
    for mark, lines in (("wrong", drift.wrong), ("note", drift.notes)):
        for line in lines:
            click.echo(secret.redacted(f"  {mark:5}  {line}"))
    click.echo()
