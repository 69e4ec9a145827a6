"""``harness gates``: what the code itself shows."""

from __future__ import annotations

from pathlib import Path

import click

from harness import baseline
from harness.changes import known
from harness.cli import VERBS, say
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
from harness.ratchet import Ratchet

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
@click.option("--accept", is_flag=True, help="Write what is found to the baseline.")
@click.option("--reason", metavar="TEXT", help="Why the baseline is to tolerate more.")
@click.option("--new-only", metavar="BASE", help="Judge what is new since BASE, a git revision.")
@plan_option
@reports_option
@json_option
def verb(
    paths: tuple[str, ...], limits: tuple[str, ...], accept: bool, reason: str | None,
    new_only: str | None, plan_file: str | None, reports: str, json_file: str | None,
) -> int:  # fmt: skip
    """Inspect code."""
    plan, path = read_plan(plan_file)
    gates = _asked(plan, paths, limits)
    ratchet = _compared(path, accept, reason, new_only)
    run = begin(plan, path, reports, PARTS)
    return finish(run, lambda: run.gates(gates, ratchet), json_file, PARTS)


def _compared(
    plan_file: Path | None, accept: bool, reason: str | None, new_only: str | None
) -> Ratchet:
    """Read what to compare with. Raises UsageError for what makes no sense, or is damaged."""
    if reason is not None and not (accept and reason.strip()):
        raise UsageError(
            "baseline/reason", "a reason is a text, for what --accept is to tolerate",
            next_step="harness gates --accept --reason 'legacy, replaced in May'",
        )  # fmt: skip
    if accept and new_only is not None:
        raise UsageError(
            "baseline/accept", "--accept takes all that is found, --new-only judges a part of it",
            next_step="leave one of them out",
        )  # fmt: skip
    here = Path.cwd()
    if new_only is not None:
        known(here, new_only)
    file = baseline.file_of(plan_file.absolute() if plan_file else None, here)
    baseline.read(file, file.name)
    # What is no UTF-8 on the command line could not be written to the file.
    told = (reason or "").strip().encode("utf-8", "surrogateescape")
    return Ratchet(
        file, say, accept=accept, reason=told.decode("utf-8", "backslashreplace"),
        new_only=new_only or "",
    )  # fmt: skip


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
