"""What findings are compared with: the baseline that a project commits, or the change it makes.

All of it becomes facts of the gates' part, so a verdict can be computed again from its folder,
whatever has become of the file or of the branch.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import baseline
from harness.changes import Changes
from harness.comparison import Accepted, Baseline
from harness.errors import UsageError
from harness.evidence import Identity
from harness.facts import Fact, Surprise
from harness.gates.site import befores, sites
from harness.inspection import Block
from harness.judge.accepted import Proposal
from harness.judge.gates import tolerance_of
from harness.objective import Objective
from harness.review import Review

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Ratchet:
    """Compares a run's findings with the baseline in `file`, if it is there.

    `accept`: write what is found to the file, which needs a `reason` where that tolerates more
    than before. `new_only`: judge only what was added since the merge base with that revision.
    `say` is told what a baseline gains and loses, before it is written.
    """

    file: Path
    say: Callable[[str], None]
    accept: bool = False
    reason: str = ""
    new_only: str = ""

    def inspected(
        self, review: Review, data: Path, identity: Identity
    ) -> Iterator[Sequence[Fact]]:  # fmt: skip
        """Yield what is asked, what each gate finds and what to judge that by.

        `data` holds the run's coverage. Raises UsageError and HarnessError as the others do.
        """
        every = review.facts(data, identity.run_id)
        found = list(asked := next(every))
        yield asked
        changes = self.changes(review.root, review.files)
        for noted in every:
            found += noted
            yield noted
        yield list(self.facts(review.root, review.gates.limits, found, changes, identity))

    def changes(self, root: Path, files: Sequence[str]) -> Changes | None:
        """Return what was added to `files`, where only that is to be judged.

        Raises HarnessError where git cannot tell.
        """
        return Changes.since(root, self.new_only, files) if self.new_only else None

    def facts(
        self, root: Path, limits: Sequence[Objective], found: Sequence[Fact],
        changes: Changes | None, identity: Identity,
    ) -> Iterator[Fact]:  # fmt: skip
        """Return what to judge `found` by. Raises UsageError for a damaged baseline."""
        held = baseline.read(self.file, self._name(root))
        located = list(sites(root, found)) if held or self.accept or changes else []
        yield from located
        if changes:
            yield from _of_change(changes, found)
        if self.accept:
            yield from self._accepted(root, limits, [*found, *located], held, identity)
        elif held:
            yield held

    def _name(self, root: Path) -> str:
        return os.path.relpath(self.file, root)

    def _accepted(
        self, root: Path, limits: Sequence[Objective], known: Sequence[Fact],
        held: Baseline | None, identity: Identity,
    ) -> Iterator[Fact]:  # fmt: skip
        """Write the new baseline, or say why not; then the one before holds."""
        name = self._name(root)
        facts = (*known, held) if held else (*known,)
        proposal = tolerance_of(limits, facts).proposal(
            identity.started_at[:10], identity.environment.commit[:12], self.reason
        )
        self._tell(name, proposal)
        if held and proposal.loosens and not self.reason:
            yield held
            yield Surprise(
                slug="baseline/no-reason", where=name,
                message=f"not accepted: {len(proposal.new)} new and {len(proposal.worse)} worse "
                "findings loosen the baseline. Mend them, or say why: "
                "harness gates --accept --reason TEXT",
            )  # fmt: skip
            return
        entries = proposal.entries
        if held is None or list(held.entries) != _read_back(entries, name):
            _write(self.file, baseline.written(entries), name)
        held = baseline.read(self.file, name)
        assert held is not None
        yield held

    def _tell(self, name: str, proposal: Proposal) -> None:
        lines = list(proposal.lines())
        if not lines:
            self.say(f"{name}: nothing changes, {len(proposal.entries)} findings")
        for line in lines[:_MOST_TOLD]:
            self.say(f"{name}: {line}")
        if len(lines) > _MOST_TOLD:
            self.say(f"{name}: and {len(lines) - _MOST_TOLD} more")


def _of_change(changes: Changes, found: Iterable[Fact]) -> Iterator[Fact]:
    """Return the lines of a change and, where blocks are judged, those that there were before."""
    yield changes.fact()
    if any(isinstance(fact, Block) for fact in found):
        earlier = ((name, changes.before(name)) for name in changes.files)
        yield from befores({name: text for name, text in earlier if text is not None})


def _read_back(entries: Iterable[Accepted], name: str) -> list[Accepted]:
    return list(baseline.parsed(baseline.written(entries), name).entries)


def _write(file: Path, content: bytes, name: str) -> None:
    """Write the file whole or not at all. Raises UsageError."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise UsageError(
            "evidence/not-writable", f"the baseline cannot be written: {error.strerror}",
            where=name, next_step="make it writable",
        ) from None  # fmt: skip
