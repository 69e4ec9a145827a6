"""The command line: arguments in, one verdict and one exit code out."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from harness import __version__
from harness.errors import HarnessError, UsageError, nearest

if TYPE_CHECKING:  # imported when a verb runs: `harness --help` must be quick
    from harness.evidence import RunFolder
    from harness.plan import Load, Plan
    from harness.record import Record
    from harness.run import Run

PLAN = "harness.toml"
INTERRUPTED = 130
CRASHED = 2


class _Verbs(click.Group):
    """The verbs, and the one place where errors become messages and exit codes."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        debug = False
        try:
            with self.make_context("harness", list(args[0]) if args else sys.argv[1:]) as context:
                debug = bool(context.params["debug"])
                code = self.invoke(context)
        except click.exceptions.Exit as error:
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            _say("interrupted")
            code = INTERRUPTED
        except click.UsageError as error:
            _say(f"{error.format_message()} (usage)\n  next: {_help(error)}")
            code = UsageError.exit_code
        except HarnessError as error:
            code = error.exit_code
            _say(("UNKNOWN  " if code == HarnessError.exit_code else "") + str(error))
            if debug:
                traceback.print_exc()
        except Exception as error:
            code = CRASHED
            _crashed(error, debug)
        sys.exit(code)


def _help(error: click.UsageError) -> str:
    return f"{error.ctx.command_path if error.ctx else 'harness'} --help"


def _crashed(error: Exception, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _say(
        f"UNKNOWN  the harness itself failed at {Path(frame.filename).name}:{frame.lineno}: "
        f"{type(error).__name__}: {error} (harness/crashed)\n"
        "  next: run it again as 'harness --debug …', and report what it prints"
    )


def _say(line: str) -> None:
    click.echo(line, err=True)


def _tick(line: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="harness")
def main(debug: bool) -> None:
    """Test a Quart (or any ASGI) service: one run, one verdict, on evidence.

    Exit codes: 0 PASS, 1 FAIL, 2 UNKNOWN (no evidence), 64 the request makes no sense,
    130 interrupted.
    """
    signal.signal(signal.SIGTERM, _as_interrupt)


def _as_interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


_plan = click.option("--plan", "plan_file", metavar="FILE", help=f"The plan; default: {PLAN}.")
_app = click.option("--app", metavar="MODULE:ATTR", help="The application; 'module:factory()'.")
_reports = click.option(
    "--reports", default="reports", metavar="DIR", show_default=True, help="Where runs are kept."
)
_json = click.option("--json", "json_file", metavar="FILE", help="Write the record there, too.")
_allow = click.option(
    "--allow-host", "allow_hosts", multiple=True, metavar="HOST", help="Allow calls to this host."
)


@main.command()
@_plan
@_reports
@_json
def run(plan_file: str | None, reports: str, json_file: str | None) -> int:
    """Run the whole plan: tests in every target, loads, gates."""
    plan, path = _read_plan(plan_file, required=True)
    if not plan.parts:
        raise UsageError(
            "plan/nothing",
            "the plan asks for nothing",
            where=str(path),
            next_step="add [tests], [load.NAME] or [gates]",
        )
    begun = _begin(plan, path, reports, plan.parts)
    return _finish(begun, begun.whole, json_file, whole=True)


@main.command(context_settings={"ignore_unknown_options": False})
@click.argument("paths", nargs=-1)
@click.option("--target", "targets", multiple=True, metavar="T", help="inproc or served; again.")
@_app
@_plan
@_reports
@_json
@click.option("-k", "keyword", metavar="EXPR", help="pytest's -k: only tests that match.")
@click.option("-x", "exit_first", is_flag=True, help="pytest's -x: stop at the first failure.")
def test(
    paths: tuple[str, ...], targets: tuple[str, ...], app: str | None, plan_file: str | None,
    reports: str, json_file: str | None, keyword: str | None, exit_first: bool,
) -> int:  # fmt: skip
    """Run functional tests: PATHS, or those of the plan."""
    from harness.plan import Tests
    from harness.target import AppPath, TargetKind

    plan, path = _read_plan(plan_file, required=False)
    chosen = tuple(TargetKind.parse(text) for text in targets)
    if app:
        plan = plan.with_app(AppPath.parse(app))
    planned = plan.tests or Tests((), (TargetKind.INPROC,))
    tests = Tests(paths or planned.paths, tuple(dict.fromkeys(chosen)) or planned.targets)
    if not tests.paths:
        raise UsageError(
            "functional/no-paths",
            "there is nothing to test",
            next_step="harness test PATH --app module:attr",
        )
    for name in tests.paths:
        _must_exist(name.partition("::")[0], "functional/no-path")
    options = [*(["-k", keyword] if keyword else []), *(["-x"] if exit_first else [])]
    parts = tuple(f"functional-{target}" for target in tests.targets)
    begun = _begin(plan, path, reports, parts, app=app)

    def perform() -> None:
        for target in tests.targets:
            begun.functional(target, tests.paths, options)

    return _finish(begun, perform, json_file, parts=parts)


@main.command()
@click.argument("scenarios", required=False)
@click.option("--target", metavar="URL", help="The address to load, instead of --app.")
@_app
@_plan
@_reports
@_json
@_allow
@click.option("--rebase", multiple=True, metavar="ORIGIN", help="Send this origin's to the target.")
@click.option("--rate", type=float, metavar="R", help="Open pace: start R visits a second.")
@click.option("-w", "--workers", type=click.IntRange(1), help="Closed pace: workers a process.")
@click.option("-p", "--processes", type=click.IntRange(1), help="Generator processes.")
@click.option("-d", "--duration", type=float, metavar="S", help="Seconds; default 10.")
@click.option("-r", "--max-runs", type=click.IntRange(1), help="Visits a worker, at most.")
@click.option("-s", "--single-mode", metavar="NAME", help="Run this scenario only.")
@click.option("--single-run", is_flag=True, help="Run each scenario once a worker.")
@click.option("-x", "--exception", is_flag=True, help="Stop at the first failed visit.")
@click.option("--ramp-up", type=float, default=0.0, metavar="S", help="Start workers over S s.")
@click.option("--delay", type=float, default=0.0, metavar="S", help="Pause after each visit.")
@click.option("-f", "--fail", type=click.IntRange(1), metavar="N", help="Tolerate N-1 failures.")
@click.option("--objective", "objectives", multiple=True, metavar="TEXT", help="'p99 < 250ms'.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the scenarios' mix.")
def load(
    scenarios: str | None, target: str | None, app: str | None, plan_file: str | None,
    reports: str, json_file: str | None, allow_hosts: tuple[str, ...], rebase: tuple[str, ...],
    **options: Any,
) -> int:  # fmt: skip
    """Run a load: a Molotov scenario file, or a load of the plan by its name."""
    from harness.target import AppPath

    plan, path = _read_plan(plan_file, required=False)
    if app:
        plan = plan.with_app(AppPath.parse(app))
    plan = replace(
        plan, allow_hosts=(*plan.allow_hosts, *allow_hosts), rebase=(*plan.rebase, *rebase)
    )
    loads = _loads(plan, scenarios, options)
    if target is None:
        plan.service  # noqa: B018 - raises where neither --target nor a service is given
    else:
        _check_url(target, plan)
    parts = tuple(f"load-{one.name}" for one in loads)
    begun = _begin(plan, path, reports, parts, app=app)

    def perform() -> None:
        for one in loads:
            begun.load(one, target)

    return _finish(begun, perform, json_file, parts=parts)


def _loads(plan: Plan, scenarios: str | None, options: dict[str, Any]) -> list[Load]:
    planned = {one.name: one for one in plan.loads}
    given = {key: value for key, value in options.items() if value not in (None, (), False, 0)}
    if scenarios is None or scenarios in planned:
        chosen = list(planned.values()) if scenarios is None else [planned[scenarios]]
        if not chosen:
            raise UsageError(
                "load/no-scenarios",
                "there is no load to run",
                next_step="harness load FILE --target URL",
            )
        if given:
            raise UsageError(
                "load/planned",
                f"a load of the plan has its own pace: --{next(iter(given))} does not apply",
                next_step="change it in the plan, or name its scenario file",
            )
        return chosen
    is_file = Path(scenarios).exists()
    if not is_file and not _is_module(scenarios):
        known = nearest(scenarios, planned) if planned else ""
        raise UsageError(
            "load/no-scenarios", f"there is no scenario file {scenarios!r}", next_step=known
        )
    if is_file and not scenarios.endswith(".py"):
        raise UsageError(
            "load/scenario-file", f"{scenarios} is not a Python file",
            next_step="name a file with Molotov scenarios in it",
        )  # fmt: skip
    return [_load_of(scenarios, options)]


def _is_module(name: str) -> bool:
    return "/" not in name and not name.endswith(".py") and "." in name


def _load_of(scenarios: str, options: dict[str, Any]) -> Load:
    from harness.pace import DEFAULT_DURATION_S, DEFAULT_WORKERS, Pace, Rate, Workers
    from harness.plan import load_of

    rate, duration = options["rate"], options["duration"]
    if rate is not None and (rate <= 0 or options["workers"] or options["max_runs"]):
        raise UsageError(
            "load/pace",
            "--rate is an open pace above 0 and goes with -d, not with -w or -r",
            next_step="choose one: --rate R, or -w N",
        )
    if duration is not None and duration <= 0:
        raise UsageError("load/pace", "-d must be above 0", next_step="-d 10")
    seconds = Fraction(str(duration)) if duration else DEFAULT_DURATION_S
    bounded = duration or options["max_runs"] or options["single_run"]
    if not bounded:
        _say(f"neither -d nor -r: this load lasts {DEFAULT_DURATION_S} s")
    pace: Pace = Workers(options["workers"] or DEFAULT_WORKERS, seconds)
    if rate is not None:
        pace = Rate(Fraction(str(rate)), seconds)
    objectives = options["objectives"]
    if options["fail"]:
        objectives = (f"failures < {options['fail']}", *objectives)
    made = load_of(Path(scenarios).stem, scenarios, pace, objectives, options["processes"] or 1)
    return replace(
        made,
        max_runs=options["max_runs"],
        single=options["single_mode"],
        single_run=options["single_run"],
        stop_at_failure=options["exception"],
        delay_s=options["delay"],
        ramp_up_s=options["ramp_up"],
        seed=options["seed"],
    )


def _check_url(target: str, plan: Plan) -> None:
    from urllib.parse import urlsplit

    from harness.target import is_allowed

    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            "target/url",
            f"cannot read the address {target!r}",
            next_step="write it with its scheme, as in http://127.0.0.1:5000",
        )
    if not is_allowed(parts.hostname, plan.allow_hosts):
        raise UsageError(
            "load/foreign-host",
            f"{parts.hostname} is not on this machine, and not allowed",
            where=target,
            next_step=f"if it may be loaded: --allow-host {parts.hostname}",
        )


@main.command()
@click.argument("paths", nargs=-1)
@click.option("--limit", "limits", multiple=True, metavar="TEXT", help="'complexity.max <= 10'.")
@_plan
@_reports
@_json
def gates(
    paths: tuple[str, ...], limits: tuple[str, ...], plan_file: str | None, reports: str,
    json_file: str | None,
) -> int:  # fmt: skip
    """Inspect code: PATHS, or those of the plan."""
    from harness.plan import DEFAULT_LIMITS, gates_of

    plan, path = _read_plan(plan_file, required=False)
    planned = plan.gates
    if not paths and planned is None:
        raise UsageError(
            "gates/no-paths", "there is nothing to inspect", next_step="harness gates PATH…"
        )
    texts = tuple(limit.text for limit in planned.limits) if planned else DEFAULT_LIMITS
    chosen = gates_of(paths or (planned.paths if planned else ()), limits or texts)
    for name in chosen.paths:
        _must_exist(name, "gates/no-path")
    begun = _begin(plan, path, reports, ("gates",))
    return _finish(begun, lambda: begun.gates(chosen), json_file, parts=("gates",))


@main.command()
@click.argument("folder", required=False)
@_reports
@_json
def report(folder: str | None, reports: str, json_file: str | None) -> int:
    """Judge a run folder again, and draw its reports: FOLDER, or the newest run."""
    from harness.evidence import RunFolder
    from harness.run import judge, newest

    found = RunFolder(Path(folder)) if folder else newest(Path(reports))
    return _show(found, judge(found), json_file)


def _read_plan(named: str | None, *, required: bool) -> tuple[Plan, Path | None]:
    from harness.plan import Plan, parse_plan

    path = Path(named or PLAN)
    if not path.exists():
        if required or named:
            raise UsageError(
                "plan/none",
                "there is no plan",
                where=str(path),
                next_step="write one (see README.md), or: harness test PATH --app module:attr",
            )
        return Plan(), None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("plan/unreadable", f"cannot be read: {error}", where=str(path)) from None
    return parse_plan(text, str(path)), path


def _must_exist(name: str, slug: str) -> None:
    if not Path(name).exists():
        around = Path(name).parent
        known = [str(path) for path in around.iterdir()] if around.is_dir() else []
        raise UsageError(slug, f"there is no {name!r}", next_step=nearest(name, known[:20]))


def _begin(
    plan: Plan, path: Path | None, reports: str, parts: Sequence[str], app: str | None = None
) -> Run:
    from harness.run import Run

    return Run.begin(
        plan, Path.cwd(), Path(reports), parts, _say, _tick,
        plan_file=path.absolute() if path else None, app=app,
    )  # fmt: skip


def _finish(
    begun: Run,
    perform: Callable[[], Any],
    json_file: str | None,
    *,
    whole: bool = False,
    parts: Sequence[str] = (),
) -> int:
    """Perform a run's parts and show the verdict, also of what an interruption left."""
    from harness.run import RUN_VARIABLE, judge

    shared = bool(os.environ.get(RUN_VARIABLE)) and not whole
    try:
        perform()
    except KeyboardInterrupt:
        _show(begun.folder, judge(begun.folder, parts if shared else None), json_file)
        raise
    return _show(begun.folder, judge(begun.folder, parts if shared else None), json_file)


def _show(folder: RunFolder, record: Record, json_file: str | None) -> int:
    from harness.render import html, text

    if json_file:
        try:
            Path(json_file).write_bytes(record.to_json())
        except OSError as error:
            raise UsageError(
                "evidence/not-writable", f"cannot write the record: {error.strerror}",
                where=json_file,
            ) from None  # fmt: skip
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    click.echo(text.render(record, colour=colour))
    page = folder.path / html.FILE_NAME
    if page.exists():
        click.echo(f"report  {page}")
    return record.outcome.exit_code
