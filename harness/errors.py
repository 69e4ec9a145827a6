"""What can go wrong, and what each error must say.

    HarnessError             exit 2: the request was understood, but there is no evidence
    ├── UsageError           exit 64: the request cannot be understood; nothing was started
    │   ├── PlanError        the plan or a stub file, with its line
    │   └── SentenceError    a sentence of an objective or a pace, with its column
    ├── TargetError          the service under test did not start, or is not there
    │   └── BrokenOffError        an answer of its ended before it was whole; a ConnectionError, too
    └── EvidenceError        the run folder cannot be written or read

Every error says where, what was expected and found, and what to do next, and carries a
slug that ``docs/messages.md`` explains.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


class HarnessError(Exception):
    """Something kept us from an answer: no evidence, so neither PASS nor FAIL.

    `slug` is stable (``family/name``), `where` is a file, a line of one or an address, and
    `next_step` is what the reader should do or type.
    """

    exit_code = 2

    def __init__(self, slug: str, message: str, *, where: str = "", next_step: str = "") -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.where = where
        self.next_step = next_step

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        next_step = f"\n  next: {self.next_step}" if self.next_step else ""
        return f"{where}{self.message} ({self.slug}){next_step}"


class UsageError(HarnessError):
    """The request cannot be understood. Found before anything starts."""

    exit_code = 64


class SentenceError(UsageError):
    """A sentence (an objective, a pace) that cannot be read; the error points at its column.

    `text` is the sentence, `column` counts from 0 and is at most its length, where something is
    missing. `found` is what stands there; None: nothing does.
    """

    def __init__(
        self, slug: str, text: str, column: int, expected: str, *,
        found: str | None = None, next_step: str = "",
    ) -> None:  # fmt: skip
        said = "found the end" if found is None else f"found {found!r}"
        told = f"expected {expected}; {said}"
        super().__init__(slug, pointed(text, column, told), next_step=next_step)
        self.column = column


class PlanError(UsageError):
    """The plan, or a stub file that it names, says something that it cannot mean."""


class TargetError(HarnessError):
    """The service under test did not start, or nothing answers at its address."""


class BrokenOffError(TargetError, ConnectionError):
    """What a client sees of an answer whose connection is closed in the middle."""

    def __init__(self, request: str) -> None:
        super().__init__(
            "target/cut-off",
            f"the answer to {request} broke off before it was whole",
            next_step="see what the application raised, in its log above; or let it end its answer",
        )


class EvidenceError(HarnessError):
    """The run folder cannot be written or read."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Name what is known and, where one is close, what was probably meant.

    >>> nearest("ap", ["app", "env"])
    "Did you mean 'app'? Known: app, env."
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    meant = f"Did you mean {close[0]!r}? " if close else ""
    return f"{meant}Known: {', '.join(names) or 'none'}."


def pointed(text: str, column: int, told: str) -> str:
    """Return what is `told`, `text` on the next line, and a caret below its `column`, from 0.

    A control character is shown as a space; one that is two columns wide on a terminal counts so.

    >>> print(pointed("p99 < 250", 9, "expected ms or s; found the end"))
    expected ms or s; found the end
        p99 < 250
                 ^
    """
    shown = "".join(char if char.isprintable() else " " for char in text)
    before = sum(_columns(char) for char in shown[:column])
    return f"{told}\n    {shown}\n    {' ' * before}^"


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
