"""How much load one core makes: the harness beside Molotov, Locust, hey and wrk.

``python benchmarks/load.py`` installs the Python peers into an environment of their own, in a
temporary folder, and lets each tool ask one static server in turn, round by round. The server has
one core and the generator another, where there are two. Nothing leaves this machine but the
installation. Other work on the machine slows the tools, and not all alike: where it has too much of
a core between their turns, or the rounds of one tool differ by too much, there is no conclusion.
Processor time for each request is told beside the rates, since it suffers less.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from contenders import Bench, Result, cores, install, server, taken

SPREAD = 0.25
"""How far the rounds of one tool may lie apart, as a share of their median, for a conclusion."""

TAKEN = 0.1
"""The share of a core that others may have between the turns, at the median, for a conclusion."""

FEWEST = 3  # rounds for a conclusion
WANTED = {"molotov": 6.0, "locust": 5.0, "hey": 1.0, "wrk": 0.4}
MANY, MANY_WANTED = 1_000, 0.8
RATE, ON_TIME_US, ON_TIME_WANTED = 10_000, 1_000, 0.99
MOST_GROWN_MIB = 5.0
SAID = {True: "reached", False: "NOT REACHED", None: "no conclusion"}

Found = dict[str, list[Result]]


def spread(values: list[float]) -> float:
    """Return how far values lie apart, as a share of their median."""
    return (max(values) - min(values)) / statistics.median(values)


def ratio(mine: list[float], yours: list[float]) -> str:
    """Say how the rounds of one relate to those of another."""
    each = [one / other for one, other in zip(mine, yours, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def rates(results: list[Result]) -> list[float]:
    """Return the requests a second of each round."""
    return [one.rate for one in results]


def costs(results: list[Result]) -> list[float]:
    """Return the microseconds of processor time for a request, of each round, if they are known."""
    return [one.cpu_us for one in results if one.cpu_us is not None]


def tell(found: Found) -> None:
    """Print what each tool did."""
    for name, results in found.items():
        cost = costs(results)
        took = f"{statistics.median(cost):6.1f} us of processor a request, " if cost else " " * 34
        apart = f"spread {spread(cost):4.0%}" if cost else ""
        each = rates(results)
        print(f"{name:>14} {statistics.median(each):9,.0f} req/s, spread {spread(each):4.0%}   "
              f"{took}{apart}")  # fmt: skip


def noise(found: Found, names: list[str], shares: list[float]) -> str:
    """Say why nothing can be concluded from the rounds of some tools; empty: something can."""
    if len(found[names[0]]) < FEWEST:
        return f": fewer than {FEWEST} rounds"
    if (share := statistics.median(shares)) > TAKEN:
        return f": others had {share:.0%} of a core"
    noisy = [name for name in names if spread(rates(found[name])) > SPREAD]
    return f": rounds of {' and '.join(noisy)} differ by more than {SPREAD:.0%}" if noisy else ""


def judge(found: Found, ours: str, theirs: str, wanted: float, shares: list[float]) -> bool | None:
    """Print how often faster `ours` is; tell whether as often as wanted. None: it is too noisy."""
    mine, yours = found[ours], found[theirs]
    why = noise(found, [ours, theirs], shares)
    each = [one.rate / other.rate for one, other in zip(mine, yours, strict=True)]
    verdict = None if why else statistics.median(each) >= wanted
    print(f"  {ours} / {theirs}: {ratio(rates(mine), rates(yours))}, wanted {wanted:g}: "
          f"{SAID[verdict]}{why}")  # fmt: skip
    if costs(mine) and costs(yours):
        print(f"      by processor time: {ratio(costs(yours), costs(mine))}")
    return verdict


def compare(bench: Bench, rounds: int, used: tuple[int | None, ...]) -> list[bool | None]:
    """Let the tools take turns on the cores in use, print how they compare; return the verdicts."""
    tools = bench.tools()
    many = f"harness, {MANY:,}"
    tools[many] = lambda: bench.harness(MANY)
    found: Found = {name: [] for name in tools}
    on_time, shares = [], []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for name, run in tools.items():
            found[name].append(run())
            shares.append(max(map(taken, used)))
        on_time.append(bench.on_time(RATE, ON_TIME_US))
    tell(found)
    verdicts = [
        judge(found, "harness", name, wanted, shares)
        for name, wanted in WANTED.items()
        if name in tools
    ]
    verdicts.append(judge(found, many, "harness", MANY_WANTED, shares))
    share = statistics.median(on_time)
    why = noise(found, ["harness"], shares)
    punctual = None if why and share < ON_TIME_WANTED else share >= ON_TIME_WANTED
    print(f"  at {RATE:,}/s, sent within {ON_TIME_US:,} us of due: {share:.2%} "
          f"({min(on_time):.2%} to {max(on_time):.2%}), wanted {ON_TIME_WANTED:.0%}: "
          f"{SAID[punctual]}{why}")  # fmt: skip
    return [*verdicts, punctual]


def soak(bench: Bench, minutes: int) -> list[bool | None]:
    """Print the memory of a generator minute by minute; tell whether it grew by too much."""
    if not Path("/proc/self/statm").exists():
        print("memory is read from /proc, which is not here: no conclusion")
        return [None]
    verdicts: list[bool | None] = []
    for name, scenarios in (("all succeed", "scenario.py"), ("all fail", "broken.py")):
        sizes = []
        for size in bench.grown(minutes, scenarios):
            sizes.append(size)
            print(f"{name}: {size:.1f} MiB after {len(sizes)} min", flush=True)
        verdict = sizes[-1] - sizes[0] < MOST_GROWN_MIB if len(sizes) > 1 else None
        print(f"  {name}: grew by {sizes[-1] - sizes[0]:.1f} MiB after the first minute, "
              f"wanted less than {MOST_GROWN_MIB:g}: {SAID[verdict]}")  # fmt: skip
        verdicts.append(verdict)
    return verdicts


def main() -> int:
    """Compare; 0: all was reached, 1: something was not, 2: the machine is too noisy to tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each tool's turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path, help="an environment that has the peers already")
    parser.add_argument("--soak", type=int, metavar="MINUTES", help="memory instead, twice so long")
    options = parser.parse_args()
    if options.seconds < 2:
        parser.error("--seconds is at least 2: the first second of the harness is not counted")
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as name:
        folder = Path(name)
        peers = options.peers or (folder if options.soak else install(folder / "peers"))
        server_core, core = cores()
        if core is None:
            print("one core for server and generators: no tool has its own, ratios are blurred")
        with server(folder, server_core) as url:
            bench = Bench(folder, url, options.seconds, core, peers)
            done = (
                soak(bench, options.soak)
                if options.soak
                else compare(bench, options.rounds, (server_core, core))
            )
    return 2 if None in done else int(False in done)


if __name__ == "__main__":
    sys.exit(main())
