"""The parent's side of a load: starts its host, follows what it writes, and tells how it ended."""

from __future__ import annotations

import glob
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from yarl import URL

from harness.demand import MOST_IN_FLIGHT, Load
from harness.errors import HarnessError, TargetError, UsageError
from harness.evidence import Part
from harness.facts import Fact, LoadBegun, LoadStopped, Problem, RequestBegun
from harness.judge.lost import Prospect
from harness.leash import Child
from harness.load.address import Addresses
from harness.load.board import DRAIN_S, REHEARSAL_S
from harness.load.job import Job
from harness.pace import UNTIMED_S, Rate, Stages, Workers, duration_text, is_open, peak
from harness.repeated import Repeated
from harness.schedule import schedule
from harness.snapshot import Snapshot

SET_UP_S = 30.0
"""How long importing the scenario file and its set-up may take, before a load counts as hung."""

CONNECT_S = 3.0
_POLL_S = 0.05
_PROGRESS_S = 1.0
_GRACE_S = 2.0

Progress = Callable[[str], None]


def drive(
    load: Load, *, target: str, folder: Path, root: Path, env: Mapping[str, str],
    allow_hosts: Iterable[str] = (), rebase: Iterable[str] = (),
    progress: Progress = lambda line: None,
) -> None:  # fmt: skip
    """Run a load against the service at `target`, a URL, and write its facts into `folder`.

    `progress` is told about once a second how far the load is, in words. Raises UsageError,
    TargetError or HarnessError where there is no evidence, and KeyboardInterrupt once the visits
    under way have ended.
    """
    job = Job.of(
        load, target=target, root=root, folder=folder,
        allow_hosts=tuple(allow_hosts), rebase=tuple(rebase),
    )  # fmt: skip
    begun = _begun(load, target)
    tail = Tail(folder, load.name, Prospect(begun) if load.stop_when_lost else None)
    with Part(folder, f"load-{load.name}") as part:
        part.note(begun)
        _refuse_misfits(load)
        _refuse_foreign(target, job.allow_hosts)
        _refuse_dead(target, load)
        _run(job, env, tail, progress, begun.duration_s)
        if tail.lost:
            part.note(LoadStopped(objective=tail.lost, at_s=tail.lost_at_s))
    # Outside the part: these problems are in the files of those who noted them.
    if tail.problems:
        worst = max(tail.problems, key=lambda found: found.exit_code)
        kind = UsageError if worst.exit_code == UsageError.exit_code else HarnessError
        raise kind(worst.slug, worst.message, where=worst.where, next_step=worst.next_step)


def pace_text(load: Load) -> str:
    """Say in words what a load was asked for: its pace, and what else bounds it."""
    if load.repeated is not None:
        return _repeated_text(load, load.repeated)
    counted = ["each scenario once"] if load.single_run else []
    if load.visits is not None:
        counted.append(f"at most {load.visits} visit{'' if load.visits == 1 else 's'} in all")
    if load.max_runs is not None:
        counted.append(f"at most {load.max_runs} visit{'' if load.max_runs == 1 else 's'} each")
    pace = str(load.pace)
    if counted and load.pace.duration_s >= UNTIMED_S:
        pace = pace.partition(" for ")[0]
    return ", ".join([pace, *counted])


def _repeated_text(load: Load, repeated: Repeated) -> str:
    pace = load.pace
    told = str(repeated)
    if isinstance(pace, Rate):
        told += f", {pace}"
    elif pace.duration_s < UNTIMED_S:
        told += f" for {'at most ' if repeated.total else ''}{duration_text(pace.duration_s)}"
    return f"{told}, {load.processes} processes" if load.processes > 1 else told


def _begun(load: Load, target: str) -> LoadBegun:
    pace = load.pace
    visits, asked = _most(load), None
    duration_s = float(pace.duration_s) + load.ramp_up_s
    if is_open(pace):
        due = schedule(pace, load.seed, load.visits)
        visits, duration_s = due.arrivals, due.ends_ns / 1e9
        mean = float(f"{visits / duration_s:.4g}")  # of stages, to be read beside what was reached
        asked = float(pace.per_second) if isinstance(pace, Rate) else mean
    request = None
    if (one := load.repeated) is not None:
        visits = visits if is_open(pace) else one.total
        request = RequestBegun(
            method=one.method, url=one.url, total=one.total, connections=one.connections
        )
    return LoadBegun(
        load=load.name, scenarios=load.scenarios, target=target, pace=pace_text(load),
        duration_s=duration_s, processes=load.processes, asked_rate=asked, visits=visits,
        objectives=tuple(objective.text for objective in load.objectives),
        stop_at_failure=load.stop_at_failure, warm_up_s=load.warm_up_s, request=request,
        in_flight=(load.in_flight or MOST_IN_FLIGHT) if is_open(pace) else None,
    )  # fmt: skip


def _most(load: Load) -> int | None:
    """Return how many visits workers may make in all; None: as many as they can."""
    bounds = [] if load.visits is None else [load.visits]
    if load.max_runs is not None:
        bounds.append(math.ceil(peak(load.pace)) * load.processes * load.max_runs)
    return min(bounds, default=None)


def _refuse_misfits(load: Load) -> None:
    """Refuse options that mean nothing at the pace of a load."""
    of_workers = {
        "--max-runs": load.max_runs, "--single-run": load.single_run, "--delay": load.delay_s
    }  # fmt: skip
    given: dict[str, object] = {}
    if not isinstance(load.pace, Workers):
        given["--ramp-up"] = load.ramp_up_s
    given |= of_workers if is_open(load.pace) else {"--in-flight": load.in_flight}
    misfits = [option for option, value in given.items() if value]
    if misfits:
        what = "a rate" if is_open(load.pace) else "workers"
        raise UsageError(
            "load/pace-option",
            f"{', '.join(misfits)} cannot be combined with {what}"
            + (" in stages" if isinstance(load.pace, Stages) else ""),
            where=load.name,
            next_step="leave it out, or use another pace: -w COUNT, or --rate R",
        )


def _refuse_foreign(target: str, allow_hosts: tuple[str, ...]) -> None:
    url = URL(target)
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(
            "load/target-url",
            f"a load needs the URL of its target, not {target!r}",
            next_step="write it as http://HOST:PORT",
        )
    Addresses(target, allow_hosts=allow_hosts).check(url)


def _refuse_dead(target: str, load: Load) -> None:
    """Raise TargetError where nothing accepts connections. Nothing is sent."""
    url = URL(target)
    try:
        socket.create_connection((str(url.host), url.port or 80), timeout=CONNECT_S).close()
    except OSError as error:
        step = "start the service"
        if load.repeated is None:
            step += ", or name another with --target URL, or let the harness start it with "
            step += "--app module:attr"
        raise TargetError(
            "target/dead",
            f"nothing answers at {target}: {error.strerror or error}",
            where=target,
            next_step=step,
        ) from None


def _run(job: Job, env: Mapping[str, str], tail: Tail, progress: Progress, lasts_s: float) -> None:
    log = Path(job.folder) / "logs" / f"load-{job.name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as file:
        child = Child(
            [sys.executable, "-m", "harness.load.host", msgspec.json.encode(job).decode()],
            env=env,
            cwd=Path(job.root),
            output=sys.stderr.buffer if job.verbose else file,
        )
    try:
        _follow(child, job, log, tail, progress, lasts_s)
    except KeyboardInterrupt:
        _interrupt(child)
        raise
    finally:
        child.stop(_GRACE_S)
    tail.read()
    if child.returncode and not tail.problems:
        raise HarnessError(
            "load/worker-died",
            f"the load's host process ended with code {child.returncode}",
            where=str(log),
            next_step="read that log",
        )


def _follow(
    child: Child, job: Job, log: Path, tail: Tail, progress: Progress, lasts_s: float
) -> None:
    """Wait for the end of the host, for at most as long as its load can take."""
    began = told = time.monotonic()
    limit_s = SET_UP_S + REHEARSAL_S + lasts_s + 2 * DRAIN_S
    while child.wait(_POLL_S) is None:
        now = time.monotonic()
        if now - told >= _PROGRESS_S:
            told += _PROGRESS_S
            tail.read()
            progress(f"load {job.name}: {_so_far(job, tail, lasts_s)}")
            if tail.finds_lost():
                os.kill(child.pid, signal.SIGUSR1)  # its host: let the visits under way end
        if now - began > limit_s:
            raise HarnessError(
                "load/hung",
                f"the load had not ended {limit_s:.0f} s after it was asked for, and was killed",
                where=str(log),
                next_step="read that log; a scenario or fixture that blocks the loop is common",
            )


def _so_far(job: Job, tail: Tail, lasts_s: float) -> str:
    left_s = lasts_s - tail.at_s
    if not tail.at_s:
        return "setting up"
    when = f"{left_s:.0f} s left" if left_s > 0 else "waiting for the visits under way"
    if job.repeated is not None:
        return _repeated_so_far(job.repeated, tail, left_s)
    if lasts_s >= UNTIMED_S:
        when = f"{tail.at_s:.0f} s"
    return f"{when}, {tail.started} visits, {tail.failed} failed"


def _repeated_so_far(repeated: Repeated, tail: Tail, left_s: float) -> str:
    """Say how far a total is; the time that is left is guessed from the time that it took."""
    sent, of = f"{tail.started:,}", ""
    if repeated.total and tail.started:
        left_s = min(left_s, tail.at_s * (repeated.total / tail.started - 1))
        of = f" of {repeated.total:,}"
    return f"about {max(0, left_s):.0f} s left, {sent}{of} requests, {tail.failed:,} failed"


def _interrupt(child: Child) -> None:
    """Let the visits under way end; a second Ctrl-C cancels them, a third one kills."""
    child.interrupt()
    try:
        child.wait(2 * DRAIN_S + _GRACE_S)
    except KeyboardInterrupt:
        child.interrupt()
        child.wait(DRAIN_S + _GRACE_S)


class Tail:
    """Follows the files of a load's processes: how far they are, and their problems."""

    def __init__(self, folder: Path, load: str, prospect: Prospect | None = None) -> None:
        self.problems: list[Problem] = []
        self.failed = 0
        self.lost, self.lost_at_s = "", 0.0
        self._prospect = prospect
        self._folder = folder
        self._pattern = f"load-{glob.escape(load)}.*.jsonl"
        self._offsets: dict[Path, int] = {}
        self._snapshots: dict[int, Snapshot] = {}
        self._decoder = msgspec.json.Decoder(Fact)

    def read(self) -> None:
        """Read the whole lines that were appended since the last time."""
        for path in self._folder.glob(self._pattern):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._offsets[path] = self._offsets.get(path, 0) + len(whole)
            for line in whole.splitlines():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            fact = self._decoder.decode(line)
        except msgspec.DecodeError:
            return  # whoever judges will name it
        if isinstance(fact, Snapshot):
            self._snapshots[fact.process] = fact
            visits = (tally for tally in fact.tallies if tally.step is None)
            self.failed += sum(tally.sent - tally.ok for tally in visits)
            if self._prospect is not None:
                self._prospect.take(fact)
        elif isinstance(fact, Problem):
            self.problems.append(fact)

    def finds_lost(self) -> bool:
        """Tell whether an objective has just turned out to be lost, the first one that is."""
        if self._prospect is None or self.lost or not self._snapshots:
            return False
        self.lost, self.lost_at_s = self._prospect.lost(), self.at_s
        return bool(self.lost)

    @property
    def at_s(self) -> float:
        """When the newest was written, in seconds from the start; 0 before there is one."""
        return max((snapshot.at_s for snapshot in self._snapshots.values()), default=0.0)

    @property
    def started(self) -> int:
        """How many visits all processes had started when they last wrote."""
        return sum(snapshot.started for snapshot in self._snapshots.values())
