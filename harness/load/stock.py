"""The stock `molotov` command on a scenario file: does it run there as well? Nothing is timed.

This file is both sides: `run_stock` starts the child, which runs Molotov's own command line.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.demand import Load
from harness.errors import HarnessError, UsageError
from harness.evidence import Part
from harness.facts import StockRan
from harness.leash import Child
from harness.load.address import outside_call
from harness.load.board import DRAIN_S
from harness.load.drive import SET_UP_S
from harness.pace import UNTIMED_S, Workers

_TOTALS = re.compile(r"SUCCESSES: (\d+) \| FAILURES: (\d+)")
_REFUSED = re.compile(r"^refused: a call to (\S+)$", re.MULTILINE)
_GRACE_S = 2.0


def run_stock(
    load: Load, *, target: str, folder: Path, root: Path, env: Mapping[str, str],
    allow_hosts: Iterable[str] = (),
) -> None:  # fmt: skip
    """Run a load of workers under the stock runner, and note what it counted.

    Raises UsageError for a rate, which it has not, and HarnessError where it counted nothing.
    """
    with Part(folder, f"molotov-{load.name}") as part:
        arguments = _arguments(load)
        # A session of aiohttp's own keeps no cookies of an address, but those of a name.
        by_name = target.replace("//127.0.0.1", "//localhost", 1)
        log = folder / "logs" / f"molotov-{load.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            child = Child(
                [sys.executable, "-m", "harness.load.stock", ",".join(allow_hosts), *arguments],
                env={**env, "HARNESS_TARGET": by_name}, cwd=root, output=output,
            )  # fmt: skip
            try:
                child.wait(SET_UP_S + float(load.pace.duration_s) + load.ramp_up_s + 2 * DRAIN_S)
                code = child.returncode
            finally:
                child.stop(_GRACE_S)
        said = log.read_text(errors="replace")
        for host in dict.fromkeys(_REFUSED.findall(said)):
            part.note(outside_call(host, None, load.scenarios))
        totals = _TOTALS.findall(said)
        if code or not totals:
            ended = "had not ended in time" if code is None else f"ended with code {code}"
            raise HarnessError(
                "load/stock-crashed", f"molotov {ended}, instead of its totals", where=str(log),
                next_step="read that log; it may have no scenario, or not be importable",
            )  # fmt: skip
        part.note(
            StockRan(
                scenarios=load.scenarios, target=target, command=" ".join(["molotov", *arguments]),
                successes=int(totals[-1][0]), failures=int(totals[-1][1]),
            )
        )  # fmt: skip


def _arguments(load: Load) -> list[str]:
    pace = load.pace
    if not isinstance(pace, Workers):
        raise UsageError(
            "load/pace", "the stock runner has workers, no rate and no stages", where=load.name,
            next_step="harness load --runner molotov -w 2 -d 5",
        )  # fmt: skip
    options = {
        "-w": pace.count, "-p": load.processes, "-r": load.max_runs, "-s": load.single,
        "--delay": load.delay_s, "--ramp-up": load.ramp_up_s,
        "-d": None if pace.duration_s == UNTIMED_S else math.ceil(pace.duration_s),
    }  # fmt: skip
    flags = {"-x": load.stop_at_failure, "--single-run": load.single_run}
    return [
        load.scenarios, "-c",
        *(text for option, value in options.items() if value for text in (option, str(value))),
        *(flag for flag, is_set in flags.items() if is_set),
        *(["--use-extension", *load.extensions] if load.extensions else []),
    ]  # fmt: skip


def _refused(host: str, port: int | None) -> None:
    print(f"refused: a call to {host}:{port}", flush=True)  # noqa: T201 - the log


if __name__ == "__main__":
    from molotov.run import main

    from harness.guard import Guard
    from harness.load.host import keep_leash

    keep_leash()
    with Guard(_refused, sys.argv.pop(1).split(",")):
        main()
