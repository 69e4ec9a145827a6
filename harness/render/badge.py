"""A badge: the verdict, in a word and a sign as well as a colour, and the day that it is of.

A picture on a page outlives the run that it tells of, so the day is in what everybody sees, and
the commit in what a pointer or a screen reader is told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from harness.record import Record
from harness.render import outline
from harness.render.plain import line
from harness.verdict import Outcome

FILE_NAME = "badge.svg"

COLOURS = {Outcome.PASS: "#1a7f37", Outcome.FAIL: "#b42318", Outcome.UNKNOWN: "#7a5200"}
"""White text stands out from each by more than 4.5 to 1, as from the label's grey."""
LABEL_COLOUR = "#3c4148"
_SIGNS = {Outcome.PASS: "\u2713", Outcome.FAIL: "\u2717", Outcome.UNKNOWN: "?"}
_LABEL = "harness"
_HEIGHT, _MARGIN, _CHARACTER = 20, 6, 6.8


def render(record: Record) -> str:
    """Draw the badge as one SVG file."""
    told = f"{_SIGNS[record.outcome]} {record.outcome} \u00b7 {_day(record)}"
    title = f"{_LABEL}: {record.outcome} on {_day(record)}"
    about = f"run {record.run_id or 'without a name'}, commit {outline.commit(record)}"
    left, right = _width(_LABEL), _width(told)
    width = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" role="img" '
        f'aria-label="{_text(title)}">\n'
        f"<title>{_text(title)}</title>\n"
        f"<desc>{_text(f'{about}. {line(record.headline, 200)}')}</desc>\n"
        f'<rect width="{left}" height="{_HEIGHT}" fill="{LABEL_COLOUR}"/>\n'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{COLOURS[record.outcome]}"/>\n'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        f'text-anchor="middle" aria-hidden="true">\n'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 2 * _MARGIN}">{_LABEL}</text>\n'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 2 * _MARGIN}">'
        f"{_text(told)}</text>\n"
        "</g>\n</svg>\n"
    )


def _day(record: Record) -> str:
    """Return the day on which the run began, in UTC; what is no time is said to be none."""
    try:
        return f"{datetime.fromisoformat(record.started_at).astimezone(UTC):%Y-%m-%d}"
    except (ValueError, OverflowError):
        return "undated"


def _width(text: str) -> int:
    return round(len(text) * _CHARACTER) + 2 * _MARGIN


def _text(text: str) -> str:
    return escape(line(text, 300))
