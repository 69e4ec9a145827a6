"""Which scenario an arrival makes: by the seed and its number alone, in whichever process."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from harness.load.molotov import Scenario

_MASK = (1 << 64) - 1


class Mix:
    """Chooses scenarios by weight. Arrival number g always makes the same one."""

    def __init__(self, each: Sequence[Scenario], seed: int) -> None:
        self._each = each
        self._up_to = [*accumulate(scenario.weight for scenario in each)]
        self._state = Random(f"{seed}/mix").getrandbits(64)  # noqa: S311 - no secret

    def of(self, arrival: int) -> Scenario:
        """Return the scenario that arrival number `arrival` makes."""
        if len(self._each) == 1:
            return self._each[0]
        place = bisect_right(self._up_to, self._share(arrival) * self._up_to[-1])
        return self._each[min(place, len(self._each) - 1)]

    def _share(self, arrival: int) -> float:
        """Return number `arrival` of a sequence of random numbers from 0 to below 1.

        It is SplitMix64's, which gives each without those before it (Steele, Lea, Flood, "Fast
        Splittable Pseudorandom Number Generators", OOPSLA 2014).
        """
        z = (self._state + (arrival + 1) * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) / (1 << 53)
