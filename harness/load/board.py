"""What the processes of a load tell each other while it runs: ready, start, stop."""

from __future__ import annotations

import mmap
import struct
from enum import IntEnum

DRAIN_S = 10.0
"""How long visits may go on after the end of a load, and as long again their tearing down."""

REHEARSAL_S = 30.0
"""How long the visits before a load, which show that its scenarios can pass, may last in all."""

_LEVEL, _POSTED, _START, _READY = 0, 1, 2, 10


class Stop(IntEnum):
    """How urgently a load is to end; it never becomes less so."""

    NO = 0
    DRAIN = 1  # start no visit, let those in flight end
    CANCEL = 2  # end those in flight, too


class Board:
    """A few bytes of memory that the host and the processes forked from it share.

    Each byte has one meaning and only ever grows, so none needs a lock.
    """

    def __init__(self, processes: int) -> None:
        self._memory = mmap.mmap(-1, _READY + processes)
        self._processes = processes

    @property
    def level(self) -> int:
        """A `Stop`."""
        return self._memory[_LEVEL]

    def stop(self, level: Stop) -> None:
        """Let the whole load end."""
        if level > self._memory[_LEVEL]:
            self._memory[_LEVEL] = level

    def ready(self, process: int) -> None:
        """Say that generator number `process` can start."""
        self._memory[_READY + process] = 1

    @property
    def all_ready(self) -> bool:
        """Whether every generator can start."""
        return all(self._memory[_READY + process] for process in range(self._processes))

    def finished(self, process: int) -> None:
        """Say that generator number `process` has done all that it had to."""
        self._memory[_READY + process] = 2

    def has_finished(self, process: int) -> bool:
        """Tell whether it has: a scenario may end its process with a code that looks well."""
        return self._memory[_READY + process] == 2

    def start(self, at_ns: int) -> None:
        """Post the instant, on the monotonic clock that all processes share, of the start."""
        self._memory[_START:_READY] = struct.pack("q", at_ns)
        self._memory[_POSTED] = 1

    @property
    def start_ns(self) -> int | None:
        """The instant of the start; None until it is posted."""
        if not self._memory[_POSTED]:
            return None
        at_ns: int = struct.unpack("q", self._memory[_START:_READY])[0]
        return at_ns
