"""What a service needs around it: its stand-ins running, and an environment that names them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.facts import Fact, StubUse, Surprise
from harness.plan import Plan, Service, expanded
from harness.standins.group import StandIns


@dataclass(frozen=True, slots=True)
class Rig:
    """The stand-ins of a plan, and the scratch folder that ``{run}`` stands for."""

    standins: StandIns
    scratch: Path

    def environment_of(self, service: Service) -> dict[str, str]:
        """Return a service's environment with every placeholder replaced."""
        known = {**self.standins.addresses(), "run": str(self.scratch)}
        return {key: expanded(value, known) for key, value in service.env.items()}

    def facts(self, where: str) -> list[Fact]:
        """Take down what the stand-ins were asked: calls that no stub answers, and uses."""
        surprises: list[Fact] = [
            Surprise(slug="stubs/unmatched", message=told, where=where)
            for told in self.standins.take_unmatched()
        ]
        uses = [
            StubUse(stub=name, where=stub.where, calls=calls)
            for name, (stub, calls) in self.standins.uses().items()
        ]
        return [*surprises, *uses]


@contextlib.contextmanager
def rigged(plan: Plan, root: Path, scratch: Path) -> Iterator[Rig]:
    """Run the plan's stand-ins. Raises UsageError for a stub file that cannot be read."""
    with StandIns.of(plan.standins, root) as standins:
        yield Rig(standins, scratch)


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables of this process, and put them back as they were."""
    before = {key: os.environ.get(key) for key in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
