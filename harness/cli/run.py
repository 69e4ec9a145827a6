"""``harness run``: the whole plan."""

from __future__ import annotations

from pathlib import Path

import click

from harness import baseline
from harness.cli import VERBS
from harness.cli.request import (
    begin,
    finish,
    json_option,
    must_exist,
    plan_option,
    profile_option,
    read_plan,
    refuse_unset,
    reports_option,
)
from harness.errors import UsageError
from harness.openapi import documents
from harness.plan import Plan
from harness.standins.group import StandIns


@click.command(help=VERBS["run"])
@plan_option
@profile_option
@reports_option
@json_option
def verb(plan_file: str | None, profile: str | None, reports: str, json_file: str | None) -> int:
    """Run every part of the plan."""
    plan, path = read_plan(plan_file, profile, required=True)
    if not plan.parts:
        raise UsageError(
            "plan/nothing",
            "the plan asks for nothing",
            where=str(path),
            next_step="add [tests], [load.NAME] or [gates]",
        )
    refuse_unset(plan, plan.tests.targets if plan.tests else (), plan.loads)
    _refuse_missing(plan)
    if plan.gates and path:
        file = baseline.file_of(path, Path.cwd())
        baseline.read(file, file.name)
    documents(plan, Path.cwd())
    StandIns.of(plan.standins, Path.cwd())
    run = begin(plan, path, reports, plan.parts, whole=plan.live is None)
    return finish(run, run.whole, json_file, None)


def _refuse_missing(plan: Plan) -> None:
    """Raise UsageError for a file of a later part now, and not once the earlier ones have run."""
    for name in plan.tests.paths if plan.tests else ():
        must_exist(name.partition("::")[0], "functional/no-path")
    for load in plan.loads:
        if load.scenarios.endswith(".py"):  # else the name of a module
            must_exist(load.scenarios, "load/scenario-file")
    for name in plan.gates.paths if plan.gates else ():
        must_exist(name, "gates/no-path")
