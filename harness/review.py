"""A look at code: one inventory, less what the plan excludes, and each gate on what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.churn import churned
from harness.facts import Fact
from harness.gates import Gate
from harness.gates.complexity import Complexity
from harness.gates.coverage import Coverage
from harness.gates.maintainability import Maintainability
from harness.gates.security import Security
from harness.gates.suppressions import Suppressions
from harness.inspection import Exclusion, GatesBegun
from harness.inventory import parted, python_files
from harness.plan import Gates

_ALWAYS = {"maintainability", "suppressions"}
"""Gates that show something also where no limit asks for it."""


@dataclass(frozen=True, slots=True)
class Review:
    """What gates are to look at: the files that are left of `gates.paths`, and what is not."""

    root: Path
    gates: Gates
    files: tuple[str, ...]
    exclude: tuple[Exclusion, ...]

    @classmethod
    def of(cls, root: Path, gates: Gates) -> Review:
        """Take the inventory. Raises UsageError for a path that does not exist."""
        return cls(root, gates, *parted(python_files(root, gates.paths), gates.exclude))

    def facts(self, data: Path, run: str) -> Iterator[Sequence[Fact]]:
        """Yield what is asked and then what each gate finds. `data` holds coverage of `run`."""
        limits = self.gates.limits
        yield [GatesBegun(limits=tuple(limit.text for limit in limits), exclude=self.exclude)]
        asked = {limit.indicator.partition(".")[0] for limit in limits} | _ALWAYS
        for gate in _gates(data, run):
            if gate.name in asked:
                yield gate.inspect(self.root, self.gates.paths, self.files)
        yield list(churned(self.root, self.files))


def _gates(data: Path, run: str) -> tuple[Gate, ...]:
    return Complexity(), Maintainability(), Security(), Coverage(data, run), Suppressions()
