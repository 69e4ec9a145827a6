"""The services of a plan as a deployment runs them: a Hypercorn each, started by its command."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from harness.plan import Plan, Service
from harness.rig import Rig, rigged

ROOT = Path(__file__).parents[1]
START_UP_S = 30


@contextlib.contextmanager
def running(plan: Plan, scratch: Path) -> Iterator[dict[str, str]]:
    """Start the plan's services and stand-ins; tell the services' addresses by their names."""
    with rigged(plan, ROOT, scratch) as rig, contextlib.ExitStack() as stack:
        for port in rig.ports.values():
            port.socket.close()
        for service in plan.services:
            stack.enter_context(started(service, rig, scratch / f"{service.name}.log"))
        for service in plan.services:
            wait_for(rig.ports[service.name].address, scratch / f"{service.name}.log")
        yield {name: port.url for name, port in rig.ports.items()}


@contextlib.contextmanager
def started(service: Service, rig: Rig, log: Path) -> Iterator[None]:
    host, port = rig.ports[service.name].address
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hypercorn", "-w0", "-b", f"{host}:{port}", str(service.app)],
            cwd=ROOT, env={**os.environ, **rig.environment_of(service)},
            stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield
    finally:
        stop(process)


def wait_for(address: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + START_UP_S
    while True:
        try:
            socket.create_connection(address, timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
