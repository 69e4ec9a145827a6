"""The summary of a job in GitHub Actions, or a comment: Markdown as GitHub reads it.

GitHub drops a summary of more than 1 MiB, and the job's status does not show it. So this is a
sixteenth of that at most, and says what was cut. All that comes from tests and services stands in
code spans and code blocks, in which Markdown means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.record import FunctionalRow, LoadRow, Record
from harness.render import entry, outline
from harness.render.figures import count, exact, figure, span
from harness.render.outline import Capped, Gap, plural
from harness.render.plain import line
from harness.verdict import Finding, Outcome

FILE_NAME = "summary.md"
MOST_BYTES = 64 * 1024

_SIGNS = {Outcome.PASS: "\u2705", Outcome.FAIL: "\u274c", Outcome.UNKNOWN: "\u2753"}
_PERCENTILES = ("p50", "p95", "p99", "max")


@dataclass(frozen=True, slots=True)
class _Room:
    """How much there is room for: of findings, of rows, and of lines of one message."""

    findings: int = 50
    rows: int = 30
    lines: int = 12

    def less(self) -> _Room:
        return _Room(max(1, self.findings // 2), max(1, self.rows // 2), max(1, self.lines // 2))


def render(record: Record) -> str:
    """Write `record` in less than `MOST_BYTES` bytes."""
    room = _Room()
    while True:
        page = "\n\n".join("\n".join(part) for part in _parts(record, room) if part) + "\n"
        if len(page.encode()) < MOST_BYTES or room == room.less():
            return page
        room = room.less()


def _parts(record: Record, room: _Room) -> Iterator[list[str]]:
    yield _verdict(record)
    yield _findings(record, room)
    yield _tests(record.functional, room)
    yield _load(record.load, room)
    yield _gates(record, room)
    for title, told in outline.told(record):
        yield _list(title, [code(text, 400) for text in told], room)
    yield _list("Not checked", [*map(_gap, outline.gaps(record)), *_missing(record)], room)


def _verdict(record: Record) -> list[str]:
    headline = f": {code(record.headline, 300)}" if record.headline.strip() else ""
    return [
        f"## {_SIGNS[record.outcome]} {record.outcome}{headline}",
        "",
        f"Commit {code(outline.commit(record))}, Python {code(outline.pythons(record))}, "
        f"target {code(outline.targets(record), 300)}. "
        f"Run {code(record.run_id or 'without a name')} of {code(outline.started_at(record))}, "
        f"took {span(record.duration_s)}.",
    ]


def _findings(record: Record, room: _Room) -> list[str]:
    findings = Capped.of(entry.worst_first(record), room.findings)
    told = [text for finding in findings.shown for text in _finding(finding, room.lines)]
    return [
        *told,
        *_more(findings, "more finding that is not PASS", "more findings that are not PASS"),
    ]


def _finding(finding: Finding, lines: int) -> list[str]:
    where = code(finding.where) if finding.where.strip() else "the run"
    said = "\n".join(entry.said(finding, lines, 240))
    fence = _fence(said, 3)
    heading = f"{_SIGNS[finding.outcome]} **{finding.outcome}** {where} ({code(finding.slug)})"
    return [heading, "", f"{fence}text", said, fence, ""]


def _tests(rows: Sequence[FunctionalRow], room: _Room) -> list[str]:
    columns = ("tests", "passed", "failed", "errors", "skipped", "reached")
    cells = [
        [
            code(f"{row.service} {row.target}, Python {row.python}".strip()),
            *(count(getattr(row, column)) for column in columns),
            span(row.duration_s),
        ]
        for row in rows
    ]
    return _table("Tests", ["", *columns, "took"], cells, room)


def _load(rows: Sequence[LoadRow], room: _Room) -> list[str]:
    cells = [
        [
            code(row.load),
            ("**not valid** " if not row.valid else "") + code(outline.step(row)),
            count(row.sent),
            count(row.failed),
            code(outline.rate(row)),
            *(figure(outline.percentile(row.response_ms, name), "ms") for name in _PERCENTILES),
        ]
        for row in rows
    ]
    return _table("Load", ["load", "step", "sent", "failed", "rate", *_PERCENTILES], cells, room)


def _gates(record: Record, room: _Room) -> list[str]:
    cells = [
        [
            code(gate.name),
            f"{_SIGNS[gate.outcome]} {gate.outcome}",
            code(figure(gate.measured, gate.unit, beside=[gate.limit])),
            code(f"{line(gate.op)} {exact(gate.limit, gate.unit)}"),
            count(gate.checked),
            count(len(gate.not_checked)),
        ]
        for gate in record.gates
    ]
    return _table("Gates", ["", "", "measured", "limit", "checked", "not checked"], cells, room)


def _gap(gap: Gap) -> str:
    what = Capped.of(gap.what, 3)
    more = f" and {what.left_out:,} more" if what.left_out else ""
    step = f"; next: {code(gap.next_step)}" if gap.next_step.strip() else ""
    return f"{', '.join(code(name) for name in what.shown)}{more}: {code(gap.why, 300)}{step}"


def _missing(record: Record) -> list[str]:
    missing = outline.missing_parts(record)
    return [f"not judged here: {', '.join(missing)}"] if missing else []


def _list(title: str, items: Sequence[str], room: _Room) -> list[str]:
    shown = Capped.of(items, room.rows)
    told = [f"- {item}" for item in shown.shown] or ["- nothing"]
    return [f"### {title}", "", *told, *_more(shown, "more", "more", "- ")]


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], room: _Room
) -> list[str]:
    if not rows:
        return []
    shown = Capped.of(rows, room.rows)
    table = [
        f"### {title}",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(_row(cells) for cells in shown.shown),
    ]
    return [*table, *([""] if shown.left_out else []), *_more(shown, "more row")]


def _row(cells: Sequence[str]) -> str:
    """Write a row. A bar would end its cell, in a code span too."""
    told = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(told)} |"


def _more(capped: Capped[object], noun: str, several: str = "", indent: str = "") -> list[str]:
    """Say what was cut."""
    if not capped.left_out:
        return []
    told = plural(capped.left_out, noun, several)
    return [f"{indent}**and {told}**, cut here; `report.html` has them"]


def code(text: str, most: int = 160) -> str:
    """Write text as a code span: one line, in which nothing is markup.

    >>> code("a <b> `c`")
    '`` a <b> `c` ``'
    """
    shown = line(text, most) or " "
    fence = _fence(shown, 1)
    edge = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{edge}{shown}{edge}{fence}"


def _fence(text: str, least: int) -> str:
    """Return more backticks than stand together anywhere in `text`."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)
