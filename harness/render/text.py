"""The summary on a terminal: the verdict on the first line, then what made it, worst first.

Plain text. With colour asked for, only the words PASS, FAIL and UNKNOWN and the headings are
coloured, so nothing is lost without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.record import FunctionalRow, LoadRow, Record
from harness.render import examples, outline, repeated
from harness.render.believed import believed
from harness.render.figures import count, exact, figure, span
from harness.render.outline import Capped, Gap, Load, plural
from harness.render.plain import block, line, visible
from harness.verdict import Finding, Outcome

FILE_NAME = "report.txt"

_MOST_FINDINGS = {Outcome.FAIL: 8, Outcome.UNKNOWN: 5}
_FIRST_FINDINGS, _MOST_LINES, _FEWER_LINES = 3, 6, 2
"""The first findings are told in full, the others in brief: a screen is about 50 lines."""
_MOST_EXCHANGES, _LONGEST_COMMAND = 3, 1_000
_MOST_LOADS = 4
_MOST_KEPT = 3
_MOST_ROWS = 10
_MOST_TOLD = 4
_MOST_PROOFS = 30
_WIDTH = 140
_INDENT = " " * 9
_ELSEWHERE = "see report.html"
_PERCENTILES = ("p50", "p95", "p99")
_ANSI = {Outcome.PASS: "\x1b[1;32m", Outcome.FAIL: "\x1b[1;31m", Outcome.UNKNOWN: "\x1b[1;33m"}
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def render(record: Record, *, colour: bool = False) -> str:
    """Summarise `record` on about a screen. `colour` adds ANSI colours to the words."""
    paint = _Paint(colour)
    loads = Capped.of(outline.loads(record), _MOST_LOADS)
    parts = [
        _verdict(record, paint),
        *(_findings(record, outcome, paint) for outcome in _MOST_FINDINGS),
        _tests(record.functional, paint),
        *(_load(load, paint) for load in loads.shown),
        list(_more(loads, "load")),
        _gates(record, paint),
        _proofs(record, paint),
        *(_told(title, lines, paint) for title, lines in outline.told(record)),
        *(
            _told(title, lines, paint)
            for title, lines in outline.code(record)
            if title == "Hotspots"
        ),
        _not_checked(record, paint),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


class _Paint:
    """Colours, or none."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def outcome(self, outcome: Outcome, width: int = 0) -> str:
        padding = " " * (width - len(outcome))
        return f"{_ANSI[outcome]}{outcome}{_PLAIN}{padding}" if self._colour else outcome + padding

    def heading(self, text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if self._colour else text


def _verdict(record: Record, paint: _Paint) -> list[str]:
    headline = line(record.headline, _WIDTH)
    code = f"commit {outline.commit(record)}, Python {outline.pythons(record)}"
    return [
        paint.outcome(record.outcome) + (f": {headline}" if headline else ""),
        line(f"{code}, target {outline.targets(record)}", 2 * _WIDTH),
        line(f"run {record.run_id or 'without a name'}, took {span(record.duration_s)}"),
    ]


def _findings(record: Record, outcome: Outcome, paint: _Paint) -> list[str]:
    findings = Capped.of(outline.of_outcome(record, outcome), _MOST_FINDINGS[outcome])
    told: list[str] = []
    for position, finding in enumerate(findings.shown):
        in_full = position < _FIRST_FINDINGS
        told += _finding(finding, _MOST_LINES if in_full else _FEWER_LINES, paint)
        if in_full:
            told += _evidence(finding, 0 if position else _MOST_EXCHANGES)
    return [*told, *_more(findings, f"{outcome} finding", "")]


def _finding(finding: Finding, lines: int, paint: _Paint) -> Iterator[str]:
    where = line(finding.where, _WIDTH) or "the run"
    yield f"{paint.outcome(finding.outcome, len(_INDENT))}{where} ({line(finding.slug)})"
    yield from (f"{_INDENT}{text}".rstrip() for text in block(finding.message, lines, _WIDTH))
    compared = outline.comparison(finding)
    if compared:
        yield f"{_INDENT}measured {compared[0]}, limit {compared[1]}"
    if finding.next_step:
        yield f"{_INDENT}next: {line(finding.next_step, 2 * _WIDTH)}"


def _evidence(finding: Finding, most: int) -> Iterator[str]:
    """Tell of the first exchanges what they were, and how to have each again."""
    for exchange in finding.evidence[:most]:
        told, *others = exchange.split("\n", 2)[:2]
        yield f"{_INDENT}{line(told, _WIDTH)}"
        for command in others:  # cut, it would not be the same
            shown = visible(command) if len(command) <= _LONGEST_COMMAND else _ELSEWHERE
            yield f"{_INDENT}  {shown}"
    if len(finding.evidence) > most:
        more = plural(len(finding.evidence) - most, "more exchange" if most else "exchange")
        yield f"{_INDENT}{more}, {_ELSEWHERE}"


def _tests(rows: Sequence[FunctionalRow], paint: _Paint) -> list[str]:
    if not rows:
        return []
    columns = ("tests", "passed", "failed", "errors", "skipped", "xfailed", "xpassed", "reached")
    # What marks an expected failure is rare: its columns appear where there is one.
    shown = [c for c in columns if not c.startswith("x") or any(getattr(r, c) for r in rows)]
    return _table(
        paint.heading("Tests"),
        [*shown, "took"],
        [
            [
                line(f"{row.service} {row.target}, Python {row.python}".strip(), 60),
                *(count(getattr(row, column)) for column in shown),
                span(row.duration_s),
            ]
            for row in rows
        ],
    )


def _load(load: Load, paint: _Paint) -> list[str]:
    if load.run and load.run.repeated:
        heading, *told = repeated.block(load.run, load.run.repeated, load.rows)
        notes = _load_notes(load, Capped((), 0))
        return [paint.heading(heading), *told, *(f"  {note}" for note in notes)]
    rows = Capped.of(load.rows, _MOST_ROWS)
    run = load.run
    asked = line(f"{run.pace} against {run.target}", 2 * _WIDTH) if run else "nothing else recorded"
    names = (*_PERCENTILES, "max")
    table = _table(
        "",
        ["sent", "failed", "rate", *names],
        [
            [
                ("! " if not row.valid else "") + line(outline.step(row), 60),
                count(row.sent),
                count(row.failed),
                outline.rate(row),
                *(figure(outline.percentile(row.response_ms, name), "ms") for name in names),
            ]
            for row in rows.shown
        ],
    )
    return [
        f"{paint.heading(f'Load {line(load.name, 60)}')}: {asked}",
        *([f"  {outline.started(run)}"] if run else []),
        *table,
        *_more(rows, "row"),
        *(f"  {note}" for note in _load_notes(load, rows)),
        *_kept(load),
    ]


def _load_notes(load: Load, rows: Capped[LoadRow]) -> Iterator[str]:
    for said in outline.notes(load, rows.shown, (*_PERCENTILES, "max")):
        yield line(said, 2 * _WIDTH)
    if load.run:
        yield from (line(told, 2 * _WIDTH) for told in believed(load.run))
    reasons = dict.fromkeys(row.invalid_because for row in load.rows if not row.valid)
    for reason in list(reasons)[:_MOST_ROWS]:
        yield f"! not valid: {line(reason, _WIDTH) or 'the generator set the figures'}"


def _kept(load: Load) -> Iterator[str]:
    """Tell of each step that failed its first failure, and how to ask the same again."""
    failing = [(row, found[0]) for row in load.rows if (found := examples.failures(row))]
    for row, first in failing[:_MOST_KEPT]:
        after = outline.percentile(row.failed_ms, "p50") if row.failed_ms else None
        times = f"; failures took p50 {figure(after, 'ms')}" if after is not None else ""
        yield f"  {line(outline.step(row), 60)}: {line(examples.title(first), _WIDTH)}{times}"
        yield f"    {line(first.message, _WIDTH)}"
        if first.exchange is not None:
            command = first.exchange.curl
            shown = visible(command) if len(command) <= _LONGEST_COMMAND else _ELSEWHERE
            yield from ([f"    {line(shown, _LONGEST_COMMAND)}"] if shown else [])
            yield f"    {line(examples.answer(first), _WIDTH)}"
    if len(failing) > _MOST_KEPT:
        yield f"  and {plural(len(failing) - _MOST_KEPT, 'more step')} that failed, {_ELSEWHERE}"


def _gates(record: Record, paint: _Paint) -> list[str]:
    if not record.gates:
        return []
    tolerated = any(gate.accepted for gate in record.gates)  # a column where there is any
    return _table(
        paint.heading("Gates"),
        [
            "measured",
            "limit",
            "files checked",
            "not checked",
            "places",
            *(["baseline"] if tolerated else []),
        ],
        [
            [
                f"{paint.outcome(gate.outcome, 8)}{line(gate.name, 60)}",
                figure(gate.measured, gate.unit, beside=[gate.limit]),
                f"{line(gate.op)} {exact(gate.limit, gate.unit)}",
                count(gate.checked),
                count(len(gate.not_checked)),
                count(gate.findings),
                *([count(gate.accepted)] if tolerated else []),
            ]
            for gate in record.gates
        ],
    )


def _proofs(record: Record, paint: _Paint) -> list[str]:
    if not record.proofs:
        return []
    rows = Capped.of(record.proofs, _MOST_PROOFS)
    names = [line(f"{row.proof}: {row.subject}", 60) for row in rows.shown]
    return [
        paint.heading("Proofs"),
        *(
            f"  {paint.outcome(row.outcome, 8)}{name:{max(map(len, names))}}  "
            f"{line(row.fault, 60)}: {line(row.found, 60) or 'not found'}"
            for row, name in zip(rows.shown, names, strict=True)
        ),
        *_more(rows, "proof"),
    ]


def _told(title: str, lines: Sequence[str], paint: _Paint) -> list[str]:
    shown = Capped.of(lines, _MOST_TOLD)
    return [
        paint.heading(title),
        *(f"  {line(text, 2 * _WIDTH)}" for text in shown.shown),
        *_more(shown, "line"),
    ]


def _not_checked(record: Record, paint: _Paint) -> list[str]:
    gaps = Capped.of(outline.gaps(record), _MOST_ROWS)
    missing = outline.missing_parts(record)
    return [
        paint.heading("Not checked"),
        *(f"  {_gap(gap)}" for gap in gaps.shown),
        *_more(gaps, "reason"),
        *([f"  not judged here: {', '.join(missing)}"] if missing else []),
        *([] if gaps.total or missing else ["  nothing"]),
    ]


def _gap(gap: Gap) -> str:
    what = Capped.of(gap.what, 2)
    names = ", ".join(line(name, 80) for name in what.shown)
    more = f" and {what.left_out:,} more" if what.left_out else ""
    step = f"; next: {line(gap.next_step, _WIDTH)}" if gap.next_step else ""
    return f"{names}{more}: {line(gap.why, _WIDTH)}{step}"


def _more(capped: Capped[object], noun: str, indent: str = "  ") -> Iterable[str]:
    if capped.left_out:
        yield f"{indent}and {plural(capped.left_out, f'more {noun}')}, {_ELSEWHERE}"


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows whose first cell is a name; numbers stand to the right of their column."""
    if not rows:
        return [heading] if heading else []
    cells = [[f"  {first}", *others] for first, *others in rows]
    widths = [max(map(_shown, column)) for column in zip([heading, *columns], *cells, strict=True)]
    return [
        "  ".join(
            (" " * (width - _shown(cell))).join((cell, "") if n == 0 else ("", cell))
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [[heading, *columns], *cells]
    ]


def _shown(cell: str) -> int:
    """Return how many columns `cell` takes on a terminal: its own colours take none."""
    for code in (*_ANSI.values(), _BOLD, _PLAIN):
        cell = cell.replace(code, "")
    return len(cell)
