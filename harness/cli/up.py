"""``harness up``: the plan's services and their stand-ins, running until they are stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from harness import secret
from harness.cli import INTERRUPTED, VERBS, say
from harness.cli.ports import fixed_ports, port_option
from harness.cli.request import (
    allow_option,
    app_option,
    plan_option,
    profile_option,
    read_plan,
    reports_option,
)
from harness.errors import TargetError, UsageError
from harness.evidence import Facts, RunFolder, new_run_id
from harness.facts import Surprise
from harness.plan import Plan, Service
from harness.rig import Rig, rigged, starting
from harness.target import AppPath
from harness.targets.process import Process

_POLL_S = 0.2


@click.command(help=VERBS["up"])
@port_option
@allow_option
@app_option
@plan_option
@profile_option
@reports_option
def verb(
    ports: tuple[str, ...], allow_hosts: tuple[str, ...], app: str | None, plan_file: str | None,
    profile: str | None, reports: str,
) -> int:  # fmt: skip
    """Start the services."""
    plan, _ = read_plan(plan_file, profile, allow_hosts)
    if app:
        plan = plan.with_app(AppPath.parse(app))
    services = _ours(plan)
    fixed = fixed_ports(
        ports, [*(one.name for one in services), *(one.name for one in plan.standins)]
    )
    for service in services:
        for variable in service.variables:
            variable.value()
    folder = _folder(Path(reports))
    say(f"logs in {folder / 'logs'}")
    try:
        with _running(plan, services, folder, fixed) as (rig, processes):
            _show(plan, rig, processes)
            _watch(rig, processes, folder)
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED


def _ours(plan: Plan) -> list[Service]:
    """Return the services that the profile has no address of, those that are called first."""
    elsewhere = dict(plan.live.urls) if plan.live else {}
    needed = plan.with_called([plan.service, *plan.services])
    services = [one for one in needed if one.name not in elsewhere]
    if not services:
        raise UsageError(
            "plan/nothing",
            "the profile has an address of every service: there is none to start",
            next_step="harness up",
        )
    return services


def _folder(reports: Path) -> Path:
    """Make a folder for logs, which no report takes for a run's."""
    folder = RunFolder.named(reports, f"up-{new_run_id(datetime.now(UTC))}").path
    try:
        (folder / "logs").mkdir(parents=True)
        (folder / "scratch").mkdir()
    except OSError as error:
        raise UsageError(
            "evidence/not-writable",
            f"the folder for logs cannot be written: {error.strerror}",
            where=str(folder),
            next_step="make it writable, or name another with --reports DIR",
        ) from None
    return folder


@contextlib.contextmanager
def _running(
    plan: Plan, services: list[Service], folder: Path, fixed: Mapping[str, int]
) -> Iterator[tuple[Rig, dict[str, Process]]]:
    scratch, root = (folder / "scratch").absolute(), Path.cwd()
    with rigged(plan, root, scratch, fixed) as rig, contextlib.ExitStack() as running:
        rig = rig.at(dict(plan.live.urls) if plan.live else {})
        processes = {}
        for service in services:
            say(f"starting {service.name}")
            process = Process(
                service, port=rig.ports[service.name], part=f"service-{service.name}",
                root=root, folder=folder.absolute(), env=rig.environment_of(service),
                allow_hosts=plan.allow_hosts, routes=rig.routes,
            )  # fmt: skip
            with starting(plan, service):
                processes[service.name] = running.enter_context(process)
        yield rig, processes


def _show(plan: Plan, rig: Rig, processes: Mapping[str, Process]) -> None:
    addresses = {name: (process.url, "") for name, process in processes.items()}
    if plan.live:
        addresses |= {name: (url, "elsewhere") for name, url in plan.live.urls}
    for one in plan.standins:
        addresses[one.name] = (rig.addresses[f"{one.name}.url"], f"stands in for {one.origin}")
    width = max(map(len, addresses))
    for name, (url, told) in addresses.items():
        click.echo(secret.redacted(f"{name:{width}}  {url}  {told}".rstrip()))
    say("Ctrl-C stops it all")


def _watch(rig: Rig, processes: Mapping[str, Process], folder: Path) -> NoReturn:
    """Tell what goes wrong as it happens. Raises TargetError where a service ends."""
    told: set[str] = set()
    while True:
        for call in rig.standins.take_unmatched():
            say(call)
        for call in _refused(folder) - told:
            say(call)
            told.add(call)
        for name, process in processes.items():
            if process.returncode is not None:
                raise TargetError(
                    "target/ended",
                    f"the service {name} ended by itself, with code {process.returncode}",
                    where=str(process.log),
                    next_step="read that log",
                )
        time.sleep(_POLL_S)


def _refused(folder: Path) -> set[str]:
    """Return what the services noted of outside calls that were refused."""
    noted = Facts.read(folder).by_part.values()
    return {fact.message for facts in noted for fact in facts if isinstance(fact, Surprise)}
