"""Runs of a plan, or of parts of it, in a copy of its project: the same code as any other run."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.demand import Load
from harness.errors import HarnessError
from harness.evidence import Facts, Identity, RunFolder, environment, functional_part
from harness.facts import Fact
from harness.ground import Ground
from harness.judge.whole import fold
from harness.plan import Gates, Plan
from harness.record import Record
from harness.run import Run
from harness.target import Target
from harness.verdict import Finding, Outcome
from harness.waiver import Waiver


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run in the copy came to. `folder` is None where it could not even begin."""

    outcome: Outcome
    told: str
    findings: tuple[Finding, ...]
    folder: RunFolder | None = None

    @classmethod
    def of(cls, record: Record, folder: RunFolder | None) -> Trial:
        """Take over what a record says."""
        return cls(record.outcome, record.headline, tuple(record.findings), folder)

    @classmethod
    def refused(cls, error: HarnessError) -> Trial:
        """Take over an error that kept the run from beginning."""
        found = Finding(
            slug=error.slug, outcome=Outcome.UNKNOWN, where=error.where, message=error.message
        )
        return cls(Outcome.UNKNOWN, str(error.message), (found,))

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything that the run wrote down."""
        noted = self.folder.facts().by_part.values() if self.folder else ()
        return tuple(fact for facts in noted for fact in facts)


@dataclass(slots=True)
class Trials:
    """Makes runs of `plan` in a copy. `tick` is told what each is about."""

    plan: Plan
    ground: Ground
    plan_file: Path | None
    tick: Callable[[str], None]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _kept: dict[str, Trial] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], Trial]) -> Trial:
        """Return the trial `name`, made where no proof has needed it before."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def gates(self, gates: Gates) -> Trial:
        """Inspect the copy's code."""
        return self._made(("gates",), lambda run: run.gates(gates), replace(self.plan, gates=gates))

    def tests(
        self, target: Target, paths: Sequence[str], gates: Gates | None = None, *,
        whole: bool = False, waivers: Sequence[Waiver] = (),
    ) -> Trial:  # fmt: skip
        """Run tests in a target and, with `gates`, inspect what they covered."""
        parts = (functional_part(str(target)), *(("gates",) if gates else ()))

        def perform(run: Run) -> None:
            run.functional(target, paths)
            if gates:
                run.gates(gates)

        plan = replace(self.plan, gates=gates, waivers=(*self.plan.waivers, *waivers))
        return self._made(parts, perform, plan, whole=whole)

    def load(self, load: Load, plan: Plan) -> Trial:
        """Run a load against a service of `plan`."""
        return self._made((f"load-{load.name}",), lambda run: run.load(load), plan)

    def _made(
        self, parts: tuple[str, ...], perform: Callable[[Run], object], plan: Plan, *,
        whole: bool = False,
    ) -> Trial:  # fmt: skip
        self.tick(f"in the copy: {', '.join(parts)}")
        identity = Identity(
            run_id=f"trial-{next(self._numbers)}",
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            asked=parts,
            plan_source="",
            environment=environment(self.ground.root, ""),
            waivers=plan.waivers,
            whole=whole,
        )
        try:
            folder = RunFolder.create(self.ground.runs, identity)
            perform(Run(plan, self.ground.root, folder, _mute, _mute, self.plan_file))
        except HarnessError as error:
            return Trial.refused(error)
        return Trial.of(fold(identity, folder.facts()), folder)

    def of_part(self, trial: Trial, part: str) -> Trial:
        """Judge one part of a trial by itself."""
        if trial.folder is None:
            return trial
        return Trial.of(fold(trial.folder.identity, trial.folder.facts(), (part,)), trial.folder)

    def tolerating(self, trial: Trial, part: str, slug: str) -> tuple[Trial, tuple[Waiver, ...]]:
        """Judge `part` of a trial as a whole run, but for what it finds of `slug`.

        Returns the waivers for that, too: each is of one place.
        """
        if trial.folder is None:
            return trial, ()
        facts = trial.folder.facts()
        own = Facts({part: facts.part(part) or ()}, facts.unreadable)
        identity = _as_whole(trial.folder.identity, part, ())
        found = fold(identity, own).findings
        waivers = tuple(
            Waiver(slug=slug, path=_literally(one.where), reason="left out here", until=_LAST)
            for one in found
            if one.slug == slug
        )
        judged = fold(_as_whole(identity, part, waivers), own)
        return Trial.of(judged, trial.folder), waivers

    def without(self, trial: Trial, name: str, *, last_lines: int) -> Trial:
        """Judge a trial again of which a file lacks its last lines or, with 0, is gone."""
        if trial.folder is None:
            return trial
        place = self.ground.runs / f"damaged-{next(self._numbers)}"
        shutil.copytree(trial.folder.path, place)
        path = place / name
        if last_lines:
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-last_lines]))
        else:
            path.unlink()
        folder = RunFolder(place)
        return Trial.of(fold(folder.identity, folder.facts()), folder)


def _mute(line: str) -> None:
    """Say nothing: what happens in the copy is told by its facts."""


_LAST = datetime.max.date()


def _as_whole(identity: Identity, part: str, waivers: Sequence[Waiver]) -> Identity:
    """Return who a run of `part` alone, as a whole, would be."""
    waivers = (*identity.waivers, *waivers)
    return msgspec.structs.replace(identity, asked=(part,), waivers=waivers, whole=True)


def _literally(text: str) -> str:
    """Write a place as a pattern that matches it alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)


def plan_in(ground: Ground, plan_file: Path | None) -> Path | None:
    """Return the copy's own plan or, of a plan that is not in the project, that one."""
    if plan_file is None:
        return None
    copy = ground.root / os.path.relpath(plan_file, ground.origin)
    inside = Path(os.path.abspath(copy)).is_relative_to(ground.root)
    return copy if inside and copy.exists() else plan_file
