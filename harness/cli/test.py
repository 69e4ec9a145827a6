"""``harness test``: functional tests, in one target or several."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import click

from harness.cli import VERBS
from harness.cli.request import (
    allow_option,
    app_option,
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
from harness.evidence import functional_part
from harness.manners import parse_host
from harness.plan import Plan, Tests
from harness.standins.group import StandIns
from harness.target import AppPath, Target, TargetKind, parse_targets, refuse_foreign


@click.command(help=VERBS["test"])
@click.argument("paths", nargs=-1)
@click.option(
    "--target", "targets", multiple=True, metavar="T", help="inproc, served or [NAME=]URL; again."
)
@allow_option
@click.option(
    "--writable", "writable", multiple=True, metavar="HOST", help="Live: tests may write there."
)
@app_option
@plan_option
@profile_option
@reports_option
@json_option
@click.option("-k", "keyword", metavar="EXPR", help="pytest's -k: only tests that match.")
@click.option("-n", "workers", metavar="N", help="pytest-xdist's -n: this many processes, or auto.")
@click.option("-x", "exit_first", is_flag=True, help="pytest's -x: stop at the first failure.")
def verb(
    paths: tuple[str, ...], targets: tuple[str, ...], app: str | None, plan_file: str | None,
    profile: str | None, reports: str, json_file: str | None, keyword: str | None, exit_first: bool,
    workers: str | None, allow_hosts: tuple[str, ...], writable: tuple[str, ...],
) -> int:  # fmt: skip
    """Run functional tests."""
    plan, path = read_plan(plan_file, profile, allow_hosts)
    if app:
        plan = plan.with_app(AppPath.parse(app))
    plan = replace(plan, manners=plan.manners.with_writable(map(parse_host, writable)))
    tests = _asked(plan, paths, targets)
    refuse_unset(plan, tests.targets)
    StandIns.of(plan.standins, Path.cwd())  # wrong stubs are refused before anything starts
    options = [
        *(["-k", keyword] if keyword else []),
        *(["-x"] if exit_first else []),
        *(["-n", _spreadable(workers)] if workers else []),
    ]
    parts = tuple(functional_part(str(target)) for target in tests.targets)
    run = begin(plan, path, reports, parts, app)

    def perform() -> None:
        for target in tests.targets:
            run.functional(target, tests.paths, options, aloud=True)

    return finish(run, perform, json_file, parts)


def _spreadable(workers: str) -> str:
    if importlib.util.find_spec("xdist") is None:
        raise UsageError(
            "functional/no-xdist",
            "-n spreads tests over processes by pytest-xdist, which is not installed",
            next_step="pip install pytest-xdist",
        )
    return workers


def _asked(plan: Plan, paths: tuple[str, ...], targets: tuple[str, ...]) -> Tests:
    chosen = parse_targets(targets, plan.services[0].name if plan.services else "")
    planned = plan.tests or Tests((), (plan.live or Target(TargetKind.INPROC),))
    tests = Tests(paths or planned.paths, chosen or planned.targets)
    if not tests.paths:
        raise UsageError(
            "functional/no-paths",
            "there is nothing to test",
            next_step="harness test PATH --app module:attr",
        )
    for target in tests.targets:
        for name, url in target.urls:
            refuse_foreign(url, plan.allow_hosts)
            if name and plan.services:
                plan.named(name)
    for name in tests.paths:
        must_exist(name.partition("::")[0], "functional/no-path")
    return tests
