"""Whether a load's figures can be believed, and who used the machine, in words."""

from __future__ import annotations

from collections.abc import Iterator

from harness.record import Check, LoadRun, Shares, Validity
from harness.render.figures import count, exact, figure
from harness.render.outline import plural


def believed(run: LoadRun) -> Iterator[str]:
    """Tell what the generator was like, who used the machine, and what was beyond its limit."""
    validity = run.validity
    if validity is None:
        return
    yield f"Generator: {', '.join(_generator(run, validity))}."
    yield _machine(validity.machine)
    unknown = [check.what for check in validity.checks if check.measured is None]
    yield from (_beyond(check) for check in validity.checks if not check.within)
    if unknown:
        yield f"Not known of the generator: {', '.join(unknown)}."


def _generator(run: LoadRun, validity: Validity) -> Iterator[str]:
    lag = run.loop_lag_ms
    late, which = (lag.p99, "p99") if lag.p99 is not None else (lag.max, "max")
    yield f"event loop {figure(late, 'ms')} late ({which})"
    if validity.cpus:
        shares = ", ".join(figure(100 * cpu, "%") for cpu in validity.cpus)
        yield f"{shares} of a processor" + (" each" if len(validity.cpus) > 1 else "")
    if validity.in_flight is not None and validity.most_in_flight is not None:
        where = "at once" if run.processes == 1 else "at once in a process"
        most = f"at most {count(validity.most_in_flight)} {where}"
        yield f"{figure(validity.in_flight)} visits in flight on average, {most}"


def _machine(shares: Shares | None) -> str:
    if shares is None:
        return "Who used the machine is not known: this system does not tell (no /proc)."
    target = "" if shares.target is None else f"target {figure(shares.target)}, "
    found = "" if shares.target is not None else " (which of them is the target is not known)"
    return (
        f"The machine: generator {figure(shares.generator)} of "
        f"{plural(shares.processors, 'processor')}, {target}others {figure(shares.others)}{found}."
    )


def _beyond(check: Check) -> str:
    limit = f"{check.op} {exact(check.limit, check.unit)}"
    measured = figure(check.measured, check.unit, beside=[check.limit])
    return f"! {check.what}: {measured}, where it should be {limit}; what helps: {check.helps}"
