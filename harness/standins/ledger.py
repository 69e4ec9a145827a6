"""What a stand-in was asked since its stubs were selected: every call counted, the last kept."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.stub import Call

MAX_CALLS = 500
MAX_BYTES = 4 * 1024 * 1024

_ALL = ""


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
        if len(self.kept) < self.count:
            raise HarnessError(
                "standins/not-kept",
                f"of {self.count} calls the last {len(self.kept)} are kept",
                next_step="read 'count', which is exact, or 'kept'",
            )
        return self.kept


class Ledger:
    """Counts by stub, and the last calls. One thread at a time may use it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._at_once: Counter[str] = Counter()
        self._connections: Counter[str] = Counter()
        self._seen: dict[int, set[str]] = {}
        self._current: dict[int, str] = {}
        self._kept: deque[tuple[str, Call]] = deque()
        self._bytes = 0

    def began(self, call: Call, stub: str, connection: int) -> None:
        """Take down a call on a connection, and the stub that answers it; ``""``: none does."""
        seen = self._seen.setdefault(connection, set())
        for name in {_ALL, stub}:
            self._counts[name] += 1
            self._under_way[name] += 1
            self._at_once[name] = max(self._at_once[name], self._under_way[name])
            self._connections[name] += name not in seen
            seen.add(name)
        self._current[connection] = stub
        self._kept.append((stub, call))
        self._bytes += len(call.body)
        while len(self._kept) > MAX_CALLS or self._bytes > MAX_BYTES:
            self._bytes -= len(self._kept.popleft()[1].body)

    def ended(self, connection: int) -> None:
        """Take down that what a connection asked last is answered."""
        stub = self._current.pop(connection, None)
        if stub is not None:
            for name in {_ALL, stub}:
                self._under_way[name] -= 1

    def gone(self, connection: int) -> None:
        """Forget a connection, which is not heard of again."""
        self.ended(connection)
        self._seen.pop(connection, None)

    def asked(self, stub: str = _ALL) -> Asked:
        """Return what this stub was asked, or all of them and none."""
        kept = tuple(call for name, call in self._kept if stub in (_ALL, name))
        return Asked(self._counts[stub], self._at_once[stub], self._connections[stub], kept)
