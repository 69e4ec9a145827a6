"""What a stand-in was asked since its stubs were selected: every call counted, the last kept."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import NamedTuple

from harness.errors import HarnessError
from harness.stub import Call

MAX_CALLS = 500
MAX_BYTES = 4 * 1024 * 1024

_ALL = ""


class Entry(NamedTuple):
    """A call that was kept, and the stub that answered it; ``""``: none did.

    The numbers count the calls of all stand-ins of a group, in their order.
    """

    number: int
    stub: str
    call: Call


@dataclass(frozen=True, slots=True)
class Asked:
    """What a stand-in, or one stub of it, was asked.

    `at_once` is the most calls that were answered at one time, `connections` on how many they
    came.
    """

    count: int
    at_once: int
    connections: int
    kept: tuple[Call, ...]

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call, in order. Raises HarnessError where there were more than are kept."""
        refuse_missing(self.count, len(self.kept))
        return self.kept


def refuse_missing(count: int, kept: int) -> None:
    """Raise HarnessError where not all calls were kept."""
    if kept < count:
        raise HarnessError(
            "standins/not-kept",
            f"of {count} calls the last {kept} are kept",
            next_step="read 'count', which is exact, or 'kept'",
        )


class _Figures:
    """What is counted of a stub, or of all of them."""

    __slots__ = ("at_once", "connections", "count", "under_way")

    def __init__(self) -> None:
        self.count = self.under_way = self.at_once = self.connections = 0

    def began(self) -> None:
        """Count a call."""
        self.count += 1
        self.under_way += 1
        if self.under_way > self.at_once:
            self.at_once = self.under_way


class Ledger:
    """Counts by stub, and the last calls. One thread at a time may use it."""

    def __init__(self) -> None:
        self._all = _Figures()
        self._figures: defaultdict[str, _Figures] = defaultdict(_Figures)
        self._seen: defaultdict[int, set[str]] = defaultdict(set)
        self._current: dict[int, str] = {}
        self._kept: deque[Entry] = deque()
        self._bytes = 0

    def began(self, call: Call, stub: str, connection: int, number: int = 0) -> None:
        """Take down a call on a connection, and the stub that answers it; ``""``: none does."""
        seen = self._seen[connection]
        self._all.began()
        if not seen:
            self._all.connections += 1
        figures = self._figures[stub]
        figures.began()
        if stub not in seen:
            figures.connections += 1
            seen.add(stub)
        self._current[connection] = stub
        self._kept.append(Entry(number, stub, call))
        self._bytes += _size(call)
        while len(self._kept) > MAX_CALLS or self._bytes > MAX_BYTES:
            self._bytes -= _size(self._kept.popleft().call)

    def ended(self, connection: int) -> None:
        """Take down that what a connection asked last is answered."""
        stub = self._current.pop(connection, None)
        if stub is not None:
            self._all.under_way -= 1
            self._figures[stub].under_way -= 1

    def gone(self, connection: int) -> None:
        """Forget a connection, which is not heard of again."""
        self.ended(connection)
        self._seen.pop(connection, None)

    def asked(self, stub: str = _ALL) -> Asked:
        """Return what this stub was asked, or all of them and none."""
        kept = tuple(one.call for one in self._kept if stub in (_ALL, one.stub))
        figures = self._all if stub == _ALL else self._figures.get(stub) or _Figures()
        return Asked(figures.count, figures.at_once, figures.connections, kept)

    @property
    def unmatched(self) -> int:
        """How many calls no stub answered."""
        return self._figures[""].count if "" in self._figures else 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The calls that are kept."""
        return tuple(self._kept)


def _size(call: Call) -> int:
    return len(call.body) + len(call.path) + len(call.query)
