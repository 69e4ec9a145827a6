"""Exceptions that code under test logged or printed: what was raised, at which line of its own."""

from __future__ import annotations

import re
from pathlib import Path

from harness.targets.hang import own_line

_TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n((?:[ \t].*\n)*)(\S.*)", re.MULTILINE
)
_GROUPED = re.compile(r"^ +\| ", re.MULTILINE)
"""What stands before each line of an exception in a group."""

_FRAME = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)


def raised_in(text: str, root: Path) -> list[str]:
    """Return ``FILE:LINE raised MESSAGE`` for each traceback in `text`, each once.

    Only those that went through the project at `root`: any other is what a library's own
    exception came from.
    """
    raised: dict[str, None] = {}
    for found in _TRACEBACK.finditer(_GROUPED.sub("", text)):
        frames, said = found.groups()
        place = own_line([(name, int(line)) for name, line in _FRAME.findall(frames)], root)
        if place:
            raised.setdefault(f"{place} raised {said}")
    return list(raised)
