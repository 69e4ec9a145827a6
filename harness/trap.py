"""A trap: a line of a tox file or a workflow by which something is green that was not checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trap:
    """One of them. `grave` ones can hide bad evidence, or its absence; the others are told.

    `where` is a file and, after a colon, its line; `slug` as in ``docs/messages.md``.
    """

    slug: str
    where: str
    told: str
    next_step: str
    grave: bool = True


def slipped(word: str, meant: str) -> bool:
    """Tell whether `word` is `meant` with one slip of the finger, or two letters the wrong way.

    >>> slipped("comands", "commands"), slipped("laod", "load"), slipped("lint", "load")
    (True, True, False)
    """
    if word == meant or min(len(word), len(meant)) < 4 or abs(len(word) - len(meant)) > 1:
        return False
    start = next((n for n, pair in enumerate(zip(word, meant, strict=False)) if pair[0] != pair[1]),
                 min(len(word), len(meant)))  # fmt: skip
    word, meant = word[start:], meant[start:]
    swapped = word[:2] == meant[:2][::-1] and word[2:] == meant[2:]
    return swapped or word[1:] == meant[1:] or word[1:] == meant or word == meant[1:]
