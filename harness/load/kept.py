"""Which exchanges of a load are kept, by one generator process: few of each step."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from harness.facts import Fact, Failed, Slow
from harness.load.example import Example

FIRST_FAILURES = 5
"""How many failures of one kind are kept, of each step."""

SLOWEST = 5
"""How many of the slowest successes are kept, of each step."""

MOST_AT_ONCE = 20
"""Failures, or successes, that are put into words for one snapshot: others are for a later one."""

_NOTHING_YET = -1


@dataclass(frozen=True, slots=True)
class _Failure:
    scenario: str
    step: str | None
    kind: str
    message: str
    where: str
    example: Example | None


@dataclass(slots=True)
class _Success:
    """A slow one; `is_told`: it was written down."""

    where: str
    example: Example
    is_told: bool = False

    @property
    def took_ns(self) -> int:
        return self.example.done_ns - self.example.due_ns


class Kept:
    """The first failures of each kind and the slowest successes, by step."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._counts: Counter[tuple[str, str | None, str]] = Counter()
        self._failures: list[_Failure] = []
        self._slowest: dict[tuple[str, str], list[_Success]] = {}

    def wants(self, scenario: str, step: str | None, kind: str) -> bool:
        """Tell whether another failure of this kind is to be kept."""
        return self._counts[scenario, step, kind] < FIRST_FAILURES

    def failed(
        self, scenario: str, step: str | None, kind: str, message: str, where: str,
        example: Example | None,
    ) -> None:  # fmt: skip
        """Keep a failure."""
        self._counts[scenario, step, kind] += 1
        self._failures.append(_Failure(scenario, step, kind, message, where, example))

    def slow(self, scenario: str, step: str, where: str, example: Example) -> int:
        """Keep a slow success; return, in ns, what another has to exceed."""
        slowest = self._slowest.setdefault((scenario, step), [])
        insort(slowest, _Success(where, example), key=lambda one: one.took_ns)
        if len(slowest) > SLOWEST:
            del slowest[0]
        return slowest[0].took_ns if len(slowest) == SLOWEST else _NOTHING_YET

    def facts(self, start_ns: int, *, with_slow: bool = False, final: bool = False) -> list[Fact]:
        """Put into words what was kept since the last time; the load began at `start_ns`.

        No more than `MOST_AT_ONCE` of each sort, unless these are the `final` ones: visits wait
        meanwhile.
        """
        most = None if final else MOST_AT_ONCE
        told = self._failures[:most]
        self._failures = self._failures[len(told) :]
        found: list[Fact] = [
            Failed(
                process=self._process, scenario=one.scenario, step=one.step, kind=one.kind,
                message=one.message, where=one.where,
                exchange=one.example.in_words(start_ns) if one.example else None,
            )
            for one in told
        ]  # fmt: skip
        slow = islice(self._untold(), most if with_slow or final else 0)
        return [*found, *(self._slow(*one, start_ns) for one in slow)]

    def _untold(self) -> Iterator[tuple[str, str, _Success]]:
        for (scenario, step), slowest in self._slowest.items():
            for one in slowest:
                if not one.is_told:
                    yield scenario, step, one

    def _slow(self, scenario: str, step: str, one: _Success, start_ns: int) -> Slow:
        one.is_told = True
        return Slow(
            process=self._process, scenario=scenario, step=step, where=one.where,
            exchange=one.example.in_words(start_ns),
        )  # fmt: skip
