"""What a service needs around it: its stand-ins running, and an environment that names them."""

from __future__ import annotations

import contextlib
import os
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import TargetError, UsageError
from harness.facts import Fact, StubUse, Surprise
from harness.plan import Plan, Service, expanded
from harness.routes import Routes
from harness.standins.group import StandIns
from harness.targets.authority import Authority
from harness.targets.port import Port


@dataclass(frozen=True, slots=True)
class Rig:
    """A plan's stand-ins, the ports of its services, and the folder that ``{run}`` stands for.

    A port is ours before anything is imported, and nothing listens on it until its service does.
    """

    standins: StandIns
    ports: Mapping[str, Port]
    scratch: Path
    routes: Routes
    """Where calls to the stand-ins' origins lead."""
    direct: Mapping[str, str] = field(default_factory=dict)
    """The environment in which no proxy is asked for what is not to leave this machine."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """The addresses of services that somebody else started."""

    def at(self, elsewhere: Mapping[str, str]) -> Rig:
        """Return a rig some of whose services are at other addresses."""
        return replace(self, elsewhere=elsewhere)

    @property
    def addresses(self) -> dict[str, str]:
        """What each placeholder of an environment stands for."""
        urls = {name: port.url for name, port in self.ports.items()} | dict(self.elsewhere)
        services = {f"{name}.url": url for name, url in urls.items()}
        return {**self.standins.addresses(), **services, "run": str(self.scratch)}

    def environment_of(self, service: Service) -> dict[str, str]:
        """Return a service's environment with every placeholder replaced.

        Raises UsageError for a variable that is not set. Where services run elsewhere, what
        would need it is left out.
        """
        env, known = dict(service.env), self.addresses
        for variable in service.variables:
            try:
                known[f"env.{variable.name}"] = variable.value()
            except UsageError:
                if not self.elsewhere:
                    raise
                env.pop(variable.key.rpartition(".")[2], None)
        return {**self.direct, **{key: expanded(value, known) for key, value in env.items()}}

    def facts(self, where: str) -> list[Fact]:
        """Take down what the stand-ins were asked: calls that no stub answers, and uses."""
        surprises: list[Fact] = [
            Surprise(
                slug="stubs/unmatched",
                message=told if times == 1 else f"{told}\n{times} such calls",
                where=where,
            )
            for told, times in Counter(self.standins.take_unmatched()).items()
        ]
        uses = [
            StubUse(stub=name, where=stub.where, calls=calls)
            for name, (stub, calls) in self.standins.uses().items()
        ]
        return [*surprises, *uses]


@contextlib.contextmanager
def rigged(
    plan: Plan, root: Path, scratch: Path, fixed: Mapping[str, int] | None = None
) -> Iterator[Rig]:
    """Run the plan's stand-ins and keep a port for each of its services: a `fixed` or a free one.

    Where one is served over https, this process and its children trust it for as long. Raises
    UsageError for a stub file that cannot be read, or where https cannot be served, and OSError
    for a port that is taken.
    """
    wanted = fixed or {}
    with StandIns.of(plan.standins, root, wanted) as standins, contextlib.ExitStack() as closing:
        certificate = None
        if any(service.tls for service in plan.services):
            authority = closing.enter_context(Authority(scratch))
            closing.enter_context(environment(authority.variables))
            certificate = authority.certificate
        ports = {
            one.name: closing.enter_context(
                Port.bound(wanted.get(one.name, 0), certificate if one.tls else None)
            )
            for one in plan.services
        }
        routes = standins.routes()
        yield Rig(standins, ports, scratch, routes, _direct(plan, routes))


def _direct(plan: Plan, routes: Routes) -> dict[str, str]:
    """Return what keeps clients from the proxies that the environment names.

    A proxy is used only where the plan allows its host, and for no host that has a route: behind
    it, nothing could be refused or led.
    """
    proxies = urllib.request.getproxies()
    skipped = [text for text in [proxies.pop("no", "")] if text]
    if not proxies:
        return {}
    hosts = [urlsplit(url if "//" in url else f"//{url}").hostname for url in proxies.values()]
    if all(host in plan.allow_hosts for host in hosts):
        none = ",".join([*skipped, *sorted({route.host for route in routes.all})])
    else:
        none = "*"
    return {"no_proxy": none, "NO_PROXY": none}


@contextlib.contextmanager
def starting(plan: Plan, service: Service) -> Iterator[None]:
    """Say of a service that does not start with which others it stands in a circle."""
    try:
        yield
    except TargetError as error:
        others = [
            other.name
            for other in plan.called_by(service)
            if other is not service and service in plan.called_by(other)
        ]
        if others:
            circle = " and ".join([service.name, *others])
            error.next_step += (
                f"; {circle} call each other, so none of them can need another one to start"
            )
        raise


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
