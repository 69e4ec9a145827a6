"""What would keep a run of a plan from its evidence here: small checks, one after the other.

Code of the project is imported in processes of its own, with a time limit. This file is both
sides: ``python -m harness.checkup JOB`` is such a process.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from packaging.requirements import Requirement

from harness import leash, matrix, tox, workflow
from harness.demand import Load
from harness.errors import HarnessError, UsageError
from harness.evidence import environment, problem
from harness.facts import Problem
from harness.grant import Grant
from harness.guard import Guard
from harness.inventory import python_files
from harness.load.address import Addresses
from harness.load.molotov import load as load_scenarios
from harness.openapi import read
from harness.plan import Plan, Service, StandIn, target_variable
from harness.rig import Rig, rigged
from harness.routes import Route, Routes
from harness.target import AppPath, TargetKind
from harness.targets.app import load_app
from harness.targets.hang import Limits
from harness.trap import Trap

LIMIT_S = 60.0
"""How long an import may take, or the collection of the tests."""

_CONNECT_S = 3.0
_MARGIN_S = 5.0
_DISTRIBUTION = "quart-harness"


class Mark(StrEnum):
    """What a check is worth: a note keeps nobody from anything."""

    OK = "ok"
    PROBLEM = "problem"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found and, of a problem, what to do. `exit_code` as in `errors`."""

    mark: Mark
    told: str
    next_step: str = ""
    exit_code: int = 0


def _ok(told: str) -> Check:
    return Check(Mark.OK, told)


def _note(told: str) -> Check:
    return Check(Mark.NOTE, told)


def _problem(told: str, next_step: str = "", exit_code: int = 2) -> Check:
    return Check(Mark.PROBLEM, told, next_step, exit_code)


def _of(error: HarnessError | Problem, about: str = "", exit_code: int = 2) -> Check:
    where = f"{error.where}: " if error.where else ""
    told = f"{about}{where}{error.message} ({error.slug})"
    return _problem(told, error.next_step, exit_code)


def surroundings(root: Path, reports: Path) -> Iterator[Check]:
    """Check what needs no plan: Python, packages, the folder for reports, CI."""
    here = environment(root, "")
    packages = ", ".join(f"{name} {version}" for name, version in here.packages.items())
    yield _ok(f"Python {here.python} on {here.platform}; {packages}")
    if not hasattr(os, "fork"):
        yield _problem("this system cannot fork, which loads need", "use Linux or macOS")
    yield from _packages()
    yield _reports(reports)
    yield _note("CI is set" if os.environ.get("CI") else "CI is not set")
    if os.environ.get("HARNESS_RUN"):
        yield _note(f"HARNESS_RUN is set: commands join the run {os.environ['HARNESS_RUN']}")


def _packages() -> Iterator[Check]:
    for text in metadata.requires(_DISTRIBUTION) or ():
        needed = Requirement(text)
        version = _version(needed.name)
        extra = re.search(r"extra == [\"'](.+?)[\"']", str(needed.marker or ""))
        if extra:
            if version is None:
                told = f"{needed.name} is not installed, which the extra {extra[1]} has"
                yield _note(f"{told}: pip install '{_DISTRIBUTION}[{extra[1]}]'")
        elif version is None or not needed.specifier.contains(version, prereleases=True):
            step = f"pip install '{needed.name}{needed.specifier}'"
            yield _problem(f"{needed.name} is {version or 'missing'}", step)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _reports(reports: Path) -> Check:
    existing = next(path for path in (reports, *reports.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return _problem(f"{existing}: no run can be written there", "--reports DIR")
    return _ok(f"runs are kept in {reports}")


def orchestrated(root: Path, plan: Plan | None = None) -> Iterator[Check]:
    """Check the tox file and the workflows: where something is green that was not checked."""
    try:
        found = matrix.read(root)
    except HarnessError as error:
        yield _of(error)
        return
    if found is None:
        yield _note("there is no tox file; 'harness run' needs none")
        yield from _trapped(workflow.traps(root, tox_judges=False))
        return
    judging = [name for name in found.names if tox.calls_of(found, name)]
    reporting = [name for name in judging if tox.reports(found, name)]
    traps = [
        *tox.traps(found, os.environ, _has_python),
        *tox.of_plan(found, plan or Plan(), root, os.environ),
    ]
    is_well = judging and not any(trap.grave for trap in traps)
    calls = f"environments that call the harness: {len(judging)} of {len(found.names)}"
    yield Check(Mark.OK if is_well else Mark.NOTE, f"{found.file}: {calls}")
    yield from _trapped([*traps, *workflow.traps(root, bool(judging), reporting)])


def _trapped(traps: Iterable[Trap]) -> Iterator[Check]:
    for trap in sorted(traps, key=lambda trap: not trap.grave):
        mark, code = (Mark.PROBLEM, 2) if trap.grave else (Mark.NOTE, 0)
        yield Check(mark, f"{trap.where}: {trap.told} ({trap.slug})", trap.next_step, code)


def _has_python(version: str) -> bool:
    """Tell whether a Python can be started: a name on the path may be a shim that cannot."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return True
    path = shutil.which(f"python{version}")
    if path is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603 - found on the path, fixed arguments, no shell
            [path, "-c", ""], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def of_plan(plan: Plan, root: Path) -> Iterator[Check]:
    """Check everything that a run of the plan needs."""
    described: tuple[Service | StandIn, ...] = (*plan.services, *plan.standins)
    for one in described:
        if one.openapi:
            yield _document(one.name, root, one.openapi)
    started: list[Service | Grant] = [*(plan.services if plan.live is None else ()), *plan.tokens]
    unset = [check for one in started for check in _variables(one)]
    yield from unset
    if plan.gates:
        yield _inspected(root, plan.gates.paths)
        yield from _coverage(plan)
    for name, url in plan.live.urls if plan.live else ():
        yield _address(name, url)
    with contextlib.ExitStack() as running:
        scratch = running.enter_context(tempfile.TemporaryDirectory(prefix="harness-doctor-"))
        try:
            rig = running.enter_context(rigged(plan, root, Path(scratch)))
        except HarnessError as error:
            yield _of(error, exit_code=error.exit_code)
            return
        except OSError as error:
            yield _problem(f"loopback cannot be used: {error}")
            return
        yield _ok("stand-ins and ports on loopback")
        if not unset:
            yield from _imports(plan, root, rig.at(dict(plan.live.urls) if plan.live else {}))


def _document(name: str, root: Path, path: str) -> Check:
    try:
        read(root, path)
    except UsageError as error:
        return _of(error, exit_code=error.exit_code)
    return _ok(f"{name}: {path} is an OpenAPI document")


def _variables(holder: Service | Grant) -> Iterator[Check]:
    for variable in holder.variables:
        try:
            variable.value()
        except UsageError as error:
            yield _of(error)


def _coverage(plan: Plan) -> Iterator[Check]:
    """Find limits on coverage that no functional test of the run can measure."""
    limits = plan.gates.limits if plan.gates else ()
    asked = [one.text for one in limits if one.indicator.startswith("coverage.")]
    targets = plan.tests.targets if plan.tests else ()
    shared = bool(os.environ.get("HARNESS_RUN"))  # others may measure it for the same run
    if asked and not shared and all(target.kind is TargetKind.LIVE for target in targets):
        told = f"{asked[0]}: only tests in process or served measure coverage, and none are asked"
        step = "run the parts by themselves, harness test and harness load, or leave that limit out"
        yield _problem(f"{told} (coverage/no-data)", step)


def _inspected(root: Path, paths: tuple[str, ...]) -> Check:
    try:
        found = python_files(root, paths)
    except UsageError as error:
        return _of(error)
    if not found:
        return _problem(f"gates: there is no Python in {', '.join(paths)}", "correct gates.paths")
    return _ok(f"gates: {len(found)} files")


def _address(name: str, url: str) -> Check:
    """Connect to a live target, and send nothing."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_S).close()
    except OSError as error:
        return _problem(f"{name}: nothing answers at {url}: {error.strerror or error}", "start it")
    return _ok(f"{name}: something answers at {url}")


def _imports(plan: Plan, root: Path, rig: Rig) -> Iterator[Check]:
    """Import applications, tests and scenarios, each in the environment that a run gives it."""
    env = dict(os.environ)
    for service in () if plan.live else plan.services:
        own = {**os.environ, **rig.environment_of(service)}
        yield imported(
            "app", str(service.app), root, own, plan.allow_hosts, service.start_s, rig.routes
        )
    for service in reversed(plan.services):
        env |= rig.environment_of(service)
    for one in plan.loads:
        try:
            told = _told(plan, one, rig)
        except UsageError as error:
            yield _of(error)
        else:
            yield imported("scenarios", one.scenarios, root, {**env, **told}, plan.allow_hosts)
    if plan.tests:
        yield collected(plan.tests.paths, root, env)


def _told(plan: Plan, load: Load, rig: Rig) -> dict[str, str]:
    target = plan.address_of(load) or rig.ports[plan.service_of(load).name].url
    urls = {name: port.url for name, port in rig.ports.items()} | dict(rig.elsewhere)
    return {"HARNESS_TARGET": target, **{target_variable(name): url for name, url in urls.items()}}


class _Job(msgspec.Struct, frozen=True):
    """What is to be imported, and the descriptor that takes the Problem, where there is one."""

    kind: Literal["app", "scenarios"]
    name: str
    root: str
    descriptor: int
    allow_hosts: tuple[str, ...]
    limit_s: float
    routes: tuple[Route, ...]
    authority: str


def imported(
    kind: Literal["app", "scenarios"], name: str, root: Path, env: Mapping[str, str],
    allow_hosts: tuple[str, ...] = (), limit_s: float = LIMIT_S,
    routes: Routes | None = None,
) -> Check:  # fmt: skip
    """Import an application or a scenario file in a process of its own."""
    with tempfile.TemporaryFile() as answer:
        handed_over = (routes or Routes()).handed_over()
        job = _Job(kind, name, str(root), answer.fileno(), allow_hosts, limit_s, *handed_over)
        argv = [sys.executable, "-m", "harness.checkup", msgspec.json.encode(job).decode()]
        # An application's import ends itself in time, and then says where it was.
        patience_s = limit_s + (_MARGIN_S if kind == "app" else 0)
        code, output = _waited(argv, root, env, patience_s, pass_fds=(answer.fileno(),))
        answer.seek(0)
        told = answer.read()
    if code is None:
        return _problem(
            f"{name}: its import had not ended after {limit_s:.0f} s: it serves, or waits",
            "put what serves below 'if __name__ == \"__main__\":'",
        )
    if not told:
        return _problem(f"{name}: its import ended the process, with code {code}: {output}")
    found = msgspec.json.decode(told, type=Problem | None)
    return _of(found) if found else _ok(f"{name} can be imported")


def collected(
    paths: tuple[str, ...], root: Path, env: Mapping[str, str], limit_s: float = LIMIT_S
) -> Check:
    """Let pytest collect the tests, and run none."""
    listed = ", ".join(paths)
    argv = [
        sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
        f"--rootdir={root}", *paths,
    ]  # fmt: skip
    code, output = _waited(argv, root, env, limit_s)
    if code == 0:
        count = re.search(r"(\d+)(/\d+)? tests? collected", output)
        return _ok(f"tests: {count[0] if count else 'collected'} in {listed}")
    if code is None:
        return _problem(f"tests: pytest had not collected {listed} after {limit_s:.0f} s")
    if code == 5:  # pytest's own: no tests were collected
        return _problem(f"tests: pytest finds no test in {listed}", "name them test_…")
    return _problem(f"tests: pytest cannot collect {listed}: {output}", "harness test")


def _waited(
    argv: list[str], root: Path, env: Mapping[str, str], limit_s: float,
    pass_fds: tuple[int, ...] = (),
) -> tuple[int | None, str]:  # fmt: skip
    """Run a command; return its exit code, None where it had to be ended, and its last line."""
    with tempfile.TemporaryFile() as output:
        child = leash.Child(argv, env=env, cwd=root, output=output, pass_fds=pass_fds)
        try:
            code = child.wait(limit_s)
        finally:
            child.stop(0)
        output.seek(0)
        lines = output.read().decode(errors="replace").split("\n")
    return code, next((line.strip() for line in reversed(lines) if line.strip()), "")


def main(encoded: str) -> int:
    """Be the child: import, write down what was raised, and end at once, whatever was started."""
    leash.hold()
    job = msgspec.json.decode(encoded, type=_Job)
    found = None
    try:
        routes = Routes(job.routes, lambda: job.authority)
        with Guard(lambda host, port: None, job.allow_hosts, routes):
            if job.kind == "app":
                load_app(AppPath.parse(job.name), Limits(job.limit_s, root=Path(job.root)))
            else:
                addresses = Addresses(
                    os.environ.get("HARNESS_TARGET", ""), allow_hosts=job.allow_hosts
                )
                load_scenarios(job.name, Path(job.root), addresses)
    except HarnessError as error:
        found = problem(error)
    os.write(job.descriptor, msgspec.json.encode(found))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
