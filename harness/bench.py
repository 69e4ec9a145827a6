"""What functional tests stand on: stand-ins, environment, guard, and the service in its target."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from quart import Quart

from harness.errors import HarnessError, TargetError, UsageError
from harness.guard import Guard
from harness.manners import host_of
from harness.plan import Plan, Service
from harness.refusals import Refusals
from harness.rig import Rig, environment, rigged, starting
from harness.target import Target, TargetKind
from harness.targets import Asgi, Running
from harness.targets.app import load_app, loaded_app
from harness.targets.exchange import Exchanges
from harness.targets.hang import Limits
from harness.targets.inproc import Inproc
from harness.targets.live import Live
from harness.targets.own import own_clients
from harness.targets.served import Served
from harness.targets.trace import Lines
from harness.targets.transcript import transcript, unsent
from harness.targets.turns import Turns
from harness.targets.watch import Watch

_HINT = "'harness up' starts the service again: put the address that it prints into the line"


class Bench:
    """Started when it is first needed, closed once. `plan` may have no service.

    `exchanges` are those of the tests with their target and `lines` what services in this process
    logged in them, until they are taken; `under_test` names the service of the test that is
    running, None: the plan's first. Scratch files lie in `folder`, where a process that is killed
    leaves them, or else where the system's do. Of `processes` that share the tests, each has its
    share of what a deployment may be asked.
    """

    def __init__(
        self, plan: Plan, root: Path, target: Target, folder: Path | None = None, processes: int = 1
    ) -> None:
        self.plan = plan
        self.target = target
        self.exchanges = Exchanges()
        self.lines = Lines(root)
        self.under_test: str | None = None
        self.rig: Rig | None = None
        self.watch = Watch(plan, root, target)
        self._root = root
        self._folder = folder
        self._processes = processes
        self._turns: dict[str, Turns] = {}
        self._all_served: dict[str, Served] = {}
        self._all_inproc: dict[str, Inproc] = {}
        self._all_live: dict[str, Live] = {}
        self._refusals: Refusals | None = None
        self._breaches: dict[str, None] = {}
        self._closing = contextlib.ExitStack()

    def start(self) -> Rig:
        """Start guard and stand-ins. Does nothing the second time.

        Where a run records, all of the session is the plan's, its environment, too. Raises
        UsageError for stub files that cannot be read, HarnessError where a stand-in does not
        start.
        """
        if self.rig is None:
            self._closing.enter_context(self.lines)
            self._closing.enter_context(self.watch)
            scratch = self._closing.enter_context(_scratch(self._folder))
            rig = self._closing.enter_context(rigged(self.plan, self._root, Path(scratch)))
            refusals = self._refusals = Refusals(rig.standins.context_for)
            self._closing.enter_context(refusals)
            guard = Guard(refusals.note, self.plan.allow_hosts, rig.routes, refusals)
            self._closing.enter_context(guard)
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
        variables = dict(rig.direct)
        for service in reversed(self.plan.services):  # of two values the first service's holds
            variables |= rig.environment_of(service)
        with (
            environment(variables),
            own_clients(self.exchanges, self._running_of, self.watch.apart),
        ):
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
            self.watch.ignore(self.start().ports[service.name].address[1])
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

    def _running_of(self, app: Quart) -> Running | None:
        """Return the service under test, where that is `app` and not in process."""
        name = self.under_test or self._first
        service = next((one for one in self.plan.services if one.name == name), None)
        if service is None or loaded_app(service.app) is not app:
            return None
        running = self._all_live if self.target.kind is TargetKind.LIVE else self._all_served
        if self.target.kind is TargetKind.INPROC or name not in running:
            return None
        return running[name]

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

    def not_writable(self, names: Iterable[str | None]) -> str:
        """Say of which live services the first may not be written to; empty where all may."""
        urls = [self.target.url_of(name or self._first) for name in names]
        closed = (url for url in urls if url and not self.plan.manners.lets_write(url))
        url = next(closed, None)
        return f"writes, and {host_of(url)} is not writable" if url else ""

    def turns_at(self, url: str) -> Turns | None:
        """Return whose turn it is at the host of an address; None: it may always be asked."""
        host, rate = host_of(url), self.plan.manners.rate
        if rate is None or host not in {host_of(live) for _, live in self.target.urls}:
            return None
        return self._turns.setdefault(host, Turns(self.gap_s))

    @property
    def gap_s(self) -> float:
        """The longest time between two turns at a live target, s."""
        rate = self.plan.manners.rate
        is_live = self.target.kind is TargetKind.LIVE
        return float(self._processes / rate) if rate and is_live else 0.0

    def address_of(self, name: str | None) -> str:
        """Return the address of a live service; empty for one that ends with us."""
        return self.target.url_of(name or self._first) or ""

    def dealing(self, name: str) -> tuple[Running, ...]:
        """Import, to be served, what a token is got of. Raises UsageError or TargetError."""
        if self.target.kind is TargetKind.LIVE:
            return ()
        told = " ".join(self.plan.granted(name).values.values())
        asked = [one for one in self.plan.services if f"{{{one.name}.url}}" in told]
        return tuple(self._served(one) for one in self.plan.with_called(asked))

    @property
    def _first(self) -> str:
        return self.plan.services[0].name if self.plan.services else ""

    def _live(self, name: str) -> Live:
        if name not in self._all_live:
            url = self.target.url_of(name) or ""
            writable = self.plan.manners.lets_write(url)
            live = Live(url, writable=writable, turns=self.turns_at(url))
            self._all_live[name] = live
            live.wire = self.watch.answers(live.wire, name)
        return self._all_live[name]

    def _served(self, service: Service) -> Served:
        if service.name not in self._all_served:
            rig = self.start()
            app = self._unshared(service, rig)
            served = self._all_served[service.name] = Served(
                app, service.name, rig.ports[service.name], self._limits(service), self.watch,
                note=self._note_breach,
            )  # fmt: skip
            served.wire = self.watch.answers(served.wire, service.name)
        return self._all_served[service.name]

    def _inproc(self, service: Service) -> Inproc:
        if service.name not in self._all_inproc:
            rig = self.start()
            app = self._unshared(service, rig)
            inproc = self._all_inproc[service.name] = Inproc(
                app,
                service.name,
                self._limits(service),
                tls=service.tls,
                url=rig.ports[service.name].url,
                note=self._note_breach,
                watch=self.watch,
            )
            inproc.wire = self.watch.answers(inproc.wire, service.name)
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
        """Return, once, every call that was refused or that no stub answered, and each breach."""
        breaches, self._breaches = self._breaches, {}
        if self.rig is None or self._refusals is None:
            return [*breaches]
        refused = [
            f"outside call to {call}: {self.rig.routes.why_not(call.host, call.port)}, "
            "so it was refused"
            for call in self._refusals.take()
        ]
        return [*dict.fromkeys(refused), *self.rig.standins.take_unmatched(), *breaches]

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

    def told(self) -> list[str]:
        """Tell, without secrets, of the exchanges that have not been taken, and what was logged."""
        hint = "" if self.target.kind is TargetKind.LIVE else _HINT
        return transcript(self.exchanges.kept, list(self.lines.kept), hint)

    def unsent(self) -> list[str]:
        """Tell which cookies the exchanges that have not been taken went without, and why."""
        return unsent(self.exchanges.kept)

    def forget(self) -> None:
        """Forget what was said and logged so far: it was not in the test that begins."""
        self.exchanges.take()
        self.exchanges.take_apart()
        self.lines.take()

    def close(self) -> None:
        """Undo everything, in reverse."""
        self._closing.close()

    def _note_breach(self, breach: TargetError) -> None:
        """Take down that an application broke a rule of ASGI: once, however many requests did."""
        self._breaches[str(breach)] = None


def _scratch(folder: Path | None) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="scratch-" if folder else "harness-", dir=folder)
