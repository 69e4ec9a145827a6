"""An INI text as tox reads it, with the line that each value stands in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SECTION = re.compile(r"\[(?P<name>[^\n]*)\]\s*\Z")
_KEY = re.compile(r"(?P<key>[^\s=:#;\[][^=:]*?)\s*[=:]\s*(?P<value>.*)\Z")
_COMMENT = re.compile(r"\s*(?<!\\)#.*")  # tox's own: also in the middle of a line


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a value, without its comment, and its number in the file."""

    text: str
    number: int


@dataclass(slots=True)
class Section:
    """A section: its line, and the lines of each key's value. `keys` are the lines of the keys."""

    number: int
    values: dict[str, list[Line]] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)


def parse(text: str, first: int = 1) -> dict[str, Section]:
    """Return the sections of a text whose first line has the number `first`.

    What is neither a section, a key nor the rest of a value is passed over: tox would refuse it.
    Lines that end in a backslash are joined with the next.
    """
    sections: dict[str, Section] = {}
    current: Section | None = None
    value: list[Line] | None = None
    for number, raw in enumerate(text.splitlines(), first):
        shown = _COMMENT.sub("", raw).rstrip()
        if not shown or raw.lstrip().startswith(";"):
            continue
        if raw[:1].isspace():
            if value is not None:
                _add(value, Line(shown.strip(), number))
            continue
        value = None
        if found := _SECTION.match(shown):
            current = sections.setdefault(found["name"].strip(), Section(number))
        elif current is not None and (found := _KEY.match(shown)):
            key = found["key"].strip().lower()
            current.keys[key] = number
            value = current.values[key] = []
            if found["value"]:
                _add(value, Line(found["value"], number))
    return sections


def _add(value: list[Line], line: Line) -> None:
    """Add a line to a value, or to its last line where that goes on."""
    if value and value[-1].text.endswith("\\"):
        begun = value.pop()
        line = Line(f"{begun.text[:-1].rstrip()} {line.text}", begun.number)
    value.append(line)
