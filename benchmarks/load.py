"""How much load one core makes: the harness beside Molotov, Locust, hey and wrk.

``python benchmarks/load.py`` installs the Python peers into an environment of their own, in a
temporary folder, and lets each tool ask one static server in turn, round by round. The server has
one core and the generator another, where there are two. Every tool of Python's asserts the status
and decodes the JSON. Nothing leaves this machine but the installation.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
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

from harness.facts import Fact, Snapshot
from harness.load.job import Job
from harness.tally import Tally, merged

PEERS = ("molotov==2.6", "uvloop", "locust")
SPREAD = 0.25
"""How far the rounds of one tool may lie apart, as a share of their median, for a conclusion."""

FEWEST = 3  # rounds for a conclusion
WANTED = {"molotov": 6.0, "locust": 5.0, "hey": 1.0, "wrk": 0.4}
MANY, MANY_WANTED = 1_000, 0.8
RATE, ON_TIME_NS, ON_TIME_WANTED = 10_000, 1_000_000, 0.99

BODY = '{"id": 17, "name": "widget", "price": 12.5, "tags": ["a", "b", "c"]}'
NGINX = """worker_processes 1; daemon off; pid %(folder)s/nginx.pid; error_log %(folder)s/nginx.err;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000;
 client_body_temp_path %(folder)s; proxy_temp_path %(folder)s; fastcgi_temp_path %(folder)s;
 uwsgi_temp_path %(folder)s; scgi_temp_path %(folder)s;
 server { listen 127.0.0.1:%(port)d backlog=4096;
  location / { default_type application/json; return 200 '%(body)s'; } } }
"""
SCENARIO = """from molotov import scenario
@scenario()
async def one(session):
    async with session.get("%s") as response:
        assert response.status == 200
        body = await response.json()
        assert body["id"] == 17
"""
LOCUST = """from locust import FastHttpUser, task
class User(FastHttpUser):
    @task
    def one(self):
        response = self.client.get("/x")
        assert response.status_code == 200
        assert response.json()["id"] == 17
"""
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


Took = tuple[float, float]


@dataclass(frozen=True)
class Result:
    """What one run of a tool did, and took: `cpu_s` is processor time, its start included."""

    requests: float
    seconds: float
    cpu_s: float
    memory_mib: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class Bench:
    """Runs tools against a server at `url`, for `seconds` each. `core` None: wherever."""

    def __init__(self, folder: Path, url: str, seconds: float, core: int | None, peers: Path):
        self._folder = folder
        self._url = url
        self._seconds = seconds
        self._core = core
        self._bin = peers / "bin"
        (folder / "scenario.py").write_text(SCENARIO % f"{url}/x")
        (folder / "locustfile.py").write_text(LOCUST)

    def tools(self) -> dict[str, Callable[[], Result]]:
        """Return the tools that are here, ours first; say how to get those that are not."""
        found: dict[str, Callable[[], Result]] = {"harness": lambda: self.harness(20)}
        found["molotov"], found["locust"] = self._molotov, self._locust
        for name, tool in (("hey", self._hey), ("wrk", self._wrk)):
            if shutil.which(name):
                found[name] = tool
            else:
                print(f"{name} is not here and not compared: apt-get install {name}")
        return found

    def harness(self, workers: int) -> Result:
        """Run ours, at a closed pace."""
        tallies, at_s, took = self._load(workers=workers)
        return Result(sum(tally.ok for tally in tallies if tally.step), at_s, *took)

    def on_time(self) -> float:
        """Return the share of the visits at a rate that began within `ON_TIME_NS` of due."""
        tallies, _, _ = self._load(rate=str(RATE))
        lag = sum((tally.lag for tally in tallies if tally.step is None), start=Tally("", "").lag)
        soon = sum(n for bucket, n in lag.buckets.items() if bucket <= ON_TIME_NS // 1_000)
        return soon / (RATE * self._seconds)  # what was never sent was not sent in time

    def _load(self, **pace: Any) -> tuple[list[Tally], float, Took]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        job = Job(
            name="bench", scenarios="scenario.py", target=self._url, root=str(self._folder),
            folder=str(folder), duration=str(self._seconds), **pace,
        )  # fmt: skip
        command = [sys.executable, "-m", "harness.load.host", msgspec.json.encode(job).decode()]
        _, took = self._run(command)
        snapshots = []
        for line in (folder / "load-bench.0.jsonl").read_bytes().splitlines():
            fact = msgspec.json.decode(line, type=Fact)
            if isinstance(fact, Snapshot):
                snapshots.append(fact)
        tallies = merged(one.tally() for snapshot in snapshots for one in snapshot.tallies)
        failed = sum(tally.failed for tally in tallies.values())
        if failed:
            raise SystemExit(f"{failed} visits or requests of the harness failed: {folder}")
        return list(tallies.values()), snapshots[-1].at_s, took

    def _molotov(self) -> Result:
        seconds = max(1, round(self._seconds))  # it takes no parts of one
        out, took = self._run(
            [self._bin / "molotov", "--uvloop", "-c", "-w", 20, "-d", seconds, "scenario.py"]
        )
        return Result(_found(r"SUCCESSES: (\d+) \| FAILURES: 0", out), seconds, *took)

    def _locust(self) -> Result:
        out, took = self._run(
            [self._bin / "locust", "-f", "locustfile.py", "--headless", "--json", "-u", 20,
             "-r", 1000, "-t", f"{self._seconds:g}s", "-H", self._url, "--loglevel", "ERROR"]
        )  # fmt: skip
        ((stats,), _) = json.JSONDecoder().raw_decode(out, out.index("[\n"))
        if stats["num_failures"]:
            raise SystemExit("requests of Locust failed")
        seconds = stats["last_request_timestamp"] - stats["start_time"]
        return Result(stats["num_requests"], seconds, *took)

    def _hey(self) -> Result:
        out, took = self._run(["hey", "-cpus", 1, "-z", f"{self._seconds:g}s", "-c", 20, self._url])
        rate = _found(r"Requests/sec:\s+([\d.]+)", out)
        return Result(rate * self._seconds, self._seconds, *took)

    def _wrk(self) -> Result:
        out, took = self._run(["wrk", "-t1", "-c20", f"-d{self._seconds:g}s", self._url])
        rate = _found(r"Requests/sec:\s+([\d.]+)", out)
        return Result(rate * self._seconds, self._seconds, *took)

    def _run(self, command: list[object]) -> tuple[str, Took]:
        """Run a tool on its core; return what it said and took, MiB of its largest process."""
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                [str(part) for part in command], cwd=self._folder, stdout=said,
                stderr=subprocess.STDOUT, preexec_fn=lambda: _pin(self._core),
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            out = said.read()
        if process.returncode:
            raise SystemExit(f"{command[0]} ended with {process.returncode}:\n{out[-2000:]}")
        return out, (usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _found(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"no {pattern!r} in:\n{text[-2000:]}")
    return float(found[1])


def _pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def _cores() -> tuple[int, int] | tuple[None, None]:
    """Return a core for the server and one for the generators, where there are two."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


@contextmanager
def _server(folder: Path, core: int | None) -> Iterator[str]:
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


def _install(folder: Path) -> Path:
    print(f"installing {', '.join(PEERS)} ...", flush=True)
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", *PEERS], check=True)
    return folder


def _spread(values: list[float]) -> float:
    return (max(values) - min(values)) / statistics.median(values)


def _told(found: dict[str, list[Result]]) -> dict[str, list[float]]:
    """Print what each tool did; return its rates."""
    rates = {name: [one.rate for one in results] for name, results in found.items()}
    for name, results in found.items():
        memory = max(one.memory_mib for one in results)
        cpu_us = statistics.median(one.cpu_s / one.requests * 1e6 for one in results)
        print(f"{name:>14} {statistics.median(rates[name]):10,.0f} req/s   "
              f"spread {_spread(rates[name]):4.0%}   {cpu_us:5.0f} µs of processor   "
              f"{memory:4.0f} MiB")  # fmt: skip
    return rates


def _judged(rates: dict[str, list[float]], ours: str, theirs: str, wanted: float) -> bool | None:
    """Print how often faster `ours` is; tell whether as often as wanted. None: it is too noisy."""
    ratios = [mine / yours for mine, yours in zip(rates[ours], rates[theirs], strict=True)]
    noisy = [name for name in (ours, theirs) if _spread(rates[name]) > SPREAD]
    ratio = statistics.median(ratios)
    verdict = None if noisy or len(ratios) < FEWEST else ratio >= wanted
    why = f"the rounds of {' and of '.join(noisy)} differ by more than {SPREAD:.0%}"
    said = {
        True: "reached", False: "NOT REACHED",
        None: f"no conclusion: {why if noisy else f'fewer than {FEWEST} rounds'}",
    }[verdict]  # fmt: skip
    print(f"  {ours} / {theirs}: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
          f"wanted {wanted:g}: {said}")  # fmt: skip
    return verdict


def _compare(bench: Bench, rounds: int) -> list[bool | None]:
    tools = bench.tools()
    many = f"harness, {MANY:,}"
    tools[many] = lambda: bench.harness(MANY)
    found: dict[str, list[Result]] = {name: [] for name in tools}
    on_time = []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for name, run in tools.items():
            found[name].append(run())
        on_time.append(bench.on_time())
    rates = _told(found)
    verdicts = [
        _judged(rates, "harness", name, wanted) for name, wanted in WANTED.items() if name in tools
    ]
    verdicts.append(_judged(rates, many, "harness", MANY_WANTED))
    share = statistics.median(on_time)
    print(f"  at {RATE:,}/s, sent within {ON_TIME_NS / 1e6:g} ms of due: {share:.2%} "
          f"({min(on_time):.2%} to {max(on_time):.2%}), wanted {ON_TIME_WANTED:.0%}")  # fmt: skip
    is_noisy = _spread(rates["harness"]) > SPREAD or rounds < FEWEST
    return [*verdicts, None if is_noisy else share >= ON_TIME_WANTED]


def main() -> int:
    """Compare; 0: all was reached, 1: something was not, 2: the machine is too noisy to tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each tool's turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path, help="an environment that has the peers already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as name:
        folder = Path(name)
        peers = options.peers or _install(folder / "peers")
        server_core, core = _cores()
        if core is None:
            print("one core for server and generators: no tool has its own, ratios are blurred")
        with _server(folder, server_core) as url:
            verdicts = _compare(Bench(folder, url, options.seconds, core, peers), options.rounds)
    return 2 if None in verdicts else int(False in verdicts)


if __name__ == "__main__":
    sys.exit(main())
