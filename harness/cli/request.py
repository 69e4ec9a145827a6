"""What a verb's command line asks for: the options that verbs share, the plan, the run begun."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import click

from harness import secret
from harness.cli import outputs, say
from harness.demand import Load
from harness.errors import EvidenceError, UsageError, nearest
from harness.evidence import RunFolder
from harness.grant import Grant
from harness.manifest import parse_plan
from harness.plan import Plan, Service
from harness.record import Record
from harness.render import html, text
from harness.run import RUN_VARIABLE, Run, judge, publish
from harness.target import Target, TargetKind

PLAN = "harness.toml"


class Number(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on only
    """A decimal number, kept exact: above zero, or `or_zero`."""

    name = "number"

    def __init__(self, *, or_zero: bool = False) -> None:
        self._or_zero = or_zero

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Fraction:
        """Read it, or say what it must be."""
        try:
            number = Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            number = Fraction(-1)
        if number < 0 or not (number or self._or_zero):
            least = "from 0 on" if self._or_zero else "above 0"
            self.fail(f"{value!r} is not a number {least}", param, context)
        return number


plan_option = click.option("--plan", "plan_file", metavar="FILE", help=f"The plan; else {PLAN}.")
profile_option = click.option("--profile", metavar="NAME", help="Of the plan: where it runs.")
app_option = click.option(
    "--app", metavar="MODULE:ATTR", help="The application; a factory is 'module:factory()'."
)
allow_option = click.option(
    "--allow-host", "allow_hosts", multiple=True, metavar="HOST", help="Allow calls to this host."
)
reports_option = click.option(
    "--reports", default="reports", metavar="DIR", show_default=True, help="Where runs are kept."
)


def json_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--json`` and, after it, the other `outputs` of a verdict."""
    option = click.option(
        "--json", "json_file", metavar="FILE", help="Write the record there, too."
    )
    return option(outputs.options(verb))


def read_plan(
    named: str | None, profile: str | None = None, allow_hosts: Iterable[str] = (), *,
    required: bool = False,
) -> tuple[Plan, Path | None]:  # fmt: skip
    """Read the plan that is named or the folder's own; without one, an empty plan and None.

    `allow_hosts` are added to its own. Raises UsageError for a plan that cannot be read or means
    nothing, for none where it is required, and for a profile that it has not.
    """
    path = Path(named or PLAN)
    if not path.exists():
        if required or named or profile is not None:
            raise UsageError(
                "plan/none",
                "there is no plan",
                where=str(path),
                next_step="harness doctor shows one; or: harness test PATH --app module:attr",
            )
        return Plan(allow_hosts=tuple(allow_hosts)), None
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("plan/unreadable", f"cannot be read: {error}", where=str(path)) from None
    plan = parse_plan(content, str(path))
    plan = replace(plan, allow_hosts=(*plan.allow_hosts, *allow_hosts))
    secret.keep(plan.variables)
    return plan if profile is None else plan.in_profile(profile), path


def refuse_unset(plan: Plan, targets: Iterable[Target] = (), loads: Iterable[Load] = ()) -> None:
    """Raise UsageError for a variable that is not set.

    Those are meant of services that would be started and, of tests, those of their tokens.
    """
    started = list(plan.services) if any(t.kind is not TargetKind.LIVE for t in targets) else []
    for load in loads:
        if plan.address_of(load) is None:
            started += plan.with_called([plan.service_of(load)])
    holders: list[Service | Grant] = [*started, *(plan.tokens if targets else ())]
    for holder in holders:
        for variable in holder.variables:
            variable.value()


def must_exist(name: str, slug: str) -> None:
    """Raise UsageError, with the nearest names, where there is no file or folder `name`."""
    if not Path(name).exists():
        around = Path(name).parent
        known = [str(path) for path in around.iterdir()] if around.is_dir() else []
        close = nearest(name, known) if len(known) < 20 else ""
        raise UsageError(slug, f"there is no {name!r}", next_step=close)


def begin(
    plan: Plan, path: Path | None, reports: str, parts: Sequence[str], app: str | None = None,
    *, whole: bool = False,
) -> Run:  # fmt: skip
    """Begin a run of `parts` in the folder that we are in. `whole`: they are all, in full."""
    return Run.begin(
        plan, Path.cwd(), Path(reports), parts, say, Live(),
        plan_file=path.absolute() if path else None, app=app, whole=whole,
    )  # fmt: skip


def finish(
    run: Run, perform: Callable[[], Any], json_file: str | None, parts: Sequence[str] | None
) -> int:
    """Perform a run and show its verdict, also that of what an interruption left.

    Where the run is shared, the verdict is on `parts`, those of this verb alone, and nothing is
    published: the run goes on. `parts` None: all of it.
    """
    outputs.refuse(json_file)
    shared = bool(os.environ.get(RUN_VARIABLE)) and parts is not None
    try:
        perform()
    finally:
        if not isinstance(sys.exception(), Exception):  # it ended, or was interrupted
            record = judge(run.folder, parts if shared else None)
            code = show(run.folder, record, json_file, publishing=not shared)
    return code


def show(folder: RunFolder, record: Record, json_file: str | None, *, publishing: bool) -> int:
    """Print a verdict, write its reports and return its exit code. Raises EvidenceError."""
    colour = "NO_COLOR" not in os.environ and _obeys(sys.stdout)
    if _obeys(sys.stderr):
        click.echo(_REWRITE, err=True, nl=False)
    page = ""
    if publishing:
        try:
            publish(folder, record)
            page = f"report  {folder.path / html.FILE_NAME}"
        except EvidenceError as error:
            say(f"the verdict stands, its reports could not be written: {error}")
    try:
        click.echo(text.render(record, colour=colour))
        click.echo(page)
        click.echo(outputs.annotated(record), nl=False)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # there, whoever read it has seen enough
            raise EvidenceError(
                "evidence/not-written",
                f"the verdict could not be printed: {error.strerror}",
                where="stdout",
                next_step=f"harness report {folder.path}",
            ) from None
    outputs.write(record, json_file)
    return record.outcome.exit_code


def _obeys(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that knows what escape sequences mean."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


_REWRITE = "\r\x1b[K"
_EVERY_S = 10.0


class Live:
    """Shows how far a run is: `rewriting` one line, as a terminal can, else a line now and then.

    Lines keep a CI from taking a long load for one that hangs.
    """

    def __init__(self, *, rewriting: bool | None = None) -> None:
        self._rewriting = _obeys(sys.stderr) if rewriting is None else rewriting
        self._told = time.monotonic()

    def __call__(self, line: str) -> None:
        """Show `line`."""
        if self._rewriting:
            click.echo(f"{_REWRITE}{line}", err=True, nl=False)
        elif time.monotonic() - self._told >= _EVERY_S:
            self._told = time.monotonic()
            say(line)
