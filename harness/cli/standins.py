"""``harness standins``: files of stubs, served for other processes until they are stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from harness.cli import INTERRUPTED, VERBS, say
from harness.cli.drift import check
from harness.cli.ports import fixed_ports, port_option
from harness.cli.request import plan_option, reports_option
from harness.errors import UsageError
from harness.standins.desk import JOURNAL, desk
from harness.standins.group import StandIns, read_stubs
from harness.standins.server import StandIn
from harness.stubfile import refuse_unreachable

_JOURNAL = "journal"
_POLL_S = 0.2
_FAILED = 1
_MOST_TOLD = 1000
"""Reasons that are printed once; others may be printed again."""


@click.command(help=VERBS["standins"])
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--stub", "names", multiple=True, metavar="NAME",
              help="Answer with this one, not with all of its file; again.")  # fmt: skip
@click.option("--seed", type=int, default=0, help="Of random delays; 0 without it.")
@port_option
@click.option(
    "--check", "checking", is_flag=True, help="Without FILE: how far the plan's stubs have drifted."
)
@plan_option
@reports_option
def verb(
    files: tuple[str, ...], names: tuple[str, ...], seed: int, ports: tuple[str, ...],
    checking: bool, plan_file: str | None, reports: str,
) -> int:  # fmt: skip
    """Start a stand-in for each file, named as it is, and one that tells what they were asked."""
    if checking:
        if files or names or ports:
            raise UsageError(
                "usage", "--check is about the stubs of a plan, and starts nothing",
                next_step="harness standins --check [--plan FILE]",
            )  # fmt: skip
        return check(plan_file, Path(reports))
    if not files or plan_file:
        raise UsageError(
            "usage", "FILE... is missing" if not files else "--plan goes with --check",
            next_step="harness standins FILE..., or harness standins --check",
        )  # fmt: skip
    by_name = _by_name(files)
    fixed = fixed_ports(ports, [*by_name, _JOURNAL])
    group = _group(by_name, fixed, seed)
    try:
        with _running(group, names, fixed.get(_JOURNAL, 0)) as journal:
            _show(group, journal)
            _watch(group)
    except KeyboardInterrupt:
        say("stopped")
        return _summed_up(group)


def _by_name(files: tuple[str, ...]) -> dict[str, str]:
    by_name: dict[str, str] = {}
    for file in files:
        name = Path(file).stem
        if name in {_JOURNAL, *by_name}:
            raise UsageError(
                "stubs/twice", f"there would be two stand-ins {name!r}", where=file,
                next_step="name the file otherwise: a stand-in is named as its file",
            )  # fmt: skip
        by_name[name] = file
    return by_name


def _group(by_name: Mapping[str, str], fixed: Mapping[str, int], seed: int) -> StandIns:
    made = []
    for name, file in by_name.items():
        stubs = read_stubs(Path.cwd(), file, file)
        refuse_unreachable(stubs)
        every = [stub.name for stub in stubs if not stub.refuses]
        made.append(StandIn(name, stubs, every, port=fixed.get(name, 0), seed=seed))
    return StandIns(made, Path.cwd())


@contextlib.contextmanager
def _running(group: StandIns, names: Sequence[str], port: int) -> Iterator[StandIn]:
    group.select(names)
    with group, desk(_JOURNAL, group, names, port=port) as journal:
        yield journal


def _show(group: StandIns, journal: StandIn) -> None:
    addresses = {key.removesuffix(".url"): url for key, url in group.addresses().items()}
    addresses[_JOURNAL] = f"{journal.url}{JOURNAL}"
    width = max(map(len, addresses))
    for name, url in addresses.items():
        click.echo(f"{name:{width}}  {url}")
    say("Ctrl-C stops it all")


def _watch(group: StandIns) -> NoReturn:
    """Print why calls were not answered, each reason once: a load has the same one often."""
    told: set[str] = set()
    while True:
        for reason in group.take_unmatched():
            if reason not in told:
                say(reason)
                if len(told) < _MOST_TOLD:
                    told.add(reason)
        time.sleep(_POLL_S)


def _summed_up(group: StandIns) -> int:
    """Say what each stand-in answered in all, and return 1 where no stub answered a call."""
    for standin in group:
        uses = standin.uses
        answered = sum(uses[name] for name, stub in standin.stubs.items() if not stub.refuses)
        told = f"{answered} calls answered, {standin.unmatched} that no stub answers"
        say(f"{standin.name}: {told}")
        for name in standin.selected:
            if not uses[name]:
                say(f"  {standin.name}.{name} ({standin.stubs[name].where}) was never used")
    return _FAILED if any(standin.unmatched for standin in group) else INTERRUPTED
