"""``harness run``: the whole plan."""

from __future__ import annotations

import click

from harness.cli import VERBS
from harness.cli.request import begin, finish, json_option, plan_option, read_plan, reports_option
from harness.errors import UsageError


@click.command(help=VERBS["run"])
@plan_option
@reports_option
@json_option
def verb(plan_file: str | None, reports: str, json_file: str | None) -> int:
    """Run every part of the plan."""
    plan, path = read_plan(plan_file, required=True)
    if not plan.parts:
        raise UsageError(
            "plan/nothing",
            "the plan asks for nothing",
            where=str(path),
            next_step="add [tests], [load.NAME] or [gates]",
        )
    run = begin(plan, path, reports, plan.parts)
    return finish(run, run.whole, json_file, None)
