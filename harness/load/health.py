"""What a generator knows of itself and of its machine: visits in flight, files, ports, processors.

All of it is read from the system, where that tells: on Linux, from ``/proc``. What it does not
tell is None. None of it is taken from what the book counts, so that the two can be compared.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path

from yarl import URL

from harness.snapshot import Flight, Machine, Vitals
from harness.target import is_loopback

PROC = Path("/proc")
_LISTENING = "0A"
_IDLE, _IO_WAIT, _STEAL = 3, 4, 7  # columns of the first line of /proc/stat, see proc_stat(5)
_USER, _SYSTEM = 11, 12  # after the name, which may hold anything, see proc_pid_stat(5)
_S = 1_000_000_000


class InFlight:
    """Counts the visits under way, and adds up their number over time, as they begin and end.

    What they add up to until an instant is, of each, its end less its beginning; of those that
    have not ended, that instant less their beginning. So beginnings and ends need only be summed.
    """

    __slots__ = ("_failed_ns", "_most", "_now", "_visits_ns")

    def __init__(self) -> None:
        self._now = self._most = self._visits_ns = self._failed_ns = 0

    def began(self, now_ns: int) -> None:
        """Know that one more is under way from now on."""
        self._visits_ns -= now_ns
        self._now += 1
        if self._now > self._most:
            self._most = self._now

    def ended(self, now_ns: int) -> None:
        """Know that one less is."""
        self._visits_ns += now_ns
        self._now -= 1

    def failed(self, took_ns: int) -> None:
        """Know how long a visit had taken that failed: the tallies do not say."""
        self._failed_ns += took_ns

    def flight(self, now_ns: int) -> Flight:
        """Return what was counted until now; `most` since it was last asked for."""
        visits_ns = self._visits_ns + self._now * now_ns
        most, self._most = self._most, self._now
        return Flight(visits_s=visits_ns / _S, failed_s=self._failed_ns / _S, most=most)


class Checkup:
    """Reads a generator process's vitals. The first process looks after the machine for all.

    `target` is the address of the load: the processes that listen there, on this machine, are
    the target's. What counts from the start counts from `begin`.
    """

    def __init__(self, process: int, target: str, *, proc: Path = PROC) -> None:
        self._proc = proc
        self._looks = process == 0
        url = URL(target)
        is_here = self._looks and is_loopback(url.host or "")
        self._pids = listening(url.port or 80, proc) if is_here else ()
        self._begun: Machine | None = None

    def begin(self) -> None:
        """Count processor time from now on."""
        self._begun = _machine(self._proc, self._pids) if self._looks else None

    def vitals(self) -> Vitals:
        """Read all of it, which takes a fraction of a millisecond."""
        return Vitals(
            descriptors=_descriptors(self._proc), most_descriptors=_most_descriptors(),
            waiting=_waiting(self._proc) if self._looks else None,
            ports=_ports(self._proc) if self._looks else None,
            machine=self._machine(),
        )  # fmt: skip

    def _machine(self) -> Machine | None:
        begun, now = self._begun, _machine(self._proc, self._pids) if self._begun else None
        if begun is None or now is None:
            return None
        return Machine(
            processors=now.processors, busy_s=now.busy_s - begun.busy_s,
            target_s=_since(begun.target_s, now.target_s),
            starved_s=_since(begun.starved_s, now.starved_s),
        )  # fmt: skip


def _since(before: float | None, now: float | None) -> float | None:
    # Of threads that have ended meanwhile the time is lost.
    return None if before is None or now is None else max(0.0, now - before)


def listening(port: int, proc: Path = PROC) -> tuple[int, ...]:
    """Return the processes that hold a socket that listens at a port, in order.

    Those of other users are not told, and none is where there is no ``/proc``.
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    found = [pid for pid in _pids(proc) if sockets and sockets & set(_held(proc / str(pid) / "fd"))]
    return tuple(sorted(found))


def _inodes(port: int, proc: Path) -> Iterable[str]:
    for table in ("tcp", "tcp6"):
        for line in _lines(proc / "net" / table)[1:]:
            columns = line.split()
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]


def _pids(proc: Path) -> Iterable[int]:
    try:
        return [int(name) for name in os.listdir(proc) if name.isdecimal()]
    except OSError:
        return ()


def _held(folder: Path) -> Iterable[str]:
    try:
        names = os.listdir(folder)
    except OSError:  # another user's, or gone
        return
    for name in names:
        try:
            yield os.readlink(folder / name)
        except OSError:
            continue


def _machine(proc: Path, pids: tuple[int, ...]) -> Machine | None:
    """Return the processor time that the machine, and its processes `pids`, have used."""
    lines = [line.split() for line in _lines(proc / "stat") if line.startswith("cpu")]
    if not lines:
        return None
    tick = os.sysconf("SC_CLK_TCK")
    ticks = [int(number) for number in lines[0][1 : _STEAL + 2]]  # guests' are the user's, too
    busy = sum(ticks) - ticks[_IDLE] - ticks[_IO_WAIT]
    used = [spent for pid in pids if (spent := _used(proc, pid)) is not None]
    starved = [ns for pid in pids for ns in _starved_ns(proc / str(pid) / "task")]
    return Machine(
        processors=len(lines) - 1, busy_s=busy / tick,
        target_s=sum(used) / tick if used else None,
        starved_s=sum(starved) / _S if starved else None,
    )  # fmt: skip


def _used(proc: Path, pid: int) -> int | None:
    """Return the ticks that a process has used; None once it is gone."""
    for line in _lines(proc / str(pid) / "stat"):
        columns = line.rpartition(")")[2].split()
        return int(columns[_USER]) + int(columns[_SYSTEM])
    return None


def _starved_ns(tasks: Path) -> Iterable[int]:
    """Yield how long each thread of a process was ready, and had no processor.

    The kernel's documentation has it in ``scheduler/sched-stats``, the second of three figures.
    """
    try:
        names = os.listdir(tasks)
    except OSError:
        return
    for name in names:
        for line in _lines(tasks / name / "schedstat"):
            yield int(line.split()[1])


def _descriptors(proc: Path) -> int | None:
    for folder in (proc / "self" / "fd", Path("/dev/fd")):
        try:
            return len(os.listdir(folder)) - 1  # the folder's own
        except OSError:
            continue
    return None


def _most_descriptors() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _waiting(proc: Path) -> int | None:
    """Return how many of the machine's connections wait after their end (TIME_WAIT)."""
    for line in _lines(proc / "net" / "sockstat"):
        name, *columns = line.split()
        if name == "TCP:" and "tw" in columns:
            return int(columns[columns.index("tw") + 1])
    return None


def _ports(proc: Path) -> int | None:
    """Return how many local ports connections may be given."""
    for line in _lines(proc / "sys" / "net" / "ipv4" / "ip_local_port_range"):
        first, last = line.split()
        return int(last) - int(first) + 1
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
