"""What a load's child processes are told, as one line of JSON."""

from __future__ import annotations

from argparse import Namespace
from fractions import Fraction
from pathlib import Path

import msgspec

from harness.load.address import Addresses
from harness.pace import Pace, Rate, Workers
from harness.plan import Load
from harness.repeated import Repeated

DEFAULT_STATSD = "udp://localhost:8125"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A load, where it goes and where its facts are written.

    Fractions are texts, since JSON has none. `workers` or `rate` is None: the pace is the other.
    """

    name: str
    scenarios: str
    target: str
    root: str
    folder: str
    duration: str
    workers: int | None = None
    rate: str | None = None
    processes: int = 1
    max_runs: int | None = None
    single: str | None = None
    single_run: bool = False
    stop_at_failure: bool = False
    delay_s: float = 0.0
    ramp_up_s: float = 0.0
    seed: int = 0
    extensions: tuple[str, ...] = ()
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
        pace = load.pace
        return cls(
            name=load.name, scenarios=load.scenarios, target=target.rstrip("/"),
            root=str(root.resolve()), folder=str(folder.resolve()), duration=str(pace.duration_s),
            workers=pace.count if isinstance(pace, Workers) else None,
            rate=str(pace.per_second) if isinstance(pace, Rate) else None,
            processes=load.processes, max_runs=load.max_runs, single=load.single,
            single_run=load.single_run, stop_at_failure=load.stop_at_failure,
            delay_s=load.delay_s, ramp_up_s=load.ramp_up_s, seed=load.seed,
            extensions=load.extensions, verbose=load.verbose,
            allow_hosts=allow_hosts, rebase=rebase, repeated=load.repeated,
        )  # fmt: skip

    @property
    def pace(self) -> Pace:
        """The pace that was written down."""
        if self.rate is not None:
            return Rate(Fraction(self.rate), Fraction(self.duration))
        return Workers(self.workers or 1, Fraction(self.duration))

    @property
    def addresses(self) -> Addresses:
        """What the addresses in its scenarios mean."""
        return Addresses(self.target, rebase=self.rebase, allow_hosts=self.allow_hosts)

    def visits_of(self, process: int, worker: int) -> int | None:
        """Return how many visits a worker of a process makes at most; None: any number."""
        if self.repeated is None:
            return self.max_runs
        return self.repeated.share(process + worker * self.processes)

    def arguments(self) -> Namespace:
        """Return what Molotov's fixtures call `args`: its command line's options by its names."""
        duration = Fraction(self.duration)
        return Namespace(
            scenario=self.scenarios, workers=self.workers or 1, processes=self.processes,
            duration=int(duration) if duration.denominator == 1 else float(duration),
            max_runs=self.max_runs, ramp_up=self.ramp_up_s, delay=self.delay_s,
            single_mode=self.single, single_run=self.single_run, exception=self.stop_at_failure,
            quiet=not self.verbose, verbose=self.verbose, debug=False, console=True,
            console_update=0.2, config=None, version=False, fail=None, sizing=False,
            sizing_tolerance=5.0, statsd=False, statsd_address=DEFAULT_STATSD, uvloop=True,
            use_extension=[*self.extensions] or None, force_shutdown=False,
        )  # fmt: skip
