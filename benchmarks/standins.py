"""How many calls stand-ins answer in a second, beside pytest-httpserver, and in what memory.

    apt-get install wrk && pip install pytest-httpserver
    python benchmarks/standins.py

Both serve the same stub, each in a process of its own, and wrk asks them in turns: first one
connection, then 64. wrk is C and is no bottleneck. Beside the rates stands the processor time
that a call took the server, which a busy machine changes less. Then stand-ins answer a million
calls, while their memory is looked at and the journal is asked.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROUNDS = 5
ROUND_S = 2
CALLS = 1_000_000
LOOK_S = 2.0

STUB = """
[[stub]]
name = "current"
request = { method = "GET", path = "/weather", query = { q = "London" } }
reply = { json = { celsius = 15 } }
"""

OTHER = """
import time
from pytest_httpserver import HTTPServer

server = HTTPServer(threaded=True)
weather = server.expect_request("/weather", method="GET", query_string={"q": "London"})
weather.respond_with_json({"celsius": 15})
server.start()
print("weather", server.url_for(""), flush=True)
time.sleep(3600)
"""


class Server(NamedTuple):
    """A running server and its addresses."""

    process: subprocess.Popen[str]
    urls: dict[str, str]


@contextlib.contextmanager
def serving(*command: str) -> Iterator[Server]:
    """Run a server that prints its addresses; stop it afterwards."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        wanted = 2 if "standins" in command else 1
        lines = [process.stdout.readline().split() for _ in range(wanted)]
        yield Server(process, {name: url.rstrip("/") for name, url in lines})
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Measured(NamedTuple):
    """What a round found: calls answered in a second, and processor time per call."""

    rate: float
    cpu_us: float


def asked(server: Server, connections: int) -> Measured:
    """Ask for a round. Ends the program where not every call was answered with 200."""
    before = cpu_s(server.process)
    url = f"{server.urls['weather']}/weather?q=London"
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{ROUND_S}s", url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for wrong in ("Non-2xx", "Socket errors"):
        if wrong in done.stdout:
            sys.exit(f"not all were answered, so nothing is measured:\n{done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    count = re.search(r"(\d+) requests in", done.stdout)
    assert rate is not None, done.stdout
    assert count is not None, done.stdout
    spent = cpu_s(server.process) - before
    return Measured(float(rate[1]), 1e6 * spent / int(count[1]))


def cpu_s(process: subprocess.Popen[str]) -> float:
    """Return the processor time of a process, in seconds; 0 where the system has no /proc."""
    stat = Path(f"/proc/{process.pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compared(ours: Server, other: Server, connections: int) -> None:
    """Ask both in turns and print medians, with the least and the most of a round."""
    rounds = [(asked(ours, connections), asked(other, connections)) for _ in range(ROUNDS)]
    print(f"{connections} at once, {ROUNDS} rounds of {ROUND_S} s each:")
    shown("harness standins", [one.rate for one, _ in rounds], "/s")
    shown("pytest-httpserver", [two.rate for _, two in rounds], "/s")
    shown("ratio of rates", [one.rate / two.rate for one, two in rounds], "x")
    if rounds[0][0].cpu_us:
        shown("harness standins", [one.cpu_us for one, _ in rounds], " us of processor a call")
        shown("pytest-httpserver", [two.cpu_us for _, two in rounds], " us of processor a call")
        shown("ratio of these", [two.cpu_us / one.cpu_us for one, two in rounds], "x")


def shown(name: str, values: list[float], unit: str) -> None:
    """Print the median of the values, and how far they are apart."""
    median = statistics.median(values)
    print(f"  {name:18} {median:9.1f}{unit}  ({min(values):.1f} to {max(values):.1f})")


def resident_mib(process: subprocess.Popen[str]) -> float:
    """Return the memory of a process, in MiB."""
    told = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True
    )
    return int(told.stdout) / 1024


def endured(server: Server) -> None:
    """Load stand-ins until they have seen so many calls; print memory and the journal's time."""
    target = f"{server.urls['weather']}/weather?q=London"
    print(f"{CALLS} calls on 64 connections, the journal asked every {LOOK_S:g} s:")
    load = subprocess.Popen(["wrk", "-t1", "-c64", "-d600s", target], stdout=subprocess.DEVNULL)
    took, first = [], 0.0
    try:
        while True:
            time.sleep(LOOK_S)
            start = time.monotonic()
            with urllib.request.urlopen(server.urls["journal"]) as answer:
                count = json.load(answer)["weather"]["count"]
            took.append(time.monotonic() - start)
            first = first or resident_mib(server.process)
            if count >= CALLS:
                break
    finally:
        load.terminate()
        load.wait()
    last = resident_mib(server.process)
    print(f"  memory {first:.1f} MiB after {LOOK_S:g} s, {last:.1f} MiB after {count} calls")
    worst, middle = 1000 * max(took), 1000 * statistics.median(took)
    print(f"  the journal answered in {middle:.0f} ms (median), {worst:.0f} ms (most)")


def main() -> None:
    """Measure and print."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk, or brew install wrk")
    if importlib.util.find_spec("pytest_httpserver") is None:
        sys.exit("pytest-httpserver is missing: pip install pytest-httpserver")
    with tempfile.TemporaryDirectory() as folder:
        stubs, script = Path(folder, "weather.toml"), Path(folder, "other.py")
        stubs.write_text(STUB)
        script.write_text(textwrap.dedent(OTHER))
        ours, others = ("-m", "harness", "standins", str(stubs)), (str(script),)
        with serving(*ours) as standins, serving(*others) as other:
            for connections in (1, 64):
                compared(standins, other, connections)
            endured(standins)


if __name__ == "__main__":
    main()
