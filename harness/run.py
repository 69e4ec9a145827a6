"""A run: the parts of a plan, one after the other, into one folder, judged at the end.

    plan ─► functional tests per target ─► loads ─► gates ─► facts ─► fold ─► record, reports

Each part writes facts and judges nothing. Where a part could not give evidence, the others
still run; where the request itself makes no sense, everything stops.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import leash
from harness.baseline import file_of
from harness.demand import Load
from harness.errors import EvidenceError, HarnessError, UsageError
from harness.evidence import (
    Identity,
    Part,
    RunFolder,
    environment,
    functional_part,
    new_run_id,
    problem,
    tree_hash,
)
from harness.facts import Fact, Problem, PytestEnded, Tested
from harness.gates.coverage import measured
from harness.inventory import files
from harness.judge.whole import fold
from harness.load.drive import drive, pace_text
from harness.load.stock import run_stock
from harness.plan import Gates, Plan, Service, target_variable
from harness.ratchet import Ratchet
from harness.record import Record
from harness.render import html, text
from harness.review import Review
from harness.rig import Rig, rigged, starting
from harness.secret import redacted
from harness.target import Target, TargetKind
from harness.targets.process import Process

RUN_VARIABLE = "HARNESS_RUN"
"""Names a run that several commands share, such as the environments of one tox call."""

RECORD = "record.json"
_PYTEST_GRACE_S = 10.0
_PYTEST_END_S = 60.0  # to write reports, and coverage data
_HUNG_END_S = 2.0
_PYTEST_USAGE = 4

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run under way. `say` is told what happens; `tick` how far it is, time and again."""

    plan: Plan
    root: Path
    folder: RunFolder
    say: Say
    tick: Say
    plan_file: Path | None = None
    app: str | None = None

    @classmethod
    def begin(
        cls, plan: Plan, root: Path, reports: Path, parts: Sequence[str], say: Say, tick: Say,
        *, plan_file: Path | None = None, app: str | None = None, whole: bool = False,
    ) -> Run:  # fmt: skip
        """Make the run's folder, or join the run that `RUN_VARIABLE` names.

        A shared run is asked for every part of the plan: it is `whole`. Raises UsageError.
        """
        shared = os.environ.get(RUN_VARIABLE, "")
        now = datetime.now(UTC)
        identity = Identity(
            run_id=shared or new_run_id(now),
            started_at=now.isoformat(timespec="seconds"),
            asked=plan.parts if shared else tuple(parts),
            plan_source=plan_file.name if plan_file else "",
            environment=environment(root, tree_hash(root, _code(root))),
            pythons=plan.tests.pythons if shared and plan.tests else (),
            waivers=plan.waivers,
            whole=whole or bool(shared),
        )
        folder = RunFolder.create(reports, identity)
        _refuse_other_code(folder, identity)
        return cls(plan, root, folder, say, tick, plan_file, app)

    def functional(
        self, target: Target, paths: Sequence[str], options: Sequence[str] = (),
        *, aloud: bool = False,
    ) -> str:  # fmt: skip
        """Run the functional tests in one target and return the part's name.

        What pytest prints goes to ``logs`` in the run folder or, `aloud`, to stderr.
        """
        part = functional_part(str(target))
        self.folder.refuse_second(part)
        self.say(f"functional tests, {target}")
        module = ["pytest", *self._plugin_options(target), *options, *paths]
        argv = _plain(module)
        if code := self._measured(target):
            data = self.folder.path / "coverage"
            run = self.folder.identity.run_id
            argv = measured(module, data=data, part=part, root=self.root, files=code, run=run)
        with contextlib.ExitStack() as closing:
            log = self.folder.path / "logs" / f"{part}.log"
            output = sys.stderr.buffer if aloud else closing.enter_context(log.open("wb"))
            child = leash.Child(argv, env=_environment(), cwd=self.root, output=output)
            try:
                while child.wait(1.0) is None:
                    noted = self.folder.facts()
                    facts = (*(noted.part(part) or ()), *noted.below(part))
                    if not aloud:
                        done = sum(isinstance(fact, Tested) for fact in facts)
                        self.tick(f"functional tests, {target}: {done} done")
                    if any(isinstance(fact, PytestEnded) for fact in noted.part(part) or ()):
                        child.wait(_HUNG_END_S if _is_hung(facts) else _PYTEST_END_S)
                        break
            finally:
                status = child.returncode
                try:
                    child.stop(_PYTEST_GRACE_S, signal.SIGINT)
                finally:
                    if not aloud:
                        self._redact(log)
        self._note_exit(part, status)
        self._raise_usage(part)
        return part

    def _measured(self, target: Target) -> Sequence[str]:
        """Return the files whose coverage this run's gates may ask for: measuring is not free.

        Of a live target, none of them runs in our process.
        """
        gates = self.plan.gates
        if gates is None or "gates" not in self.folder.identity.asked:
            return ()
        return () if target.kind is TargetKind.LIVE else Review.of(self.root, gates).files

    def _redact(self, log: Path) -> None:
        """Take the secrets out of what pytest printed, or all of it where there is no room."""
        said = log.read_bytes()
        shown = redacted(said.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if shown == said:
            return
        try:
            self.folder.write(f"logs/{log.name}", shown)
        except EvidenceError:
            log.unlink()
            raise

    def _note_exit(self, part: str, status: int | None) -> None:
        """Note that pytest's process did not end as it said that its session had."""
        facts = self.folder.facts().part(part)
        ended = next((f for f in facts or () if isinstance(f, PytestEnded)), None)
        if facts is None:
            told = f"ended with code {status} before it recorded anything"
            if status == _PYTEST_USAGE:
                told += ": a conftest.py or its configuration cannot be read"
        elif _is_hung(facts) or (ended and status == ended.exit_status):
            return
        elif ended is None:
            if any(isinstance(fact, Problem) for fact in facts):  # which says why
                return
            tests = [fact.nodeid for fact in facts if isinstance(fact, Tested)]
            at = f"in the test after {tests[-1]}" if tests else "before a test was over"
            told = f"ended with code {status} {at}"
        elif status is None:
            told = f"had not ended {_PYTEST_END_S:g} s after its tests: often a thread that goes on"
        else:
            told = f"ended with code {status}, which its tests do not explain"
        name = part if facts is None else f"{part}.failure"
        with Part(self.folder.path, name) as noted:
            noted.note(
                Problem(
                    slug="functional/pytest-crashed",
                    message=f"pytest {told}",
                    where=part,
                    next_step="see what it printed: above, or in logs/ of the run folder",
                )
            )

    def _plugin_options(self, target: Target) -> list[str]:
        given = {
            "--harness-folder": str(self.folder.path.absolute()),
            "--harness-target": target.kind.value,
            "--harness-plan": str(self.plan_file) if self.plan_file else "",
            "--harness-app": self.app or "",
            "--harness-profile": self.plan.profile,
        }
        named = [item for option, value in given.items() if value for item in (option, value)]
        named += [f"--harness-url={name}={url}" for name, url in target.urls]
        named += [f"--harness-allow-host={host}" for host in self.plan.allow_hosts]
        named += [f"--harness-writable={host}" for host in self.plan.manners.writable]
        # Fixtures, tests and the application share one loop; any async test is one.
        one_loop = [
            "--asyncio-mode=auto",
            "-o", "asyncio_default_fixture_loop_scope=session",
            "-o", "asyncio_default_test_loop_scope=session",
        ]  # fmt: skip
        return [f"--rootdir={self.root}", *one_loop, *named]

    def load(self, load: Load, target: str | None = None, *, stock: bool = False) -> str:
        """Run one load, against `target`, or the service's address in the profile.

        Without either, against the plan's service in a process of its own. `stock`: by Molotov's
        own runner, which counts visits and measures nothing.
        """
        part = f"molotov-{load.name}" if stock else f"load-{load.name}"
        drive = self._stock if stock else self._drive
        target = target or self.plan.address_of(load)
        told = f"load {load.name}: {pace_text(load)}"
        self.say(told if load.repeated is None else f"{pace_text(load)}: {load.scenarios}")
        try:
            if target is not None:
                live = self.plan.live.urls if self.plan.live else ()
                drive(load, target, _told(live))
            else:
                self._drive_own(load, part, drive)
        except UsageError:
            raise
        except HarnessError as error:
            self._note_failure(part, error)
        return part

    def _drive_own(self, load: Load, part: str, drive: Callable[..., None]) -> None:
        service = self.plan.service_of(load)
        scratch = self.folder.path / "scratch" / part
        scratch.mkdir(parents=True)
        with rigged(self.plan, self.root, scratch) as rig:
            with contextlib.ExitStack() as running:
                for one in self.plan.with_called([service]):
                    with starting(self.plan, one):
                        running.enter_context(self._process(one, part, rig))
                urls = [(name, port.url) for name, port in rig.ports.items()]
                drive(load, rig.ports[service.name].url, _told(urls))
            with Part(self.folder.path, f"{part}.standins") as noted:
                noted.note(*rig.facts(load.scenarios))

    def _process(self, service: Service, part: str, rig: Rig) -> Process:
        return Process(
            service, port=rig.ports[service.name], part=f"{part}.service-{service.name}",
            root=self.root, folder=self.folder.path, env=rig.environment_of(service),
            allow_hosts=self.plan.allow_hosts, routes=rig.routes,
        )  # fmt: skip

    def _drive(self, load: Load, target: str, told: Mapping[str, str]) -> None:
        drive(
            load,
            target=target,
            folder=self.folder.path,
            root=self.root,
            env={**_environment(), **load.env, **told},
            allow_hosts=self.plan.allow_hosts,
            rebase=self.plan.rebase,
            progress=self.tick,
        )

    def _stock(self, load: Load, target: str, told: Mapping[str, str]) -> None:
        env = {**_environment(), **load.env, **told}
        run_stock(
            load, target=target, folder=self.folder.path, root=self.root, env=env,
            allow_hosts=self.plan.allow_hosts,
        )  # fmt: skip

    def gates(self, gates: Gates, ratchet: Ratchet | None = None) -> str:
        """Inspect the code and return the part's name.

        What is found is compared as `ratchet` says; else with the baseline, if there is one.
        """
        self.say(f"gates: {', '.join(gates.paths)}")
        review = Review.of(self.root, gates)
        data = self.folder.path / "coverage"
        ratchet = ratchet or Ratchet(file_of(self.plan_file, self.root), self.say)
        with Part(self.folder.path, "gates") as part:
            for noted in ratchet.inspected(review, data, self.folder.identity):
                part.note(*noted)
        return "gates"

    def whole(self) -> None:
        """Run every part of the plan."""
        plan = self.plan
        if plan.tests:
            for target in plan.tests.targets:
                self.functional(target, plan.tests.paths)
        for load in plan.loads:
            self.load(load)
        if plan.gates:
            self.gates(plan.gates)

    def _raise_usage(self, part: str) -> None:
        """Stop everything where a child found that the request makes no sense."""
        facts = self.folder.facts()
        for fact in (*(facts.part(part) or ()), *facts.below(part)):
            if isinstance(fact, Problem) and fact.exit_code == UsageError.exit_code:
                raise UsageError(
                    fact.slug, fact.message, where=fact.where, next_step=fact.next_step
                )

    def _note_failure(self, part: str, error: HarnessError) -> None:
        """Note an error that came before the part itself could."""
        facts = self.folder.facts().part(part)
        if not any(isinstance(fact, Problem) for fact in facts or ()):
            # On a full disk this fails as well; the part is without an end then.
            name = part if facts is None else f"{part}.failure"
            with contextlib.suppress(EvidenceError), Part(self.folder.path, name) as noted:
                noted.note(problem(error))


def _is_hung(facts: Sequence[Fact]) -> bool:
    """Tell whether an import or start-up hung: what is left of it may keep its process."""
    return any(isinstance(fact, Problem) and fact.slug == "target/hung" for fact in facts)


def _told(urls: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the variables by which scenarios find the services beside their target."""
    return {target_variable(name): url for name, url in urls}


def _environment() -> dict[str, str]:
    """Return our environment for a child, without what would change what is measured or loaded."""
    unwanted = ("COVERAGE_", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    return {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}


def _plain(module: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", *module]


def _refuse_other_code(folder: RunFolder, identity: Identity) -> None:
    """A run is about one state of the code: parts about another do not join it."""
    found = folder.identity
    if found.environment.tree != identity.environment.tree:
        raise UsageError(
            "evidence/other-code",
            "the code has changed since this run began",
            where=str(folder.path),
            next_step="start another run: give HARNESS_RUN another name",
        )


_CODE = (".py", ".pyw", ".toml", ".ini", ".cfg")


def _code(root: Path) -> list[str]:
    """Return the files that say what the code is; tests may write others while they run."""
    return [name for name in files(root) if name.endswith(_CODE)]


def judge(folder: RunFolder, parts: Sequence[str] | None = None) -> Record:
    """Fold a run folder into its record: of `parts`, or of all that the run was asked for."""
    return fold(folder.identity, folder.facts(), parts)


def publish(folder: RunFolder, record: Record) -> None:
    """Write a record and its reports beside the facts. Raises EvidenceError."""
    folder.write(RECORD, record.to_json())
    folder.write(html.FILE_NAME, html.render(record).encode())
    folder.write(text.FILE_NAME, text.render(record).encode())


def newest(reports: Path) -> RunFolder:
    """Return the run that `RUN_VARIABLE` names, or else the newest. Raises EvidenceError."""
    shared = os.environ.get(RUN_VARIABLE)
    if shared:
        folder = RunFolder.named(reports, shared)
        if not (folder.path / "run.json").exists():
            raise EvidenceError(
                "evidence/no-run",
                f"nothing was recorded under {RUN_VARIABLE}={shared}",
                where=str(reports),
                next_step="run the other parts in the same call: tox",
            )
        return folder
    began: dict[str, RunFolder] = {}
    for path in reports.glob("*/run.json"):
        with contextlib.suppress(EvidenceError):  # what is not a run is passed over
            folder = RunFolder(path.parent)
            began[folder.identity.started_at + folder.identity.run_id] = folder
    if not began:
        raise EvidenceError(
            "evidence/no-run",
            "there is no run to report on",
            where=str(reports),
            next_step="harness run",
        )
    return began[max(began)]
