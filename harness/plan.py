"""The plan: what a run is asked to do. `manifest` reads it from ``harness.toml``.

Paths in a plan are not looked up here, and what it takes from the environment stays
``{env.NAME}`` until it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from harness.demand import Load
from harness.errors import UsageError, nearest
from harness.grant import Grant
from harness.inspection import Exclusion
from harness.manners import Manners
from harness.objective import Family, Objective, parse_objective
from harness.secret import Variable
from harness.target import AppPath, Target, TargetKind, read_url, refuse_foreign
from harness.waiver import Waiver

DEFAULT_LIMITS = ("complexity.max <= 15", "security.high == 0", "security.medium == 0")
"""Without limits in a plan: NIST SP 500-235's upper bound for complexity, and no serious issue."""


DEFAULT_WATCH = (
    "blocking.max < 100ms",
    "leaked.descriptors == 0",
    "leaked.tasks == 0",
    "leaked.sessions == 0",
    "coroutines.unawaited == 0",
    "secrets.shown == 0",
)
"""What holds beside the tests' assertions, where the plan says nothing else of it.

A loop that stands still for 100 ms is what asyncio itself calls slow (`slow_callback_duration`).
"""

START_S = 60.0
"""How long a service may take to start. Hypercorn's own default."""


@dataclass(frozen=True, slots=True)
class Service:
    """An application and its environment, in which ``{weather.url}`` stands for an address.

    `variables` are those of ours that the environment takes values from, `openapi` the path of
    the document that describes it, or empty.
    """

    name: str
    app: AppPath
    env: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    openapi: str = ""
    tls: bool = False
    start_s: float = START_S


@dataclass(frozen=True, slots=True)
class StandIn:
    """What stands in for the outside service at `origin`; `default` names stubs of its files.

    `provider` names the plan's own service that this is, if any. Its stubs are checked anew
    at least every `max_age_s`, where that is asked.
    """

    name: str
    origin: str
    stubs: tuple[str, ...]
    default: tuple[str, ...]
    openapi: str = ""
    provider: str = ""
    max_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Tests:
    """Where the functional tests are, and in which targets they run.

    `pythons` are the versions, as ``3.12``, on which a matrix is to run them in some target.
    `limits` are what the plan itself says of what no assertion sees; `error_logs`, whether
    records of level ERROR fail a test.
    """

    paths: tuple[str, ...]
    targets: tuple[Target, ...]
    pythons: tuple[str, ...] = ()
    limits: tuple[Objective, ...] = ()
    error_logs: bool = False


@dataclass(frozen=True, slots=True)
class Gates:
    """The code to inspect, the limits that it must keep to, and what is left out of it."""

    paths: tuple[str, ...]
    limits: tuple[Objective, ...]
    exclude: tuple[Exclusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """Where somebody else runs the plan's services, by name, and which hosts may be called there.

    `where` is its line. Without targets, the services are the plan's own. `rate` and `writable`,
    where they are not None, hold in place of the plan's, and so does each token.
    """

    name: str
    where: str
    allow_hosts: tuple[str, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    rate: Fraction | None = None
    writable: tuple[str, ...] | None = None
    tokens: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run is asked to do. The first service is the one under test.

    `live` has the addresses of the profile that was chosen, where that has any; `profile` is its
    name.
    """

    services: tuple[Service, ...] = ()
    standins: tuple[StandIn, ...] = ()
    tests: Tests | None = None
    loads: tuple[Load, ...] = ()
    gates: Gates | None = None
    allow_hosts: tuple[str, ...] = ()
    rebase: tuple[str, ...] = ()
    profiles: tuple[Profile, ...] = ()
    live: Target | None = None
    tokens: tuple[Grant, ...] = ()
    manners: Manners = field(default_factory=Manners)
    profile: str = field(default="", compare=False)
    waivers: tuple[Waiver, ...] = ()

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

    def service_of(self, load: Load) -> Service:
        """Return the service that a load is for. Raises UsageError."""
        return self.named(load.service) if load.service else self.service

    def called_by(self, service: Service) -> tuple[Service, ...]:
        """Return the services whose addresses `service` is told, and theirs: callees first.

        A service that is told its own address, directly or by way of others, is among them.
        """
        found: dict[str, Service] = {}
        entered: set[str] = set()

        def enter(caller: Service) -> None:
            told = " ".join(caller.env.values())
            for other in self.services:
                if f"{{{other.name}.url}}" in told and other.name not in entered:
                    entered.add(other.name)
                    enter(other)
                    found[other.name] = other

        enter(service)
        return tuple(found.values())

    def with_called(self, services: Iterable[Service]) -> tuple[Service, ...]:
        """Return `services` and those that they call, each once: callees first.

        In a circle, a service comes after the others in it.
        """
        found: dict[str, Service] = {}
        for service in services:
            others = (one for one in self.called_by(service) if one is not service)
            found |= {one.name: one for one in (*others, service) if one.name not in found}
        return tuple(found.values())

    def in_profile(self, name: str) -> Plan:
        """Return this plan as a profile has it. Raises UsageError."""
        known = {profile.name: profile for profile in self.profiles}
        if name not in known:
            raise UsageError(
                "plan/no-such-profile",
                f"the plan has no profile {name!r}",
                next_step=nearest(name, known),
            )
        profile = known[name]
        plan = replace(
            self,
            allow_hosts=(*self.allow_hosts, *profile.allow_hosts),
            tokens=tuple({one.name: one for one in (*self.tokens, *profile.tokens)}.values()),
            manners=self._manners_in(profile),
            profile=name,
        )
        if not profile.targets:
            return plan
        live = Target(TargetKind.LIVE, tuple(_addresses(profile, plan.allow_hosts)))
        tests = replace(plan.tests, targets=(live,)) if plan.tests else None
        return replace(plan, tests=tests, live=live)

    def _manners_in(self, profile: Profile) -> Manners:
        writable = self.manners.writable if profile.writable is None else profile.writable
        return Manners(profile.rate or self.manners.rate, writable)

    def granted(self, name: str) -> Grant:
        """Return what the plan says of a token. Raises UsageError."""
        known = {one.name: one for one in self.tokens}
        if name not in known:
            raise UsageError(
                "plan/no-such-token",
                f"the plan has no token {name!r}",
                next_step=f"{nearest(name, known)} Add it as [tests.tokens.{name}]",
            )
        return known[name]

    def address_of(self, load: Load) -> str | None:
        """Return the address that a load goes to; None: it goes to a service of our own.

        Raises UsageError where the profile has no address of the load's service.
        """
        if self.live is None:
            return None
        service = self.service_of(load)
        url = self.live.url_of(service.name)
        if url is None:
            raise UsageError(
                "load/no-address",
                f"the load {load.name} is for {service.name}, of which the profile has no address",
                next_step=f'add it: targets = {{ {service.name} = "https://…" }}, '
                "or name another with --target URL",
            )
        return url

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable that the plan takes a value from."""
        tokens = (*self.tokens, *(token for one in self.profiles for token in one.tokens))
        holders: tuple[Service | Profile | Grant, ...]
        holders = (*self.services, *self.profiles, *tokens)
        return tuple(variable for one in holders for variable in one.variables)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that a whole run of this plan has. Those of tests are on any Python."""
        targets = self.tests.targets if self.tests else ()
        return (
            *(f"functional-{target}" for target in targets),
            *(f"load-{load.name}" for load in self.loads),
            *(("gates",) if self.gates else ()),
        )


def excluded(path: str, reason: str, where: str) -> Exclusion:
    """Make an exclusion. Raises UsageError for one that says nothing."""
    for key, value in {"path": path, "reason": reason}.items():
        if not value.strip():
            raise UsageError(
                "plan/exclude",
                f"an exclusion makes no sense: its {key} is empty",
                next_step="name a pattern of paths, as 'vendor/*', and say why",
            )
    return Exclusion(path=path, reason=reason, where=where)


def gates_of(
    paths: tuple[str, ...],
    limits: tuple[str, ...] = DEFAULT_LIMITS,
    exclude: tuple[Exclusion, ...] = (),
) -> Gates:
    """Make the gates' share of a plan."""
    return Gates(paths, tuple(parse_objective(text, Family.GATE) for text in limits), exclude)


def watched(limits: Iterable[Objective]) -> tuple[Objective, ...]:
    """Return a plan's limits of tests, and the defaults of which none of them speaks everywhere."""
    stated = tuple(limits)
    known = {limit.indicator for limit in stated if limit.pattern is None}
    defaults = (parse_objective(text, Family.TEST) for text in DEFAULT_WATCH)
    return (*stated, *(limit for limit in defaults if limit.indicator not in known))


def target_variable(service: str) -> str:
    """Return the variable in which scenarios find the address of a service."""
    return f"HARNESS_TARGET_{service.upper().replace('-', '_')}"


def _addresses(profile: Profile, allow_hosts: Iterable[str]) -> Iterable[tuple[str, str]]:
    values = {f"env.{variable.name}": variable.value() for variable in profile.variables}
    for service, text in profile.targets.items():
        try:
            url = read_url(expanded(text, values))
            refuse_foreign(url, allow_hosts)
        except UsageError as error:
            told = f"the address of {service}: {error.message}"
            raise UsageError(
                error.slug, told, where=profile.where, next_step=error.next_step
            ) from None
        yield service, url


_PLACEHOLDER = re.compile(r"\{([\w.-]+)\}")


def placeholders(value: str) -> tuple[str, ...]:
    """Return the names between braces in a value of the plan."""
    return tuple(_PLACEHOLDER.findall(value))


def expanded(value: str, known: Mapping[str, str]) -> str:
    """Replace each ``{name}``. Raises KeyError for a name that is not known."""
    return _PLACEHOLDER.sub(lambda found: known[found[1]], value)
