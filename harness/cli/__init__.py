"""The command line: arguments in, one verdict and one exit code out. A module per verb."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from harness import __version__, secret
from harness.errors import HarnessError, UsageError, nearest

INTERRUPTED = 130
CRASHED = 2

VERBS = {
    "run": "Run the whole plan: tests in every target, loads, gates.",
    "test": "Run functional tests: PATHS, or those of the plan.",
    "load": "Run a load: of one URL, a Molotov scenario file, or a load of the plan.",
    "gates": "Inspect code: PATHS, or those of the plan.",
    "prove": "Plant faults in a copy of the project: each gate and judge must tell of its own.",
    "report": "Judge a run folder again, and draw its reports.",
    "standins": "Serve stub FILES for other processes, until Ctrl-C; or --check the plan's.",
    "up": "Start the plan's services with their stand-ins, until Ctrl-C.",
    "doctor": "Check the plan and this environment; of a SLUG, say what it means.",
}
"""Each verb's line in the help. Its module is imported when it is used: help must be quick."""


class _Verbs(click.Group):
    """The verbs, and the one place where errors become messages and exit codes."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        verb: click.Command = importlib.import_module(f"harness.cli.{name}").verb
        return verb

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise UsageError(
                "usage", f"there is no verb {args[0]!r}", next_step=nearest(args[0], VERBS)
            )
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def main(self, *args: Any, **options: Any) -> NoReturn:
        arguments = list(args[0]) if args else sys.argv[1:]
        debug = "--debug" in arguments[:1]
        _stand_in_for_closed_streams()
        try:
            with self.make_context("harness", arguments) as context:
                code = self.invoke(context)
        except BaseException as error:
            if debug and not isinstance(error, click.exceptions.Exit):
                say(traceback.format_exc())
            code = _told(error)
        sys.exit(code)


def _told(error: BaseException) -> int:
    """Print what an error has to say and return its exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        say("interrupted")
        return INTERRUPTED
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "harness"
        say(f"{error.format_message()} (usage)\n  next: {command} --help")
        return UsageError.exit_code
    if isinstance(error, HarnessError):
        say(str(error) if isinstance(error, UsageError) else f"UNKNOWN: {error}")
        return error.exit_code
    if not isinstance(error, Exception):
        raise error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    say(
        f"UNKNOWN: the harness itself failed at {Path(frame.filename).name}:{frame.lineno}: "
        f"{type(error).__name__}: {error} (harness/crashed)\n"
        "  next: run it again as 'harness --debug …', and report what it prints"
    )
    return CRASHED


def say(line: str) -> None:
    """Print a line that is not part of the verdict, without secrets."""
    click.echo(secret.redacted(line), err=True)


def _stand_in_for_closed_streams() -> None:
    """Open what leads nowhere; else the next file or pipe would get a standard stream's number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # its number is the lowest that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - until we end


def _as_interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="harness")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """Test a Quart (or any ASGI) service: one run, one verdict, on evidence.

    Exit codes: 0 PASS, 1 FAIL, 2 UNKNOWN (no evidence), 64 the request makes no sense,
    130 interrupted.
    """
    signal.signal(signal.SIGTERM, _as_interrupt)
    if context.invoked_subcommand is None:
        say(context.get_help())
        context.exit(UsageError.exit_code)
