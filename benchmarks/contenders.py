"""The tools that make load, each of which runs for a while and says what it did, and their server.

Every tool of Python's asserts the status and decodes the JSON. The processor time of the harness is
what its generator says; in the others, scenarios take it down from their beginning to their end.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.facts import Fact
from harness.load.job import Job
from harness.snapshot import Snapshot
from harness.tally import Tally, merged

PEERS = ("molotov==2.6", "uvloop", "locust")
WORKERS = 20

BODY = '{"id": 17, "name": "widget", "price": 12.5, "tags": ["a", "b", "c"]}'
NGINX = """worker_processes 1; daemon off; pid %(folder)s/nginx.pid; error_log %(folder)s/nginx.err;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000;
 client_body_temp_path %(folder)s; proxy_temp_path %(folder)s; fastcgi_temp_path %(folder)s;
 uwsgi_temp_path %(folder)s; scgi_temp_path %(folder)s;
 server { listen 127.0.0.1:%(port)d backlog=4096;
  location / { default_type application/json; return 200 '%(body)s'; } } }
"""
CLOCK = """import time
from pathlib import Path
began = []
def begin():
    began.append(time.process_time())
def end():
    Path("took").write_text(str(time.process_time() - began[0]))
"""
SCENARIO = (
    CLOCK
    + """from molotov import scenario, setup, teardown
@setup()
async def _(worker, args):
    worker or begin()
@teardown()
def _(worker):
    worker or end()
@scenario()
async def one(session):
    async with session.get("%s") as response:
        assert response.status == 200
        body = await response.json()
        assert body["id"] == 17
"""
)
BROKEN = """from molotov import scenario
@scenario()
async def refused(session):
    async with session.get("http://127.0.0.1:1/x") as response:
        pass
@scenario()
async def disproved(session):
    async with session.get("%s") as response:
        assert response.status == 500, await response.text()
"""
LOCUST = (
    CLOCK
    + """from locust import FastHttpUser, events, task
events.test_start.add_listener(lambda **_: begin())
events.test_stop.add_listener(lambda **_: end())
class User(FastHttpUser):
    @task
    def one(self):
        response = self.client.get("/x")
        assert response.status_code == 200
        assert response.json()["id"] == 17
"""
)
SERVER = """import asyncio, sys, uvloop
BODY = sys.argv[2]
HEAD = "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: "
ANSWER = f"{HEAD}{len(BODY)}\\r\\n\\r\\n{BODY}".encode()
class Static(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.held = transport, b""
    def data_received(self, data):
        *asked, self.held = (self.held + data).split(b"\\r\\n\\r\\n")
        self.transport.write(ANSWER * len(asked))
async def main():
    server = await asyncio.get_running_loop().create_server(
        Static, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
uvloop.run(main())
"""


@dataclass(frozen=True)
class Result:
    """What one run of a tool did, and took. `cpu_s`: None where the tool does not say."""

    requests: float
    seconds: float
    cpu_s: float | None = None

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float | None:
        """Microseconds of processor time for each request."""
        return None if self.cpu_s is None else self.cpu_s / self.requests * 1e6


class Bench:
    """Runs tools against a server at `url`, for `seconds` each. `core` None: wherever."""

    def __init__(self, folder: Path, url: str, seconds: float, core: int | None, peers: Path):
        self._folder = folder
        self._url = url
        self._seconds = seconds
        self._core = core
        self._bin = peers / "bin"
        (folder / "scenario.py").write_text(SCENARIO % f"{url}/x")
        (folder / "broken.py").write_text(BROKEN % f"{url}/x")
        (folder / "locustfile.py").write_text(LOCUST)

    def tools(self) -> dict[str, Callable[[], Result]]:
        """Return the tools that are here, ours first; say how to get those that are not."""
        found: dict[str, Callable[[], Result]] = {"harness": lambda: self.harness(WORKERS)}
        found["molotov"], found["locust"] = self._molotov, self._locust
        for name, tool in (("hey", self._hey), ("wrk", self._wrk)):
            if shutil.which(name):
                found[name] = tool
            else:
                print(f"{name} is not on PATH and not compared (Debian: apt-get install {name})")
        return found

    def harness(self, workers: int) -> Result:
        """Run ours, at a closed pace. The first second is not counted: the workers come in it."""
        first, *snapshots = self._load(f"{workers} workers")
        requests = sum(tally.ok for tally in _added(snapshots) if tally.step)
        last = snapshots[-1]
        return Result(requests, last.at_s - first.at_s, last.health.cpu_s - first.health.cpu_s)

    def on_time(self, rate: int, within_us: int) -> float:
        """Return the share of the visits due at `rate` a second that began within so much of it."""
        tallies = _added(self._load(f"{rate}/s"))
        lag = sum((tally.lag for tally in tallies if tally.step is None), start=Tally("", "").lag)
        soon = sum(n for bucket, n in lag.buckets.items() if bucket <= within_us)
        return soon / (rate * self._seconds)  # what was never sent was not sent in time

    def grown(self, minutes: int, scenarios: str) -> Iterator[float]:
        """Yield the MiB that a generator at full speed has resident, after each minute."""
        job = self._job(scenarios, f"{WORKERS} workers for {minutes * 60 + 5} s")
        host = subprocess.Popen(
            _command(job), cwd=self._folder, preexec_fn=lambda: _pin(self._core),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for _ in range(minutes):
                time.sleep(60)
                children = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text()
                pages = int(Path(f"/proc/{children.split()[0]}/statm").read_text().split()[1])
                yield pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        finally:
            host.terminate()
            host.wait(30)

    def _job(self, scenarios: str, pace: str) -> Job:
        folder = tempfile.mkdtemp(dir=self._folder)
        return Job(name="bench", scenarios=scenarios, target=self._url, root=str(self._folder),
                   folder=folder, pace=pace)  # fmt: skip

    def _load(self, level: str) -> list[Snapshot]:
        job = self._job("scenario.py", f"{level} for {self._seconds} s")
        self._run(_command(job))
        snapshots = []
        for line in Path(job.folder, "load-bench.0.jsonl").read_bytes().splitlines():
            fact = msgspec.json.decode(line, type=Fact)
            if isinstance(fact, Snapshot):
                snapshots.append(fact)
        failed = sum(tally.failed for tally in _added(snapshots))
        if failed:
            raise SystemExit(f"{failed} visits or requests of the harness failed: {job.folder}")
        return snapshots

    def _molotov(self) -> Result:
        seconds = max(1, round(self._seconds))  # it takes no parts of one
        out = self._run(
            [self._bin / "molotov", "--uvloop", "-c", "-w", WORKERS, "-d", seconds, "scenario.py"]
        )
        return Result(_found(r"SUCCESSES: (\d+) \| FAILURES: 0", out), seconds, self._took())

    def _locust(self) -> Result:
        out = self._run(
            [self._bin / "locust", "-f", "locustfile.py", "--headless", "--json", "-u", WORKERS,
             "-r", 1000, "-t", f"{self._seconds:g}s", "-H", self._url, "--loglevel", "ERROR"]
        )  # fmt: skip
        ((stats,), _) = json.JSONDecoder().raw_decode(out, out.index("[\n"))
        if stats["num_failures"]:
            raise SystemExit("requests of Locust failed")
        seconds = stats["last_request_timestamp"] - stats["start_time"]
        return Result(stats["num_requests"], seconds, self._took())

    def _hey(self) -> Result:
        out = self._run(["hey", "-cpus", 1, "-z", f"{self._seconds:g}s", "-c", WORKERS, self._url])
        rate = _found(r"Requests/sec:\s+([\d.]+)", out)
        return Result(rate * self._seconds, self._seconds)

    def _wrk(self) -> Result:
        out = self._run(["wrk", "-t1", f"-c{WORKERS}", f"-d{self._seconds:g}s", self._url])
        rate = _found(r"Requests/sec:\s+([\d.]+)", out)
        return Result(rate * self._seconds, self._seconds)

    def _took(self) -> float:
        return float((self._folder / "took").read_text())

    def _run(self, command: list[Any]) -> str:
        """Run a tool on its core, and return what it said."""
        done = subprocess.run(
            [str(part) for part in command], cwd=self._folder, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT, preexec_fn=lambda: _pin(self._core),
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}")
        return done.stdout


def _added(snapshots: list[Snapshot]) -> list[Tally]:
    return [*merged(one.tally() for each in snapshots for one in each.tallies).values()]


def _command(job: Job) -> list[str]:
    return [sys.executable, "-m", "harness.load.host", msgspec.json.encode(job).decode()]


def _found(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"no {pattern!r} in:\n{text[-2000:]}")
    return float(found[1])


def _pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def taken(core: int | None) -> float:
    """Return the share of a core that others have now."""
    probe = "import time; a = time.perf_counter(), time.process_time()\n" \
            "while time.perf_counter() < a[0] + 0.1: pass\n" \
            "print((time.process_time() - a[1]) / (time.perf_counter() - a[0]))"  # fmt: skip
    command = [sys.executable, "-c", probe]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, preexec_fn=lambda: _pin(core), check=True
    )
    return 1 - float(done.stdout)


def cores() -> tuple[int, int] | tuple[None, None]:
    """Return a core for the server and one for the generators, where there are two."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


@contextmanager
def server(folder: Path, core: int | None) -> Iterator[str]:
    """Serve one answer; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-c", SERVER, str(port), BODY]
    if nginx := shutil.which("nginx"):
        (folder / "nginx.conf").write_text(NGINX % {"folder": folder, "port": port, "body": BODY})
        command = [nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.err")]
    else:
        print("nginx is not here (apt-get install nginx): a static server on uvloop instead,")
        print("which is slower: the fastest tools may be limited by it")
    process = subprocess.Popen(command, preexec_fn=lambda: _pin(core), stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            time.sleep(0.05)
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def install(folder: Path) -> Path:
    """Install the peers of Python's into an environment of their own, and return it."""
    print(f"installing {', '.join(PEERS)} ...", flush=True)
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", *PEERS], check=True)
    return folder
