"""What every report says of a record, whatever it is drawn with: worst first, gaps named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Generic, TypeVar

from harness.histogram import samples_needed
from harness.record import FunctionalRow, Hotspot, Latency, LoadRow, LoadRun, Omission, Record
from harness.render.figures import MISSING, exact, figure, span
from harness.verdict import Finding, Outcome

T_co = TypeVar("T_co", covariant=True)

WORST_FIRST = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS)

PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9")

SAMPLES_NEEDED = {name: samples_needed(Fraction(name[1:]) / 100) for name in PERCENTILES}
"""Below so many samples the record holds no such percentile."""

_HIDDEN = 2
"""A figure that a waiting client understates by less is not told of."""

CLOSED_PACE = (
    "Closed pace: a request is due when it is sent, so time spent queueing is not visible here."
)


@dataclass(frozen=True, slots=True)
class Capped(Generic[T_co]):
    """The first of a list, and how many were left out."""

    shown: Sequence[T_co]
    left_out: int

    @classmethod
    def of(cls, items: Sequence[T_co], most: int) -> Capped[T_co]:
        """Keep at most `most` items; a single one more is shown rather than counted."""
        keep = most if len(items) > most + 1 else len(items)
        return cls(items[:keep], len(items) - keep)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.shown) + self.left_out


@dataclass(frozen=True, slots=True)
class Load:
    """A load, with its rows. `run` is None where only rows of it were recorded."""

    name: str
    run: LoadRun | None
    rows: tuple[LoadRow, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """What was not checked for one reason, and what would check it."""

    why: str
    next_step: str
    what: tuple[str, ...]


def of_outcome(record: Record, outcome: Outcome) -> list[Finding]:
    """Return the findings with this outcome that count, in the order of the record."""
    counting = [finding for finding in record.findings if finding.waiver is None]
    return [finding for finding in counting if finding.outcome is outcome]


def told(record: Record) -> list[tuple[str, list[str]]]:
    """Return the headings and lines of what the verdict does not rest on and readers should see."""
    tolerated = [(finding, finding.waiver) for finding in record.findings if finding.waiver]
    waived = [
        f"{finding.where} ({finding.slug}): {_first(finding.message)}; "
        f"until {waiver.until}: {waiver.reason}"
        for finding, waiver in tolerated
        if not waiver.baseline
    ]
    accepted = [
        f"{finding.where} ({finding.slug}): {_first(finding.message)}; "
        f"{waiver.baseline}: {waiver.reason}"
        for finding, waiver in tolerated
        if waiver.baseline
    ]
    noticed = [
        f"{notice.where} ({notice.slug}): {notice.message}".replace("\n", "; ")
        for notice in record.notices
    ]
    titled = (
        ("Waived", waived), ("Of the baseline", accepted), ("Noticed", noticed),
        ("Suppressed", _suppressed(record)),
    )  # fmt: skip
    return [(title, lines) for title, lines in titled if lines]


def _suppressed(record: Record) -> list[str]:
    """Tell of each comment that hides something, those that hide an issue first."""
    rows = [row for row in record.code.suppressions if row.kind != "exclude"] if record.code else []
    return [
        f"{row.where}: {row.kind} {', '.join(row.rules)}".rstrip()
        + (" (names no rule)" if row.blanket else "")
        + (f", hides {', '.join(row.hides)}" if row.hides else "")
        + f"; {row.reason or 'no reason given'}"
        for row in sorted(rows, key=lambda row: not row.hides)
    ]


def code(record: Record) -> list[tuple[str, list[str]]]:
    """Return headings and lines of what the gates show beside their limits."""
    if record.code is None:
        return []
    hot = [
        f"{one.path}: {one.complexity} ways (most in {one.worst}), "
        f"{_not_run(one)}, changed by {plural(one.commits, 'commit')} in {one.days} days"
        for one in record.code.hotspots or ()
    ]
    index = [
        f"{row.path}: no operator to go by"
        if row.index is None
        else f"{row.path}: {figure(row.index)} ({row.letter})"
        for row in record.code.maintainability
    ]
    looked = [
        f"{one.gate}: {one.tool} on Python {one.python}, {one.checked:,} of "
        f"{plural(one.inventory, 'file')} in {span(one.duration_s)}; "
        f"content {one.content}, configuration {one.configuration}"
        for one in record.code.inspections
    ]
    titled = (("Hotspots", hot), ("Maintainability", index), ("Inspected", looked))
    return [(title, lines) for title, lines in titled if lines]


def _not_run(spot: Hotspot) -> str:
    if spot.uncovered is None:
        return "coverage not known"
    return f"{figure(100 * spot.uncovered, '%')} not run"


def _first(text: str) -> str:
    return text.strip().partition("\n")[0]


def objectives(record: Record) -> list[Finding]:
    """Return the findings that compare a number with a limit, worst first, but for the gates'.

    The gates have rows of their own, and the places beyond their limits, and those of tests, are
    findings.
    """
    gates = {gate.gate for gate in record.gates} | ({"gates"} if record.gates else set())
    gates.add("watch")
    numeric = [
        finding
        for finding in record.findings
        if finding.limit is not None and finding.slug.partition("/")[0] not in gates
    ]
    return sorted(numeric, key=lambda finding: WORST_FIRST.index(finding.outcome))


def comparison(finding: Finding) -> tuple[str, str] | None:
    """Return the measured number and its limit as words; None where there is no limit."""
    if finding.limit is None:
        return None
    measured = figure(finding.measured, finding.unit, beside=[finding.limit])
    return measured, exact(finding.limit, finding.unit)


def loads(record: Record) -> list[Load]:
    """Return the loads with their rows, each load once."""
    runs = {run.load: run for run in record.loads}
    names = dict.fromkeys([*runs, *(row.load for row in record.load)])
    return [
        Load(name, runs.get(name), tuple(row for row in record.load if row.load == name))
        for name in names
    ]


def gaps(record: Record) -> list[Gap]:
    """Return everything that was not checked, by reason: the record's list and the gates' files."""
    files = (
        Omission(what=f"{file.path} ({gate.gate})", why=file.reason)
        for gate in record.gates
        for file in gate.not_checked
    )
    by_reason: dict[tuple[str, str], dict[str, None]] = {}
    known: set[str] = {omission.what for omission in record.not_checked}
    for omission in [*record.not_checked, *(file for file in files if file.what not in known)]:
        by_reason.setdefault((omission.why, omission.next_step), {})[omission.what] = None
    return [Gap(why, step, tuple(what)) for (why, step), what in by_reason.items()]


def missing_parts(record: Record) -> list[str]:
    """Name the kinds of evidence of which the record holds none."""
    parts = {"tests": record.functional, "load": record.load or record.loads, "gates": record.gates}
    return [name for name, rows in parts.items() if not rows]


def targets(record: Record) -> str:
    """Name what was tested or loaded."""
    rows: list[FunctionalRow | LoadRun] = [*record.functional, *record.loads]
    return ", ".join(dict.fromkeys(row.target for row in rows)) or "none"


def pythons(record: Record) -> str:
    """Name the Python versions that took part."""
    versions = [record.environment.python, *(row.python for row in record.functional if row.python)]
    return ", ".join(dict.fromkeys(versions))


def commit(record: Record) -> str:
    """Name the code: a short commit, and whether the files differed from it."""
    environment = record.environment
    if not environment.commit:
        return "not in git"
    changed = " with uncommitted changes" if environment.dirty else ""
    return f"{environment.commit[:10]}{changed}"


def started_at(record: Record) -> str:
    """Tell when the run began, to the minute and in UTC; as recorded where that is no time."""
    try:
        moment = datetime.fromisoformat(record.started_at)
    except ValueError:
        return record.started_at or "at an unknown time"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def started(run: LoadRun) -> str:
    """Tell how many visits were started, of how many, in how long, by how many processes."""
    visits = plural(run.visits_started, "visit")
    if run.visits_due is not None:
        visits = f"{run.visits_started:,} of {plural(run.visits_due, 'due visit')}"
    return (
        f"{visits} started in {span(run.duration_s)} "
        f"by {plural(run.processes, 'process', 'processes')}"
    )


def rebased(run: LoadRun) -> str:
    """Tell which requests were sent to the target instead of elsewhere; empty if none were."""
    told = [f"{plural(number, 'request')} for {origin}" for origin, number in run.rebased.items()]
    return f"Sent to the target instead: {', '.join(told)}." if told else ""


def rehearsed(run: LoadRun) -> str:
    """Tell which scenarios had passed once before the load; empty if none had."""
    told = [name if visits == 1 else f"{name} (at visit {visits})"
            for name, visits in run.rehearsed.items()]  # fmt: skip
    return f"Passed once before the load: {', '.join(told)}." if told else ""


def by_aiohttp(run: LoadRun) -> str:
    """Tell which requests aiohttp sent, which costs more of a generator; empty if none were."""
    told = [f"{number:,} ({why})" for why, number in sorted(run.by_aiohttp.items())]
    total = sum(run.by_aiohttp.values())
    return f"{plural(total, 'request')} sent by aiohttp: {', '.join(told)}." if told else ""


def step(row: LoadRow) -> str:
    """Name a row as an objective would."""
    return f"{row.scenario} (visits)" if row.step is None else f'{row.scenario} "{row.step}"'


def rate(row: LoadRow) -> str:
    """Write the achieved rate and, where one was asked for, that one too."""
    if row.asked_rate is None:
        return figure(row.achieved_rate, "/s")
    achieved = figure(row.achieved_rate, beside=[row.asked_rate])
    return f"{achieved} of {exact(row.asked_rate, '/s')}"


def percentile(latency: Latency, name: str) -> float | None:
    """Return a figure of a distribution by the name that the record gives it."""
    value: float | None = getattr(latency, name.replace(".", "_"))
    return value


def quantile(latency: Latency | None, name: str) -> str:
    """Write a figure of a distribution, or how many samples it would need."""
    if latency is None or not latency.count:
        return MISSING
    value = percentile(latency, name)
    if value is None and name in SAMPLES_NEEDED:
        return f"{MISSING}, needs {SAMPLES_NEEDED[name]:,} samples"
    return figure(value, "ms")


def notes(load: Load, shown: Sequence[LoadRow], names: Iterable[str]) -> list[str]:
    """Say what a reader of a load's rows, of which some are `shown`, has to know besides."""
    run = load.run
    said = [
        too_few(shown, names),
        uncorrected(load.rows),
        clipped(load.rows),
        CLOSED_PACE if run and not run.queueing_visible else "",
        rehearsed(run) if run else "",
        rebased(run) if run else "",
        by_aiohttp(run) if run else "",
    ]
    return [one for one in said if one]


def too_few(rows: Iterable[LoadRow], names: Iterable[str]) -> str:
    """Say how many samples the percentiles need that some row lacks; empty if none does."""
    lacking = {
        name: needed
        for name, needed in SAMPLES_NEEDED.items()
        if name in names and any(percentile(row.response_ms, name) is None for row in rows)
    }
    needs = ", ".join(f"{name} needs {needed:,} samples" for name, needed in lacking.items())
    return f"{MISSING}: {needs}" if needs else ""


def uncorrected(rows: Iterable[LoadRow]) -> str:
    """Say where a client who waits for each answer would have hidden most; empty if nowhere."""
    found = [(hidden, row, name) for row in rows for hidden, name in _hidden(row)]
    if not found:
        return ""
    _, row, name = max(found, key=lambda one: round(one[0], 2))
    return (
        f"{step(row)}: {name} {quantile(row.response_ms, name)} from when requests were due; a "
        "client that waits for each answer before it sends the next would have measured "
        f"{quantile(row.uncorrected_ms, name)}."
    )


def _hidden(row: LoadRow) -> Iterable[tuple[float, str]]:
    """Give how many times as long as such a client's a percentile is, where both are known."""
    for name in reversed(PERCENTILES):
        found = percentile(row.response_ms, name)
        waiting = row.uncorrected_ms and percentile(row.uncorrected_ms, name)
        if found and waiting and found >= _HIDDEN * waiting:
            yield found / waiting, name


def clipped(rows: Iterable[LoadRow]) -> str:
    """Say how many response times were too long to be told apart; empty if none was."""
    number = sum(
        each.clipped for row in rows if row.step is not None
        for each in (row.response_ms, row.failed_ms) if each is not None
    )  # fmt: skip
    verb = "was" if number == 1 else "were"
    told = f"{plural(number, 'response time')} {verb} longer than one hour: percentiles count it so"
    return f"{told}." if number else ""


def plural(number: int, noun: str, several: str = "") -> str:
    """Count something: ``1 file``, ``2 files``; `several` where an s does not do."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"
