"""``harness prove``: whether what the plan uses would notice a fault."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import VERBS
from harness.cli.request import (
    begin,
    finish,
    json_option,
    plan_option,
    read_plan,
    refuse_unset,
    reports_option,
)
from harness.prove import PART, PROOFS, prove
from harness.standins.group import StandIns


@click.command(help=VERBS["prove"])
@click.option("--only", multiple=True, metavar="NAME", help=f"Repeatable: {', '.join(PROOFS)}.")
@plan_option
@reports_option
@json_option
def verb(only: tuple[str, ...], plan_file: str | None, reports: str, json_file: str | None) -> int:
    """Plant faults in a copy."""
    plan, path = read_plan(plan_file, required=True)
    refuse_unset(plan, plan.tests.targets if plan.tests else (), plan.loads)
    StandIns.of(plan.standins, Path.cwd())
    run = begin(plan, path, reports, (PART,))
    return finish(run, lambda: prove(run, only), json_file, (PART,))
