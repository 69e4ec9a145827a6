"""``harness standins``: files of stubs, served for other processes until they are stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from harness.cli import INTERRUPTED, VERBS, say
from harness.cli.ports import fixed_ports, port_option
from harness.errors import UsageError
from harness.standins.group import StandIns, read_stubs
from harness.standins.ledger import Asked
from harness.standins.server import StandIn
from harness.stub import Call
from harness.stubfile import read_stub

_JOURNAL = "journal"
_PATH = "/__harness__/journal"
_POLL_S = 0.2


@click.command(help=VERBS["standins"])
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--stub", "names", multiple=True, metavar="NAME",
              help="Answer with this one, not with all of its file; again.")  # fmt: skip
@port_option
def verb(files: tuple[str, ...], names: tuple[str, ...], ports: tuple[str, ...]) -> int:
    """Start a stand-in for each file, named as it is, and one that tells what they were asked."""
    by_name = _by_name(files)
    fixed = fixed_ports(ports, [*by_name, _JOURNAL])
    try:
        with _running(by_name, fixed) as (group, journal):
            group.select(names or None)
            _show(group, journal)
            _watch(group)
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED


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


@contextlib.contextmanager
def _running(
    by_name: Mapping[str, str], fixed: Mapping[str, int]
) -> Iterator[tuple[StandIns, StandIn]]:
    made = []
    for name, file in by_name.items():
        stubs = read_stubs(Path.cwd(), file, file)
        every = [stub.name for stub in stubs]
        made.append(StandIn(name, stubs, every, port=fixed.get(name, 0)))
    group = StandIns(made, Path.cwd())
    journal = StandIn(_JOURNAL, [], port=fixed.get(_JOURNAL, 0))
    journal.declare(
        read_stub(__name__, "GET", _PATH, reply=lambda _: {"json": _told(group, by_name)})
    )
    with group, journal:
        yield group, journal


def _told(group: StandIns, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what each stand-in was asked, and each of its stubs."""
    told = {}
    for name in names:
        asked = group.asked(name)
        stubs = [full for full in group.uses() if full.startswith(f"{name}.")]
        told[name] = {
            **_figures(asked),
            "calls": [_call(call) for call in asked.kept],
            "stubs": {full: _figures(group.asked(full)) for full in stubs},
        }
    return told


def _figures(asked: Asked) -> dict[str, int]:
    return {"count": asked.count, "at_once": asked.at_once, "connections": asked.connections}


def _call(call: Call) -> dict[str, Any]:
    return {
        "method": call.method, "path": call.path, "query": call.query,
        "headers": call.headers, "body": call.body.decode("utf-8", "replace"),
    }  # fmt: skip


def _show(group: StandIns, journal: StandIn) -> None:
    addresses = {key.removesuffix(".url"): url for key, url in group.addresses().items()}
    addresses[_JOURNAL] = f"{journal.url}{_PATH}"
    width = max(map(len, addresses))
    for name, url in addresses.items():
        click.echo(f"{name:{width}}  {url}")
    say("Ctrl-C stops it all")


def _watch(group: StandIns) -> NoReturn:
    while True:
        for call in group.take_unmatched():
            say(call)
        time.sleep(_POLL_S)
