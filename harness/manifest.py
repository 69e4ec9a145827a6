"""``harness.toml``, read strictly into a plan: what it cannot mean is an error with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from harness.demand import Load, load_of, warmed
from harness.document import Document
from harness.errors import PlanError, UsageError, nearest
from harness.grant import Grant
from harness.inspection import Exclusion
from harness.manners import Manners, parse_host, parse_rate
from harness.objective import Family, Objective, parse_objective
from harness.pace import parse_duration, parse_pace
from harness.plan import (
    Gates,
    Plan,
    Profile,
    Service,
    StandIn,
    Tests,
    excluded,
    gates_of,
    placeholders,
    target_variable,
)
from harness.routes import place_of
from harness.secret import Variable
from harness.table import (
    ExcludeTable,
    GatesTable,
    LoadTable,
    ProfileTable,
    ServiceTable,
    StandInTable,
    TestsTable,
    TokenTable,
    WaiverTable,
)
from harness.target import AppPath, parse_targets, read_url
from harness.template import parsed as templates_of
from harness.waiver import Waiver, checked

_SECTIONS = (
    "allow_hosts", "rebase", "services", "standins", "tests", "load", "gates", "waivers",
    "profiles",
)  # fmt: skip


def parse_plan(text: str, source: str, today: date | None = None) -> Plan:
    """Read a plan. Raises PlanError, which names the line, what was found and what is known.

    `today` is what the ends of waivers are measured from; None: the day that it is, in UTC.
    """
    document = Document(text, source)
    if not document.tables:
        raise PlanError(
            "plan/empty", "the plan is empty", where=source,
            next_step="name a service: [services.NAME] with app = 'module:attr'",
        )  # fmt: skip
    for key in document.tables:
        if key not in _SECTIONS:
            raise document.error(
                "plan/unknown-key", f"unknown key {key!r} in the top level", [key],
                nearest(key, _SECTIONS),
            )  # fmt: skip
    return _Reader(document, today or datetime.now(UTC).date()).plan()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the tables of one document into a plan."""

    document: Document
    today: date

    def plan(self) -> Plan:
        services = self._named("services", self._service)
        plan = Plan(
            services=services,
            standins=tuple(
                self._provided(one, services) for one in self._named("standins", self._standin)
            ),
            tests=self._tests(),
            loads=self._named("load", self._load),
            gates=self._gates(),
            allow_hosts=self._strings("allow_hosts"),
            rebase=self._strings("rebase"),
            profiles=self._named("profiles", self._profile),
            **self._towards_deployments(),
            waivers=self._waivers(),
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
        self._refuse_one_place(plan)
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

    def _refuse_one_place(self, plan: Plan) -> None:
        """Refuse stand-ins between which a call could not choose."""
        told: dict[tuple[str, int], str] = {}
        for standin in plan.standins:
            place = place_of(standin.origin)
            if told.setdefault(place, standin.name) != standin.name:
                raise self.document.error(
                    "plan/origin-twice",
                    f"{told[place]!r} and {standin.name!r} both stand in for {standin.origin}",
                    ["standins", standin.name, "origin"],
                    "let one stand-in have the stub files of both",
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
        found = self.document.read(raw, ServiceTable, path)
        app = self._parsed([*path, "app"], lambda: AppPath.parse(found.app))
        variables = self._variables(found.env, [*path, "env"])
        start = self._parsed([*path, "start_within"], lambda: parse_duration(found.start_within))
        return Service(name, app, found.env, variables, found.openapi, found.tls, float(start))

    def _standin(self, name: str, raw: Any) -> StandIn:
        path = ["standins", name]
        found = self.document.read(raw, StandInTable, path)
        try:
            parts = urlsplit(found.origin)
            _ = parts.port
        except ValueError:  # of brackets that do not match, or of a port that is no number
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise self.document.error(
                "plan/origin", f"cannot read the origin {found.origin!r}", [*path, "origin"],
                "write scheme and host, as in 'https://api.example.org'",
            )  # fmt: skip
        origin = found.origin.rstrip("/")
        max_age = None
        if found.max_age is not None:
            max_age = float(self._parsed([*path, "max_age"], lambda: _days(found.max_age or "")))
        return StandIn(
            name, origin, found.stubs, found.default, found.openapi, found.provider, max_age
        )

    def _provided(self, standin: StandIn, services: tuple[Service, ...]) -> StandIn:
        """Find the service of the plan that a stand-in stands in for, and its document."""
        described = {one.openapi: one.name for one in services if one.openapi}
        provider = standin.provider or described.get(standin.openapi, "")
        if not provider:
            return standin
        path = ["standins", standin.name, "provider"]
        service: Service = self._parsed(path, lambda: Plan(services).named(provider))
        return replace(standin, provider=provider, openapi=standin.openapi or service.openapi)

    def _tests(self) -> Tests | None:
        if "tests" not in self.document.tables:
            return None
        found = self.document.read(self.document.tables["tests"], TestsTable, ["tests"])
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
        limits: list[Objective] = [
            self._parsed(["tests", "limits"], partial(parse_objective, text, Family.TEST))
            for text in found.limits
        ]
        error_logs = found.error_logs == "fail"
        return Tests(found.paths, targets, found.pythons, tuple(limits), error_logs)

    def _waivers(self) -> tuple[Waiver, ...]:
        raw = self.document.tables.get("waivers", [])
        if not isinstance(raw, list):
            raise self.document.error(
                "plan/wrong-type", "waivers are tables of an array: [[waivers]]", ["waivers"]
            )
        return tuple(self._waiver(one, ["waivers", n]) for n, one in enumerate(raw))

    def _waiver(self, raw: Any, path: list[str | int]) -> Waiver:
        found = self.document.read(raw, WaiverTable, path)
        made = Waiver(
            slug=found.slug, path=found.path, reason=found.reason, until=found.until,
            where=self.document.where(path),
        )  # fmt: skip
        waiver: Waiver = self._parsed(path, partial(checked, made, self.today))
        return waiver

    def _load(self, name: str, raw: Any) -> Load:
        path = ["load", name]
        found = self.document.read(raw, LoadTable, path)
        for key in ("processes", "visits", "in_flight"):
            given: int | None = getattr(found, key)
            if given is not None and given < 1:
                raise self.document.error(
                    "plan/wrong-type", f"{key} must be at least 1", [*path, key]
                )
        pace = self._parsed([*path, "pace"], lambda: parse_pace(found.pace))
        made: Load = self._parsed(
            [*path, "objectives"],
            lambda: load_of(name, found.scenarios, pace, found.objectives, found.processes),
        )
        if found.warm_up:
            cold = made
            made = self._parsed(
                [*path, "warm_up"], lambda: warmed(cold, parse_duration(found.warm_up))
            )
        self._parsed([*path, "steps"], lambda: templates_of(found.steps))
        return replace(
            made, service=found.service, visits=found.visits, in_flight=found.in_flight,
            seed=found.seed, stop_at_failure=found.stop_at_failure,
            stop_when_lost=found.stop_when_lost, steps=found.steps,
        )  # fmt: skip

    def _gates(self) -> Gates | None:
        if "gates" not in self.document.tables:
            return None
        found = self.document.read(self.document.tables["gates"], GatesTable, ["gates"])
        self._not_empty(found.paths, ["gates", "paths"])
        self._not_empty(found.limits, ["gates", "limits"])
        raw = enumerate(found.exclude)
        exclude = tuple(self._exclusion(one, ["gates", "exclude", n]) for n, one in raw)
        parse = partial(gates_of, found.paths, found.limits, exclude)
        made: Gates = self._parsed(["gates", "limits"], parse)
        return made

    def _exclusion(self, raw: Any, path: list[str | int]) -> Exclusion:
        found = self.document.read(raw, ExcludeTable, path)
        where = self.document.where(path)
        made: Exclusion = self._parsed(path, partial(excluded, found.path, found.reason, where))
        return made

    def _not_empty(self, values: tuple[Any, ...], path: list[str]) -> None:
        if not values:
            raise self.document.error(
                "plan/nothing", f"{'.'.join(path)} is empty: it would check nothing", path
            )

    def _parsed(self, path: Sequence[str | int], parse: Callable[[], Any]) -> Any:
        """Run a parser of one value and, where it fails, name the line."""
        try:
            return parse()
        except UsageError as error:
            raise self.document.error(error.slug, error.message, path, error.next_step) from None

    def _profile(self, name: str, raw: Any) -> Profile:
        path = ["profiles", name]
        found = self.document.read(raw, ProfileTable, path)
        path.append("targets")
        for service, text in found.targets.items():
            self._refuse_placeholders(text, ["env.NAME"], [*path, service])
            if not placeholders(text):
                self._parsed([*path, service], partial(read_url, text))
        path = ["profiles", name]
        for number, host in enumerate(found.writable or ()):
            self._parsed([*path, "writable", number], partial(parse_host, host))
        return Profile(
            name, self.document.where([*path, "targets"]), found.allow_hosts, found.targets,
            self._variables(found.targets, [*path, "targets"]), self._rate(found.rate, path),
            found.writable, self._tokens(found.tokens, path),
        )  # fmt: skip

    def _towards_deployments(self) -> dict[str, Any]:
        """Return what [tests] says of how deployments are asked, and of tokens."""
        found = self.document.tables.get("tests")
        if found is None:
            return {}
        read = self.document.read(found, TestsTable, ["tests"])
        rate = self._rate(read.rate, ["tests"])
        return {"manners": Manners(rate), "tokens": self._tokens(read.tokens, ["tests"])}

    def _rate(self, text: str | None, path: list[str]) -> Any:
        return None if text is None else self._parsed([*path, "rate"], partial(parse_rate, text))

    def _tokens(self, tokens: Mapping[str, Any], path: list[str]) -> tuple[Grant, ...]:
        return tuple(self._token(one, tokens[one], [*path, "tokens", one]) for one in tokens)

    def _token(self, name: str, raw: Any, path: list[str]) -> Grant:
        found = self.document.read(raw, TokenTable, path)
        if (found.form is None) == (found.json is None):
            raise self.document.error(
                "plan/token", f"the token {name!r} has not one of form and json, but "
                + ("both" if found.form is not None else "neither"), path,
                "write what is posted for it as form = { … } or, to post JSON, json = { … }",
            )  # fmt: skip
        kind = "json" if found.form is None else "form"
        sent = found.json if found.form is None else found.form
        tables = [self.document.tables.get(one, {}) for one in ("services", "standins")]
        known = [f"{one}.url" for table in tables for one in table]
        self._refuse_placeholders(found.url, [*known, "env.NAME"], [*path, "url"])
        for key, value in (sent or {}).items():
            self._refuse_placeholders(value, [*known, "env.NAME"], [*path, kind, key])
        variables = (
            *self._variables({"url": found.url}, path),
            *self._variables(sent or {}, [*path, kind]),
        )
        where = self.document.where(path)
        return Grant(name, where, found.url, found.form or {}, found.json, found.field, variables)

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


def _days(text: str) -> int:
    """Read ``180d`` and return seconds. Raises UsageError."""
    found = re.fullmatch(r"([1-9]\d{0,4})d", text.strip(), re.ASCII)
    if found is None:
        raise UsageError(
            "plan/duration", f"cannot read the age {text!r}", next_step="write days, as in '180d'"
        )
    return int(found[1]) * 86_400


_VARIABLE = re.compile(r"env\.[A-Za-z_]\w*\Z", re.ASCII)
_NAME = re.compile(r"[\w-]+\Z")
_PYTHON = re.compile(r"3\.\d{1,2}\Z")
