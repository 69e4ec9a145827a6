"""``harness load``: a Molotov scenario file, or the loads of the plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from harness.cli import VERBS, repeat, say
from harness.cli.config import DEFAULT_TEST, read_test
from harness.cli.repeat import is_address
from harness.cli.request import (
    Live,
    Number,
    allow_option,
    app_option,
    begin,
    finish,
    json_option,
    plan_option,
    profile_option,
    read_plan,
    refuse_unset,
    reports_option,
)
from harness.demand import Load, load_of, warmed
from harness.errors import UsageError, nearest
from harness.pace import (
    DEFAULT_DURATION_S,
    DEFAULT_WORKERS,
    UNTIMED_S,
    Pace,
    Rate,
    Workers,
    parse_pace,
)
from harness.plan import Plan
from harness.standins.group import StandIns
from harness.target import AppPath, read_url, refuse_foreign
from harness.template import parsed as templates_of

DEFAULT_FILE = "loadtest.py"
"""What is run where the command names nothing and there is no plan, as Molotov does."""

UNSUPPORTED = {
    "sizing": "ramp up until it breaks, and read the seconds in the report: -w 100 --ramp-up 60",
    "statsd": "every figure is in record.json, response times by step included: --json FILE",
    "debug": "tracebacks of failures are printed by -v",
}
"""Molotov's options that would promise what is not done, and what to do instead."""

_SHOWN = ("quiet", "console", "verbose")
_BOUNDS = ("duration", "max_runs", "rate", "pace", "visits")
_NOT_STOCK = ("rate", "pace", "visits", "in_flight", "objectives", "stop_when_lost")
_NO_EFFECT = ("uvloop", "console_update", "force_shutdown", "sizing_tolerance", "statsd_address")


def _hidden(name: str, **kind: Any) -> Callable[[Any], Any]:
    return click.option(f"--{name}", hidden=True, **kind)


class _Load(click.Command):
    """A load of scenarios or, where an address is given in their place, of one request."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:  # fmt: skip
        """Read the arguments as those of `repeat`'s command, if an address is among them."""
        valued = {
            name for one in self.params if isinstance(one, click.Option) and not one.is_flag
            for name in one.opts if not one.count
        }  # fmt: skip
        if any(is_address(one) and before not in valued for before, one in pairwise(["", *args])):
            return repeat.verb.make_context(f"{info_name} URL", args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=_Load,
    help=f"{VERBS['load']}\n\nOf one URL, without a scenario file: harness load URL --help",
)
@click.argument("scenarios", required=False)
@click.option("--target", metavar="URL", help="The address to load, instead of --app.")
@app_option
@plan_option
@profile_option
@reports_option
@json_option
@allow_option
@click.option("--rebase", multiple=True, metavar="ORIGIN", help="Send this origin's to the target.")
@click.option("--rate", type=Number(), metavar="R", help="Open pace: start R visits a second.")
@click.option("--pace", metavar="TEXT", help="Stages: 'ramp 0->50/s over 30s, hold 2m'.")
@click.option("-w", "--workers", type=click.IntRange(1), help="Closed pace: workers a process.")
@click.option("-p", "--processes", type=click.IntRange(1), help="Generator processes.")
@click.option("-d", "--duration", type=Number(), metavar="S", help="Seconds; default 10.")
@click.option("-r", "--max-runs", type=click.IntRange(1), help="Visits a worker, at most.")
@click.option("--visits", type=click.IntRange(1), metavar="N", help="Visits in all, at most.")
@click.option("--in-flight", type=click.IntRange(1), metavar="N", help="At once, a process; 500.")
@click.option("--runner", type=click.Choice(["harness", "molotov"]), help="molotov: the stock one.")
@click.option("--config", metavar="FILE", help="molotov.json; SCENARIOS is a test's name then.")
@click.option("--use-extension", multiple=True, metavar="FILE", help="Import this before; again.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict and nothing else.")
@click.option("-c", "--console", is_flag=True, help="Progress as lines, on a terminal, too.")
@click.option("-v", "--verbose", count=True, help="Show tracebacks; -vv: requests and answers.")
@click.option(
    "-s", "--single-mode", metavar="NAME", help="Run this scenario only; once without -d, -r."
)
@click.option("--single-run", is_flag=True, help="Run each scenario once a worker.")
@click.option("-x", "--exception", is_flag=True, help="Stop at the first failed visit.")
@click.option("--ramp-up", type=Number(or_zero=True), metavar="S", help="Start workers over S s.")
@click.option("--delay", type=Number(or_zero=True), metavar="S", help="Pause after each visit.")
@click.option("--warm-up", type=Number(or_zero=True), metavar="S", help="Judge no visit of S s.")
@click.option("-f", "--fail", type=click.IntRange(1), metavar="N", help="Tolerate N-1 failures.")
@click.option("--objective", "objectives", multiple=True, metavar="TEXT", help="'p99 < 250ms'.")
@click.option("--stop-when-lost", is_flag=True, help="Stop once an objective cannot be met.")
@click.option("--step", multiple=True, metavar="TEMPLATE", help="Count by '/users/{id}'; again.")
@click.option("--seed", type=int, default=0, help="Of the scenarios' mix, and of arrivals.")
@_hidden("uvloop", is_flag=True)
@_hidden("force-shutdown", is_flag=True)
@_hidden("console-update", type=float)
@_hidden("sizing", is_flag=True)
@_hidden("sizing-tolerance", type=float)
@_hidden("statsd", is_flag=True)
@_hidden("statsd-address")
@_hidden("debug", is_flag=True)
@click.pass_context
def verb(
    context: click.Context, /, runner: str | None, config: str | None, scenarios: str | None,
    target: str | None, app: str | None, plan_file: str | None, profile: str | None,
    reports: str, json_file: str | None, allow_hosts: tuple[str, ...],
    rebase: tuple[str, ...], **options: Any,
) -> int:  # fmt: skip
    """Run a load."""
    plan, path = read_plan(plan_file, profile, allow_hosts)
    if app:
        plan = plan.with_app(AppPath.parse(app))
    plan = replace(plan, rebase=(*plan.rebase, *rebase))
    env: dict[str, str] = {}
    if config:
        test, env = read_test(config, scenarios or DEFAULT_TEST)
        scenarios = test.scenario
        options |= _typed(context, test.given())
    _refuse_unsupported(options)
    stock = runner == "molotov"
    if options["single_mode"] and not any(options[name] for name in _BOUNDS):
        options |= {"max_runs": 1} if stock else {"single_run": True}  # once, as Molotov documents
    loads = [replace(one, env=env) for one in _loads(plan, scenarios, options, stock=stock)]
    if target is None:
        plan.service  # noqa: B018 - raises where neither --target nor a service is given
        refuse_unset(plan, loads=loads)
        StandIns.of(plan.standins, Path.cwd())  # wrong stubs are refused before anything starts
    else:
        refuse_foreign(read_url(target), plan.allow_hosts)
    parts = tuple(f"{'molotov' if stock else 'load'}-{one.name}" for one in loads)
    run = begin(plan, path, reports, parts, app)
    if options["quiet"]:
        run = replace(run, say=lambda line: None, tick=lambda line: None)
    elif options["console"]:
        run = replace(run, tick=Live(rewriting=False))

    def perform() -> None:
        for one in loads:
            run.load(one, target, stock=stock)

    return finish(run, perform, json_file, parts)


def _typed(context: click.Context, found: dict[str, Any]) -> dict[str, Any]:
    """Check what a file says as if it were typed; what is typed wins."""
    return {
        str(one.name): one.type_cast_value(context, found[str(one.name)])
        for one in context.command.params
        if one.name in found
        and context.get_parameter_source(one.name) is not ParameterSource.COMMANDLINE
    }


def _refuse_unsupported(options: dict[str, Any]) -> None:
    """Refuse what Molotov's command line has and this has not; drop what changes nothing."""
    for name in _NO_EFFECT:
        del options[name]
    for name, instead in UNSUPPORTED.items():
        if options.pop(name):
            raise UsageError(
                "load/unsupported", f"Molotov's --{name} is not supported", next_step=instead
            )
    if options["quiet"] and options["verbose"]:
        raise UsageError("usage", "-q and -v exclude each other", next_step="choose one")


def _loads(
    plan: Plan, scenarios: str | None, options: dict[str, Any], *, stock: bool
) -> list[Load]:
    """Return the loads of the plan that are asked for, or that of a file.

    The stock runner has no rates, and no objectives: it takes the plan's files alone.
    """
    if stock and any(options[name] for name in _NOT_STOCK):
        raise UsageError(
            "load/pace",
            "the stock runner has neither rates, stages nor objectives: it measures nothing",
            next_step="harness load --runner molotov -w 2 -d 5",
        )
    planned = {one.name: one for one in plan.loads}
    if scenarios is not None and scenarios not in planned:
        _must_be_scenarios(scenarios, planned)
        return [_load_of(scenarios, options)]
    chosen = list(planned.values()) if scenarios is None else [planned[scenarios]]
    if not chosen and Path(DEFAULT_FILE).exists():
        return [_load_of(DEFAULT_FILE, options)]
    if not chosen:
        raise UsageError(
            "load/no-scenarios",
            "there is no load to run",
            next_step="harness load FILE --target URL",
        )
    if stock:
        return [
            replace(_load_of(one.scenarios, options), name=one.name, service=one.service)
            for one in chosen
        ]
    given = [name for name, value in options.items() if value and name not in _SHOWN]
    if given:
        raise UsageError(
            "load/planned",
            f"a load of the plan has its own pace: {', '.join(given)} cannot change it",
            next_step="change it in the plan, or name its scenario file",
        )
    return [replace(one, verbose=options["verbose"]) for one in chosen]


def _must_be_scenarios(scenarios: str, planned: Iterable[str]) -> None:
    """Raise UsageError unless `scenarios` is a Python file or the dotted name of a module."""
    if not Path(scenarios).exists():
        if "/" in scenarios or scenarios.endswith(".py") or "." not in scenarios:
            raise UsageError(
                "load/no-scenarios",
                f"there is no scenario file {scenarios!r}",
                next_step=nearest(scenarios, planned) if planned else "name a file of scenarios",
            )
    elif not scenarios.endswith(".py"):
        raise UsageError(
            "load/scenario-file",
            f"{scenarios} is not a Python file",
            next_step="name a file with Molotov scenarios in it",
        )


def _load_of(scenarios: str, options: dict[str, Any]) -> Load:
    fail, objectives = options["fail"], options["objectives"]
    if fail:
        objectives = (f"failures < {fail}", *objectives)
    templates_of(options["step"])  # refused before anything starts
    name = re.sub(r"[^\w-]+", "-", scenarios.removesuffix(".py").rpartition("/")[2])
    made = load_of(name, scenarios, _pace(options), objectives, options["processes"] or 1)
    made = warmed(made, options["warm_up"] or Fraction(0))
    if options["single_run"] and not objectives:  # each visit is judged as a test
        made = replace(made, objectives=())
    return replace(
        made,
        max_runs=options["max_runs"],
        single=options["single_mode"],
        single_run=options["single_run"],
        stop_at_failure=options["exception"],
        delay_s=float(options["delay"] or 0),
        ramp_up_s=float(options["ramp_up"] or 0),
        seed=options["seed"],
        visits=options["visits"],
        in_flight=options["in_flight"],
        stop_when_lost=options["stop_when_lost"],
        extensions=options["use_extension"],
        steps=options["step"],
        verbose=options["verbose"],
    )


def _pace(options: dict[str, Any]) -> Pace:
    """Return the pace of a load of no plan. Bounded by -d, else by a count, else by the default."""
    rate, workers, duration = options["rate"], options["workers"], options["duration"]
    if options["pace"]:
        if rate or workers or duration:
            raise UsageError(
                "load/pace",
                "--pace says all of a pace; it does not go with --rate, -w or -d",
                next_step="write it as one text: --pace '50 workers for 1m'",
            )
        return parse_pace(options["pace"])
    counted = options["max_runs"] or options["single_run"]
    if rate and (workers or counted):
        raise UsageError(
            "load/pace",
            "--rate is an open pace, bounded by -d; it does not go with -w, -r or --single-run",
            next_step="choose one: --rate R, or -w N",
        )
    counted = counted or options["visits"]
    if not duration and not counted and not options["quiet"]:
        say(f"neither -d nor a count: this load lasts {DEFAULT_DURATION_S} s")
    seconds = duration or (UNTIMED_S if counted else DEFAULT_DURATION_S)
    return Rate(rate, seconds) if rate else Workers(workers or DEFAULT_WORKERS, seconds)
