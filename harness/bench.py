"""What functional tests stand on: stand-ins, environment, guard, and the service in its target."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from quart import Quart

from harness.errors import HarnessError, UsageError
from harness.guard import Guard
from harness.plan import Plan, Service
from harness.rig import Rig, environment, rigged, starting
from harness.target import Target, TargetKind
from harness.targets import Asgi, Running
from harness.targets.app import load_app, loaded_app
from harness.targets.client import Exchanges
from harness.targets.hang import Limits
from harness.targets.inproc import Inproc
from harness.targets.live import Live
from harness.targets.own import own_clients
from harness.targets.served import Served


class Bench:
    """Started when it is first needed, closed once. `plan` may have no service.

    `exchanges` are those of the tests with their target, until they are taken; `under_test`
    names the service of the test that is running, None: the plan's first. Scratch files lie in
    `folder`, where a process that is killed leaves them, or else where the system's do.
    """

    def __init__(self, plan: Plan, root: Path, target: Target, folder: Path | None = None) -> None:
        self.plan = plan
        self.target = target
        self.exchanges = Exchanges()
        self.under_test: str | None = None
        self.rig: Rig | None = None
        self._root = root
        self._folder = folder
        self._all_served: dict[str, Served] = {}
        self._all_inproc: dict[str, Inproc] = {}
        self._all_live: dict[str, Live] = {}
        self._refused: list[str] = []
        self._closing = contextlib.ExitStack()

    def start(self) -> Rig:
        """Start guard and stand-ins. Does nothing the second time.

        Where a run records, all of the session is the plan's, its environment, too. Raises
        UsageError for stub files that cannot be read, HarnessError where a stand-in does not
        start.
        """
        if self.rig is None:
            self._closing.enter_context(Guard(self._note_refused, self.plan.allow_hosts))
            scratch = self._closing.enter_context(_scratch(self._folder))
            rig = self._closing.enter_context(rigged(self.plan, self._root, Path(scratch)))
            self.rig = rig.at(dict(self.target.urls))
            if self._folder:
                self._closing.enter_context(self._surroundings(self.rig))
        return self.rig

    def around(self) -> contextlib.AbstractContextManager[None]:
        """Lend a test, or what serves it, its surroundings, where the session does not have them.

        In plain pytest others, such as unit tests, are in the session, and are left alone.
        """
        rig = self.start()
        return contextlib.nullcontext() if self._folder else self._surroundings(rig)

    @contextlib.contextmanager
    def _surroundings(self, rig: Rig) -> Iterator[None]:
        """Set the environment, and lead clients of the tests' own to the target."""
        variables: dict[str, str] = {}
        for service in reversed(self.plan.services):  # of two values the first service's holds
            variables |= rig.environment_of(service)
        with environment(variables), own_clients(self.exchanges, self._wire_of):
            yield

    def services(self, name: str | None = None) -> tuple[Running, ...]:
        """Import a service for its target, and those that it calls to be served beside it.

        The one under test comes last. Each is imported once, in its own environment. Raises
        UsageError or TargetError.
        """
        if self.target.kind is TargetKind.LIVE:
            return (self._live(name or self._first),)
        service = self.plan.named(name) if name else self.plan.service
        beside = self.beside(name)
        if self.target.kind is TargetKind.SERVED:
            under_test: Running = self._served(service)
        else:
            under_test = self._inproc(service)
        return (*(one for one in beside if one is not under_test), under_test)

    def beside(self, name: str | None = None) -> tuple[Running, ...]:
        """Import the services that one calls, to be served. Raises UsageError or TargetError."""
        if self.target.kind is TargetKind.LIVE:
            return ()
        service = self.plan.named(name) if name else self.plan.service
        return tuple(self._served(other) for other in self.plan.called_by(service))

    def reachable(self, name: str | None) -> tuple[Running, ...]:
        """Import what must run before a test has asked for it: a service that is not in process.

        Tests may reach it by clients of their own. Raises UsageError or TargetError.
        """
        known = bool(self.plan.services) or self.target.kind is TargetKind.LIVE
        if self.target.kind is TargetKind.INPROC or not known:
            return ()
        return () if self.missing_live(name, has_stubs=False) else self.services(name)

    def _wire_of(self, app: Quart) -> Asgi | None:
        """Return the wire of the service under test, where that is `app` and not in process."""
        name = self.under_test or self._first
        service = next((one for one in self.plan.services if one.name == name), None)
        if service is None or loaded_app(service.app) is not app:
            return None
        running = self._all_live if self.target.kind is TargetKind.LIVE else self._all_served
        if self.target.kind is TargetKind.INPROC or name not in running:
            return None
        return running[name].wire

    def is_alike(self, import_name: str, name: str | None) -> bool:
        """Tell whether a service in process is of the application that has an import name.

        Call it where no loop runs: the service is imported. What keeps it from that is told at
        the session's end.
        """
        if self.target.kind is not TargetKind.INPROC or not self.plan.services:
            return False
        with contextlib.suppress(HarnessError):
            return getattr(self.services(name)[-1].app, "import_name", "") == import_name
        return False

    def missing_live(self, name: str | None, *, has_stubs: bool) -> str:
        """Say what a test would need of a live target that is not there; empty where it is."""
        if self.target.kind is not TargetKind.LIVE:
            return ""
        if has_stubs:
            return "needs stubs, and a live deployment does not call these stand-ins"
        if self.target.url_of(name or self._first) is None:
            return f"no address of {name or self._first or 'the service under test'} was given"
        return ""

    @property
    def _first(self) -> str:
        return self.plan.services[0].name if self.plan.services else ""

    def _live(self, name: str) -> Live:
        if name not in self._all_live:
            self._all_live[name] = Live(self.target.url_of(name) or "")
        return self._all_live[name]

    def _served(self, service: Service) -> Served:
        if service.name not in self._all_served:
            rig = self.start()
            app = self._unshared(service, rig)
            self._all_served[service.name] = Served(
                app, service.name, rig.ports[service.name], self._limits(service)
            )
        return self._all_served[service.name]

    def _inproc(self, service: Service) -> Inproc:
        if service.name not in self._all_inproc:
            app = self._unshared(service, self.start())
            self._all_inproc[service.name] = Inproc(
                app, service.name, self._limits(service), tls=service.tls
            )
        return self._all_inproc[service.name]

    def _unshared(self, service: Service, rig: Rig) -> Asgi:
        """Import an application that runs nowhere else: it would be started twice, on two loops."""
        app = self._app(service, rig)
        others: list[tuple[str, Running]] = [*self._all_served.items(), *self._all_inproc.items()]
        for name, running in others:
            if running.app is app:
                raise UsageError(
                    "target/one-instance",
                    f"{service.name} is under test in process and called by others, too, "
                    "and its plan names one instance"
                    if name == service.name
                    else f"{service.name} and {name} are one instance, in one environment",
                    where=str(service.app),
                    next_step="name a factory that makes a new one, 'module:factory()'"
                    + (", or test it served" if name == service.name else ""),
                )
        return app

    def _app(self, service: Service, rig: Rig) -> Asgi:
        with environment(rig.environment_of(service)):
            return load_app(service.app, self._limits(service))

    def _limits(self, service: Service) -> Limits:
        return Limits(service.start_s, root=self._root)

    @contextlib.contextmanager
    def starting(self, running: Running) -> Iterator[None]:
        """Explain, where that can be told from the plan, why a service does not start."""
        with contextlib.ExitStack() as explaining:
            for name, one in (*self._all_served.items(), *self._all_inproc.items()):
                if one is running:
                    explaining.enter_context(starting(self.plan, self.plan.named(name)))
            yield

    def check(self) -> None:
        """Raise what `services` would, where no test has asked for the service under test."""
        is_live = self.target.kind is TargetKind.LIVE
        if self.plan.services and not (self._all_served or self._all_inproc or is_live):
            self._app(self.plan.service, self.start())

    def leftovers(self) -> list[str]:
        """Return, once, every call that was refused or that no stub answered."""
        refused, self._refused = self._refused, []
        return refused if self.rig is None else [*refused, *self.rig.standins.take_unmatched()]

    def surprises(self) -> list[str]:
        """Return the leftovers, and each stub that was selected by name and not called since."""
        if self.rig is None:
            return self.leftovers()
        unused = [
            f"the test selected the stub {name} ({stub.where}), and "
            + (f"it answered {calls} of {stub.times}" if calls else "nothing called it")
            for name, (stub, calls) in self.rig.standins.unused().items()
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
