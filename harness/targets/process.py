"""The service in a process of its own, as a load or a deployment runs it.

This file is both sides: `Process` starts the child, and ``python -m harness.targets.process``
is the child, which imports the application, guards its outside calls and serves it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import msgspec
from hypercorn.asyncio import serve

from harness import leash
from harness.errors import HarnessError, TargetError, UsageError
from harness.evidence import Facts, Part
from harness.facts import Problem, Surprise
from harness.guard import Guard, OnRefused
from harness.plan import Service
from harness.target import AppPath
from harness.targets.app import load_app
from harness.targets.inproc import SHUTDOWN_S, STARTUP_S
from harness.targets.served import Port, config_of


class _Job(msgspec.Struct, frozen=True):
    """What the child is told."""

    name: str
    part: str
    app: str
    root: str
    folder: str
    descriptor: int
    allow_hosts: tuple[str, ...]


class Process:
    """Runs a service under Hypercorn in a child process, on `port`. `url` is its address.

    Its output goes to ``logs/NAME.log`` in the run folder, its facts to the part `part`.
    """

    def __init__(
        self, service: Service, *, port: Port, part: str, root: Path, folder: Path,
        env: Mapping[str, str], allow_hosts: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._service = service
        self._part = part
        self._root = root
        self._folder = folder
        self._env = env
        self._allow_hosts = allow_hosts
        self._port = port
        self.url = port.url
        self.log = folder / "logs" / f"{service.name}.log"
        self._child: leash.Child | None = None
        self._ready = False

    def __enter__(self) -> Process:
        job = _Job(
            self._service.name, self._part, str(self._service.app), str(self._root),
            str(self._folder),
            self._port.socket.fileno(), self._allow_hosts,
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
        self._child.stop(SHUTDOWN_S)
        if code is not None and self._ready:
            self._note_death(code)

    @property
    def returncode(self) -> int | None:
        """The exit code of the child; None while it runs."""
        return self._child.returncode if self._child else None

    def _note_death(self, code: int) -> None:
        """The service ended while it was being used."""
        with Part(self._folder, f"{self._part}.ended") as part:
            told = f"the service {self._service.name} ended by itself, with code {code}"
            part.note(Surprise(slug="target/died", message=told, where=str(self.log)))

    def _wait_until_it_listens(self, child: leash.Child) -> None:
        deadline = time.monotonic() + STARTUP_S + 5
        while not _listens(self._port.address):
            if child.returncode is not None:
                raise self._failure(f"ended with code {child.returncode} before it listened")
            if time.monotonic() > deadline:
                raise self._failure(f"did not listen within {STARTUP_S:.0f} s")
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
    job = msgspec.json.decode(encoded, type=_Job)
    sock = socket.socket(fileno=job.descriptor)
    try:
        with (
            Part(Path(job.folder), job.part) as part,
            Guard(_noting(part, job.name), job.allow_hosts),
        ):
            _serve(job, sock)
    except HarnessError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the service's log
        return error.exit_code
    return 0


def _serve(job: _Job, sock: socket.socket) -> None:
    app = load_app(AppPath.parse(job.app), Path(job.root))
    config = config_of(sock)
    sock.detach()
    try:
        asyncio.run(serve(app, config))  # type: ignore[arg-type]  # an ASGI callable
    except Exception as error:
        raise TargetError(
            "target/start-up",
            f"the service {job.name} failed: {error}",
            where=job.name,
            next_step=f"read logs/{job.name}.log in the run folder",
        ) from error


def _noting(part: Part, name: str) -> OnRefused:
    """Note each outside host once: under load there may be thousands of calls to it."""
    seen: set[str] = set()
    lock = threading.Lock()

    def note(host: str, port: int | None) -> None:
        with lock:
            if host in seen:
                return
            seen.add(host)
        part.note(
            Surprise(
                slug="guard/outside-call",
                message=f"{name} called {host}{f':{port}' if port else ''}, "
                "which is outside loopback and which no stub answers; it was refused",
                where=name,
            )
        )

    return note


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
