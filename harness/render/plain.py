"""Hostile text made harmless to look at: nothing that a terminal or a browser obeys gets through.

Names, bodies, addresses and messages in a record come from tests and services. Markup is
escaped by whoever writes markup; what is done here is needed in every report alike.
"""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_OBEYED = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # terminals' commands
    "\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # unseen, or turning text
    "\ufff9-\uffff\U000e0000-\U000e0fff"  # annotations, tags, what XML forbids
    "\ud800-\udfff"  # halves of a pair, which UTF-8 cannot write
    "]"
)
_TOO_LONG = 2_000
"""Of a line so long only the ends are looked at: no report shows more of one."""


def visible(text: str) -> str:
    r"""Show what would be obeyed as an escape; colours are dropped and line ends stay.

    >>> visible("\x1b[31mred\x1b[0m\x1b[2J \u202egpj.exe")
    'red\\x1b[2J \\u202egpj.exe'
    """
    text = _COLOUR.sub("", text).replace("\r\n", "\n").replace("\t", "    ")
    return _OBEYED.sub(lambda found: found[0] if found[0] == "\n" else _escape(found[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def line(text: str, most: int = 160) -> str:
    """Return `text` on one line of at most `most` characters, the middle left out if it must be.

    >>> line("a name that goes on and on", 16)
    'a name ... nd on'
    """
    text = visible(" ".join(_start_and_end(text).split("\n"))).strip()
    if len(text) <= most:
        return text
    head = (most - 5 + 1) // 2
    return f"{text[:head].rstrip()} ... {text[len(text) - (most - 5 - head) :].lstrip()}"


def block(text: str, lines: int, width: int) -> list[str]:
    """Return the first `lines` lines of `text`, cut at `width`, and how much was left out."""
    if not text.strip():
        return []
    every = text.replace("\r\n", "\n").strip("\n").split("\n")
    shown = [visible(one[:_TOO_LONG]).rstrip() for one in every[:lines]]
    shown = [one if len(one) <= width else f"{one[: width - 4]} ..." for one in shown]
    left_out = len(every) - len(shown)
    return [*shown, f"... {left_out:,} more line{'s' * (left_out > 1)}"] if left_out else shown


def _start_and_end(text: str) -> str:
    if len(text) <= _TOO_LONG:
        return text
    return text[: _TOO_LONG // 2] + text[-_TOO_LONG // 2 :]
