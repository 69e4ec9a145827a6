"""The service in a process of its own, as a load or a deployment runs it.

This file is both sides: `Process` starts the child, and ``python -m harness.targets.process``
is the child, which imports the application, guards its outside calls and serves it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import msgspec

from harness import leash
from harness.errors import HarnessError, TargetError, UsageError
from harness.evidence import Facts, Part, problem
from harness.facts import Problem, Surprise
from harness.guard import Guard, OnRefused, once
from harness.plan import Service
from harness.routes import Route, Routes
from harness.target import AppPath
from harness.targets import not_stopped
from harness.targets.hang import LAST_S, STOP_S, Limits, stacks_of
from harness.targets.lifespan import Lifespan, Stage
from harness.targets.port import Port
from harness.targets.server import serve

_HUNG = 70  # EX_SOFTWARE
_MARGIN_S = 5.0


class _Job(msgspec.Struct, frozen=True):
    """What the child is told."""

    name: str
    part: str
    app: str
    root: str
    folder: str
    descriptor: int
    address: tuple[str, int]
    certificate: str
    start_s: float
    allow_hosts: tuple[str, ...]
    routes: tuple[Route, ...]
    authority: str


class Process:
    """Runs a service under Hypercorn in a child process, on `port`. `url` is its address.

    Its output goes to ``logs/NAME.log`` in the run folder, its facts to the part `part`.
    """

    def __init__(
        self, service: Service, *, port: Port, part: str, root: Path, folder: Path,
        env: Mapping[str, str], allow_hosts: tuple[str, ...] = (), routes: Routes | None = None,
    ) -> None:  # fmt: skip
        self._service = service
        self._part = part
        self._root = root
        self._folder = folder
        self._env = env
        self._allow_hosts = allow_hosts
        self._routes = routes or Routes()
        self._port = port
        self.url = port.url
        self.log = folder / "logs" / f"{service.name}.log"
        self._child: leash.Child | None = None
        self._ready = False

    def __enter__(self) -> Process:
        job = _Job(
            self._service.name, self._part, str(self._service.app), str(self._root),
            str(self._folder), self._port.socket.fileno(), self._port.address,
            str(self._port.certificate or ""), self._service.start_s, self._allow_hosts,
            *self._routes.handed_over(),
        )  # fmt: skip
        with self.log.open("ab") as output:
            self._child = leash.Child(
                [
                    sys.executable,
                    "-m",
                    "harness.targets.process",
                    msgspec.json.encode(job).decode(),
                ],
                env={**os.environ, **self._env},
                cwd=self._root,
                output=output,
                pass_fds=(self._port.socket.fileno(),),
            )
        # The child has its own copy. With ours open, a service that died would still accept.
        self._port.socket.close()
        try:
            self._wait_until_it_listens(self._child)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._ready = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._port.socket.close()
        if self._child is None:
            return
        code = self._child.returncode
        self._child.stop(STOP_S + 2 * LAST_S)
        if not self._ready:
            return
        if code is not None:
            told = f"the service {self._service.name} ended by itself, with code {code}"
            self._note(Surprise(slug="target/died", message=told, where=str(self.log)))
        elif self._child.returncode == -signal.SIGKILL:
            told = f"it had not ended {STOP_S + 2 * LAST_S:g} s after SIGTERM, and was killed"
            self._note(not_stopped(self._service.name, told, str(self.log)))

    @property
    def returncode(self) -> int | None:
        """The exit code of the child; None while it runs."""
        return self._child.returncode if self._child else None

    def _note(self, surprise: Surprise) -> None:
        with Part(self._folder, f"{self._part}.ended") as part:
            part.note(surprise)

    def _wait_until_it_listens(self, child: leash.Child) -> None:
        start_s = self._service.start_s
        deadline = time.monotonic() + 2 * start_s + _MARGIN_S  # to import it, and to start it
        while not _listens(self._port.address):
            if child.returncode is not None:
                raise self._failure(f"ended with code {child.returncode} before it listened")
            if time.monotonic() > deadline:
                raise self._failure(f"did not listen within {2 * start_s + _MARGIN_S:g} s")
            time.sleep(0.02)

    def _failure(self, said: str) -> HarnessError:
        """Prefer what the child itself noted to what can be seen from outside."""
        for fact in Facts.read(self._folder).part(self._part) or ():
            if isinstance(fact, Problem):
                kind = UsageError if fact.exit_code == UsageError.exit_code else TargetError
                return kind(fact.slug, fact.message, where=fact.where, next_step=fact.next_step)
        return TargetError(
            "target/start-up",
            f"the service {self._service.name} {said}",
            where=str(self.log),
            next_step="read that log",
        )


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def main(encoded: str) -> int:
    """Be the child: serve until told to stop."""
    leash.hold()
    faulthandler.enable()
    job = msgspec.json.decode(encoded, type=_Job)
    certificate = Path(job.certificate) if job.certificate else None
    port = Port(socket.socket(fileno=job.descriptor), job.address, certificate)
    routes = Routes(job.routes, lambda: job.authority)
    try:
        with (
            Part(Path(job.folder), job.part) as part,
            Guard(_noting(part, job.name, routes), job.allow_hosts, routes),
        ):
            _serve(job, port, part)
    except HarnessError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the service's log
        return error.exit_code
    return 0


def _serve(job: _Job, port: Port, part: Part) -> None:
    from harness.targets.app import load_app  # not above: the parent would import Quart

    limits = Limits(job.start_s, root=Path(job.root))
    app = load_app(AppPath.parse(job.app), limits)
    watch = _Watch(job.name, limits, part)
    lifespan = watch.lifespan = Lifespan(app, watch.enter)
    watch.enter(Stage.STARTING)
    try:
        asyncio.run(serve(lifespan, port, limits))
    except Exception as error:
        if not lifespan.trouble:
            raise TargetError(
                "target/start-up",
                f"the service {job.name} failed: {error}",
                where=job.name,
                next_step=f"read logs/{job.name}.log in the run folder",
            ) from error
    finally:
        watch.enter(Stage.OVER)
    if lifespan.trouble:
        part.note(not_stopped(job.name, lifespan.trouble))


class _Watch:
    """Ends this process where its start-up or shut-down hangs, and notes where it does."""

    def __init__(self, name: str, limits: Limits, part: Part) -> None:
        self.lifespan: Lifespan
        self._name = name
        self._limits = limits
        self._part = part
        self._timer = threading.Timer(0, self._expire)

    def enter(self, stage: Stage) -> None:
        """Begin a stage, and end the one before."""
        self._timer.cancel()
        limits = {Stage.STARTING: self._limits.start_s, Stage.STOPPING: self._limits.stop_s}
        if stage in limits:
            self._timer = threading.Timer(limits[stage], self._expire)
            self._timer.daemon = True
            self._timer.start()

    def _expire(self) -> None:
        stacks = stacks_of(threading.main_thread(), self.lifespan.task)
        if self.lifespan.stage is Stage.STARTING:
            what = f"the start-up of the service {self._name}"
            error = self._limits.hung(what, stacks, self._name)
            self._part.note(problem(error))
            print(error, file=sys.stderr, flush=True)  # noqa: T201 - the service's log
        else:
            said = f"it had not ended after {self._limits.stop_s:g} s"
            self._part.note(not_stopped(self._name, said, self._limits.place(stacks)))
        os._exit(_HUNG)  # what hangs would not let it end otherwise


def _noting(part: Part, name: str, routes: Routes) -> OnRefused:
    def note(host: str, port: int | None) -> None:
        part.note(
            Surprise(
                slug="guard/outside-call",
                message=f"{name} called {host}{f':{port}' if port else ''}, which was refused: "
                + routes.why_not(host, port),
                where=name,
            )
        )

    return once(note)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
