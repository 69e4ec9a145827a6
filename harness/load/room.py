"""How many visits of an open load may be under way at once, and what waited for room."""

from __future__ import annotations

from harness.histogram import Histogram


class Room:
    """Places for visits. An arrival that finds none waits, and that is taken down. Times in ns."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._taken = 0
        self._freed_ns = 0
        self._waited = Histogram()
        self.entered = self.not_started = 0

    @property
    def is_full(self) -> bool:
        """Whether an arrival has to wait."""
        return self._taken >= self._places

    def freed(self, now_ns: int) -> None:
        """Take down until when arrivals had to wait: whatever was due before has waited, too."""
        self._freed_ns = now_ns

    def enter(self, due_ns: int) -> None:
        """Take a place for an arrival that was due at `due_ns`."""
        self._taken += 1
        self.entered += 1
        if due_ns < self._freed_ns:
            self._waited.record(self._freed_ns - due_ns)

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1

    def turn_away(self, waited_ns: int) -> None:
        """Count an arrival that was due so long before the load ended, and was never started."""
        self.not_started += 1
        if self.is_full:  # else it was the generator that was late
            self._waited.record(waited_ns)

    def waited(self) -> Histogram:
        """Return how long arrivals waited, of those that did, since the last call."""
        waited, self._waited = self._waited, Histogram()
        return waited
