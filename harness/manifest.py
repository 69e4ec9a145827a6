"""``harness.toml``, read strictly into a plan: what it cannot mean is an error with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from harness.document import Document
from harness.errors import PlanError, UsageError, nearest
from harness.pace import parse_duration, parse_pace
from harness.plan import (
    DEFAULT_LIMITS,
    START_S,
    Gates,
    Load,
    Plan,
    Profile,
    Service,
    StandIn,
    Tests,
    gates_of,
    load_of,
    placeholders,
    target_variable,
)
from harness.secret import Variable
from harness.target import AppPath, parse_targets, read_url


class _Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    app: str
    env: dict[str, str] = {}
    openapi: str = ""
    tls: bool = False
    start_within: str = f"{START_S:g}s"


class _StandIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str
    stubs: tuple[str, ...]
    default: tuple[str, ...] = ()
    openapi: str = ""


class _Tests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ("inproc",)
    pythons: tuple[str, ...] = ()


class _Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scenarios: str
    pace: str
    service: str = ""
    objectives: tuple[str, ...] = ()
    processes: int = 1


class _Gates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paths: tuple[str, ...]
    limits: tuple[str, ...] = DEFAULT_LIMITS


class _Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allow_hosts: tuple[str, ...] = ()
    targets: dict[str, str] = {}


_SECTIONS = (
    "allow_hosts", "rebase", "services", "standins", "tests", "load", "gates", "profiles"
)  # fmt: skip


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
            profiles=self._named("profiles", self._profile),
        )
        self._refuse_unknown_placeholders(plan)
        for profile in plan.profiles:
            for name in profile.targets:
                path = ["profiles", profile.name, "targets", name]
                self._parsed(path, partial(plan.named, name))
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
            if not _NAME.match(name) or name == "env":
                raise self.document.error(
                    "plan/name",
                    f"{name!r} cannot be a name in [{section}]",
                    [section, name],
                    "use letters, digits, '-' and '_', as in names of files; 'env' is taken",
                )
        return tuple(make(name, raw) for name, raw in tables.items())

    def _strings(self, key: str) -> tuple[str, ...]:
        raw = self.document.tables.get(key, [])
        return self.document.read(raw, tuple[str, ...], [key])

    def _service(self, name: str, raw: Any) -> Service:
        path = ["services", name]
        found = self.document.read(raw, _Service, path)
        app = self._parsed([*path, "app"], lambda: AppPath.parse(found.app))
        variables = self._variables(found.env, [*path, "env"])
        start = self._parsed([*path, "start_within"], lambda: parse_duration(found.start_within))
        return Service(name, app, found.env, variables, found.openapi, found.tls, float(start))

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
        origin = found.origin.rstrip("/")
        return StandIn(name, origin, found.stubs, found.default, found.openapi)

    def _tests(self) -> Tests | None:
        if "tests" not in self.document.tables:
            return None
        found = self.document.read(self.document.tables["tests"], _Tests, ["tests"])
        first = next(iter(self.document.tables.get("services", {})), "")
        targets = self._parsed(["tests", "targets"], lambda: parse_targets(found.targets, first))
        self._not_empty(found.paths, ["tests", "paths"])
        self._not_empty(targets, ["tests", "targets"])
        for number, python in enumerate(found.pythons):
            if not _PYTHON.match(python):
                raise self.document.error(
                    "plan/python",
                    f"{python!r} is no version of Python",
                    ["tests", "pythons", number],
                    "write major and minor, as in '3.12'",
                )
        return Tests(found.paths, targets, found.pythons)

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

    def _profile(self, name: str, raw: Any) -> Profile:
        path = ["profiles", name]
        found = self.document.read(raw, _Profile, path)
        path.append("targets")
        for service, text in found.targets.items():
            self._refuse_placeholders(text, ["env.NAME"], [*path, service])
            if not placeholders(text):
                self._parsed([*path, service], partial(read_url, text))
        variables = self._variables(found.targets, path)
        return Profile(name, self.document.where(path), found.allow_hosts, found.targets, variables)

    def _variables(self, values: Mapping[str, str], path: list[str]) -> tuple[Variable, ...]:
        """Return the variables that the values of one table are taken from."""
        return tuple(
            Variable(
                name.removeprefix("env."), ".".join([*path, key]), self.document.where([*path, key])
            )
            for key, value in values.items()
            for name in placeholders(value)
            if _VARIABLE.match(name)
        )

    def _refuse_unknown_placeholders(self, plan: Plan) -> None:
        names = [*(one.name for one in plan.services), *(one.name for one in plan.standins)]
        known = [f"{name}.url" for name in names]
        for service in plan.services:
            for key, value in service.env.items():
                path = ["services", service.name, "env", key]
                self._refuse_placeholders(value, [*known, "run", "env.NAME"], path)

    def _refuse_placeholders(self, value: str, known: Iterable[str], path: list[str]) -> None:
        for name in placeholders(value):
            if name not in known and not _VARIABLE.match(name):
                raise self.document.error(
                    "plan/placeholder",
                    f"unknown placeholder {{{name}}} in {value!r}",
                    path,
                    nearest(name, known),
                )


_VARIABLE = re.compile(r"env\.[A-Za-z_]\w*\Z", re.ASCII)
_NAME = re.compile(r"[\w-]+\Z")
_PYTHON = re.compile(r"3\.\d{1,2}\Z")
