"""The plan: what a run is asked to do, read from ``harness.toml`` and checked before it starts.

Pure: paths in a plan are not looked up here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from harness.document import Document
from harness.errors import PlanError, UsageError, nearest
from harness.objective import Family, Objective, parse_objective
from harness.pace import Pace, parse_pace
from harness.target import AppPath, Target, parse_targets

DEFAULT_LIMITS = ("complexity.max <= 15", "security.high == 0", "security.medium == 0")
"""Without limits in a plan: NIST SP 500-235's upper bound for complexity, and no serious issue."""

DEFAULT_OBJECTIVE = "failures == 0"


class _Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    app: str
    env: dict[str, str] = {}


class _StandIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str
    stubs: tuple[str, ...]
    default: tuple[str, ...] = ()


class _Tests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ("inproc",)


class _Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scenarios: str
    pace: str
    service: str = ""
    objectives: tuple[str, ...] = ()
    processes: int = 1


class _Gates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paths: tuple[str, ...]
    limits: tuple[str, ...] = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Service:
    """An application and its environment, in which ``{weather.url}`` stands for an address."""

    name: str
    app: AppPath
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StandIn:
    """What stands in for the outside service at `origin`; `default` names stubs of its files."""

    name: str
    origin: str
    stubs: tuple[str, ...]
    default: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tests:
    """Where the functional tests are, and in which targets they run."""

    paths: tuple[str, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """A scenario file, its pace and its objectives, and the service it is for (empty: the first).

    The rest are Molotov's options, under its command line's meanings: `max_runs` visits per
    worker, `single` the one scenario to run, `single_run` each scenario once per worker,
    `delay_s` a pause after each visit, `ramp_up_s` over which the workers start, `extensions`
    files or modules to import first. `env` is added to what the scenarios find.
    """

    name: str
    scenarios: str
    pace: Pace
    objectives: tuple[Objective, ...]
    processes: int = 1
    service: str = ""
    max_runs: int | None = None
    single: str | None = None
    single_run: bool = False
    stop_at_failure: bool = False
    delay_s: float = 0.0
    ramp_up_s: float = 0.0
    seed: int = 0
    extensions: tuple[str, ...] = ()
    verbose: int = 0
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gates:
    """The code to inspect, and the limits that it must keep to."""

    paths: tuple[str, ...]
    limits: tuple[Objective, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run is asked to do. The first service is the one under test."""

    services: tuple[Service, ...] = ()
    standins: tuple[StandIn, ...] = ()
    tests: Tests | None = None
    loads: tuple[Load, ...] = ()
    gates: Gates | None = None
    allow_hosts: tuple[str, ...] = ()
    rebase: tuple[str, ...] = ()

    @property
    def service(self) -> Service:
        """The service under test. Raises UsageError where the plan has none."""
        if not self.services:
            raise UsageError(
                "plan/no-service",
                "there is no service to test",
                next_step="name one with --app module:attr, or as [services.NAME] in harness.toml",
            )
        return self.services[0]

    def with_app(self, app: AppPath) -> Plan:
        """Return this plan with another application for its service under test."""
        first = self.services[0] if self.services else Service("app", app)
        return replace(self, services=(replace(first, app=app), *self.services[1:]))

    def named(self, name: str) -> Service:
        """Return a service by its name. Raises UsageError."""
        for service in self.services:
            if service.name == name:
                return service
        raise UsageError(
            "plan/no-such-service",
            f"the plan has no service {name!r}",
            next_step=nearest(name, [service.name for service in self.services]),
        )

    def called_by(self, service: Service) -> tuple[Service, ...]:
        """Return the services whose addresses `service` is told, and theirs in turn.

        A service that is told its own address, directly or by way of others, is among them.
        """
        found: dict[str, Service] = {}
        left = [service]
        while left:
            told = " ".join(left.pop().env.values())
            for other in self.services:
                if f"{{{other.name}.url}}" in told and other.name not in found:
                    found[other.name] = other
                    left.append(other)
        return tuple(found.values())

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that a whole run of this plan has, by the names of their files of facts."""
        targets = self.tests.targets if self.tests else ()
        return (
            *(f"functional-{target}" for target in targets),
            *(f"load-{load.name}" for load in self.loads),
            *(("gates",) if self.gates else ()),
        )


def load_of(
    name: str, scenarios: str, pace: Pace, objectives: tuple[str, ...], processes: int = 1
) -> Load:
    """Make a load. Unless an objective speaks of failures, none is tolerated."""
    parsed = tuple(parse_objective(text, Family.LOAD) for text in objectives)
    if not any(objective.indicator in ("failures", "completed") for objective in parsed):
        parsed = (parse_objective(DEFAULT_OBJECTIVE, Family.LOAD), *parsed)
    return Load(name, scenarios, pace, parsed, processes)


def gates_of(paths: tuple[str, ...], limits: tuple[str, ...] = DEFAULT_LIMITS) -> Gates:
    """Make the gates' share of a plan."""
    return Gates(paths, tuple(parse_objective(text, Family.GATE) for text in limits))


_SECTIONS = ("allow_hosts", "rebase", "services", "standins", "tests", "load", "gates")


def parse_plan(text: str, source: str) -> Plan:
    """Read a plan. Raises PlanError, which names the line, what was found and what is known."""
    document = Document(text, source)
    if not document.tables:
        raise PlanError(
            "plan/empty", "the plan is empty", where=source,
            next_step="name a service: [services.NAME] with app = 'module:attr'",
        )  # fmt: skip
    for key in document.tables:
        if key not in _SECTIONS:
            raise document.error(
                "plan/unknown-key",
                f"unknown key {key!r} in the top level",
                [key],
                nearest(key, _SECTIONS),
            )
    return _Reader(document).plan()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the tables of one document into a plan."""

    document: Document

    def plan(self) -> Plan:
        plan = Plan(
            services=self._named("services", self._service),
            standins=self._named("standins", self._standin),
            tests=self._tests(),
            loads=self._named("load", self._load),
            gates=self._gates(),
            allow_hosts=self._strings("allow_hosts"),
            rebase=self._strings("rebase"),
        )
        for service in plan.services:
            self._check_env(service, plan)
        for load in plan.loads:
            if load.service:
                self._parsed(["load", load.name, "service"], partial(plan.named, load.service))
        shared = {one.name for one in plan.services} & {one.name for one in plan.standins}
        if shared:
            name = min(shared)
            raise self.document.error(
                "plan/name",
                f"{name!r} is a service and a stand-in: {{{name}.url}} would mean both",
                ["standins", name],
                "give the stand-in another name",
            )
        self._refuse_twins(plan)
        if (plan.tests or plan.loads) and not plan.services:
            raise self.document.error(
                "plan/no-service", "there are tests or loads, but no [services.NAME]", []
            )
        return plan

    def _refuse_twins(self, plan: Plan) -> None:
        """Refuse services that scenarios could not tell apart."""
        told: dict[str, str] = {}
        for service in plan.services:
            variable = target_variable(service.name)
            if told.setdefault(variable, service.name) != service.name:
                raise self.document.error(
                    "plan/name",
                    f"{told[variable]!r} and {service.name!r} would both be {variable}",
                    ["services", service.name],
                    "give one of them another name",
                )

    def _named(self, section: str, make: Callable[[str, Any], Any]) -> tuple[Any, ...]:
        tables = self.document.tables.get(section, {})
        if not isinstance(tables, dict):
            raise self.document.error("plan/wrong-type", f"{section} must be a table", [section])
        for name in tables:
            if not _NAME.match(name):
                raise self.document.error(
                    "plan/name",
                    f"{name!r} cannot be a name in [{section}]",
                    [section, name],
                    "use letters, digits, '-' and '_': names become parts of files' names",
                )
        return tuple(make(name, raw) for name, raw in tables.items())

    def _strings(self, key: str) -> tuple[str, ...]:
        raw = self.document.tables.get(key, [])
        return self.document.read(raw, tuple[str, ...], [key])

    def _service(self, name: str, raw: Any) -> Service:
        path = ["services", name]
        found = self.document.read(raw, _Service, path)
        app = self._parsed([*path, "app"], lambda: AppPath.parse(found.app))
        return Service(name, app, found.env)

    def _standin(self, name: str, raw: Any) -> StandIn:
        path = ["standins", name]
        found = self.document.read(raw, _StandIn, path)
        try:
            parts = urlsplit(found.origin)
        except ValueError:  # of brackets that do not match
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise self.document.error(
                "plan/origin",
                f"cannot read the origin {found.origin!r}",
                [*path, "origin"],
                "write scheme and host, as in 'https://api.example.org'",
            )
        return StandIn(name, found.origin.rstrip("/"), found.stubs, found.default)

    def _tests(self) -> Tests | None:
        if "tests" not in self.document.tables:
            return None
        found = self.document.read(self.document.tables["tests"], _Tests, ["tests"])
        first = next(iter(self.document.tables.get("services", {})), "")
        targets = self._parsed(["tests", "targets"], lambda: parse_targets(found.targets, first))
        self._not_empty(found.paths, ["tests", "paths"])
        self._not_empty(targets, ["tests", "targets"])
        return Tests(found.paths, targets)

    def _load(self, name: str, raw: Any) -> Load:
        path = ["load", name]
        found = self.document.read(raw, _Load, path)
        if found.processes < 1:
            raise self.document.error(
                "plan/wrong-type", "processes must be at least 1", [*path, "processes"]
            )
        pace = self._parsed([*path, "pace"], lambda: parse_pace(found.pace))
        made: Load = self._parsed(
            [*path, "objectives"],
            lambda: load_of(name, found.scenarios, pace, found.objectives, found.processes),
        )
        return replace(made, service=found.service)

    def _gates(self) -> Gates | None:
        if "gates" not in self.document.tables:
            return None
        found = self.document.read(self.document.tables["gates"], _Gates, ["gates"])
        self._not_empty(found.paths, ["gates", "paths"])
        self._not_empty(found.limits, ["gates", "limits"])
        made: Gates = self._parsed(["gates", "limits"], lambda: gates_of(found.paths, found.limits))
        return made

    def _not_empty(self, values: tuple[Any, ...], path: list[str]) -> None:
        if not values:
            raise self.document.error(
                "plan/nothing", f"{'.'.join(path)} is empty: it would check nothing", path
            )

    def _parsed(self, path: list[str], parse: Callable[[], Any]) -> Any:
        """Run a parser of one value and, where it fails, name the line."""
        try:
            return parse()
        except UsageError as error:
            raise self.document.error(error.slug, error.message, path, error.next_step) from None

    def _check_env(self, service: Service, plan: Plan) -> None:
        for key, value in service.env.items():
            try:
                expanded(value, placeholders(plan))
            except KeyError as error:
                raise self.document.error(
                    "plan/placeholder",
                    f"unknown placeholder {{{error.args[0]}}} in {value!r}",
                    ["services", service.name, "env", key],
                    nearest(error.args[0], placeholders(plan)),
                ) from None


def target_variable(service: str) -> str:
    """Return the variable in which scenarios find the address of a service."""
    return f"HARNESS_TARGET_{service.upper().replace('-', '_')}"


_NAME = re.compile(r"[\w-]+\Z")
_PLACEHOLDER = re.compile(r"\{([\w.-]+)\}")


def placeholders(plan: Plan) -> dict[str, str]:
    """Return every placeholder that an environment may hold, each standing for itself."""
    names = [*(one.name for one in plan.services), *(one.name for one in plan.standins)]
    return {"run": "", **{f"{name}.url": "" for name in names}}


def expanded(value: str, addresses: Mapping[str, str]) -> str:
    """Replace each ``{name.url}``. Raises KeyError for a name that `addresses` has not."""
    return _PLACEHOLDER.sub(lambda found: addresses[found[1]], value)
