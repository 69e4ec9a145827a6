"""What functional tests stand on: stand-ins, environment, guard, and the service in its target."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from harness.guard import Guard
from harness.plan import Plan
from harness.rig import Rig, environment, rigged
from harness.target import TargetKind
from harness.targets import Running
from harness.targets.app import load_app
from harness.targets.client import Exchanges
from harness.targets.inproc import Inproc
from harness.targets.served import Served


class Bench:
    """Started when it is first needed, closed once. `plan` may have no service.

    `exchanges` are those of the tests with their target, until they are taken. Scratch files
    lie in `folder`, where a process that is killed leaves them, or else where the system's do.
    """

    def __init__(
        self, plan: Plan, root: Path, target: TargetKind, folder: Path | None = None
    ) -> None:
        self.plan = plan
        self.target = target
        self.exchanges = Exchanges()
        self.rig: Rig | None = None
        self._root = root
        self._folder = folder
        self._service_is_there = False
        self._refused: list[str] = []
        self._closing = contextlib.ExitStack()

    def start(self) -> Rig:
        """Start guard and stand-ins, and set the environment. Does nothing the second time.

        Raises UsageError for stub files that cannot be read, HarnessError where a stand-in
        does not start.
        """
        if self.rig is None:
            self._closing.enter_context(Guard(self._note_refused, self.plan.allow_hosts))
            scratch = self._closing.enter_context(_scratch(self._folder))
            self.rig = self._closing.enter_context(rigged(self.plan, self._root, Path(scratch)))
            if self.plan.services:
                variables = self.rig.environment_of(self.plan.service)
                self._closing.enter_context(environment(variables))
        return self.rig

    def service(self) -> Running:
        """Import the service under test, for its target. Raises UsageError or TargetError."""
        service = self.plan.service
        app = load_app(service.app, self._root)
        self._service_is_there = True
        if self.target is TargetKind.INPROC:
            return Inproc(app, service.name)
        return Served(app, service.name)

    def check(self) -> None:
        """Raise what `service` would, where there is one and no test has asked for it."""
        if self.plan.services and not self._service_is_there:
            load_app(self.plan.service.app, self._root)

    def leftovers(self) -> list[str]:
        """Return, once, every call that was refused or that no stub answered."""
        refused, self._refused = self._refused, []
        return refused if self.rig is None else [*refused, *self.rig.standins.take_unmatched()]

    def surprises(self) -> list[str]:
        """Return the leftovers, and each stub that was selected by name and not called since."""
        if self.rig is None:
            return self.leftovers()
        unused = [
            f"the test selected the stub {name} ({stub.where}), and nothing called it"
            for name, stub in self.rig.standins.unused().items()
        ]
        return [*self.leftovers(), *unused]

    def close(self) -> None:
        """Undo everything, in reverse."""
        self._closing.close()

    def _note_refused(self, host: str, port: int | None) -> None:
        address = f"{host}:{port}" if port else host
        self._refused.append(
            f"outside call to {address}: it is not on loopback and no stub answers for it, "
            "so it was refused"
        )


def _scratch(folder: Path | None) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="scratch-" if folder else "harness-", dir=folder)
