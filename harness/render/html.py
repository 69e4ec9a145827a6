"""The page that decides: one file, no network, no script, the verdict on its first screen.

What a browser could obey is taken out of every value before it is escaped (`_finalize`),
so the template has no say in it. Lists are cut to the `Room` that there is, and the page says
what is left out; where it would still be too long, it is drawn again with less room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from harness.record import LoadRow, LoadRun, Record, Second
from harness.render import examples, figures, outline, plain, svg
from harness.render.believed import believed
from harness.render.outline import Capped, Load, plural
from harness.verdict import Outcome, worst

if TYPE_CHECKING:
    from jinja2 import Environment

FILE_NAME = "report.html"
MOST_BYTES = 300_000

_GLYPHS = {Outcome.PASS: "\u2713", Outcome.FAIL: "\u2717", Outcome.UNKNOWN: "?"}
_PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9", "max")
_TESTS = ("tests", "passed", "failed", "errors", "skipped", "xfailed", "xpassed", "reached",
          "exchanges")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Room:
    """How much of everything the page has room for: of lists, of lines, and of one name."""

    findings: int = 100
    rows: int = 60
    loads: int = 10
    points: int = 150
    lines: int = 24
    line: int = 240
    name: int = 240
    exchanges: int = 12
    kept: int = 20

    def less(self) -> Room:
        """Return two thirds of the room, but enough for something of everything."""
        return Room(
            findings=max(2, self.findings * 2 // 3),
            rows=max(2, self.rows * 2 // 3),
            loads=max(1, self.loads * 2 // 3),
            points=max(10, self.points * 2 // 3),
            lines=max(3, self.lines * 2 // 3),
            line=max(80, self.line * 2 // 3),
            name=max(60, self.name * 2 // 3),
            exchanges=self.exchanges // 3,  # they are long, and none can be cut
            kept=self.kept // 3,
        )


def render(record: Record) -> str:
    """Draw `record` as a page of less than `MOST_BYTES` bytes."""
    room = Room()
    while True:
        page = _page(record, room)
        if len(page.encode()) < MOST_BYTES or room == room.less():
            return page
        room = room.less()


def _page(record: Record, room: Room) -> str:
    bad = [
        (outcome, Capped.of(outline.of_outcome(record, outcome), most))
        for outcome, most in ((Outcome.FAIL, room.findings), (Outcome.UNKNOWN, room.findings // 2))
    ]
    passed = outline.of_outcome(record, Outcome.PASS)
    gaps = [_Gap(gap.why, gap.next_step, Capped.of(gap.what, 5)) for gap in outline.gaps(record)]
    loads = Capped.of(outline.loads(record), room.loads)
    return _environment().get_template("report.html.j2").render(
        record=record,
        room=room,
        glyphs=_GLYPHS,
        about=_About.of(record),
        tiles=list(_tiles(record)),
        gaps=Capped.of(gaps, room.rows // 2),
        told=[(title, Capped.of(found, room.rows)) for title, found in outline.told(record)],
        code=[(title, Capped.of(found, room.rows)) for title, found in outline.code(record)],
        bad=[(outcome, found) for outcome, found in bad if found.shown],
        passed=Capped.of(passed, room.rows),
        objectives=Capped.of(outline.objectives(record), room.rows),
        gates=Capped.of(record.gates, room.rows),
        proofs=Capped.of(record.proofs, room.rows),
        functional=Capped.of(record.functional, room.rows // 2),
        columns=_TESTS,
        percentiles=_PERCENTILES,
        loads=Capped([_drawn(load, n, room) for n, load in enumerate(loads.shown, 1)],
                     loads.left_out),
        packages=Capped.of(list(record.environment.packages.items()), room.rows),
    )  # fmt: skip


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # where a page is drawn

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        answers=_answers,
        block=lambda text, lines, width: "\n".join(plain.block(text, lines, width)),
        comparison=outline.comparison,
        count=figures.count,
        exact=figures.exact,
        figure=figures.figure,
        first_line=lambda text, most: plain.line(text.strip().partition("\n")[0], most),
        line=plain.line,
        kept=examples.summary,
        quantile=outline.quantile,
        told=examples.told,
        plural=plural,
        rate=outline.rate,
        share=figures.share,
        span=figures.span,
        started=outline.started,
        step=outline.step,
    )
    return environment


def _finalize(value: object) -> object:
    """Show what a browser would obey. Markup is the template's own, or a chart, which did this."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return plain.visible(value)


@dataclass(frozen=True, slots=True)
class _About:
    """The words of the verdict's sentence."""

    commit: str
    started: str
    pythons: str
    targets: str
    missing: str

    @classmethod
    def of(cls, record: Record) -> _About:
        return cls(
            outline.commit(record),
            outline.started_at(record),
            outline.pythons(record),
            outline.targets(record),
            ", ".join(outline.missing_parts(record)),
        )


@dataclass(frozen=True, slots=True)
class _Gap:
    """What was not checked for one reason, cut to its first names."""

    why: str
    next_step: str
    what: Capped[str]


@dataclass(frozen=True, slots=True)
class _Tile:
    """One section at a glance, and the way to it."""

    anchor: str
    title: str
    says: str
    outcome: Outcome | None = None


def _tiles(record: Record) -> Iterator[_Tile]:
    yield _Tile("findings", "Findings", _found(record))
    objectives = [finding.outcome for finding in outline.objectives(record)]
    yield _of_limits("Objectives", objectives)
    yield _of_limits("Gates", [gate.outcome for gate in record.gates])
    tests = sum(row.tests for row in record.functional)
    passed = sum(row.passed for row in record.functional)
    yield _Tile("tests", "Tests", f"{passed:,} of {tests:,} passed" if tests else "none")
    yield _Tile("load", "Load", _load_at_a_glance(record))
    gaps = sum(len(gap.what) for gap in outline.gaps(record)) + len(outline.missing_parts(record))
    yield _Tile("not-checked", "Not checked", f"{gaps:,}" if gaps else "nothing")


def _found(record: Record) -> str:
    counts = [(len(outline.of_outcome(record, o)), o) for o in outline.WORST_FIRST]
    return ", ".join(f"{number:,} {outcome}" for number, outcome in counts if number) or "none"


def _load_at_a_glance(record: Record) -> str:
    started = sum(run.visits_started for run in record.loads)
    failed = sum(row.failed for row in record.load if row.step is None)
    if not record.load and not record.loads:
        return "none"
    spoiled = "" if all(row.valid for row in record.load) else ", not valid"
    return f"{plural(started, 'visit')}, {failed:,} failed{spoiled}"


def _of_limits(title: str, outcomes: list[Outcome]) -> _Tile:
    if not outcomes:
        return _Tile("limits", title, "none")
    kept = sum(outcome is Outcome.PASS for outcome in outcomes)
    return _Tile("limits", title, f"{kept:,} of {len(outcomes):,} kept", worst(outcomes))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A load as the page shows it."""

    name: str
    run: LoadRun | None
    cpu: str
    chart: str
    caption: str
    intervals: Capped[svg.Interval]
    rows: Capped[LoadRow]
    notes: tuple[str, ...]


def _drawn(load: Load, number: int, room: Room) -> _Drawn:
    rows = Capped.of(load.rows, room.rows)
    series = load.run.series if load.run else []
    intervals = svg.intervals(series, room.points)
    chart = svg.latency_chart(
        intervals, name=f"chart-{number}", title=f"Latency and failures of {load.name} over time"
    )
    return _Drawn(
        name=load.name,
        run=load.run,
        cpu=figures.figure(100 * load.run.generator_cpu, "%") if load.run else "",
        chart=chart,
        caption=_caption(series, intervals),
        intervals=Capped.of(intervals, room.points),
        rows=rows,
        notes=tuple(_notes(load, rows)),
    )


def _caption(series: list[Second], intervals: list[svg.Interval]) -> str:
    said = ["Response time of all requests, and failures per second."]
    joined = -(-len(series) // len(intervals)) if intervals else 1
    if joined > 1:
        said.append(f"Each point joins {joined} intervals: counts are added, percentiles are the "
                    "highest.")  # fmt: skip
    needed = outline.SAMPLES_NEEDED["p99"]
    if any(one.p99_ms is not None and one.sent - one.failed < needed for one in series):
        said.append(f"An interval of fewer than {needed} answers has its maximum as p99.")
    return " ".join(said)


def _notes(load: Load, rows: Capped[LoadRow]) -> Iterator[str]:
    yield from outline.notes(load, rows.shown, _PERCENTILES)
    if load.run:
        yield from believed(load.run)
    reasons = dict.fromkeys(row.invalid_because for row in load.rows if not row.valid)
    for reason in list(reasons)[:5]:
        yield f"Not valid: {reason or 'the generator, not the target, may have set the figures'}"


def _answers(row: LoadRow) -> str:
    """Name statuses, then kinds of failure, most frequent first."""
    statuses = sorted(row.statuses.items(), key=lambda item: -item[1])
    failures = sorted(row.failures.items(), key=lambda item: -item[1])
    said = [f"{code}: {number:,}" for code, number in statuses]
    said += [f"{kind} failed: {number:,}" for kind, number in failures]
    return ", ".join(said[:8]) + (f" and {len(said) - 8} more" if len(said) > 8 else "")
