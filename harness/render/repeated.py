"""The figures of one repeated request, by the names that ApacheBench and Salvo gave them.

A block for a terminal of 80 columns. All of it is computed from the request's row of the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from urllib.parse import urlsplit

from harness.histogram import Histogram, samples_needed
from harness.record import LoadRow, LoadRun, RepeatedRun
from harness.render.figures import MISSING, count, figure, span
from harness.render.outline import plural
from harness.render.plain import line

SHARES = ("50", "66", "75", "80", "90", "95", "98", "99", "99.9", "100")
"""Percentages of the requests: ApacheBench's, and 99.9."""

_WIDTH = 76
_BAR = 24
_MS = 1_000_000


def block(run: LoadRun, repeated: RepeatedRun, rows: Sequence[LoadRow]) -> list[str]:
    """Lay out a load of one request; its first line says which, and how often."""
    heading = line(f"{run.pace}: {repeated.method} {repeated.url}", 2 * _WIDTH)
    row = next((row for row in rows if row.step is not None), None)
    if row is None:
        return [heading, "  nothing was measured"]
    times = row.histogram.histogram()
    return [
        heading,
        *_grid(_left(run, repeated, row), _right(run, repeated, row)),
        *_counted("Statuses", row.statuses),
        *_counted("Failures", row.failures),
        "",
        *_times(row, times),
        *_beside(_served(times), _spread(times)),
        *_lacking(times),
    ]


def _left(run: LoadRun, repeated: RepeatedRun, row: LoadRow) -> list[tuple[str, str]]:
    concurrency = MISSING if repeated.connections is None else count(repeated.connections)
    of = "" if run.visits_due is None else f" of {run.visits_due:,}"
    return [
        ("Server software", line(repeated.server or MISSING, 20)),
        ("Document path", line(urlsplit(repeated.url).path or "/", 20)),
        ("Document length", _length(repeated)),
        ("Concurrency level", concurrency),
        ("Time taken", span(repeated.took_s or run.duration_s)),
        ("Complete requests", f"{row.ok:,}{of}"),
        ("Failed requests", count(row.failed)),
    ]


def _right(run: LoadRun, repeated: RepeatedRun, row: LoadRow) -> list[tuple[str, str]]:
    others = sum(times for code, times in row.statuses.items() if code[0] != "2")
    rate = row.sent / repeated.took_s if repeated.took_s else row.achieved_rate
    across = 1000 / rate if rate else None
    each = across * repeated.connections if across and repeated.connections else None
    received_s = row.bytes_in * rate / row.sent if row.sent else 0
    return [
        ("Non-2xx responses", count(others)),
        ("Requests per second", figure(rate)),
        ("  per minute", figure(60 * rate)),
        ("Time per request", figure(each, "ms")),
        ("  across all", figure(across, "ms")),
        ("Bodies received", _size(row.bytes_in)),
        ("Transfer rate", f"{_size(received_s)}/s"),
    ]


def _length(repeated: RepeatedRun) -> str:
    if repeated.least_bytes is None or repeated.most_bytes is None:
        return MISSING
    if repeated.least_bytes == repeated.most_bytes:
        return plural(repeated.least_bytes, "byte")
    return f"{repeated.least_bytes:,} to {plural(repeated.most_bytes, 'byte')}"


def _size(number: float) -> str:
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= size:
            return figure(number / size, unit)
    return figure(number, "B")


def _grid(left: Sequence[tuple[str, str]], right: Sequence[tuple[str, str]]) -> Iterator[str]:
    for (name, value), (other, its) in zip(left, right, strict=True):
        yield f"  {name:<18}{value:<21} {other:<20}{its}".rstrip()


def _counted(name: str, counts: dict[str, int]) -> Iterator[str]:
    """Tell how many had each status, or failed in each way, if there is any."""
    if counts:
        told = ", ".join(f"{key}: {counts[key]:,}" for key in sorted(counts))
        yield f"  {name:<18}{line(told, 2 * _WIDTH)}"


def _times(row: LoadRow, times: Histogram) -> Iterator[str]:
    """Lay out how long what took: a column for each figure, empty where the record has it not."""
    yield " " * 18 + "".join(f"{name:>10}" for name in ("min", "mean", "sd", "median", "max"))
    first = row.first_byte_ms
    if first is not None and first.count:
        told = ("", *(figure(value, "ms") for value in (first.mean, first.p50, first.max)))
        yield _columns("First byte", (*told[:2], "", *told[2:]))
    ends = (times.min_ns, times.max_ns) if times.count else (None, None)
    each = (ends[0], times.mean_ns, times.deviation_ns, _at(times, "50"), ends[1])
    yield _columns("Response time", map(_ms, each))


def _columns(name: str, texts: Iterable[str]) -> str:
    return f"  {name:<16}" + "".join(f"{text:>10}" for text in texts)


def _ms(value_ns: float | None) -> str:
    return figure(None if value_ns is None else value_ns / _MS, "ms")


def _at(times: Histogram, share: str) -> int | None:
    """Return within how many ns a share of the requests was served; None: too few to tell."""
    q = Fraction(share) / 100
    return times.quantile(q) if times.count >= samples_needed(q) else None


def _served(times: Histogram) -> list[str]:
    told = [f"    {share + ' %':>6}  {_ms(_at(times, share)):>9}" for share in SHARES]
    return ["  Served within", *told]


def _spread(times: Histogram) -> list[str]:
    """Draw how many took how long: in equal steps up to p99, and the slowest in a last one."""
    if times.count < 2:
        return []
    edges_ns = _edges(times)
    counts = [0] * len(edges_ns)
    for middle_ns, number in times.each():
        place = sum(edge_ns < middle_ns for edge_ns in edges_ns[:-1])
        counts[place] += number
    most = max(counts)
    return ["up to", *(
        f"{_ms(edge_ns):>9}  {'#' * -(-_BAR * number // most):<{_BAR}} {number:,}".rstrip()
        for edge_ns, number in zip(edges_ns, counts, strict=True)
    )]  # fmt: skip


def _edges(times: Histogram) -> list[float]:
    """Return the upper ends of as many rows as there are shares beside them."""
    usual_ns = _at(times, "99") or times.max_ns
    steps = len(SHARES) - (usual_ns < times.max_ns)
    width_ns = (usual_ns - times.min_ns) / steps
    edges_ns = [times.min_ns + width_ns * step for step in range(1, steps + 1)]
    return [*edges_ns, times.max_ns] if len(edges_ns) < len(SHARES) else edges_ns


def _beside(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    for number, text in enumerate(left):
        other = right[number] if number < len(right) else ""
        yield f"{text:<27}{other}".rstrip()


def _lacking(times: Histogram) -> Iterator[str]:
    needs = [
        f"{share} % needs {samples_needed(Fraction(share) / 100):,}"
        for share in SHARES
        if _at(times, share) is None
    ]
    if needs:
        yield f"  n/a: too few samples; {needs[0]}" + (f", {needs[-1]}" if needs[1:] else "")
