"""What a load's child processes are told, as one line of JSON."""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path

import msgspec

from harness.demand import MOST_IN_FLIGHT, Load
from harness.load.address import Addresses
from harness.pace import is_open, parse_pace, peak
from harness.repeated import Repeated

TRIES = 3
"""How often a scenario of a load that tolerates failures may be visited until it passed once."""

DEFAULT_STATSD = "udp://localhost:8125"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A load, where it goes and where its facts are written.

    `pace` is a text, since JSON has no fractions. `tries` is how many visits each scenario has,
    before the load, to pass once.
    """

    name: str
    scenarios: str
    target: str
    root: str
    folder: str
    pace: str
    processes: int = 1
    max_runs: int | None = None
    single: str | None = None
    single_run: bool = False
    stop_at_failure: bool = False
    delay_s: float = 0.0
    ramp_up_s: float = 0.0
    warm_up_s: float = 0.0
    seed: int = 0
    tries: int = 1
    visits: int | None = None
    in_flight: int = MOST_IN_FLIGHT
    extensions: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    verbose: int = 0
    allow_hosts: tuple[str, ...] = ()
    rebase: tuple[str, ...] = ()
    repeated: Repeated | None = None

    @classmethod
    def of(
        cls, load: Load, *, target: str, root: Path, folder: Path,
        allow_hosts: tuple[str, ...] = (), rebase: tuple[str, ...] = (),
    ) -> Job:  # fmt: skip
        """Write down a load of the plan."""
        return cls(
            name=load.name, scenarios=load.scenarios, target=target.rstrip("/"),
            root=str(root.resolve()), folder=str(folder.resolve()), pace=str(load.pace),
            processes=load.processes, max_runs=load.max_runs, single=load.single,
            single_run=load.single_run, stop_at_failure=load.stop_at_failure,
            delay_s=load.delay_s, ramp_up_s=load.ramp_up_s, warm_up_s=load.warm_up_s,
            seed=load.seed, visits=load.visits, in_flight=load.in_flight or MOST_IN_FLIGHT,
            tries=TRIES if any(one.tolerates_failures for one in load.objectives) else 1,
            extensions=load.extensions, steps=load.steps, verbose=load.verbose,
            allow_hosts=allow_hosts, rebase=rebase, repeated=load.repeated,
        )  # fmt: skip

    @property
    def is_rehearsed(self) -> bool:
        """Whether each scenario is to pass once before the load: of a total, all are counted."""
        return self.repeated is None and not self.single_run

    def quota(self, process: int) -> float:
        """Return how many visits one process makes at most, at a closed pace; else infinity.

        A share that is its own needs no word between processes, and repeats itself.
        """
        if self.visits is None or is_open(parse_pace(self.pace)):
            return math.inf
        return self.visits // self.processes + (process < self.visits % self.processes)

    @property
    def addresses(self) -> Addresses:
        """What the addresses in its scenarios mean."""
        return Addresses(
            self.target, rebase=self.rebase, allow_hosts=self.allow_hosts, steps=self.steps
        )

    def visits_of(self, process: int, worker: int) -> int | None:
        """Return how many visits a worker of a process makes at most; None: any number."""
        if self.repeated is None:
            return self.max_runs
        return self.repeated.share(process + worker * self.processes)

    def arguments(self) -> Namespace:
        """Return what Molotov's fixtures call `args`: its command line's options by its names."""
        pace = parse_pace(self.pace)
        duration = pace.duration_s
        return Namespace(
            scenario=self.scenarios, processes=self.processes,
            workers=1 if is_open(pace) else math.ceil(peak(pace)),
            duration=int(duration) if duration.denominator == 1 else float(duration),
            max_runs=self.max_runs, ramp_up=self.ramp_up_s, delay=self.delay_s,
            single_mode=self.single, single_run=self.single_run, exception=self.stop_at_failure,
            quiet=not self.verbose, verbose=self.verbose, debug=False, console=True,
            console_update=0.2, config=None, version=False, fail=None, sizing=False,
            sizing_tolerance=5.0, statsd=False, statsd_address=DEFAULT_STATSD, uvloop=True,
            use_extension=[*self.extensions] or None, force_shutdown=False,
        )  # fmt: skip
