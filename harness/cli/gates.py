"""``harness gates``: what the code itself shows."""

from __future__ import annotations

import click

from harness.cli import VERBS
from harness.cli.request import (
    begin,
    finish,
    json_option,
    must_exist,
    plan_option,
    read_plan,
    reports_option,
)
from harness.errors import UsageError
from harness.plan import DEFAULT_LIMITS, Gates, Plan, gates_of

PARTS = ("gates",)


@click.command(help=VERBS["gates"])
@click.argument("paths", nargs=-1)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="TEXT",
    help="As 'complexity.max <= 10'; repeatable.",
)
@plan_option
@reports_option
@json_option
def verb(
    paths: tuple[str, ...], limits: tuple[str, ...], plan_file: str | None, reports: str,
    json_file: str | None,
) -> int:  # fmt: skip
    """Inspect code."""
    plan, path = read_plan(plan_file)
    gates = _asked(plan, paths, limits)
    run = begin(plan, path, reports, PARTS)
    return finish(run, lambda: run.gates(gates), json_file, PARTS)


def _asked(plan: Plan, paths: tuple[str, ...], limits: tuple[str, ...]) -> Gates:
    if not paths and plan.gates is None:
        raise UsageError(
            "gates/no-paths", "there is nothing to inspect", next_step="harness gates PATH…"
        )
    for name in paths:
        must_exist(name, "gates/no-path")
    planned = plan.gates or gates_of((), DEFAULT_LIMITS)
    texts = limits or tuple(limit.text for limit in planned.limits)
    return gates_of(paths or planned.paths, texts, planned.exclude)
