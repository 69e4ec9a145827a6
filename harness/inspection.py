"""What gates write down about code: which files they were given, and what they found there.

These are facts, members of `harness.facts.Fact`, as what tests and loads write down.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan takes out of the inventory: a pattern of whole paths, why, and its line.

    `files` are those that it took out, once the inventory is known.
    """

    path: str
    reason: str
    where: str = ""
    files: tuple[str, ...] = ()


class GatesBegun(msgspec.Struct, tag="gates", frozen=True, kw_only=True):
    """What the gates were asked to keep to: the limits' texts; and what is not given to them."""

    limits: tuple[str, ...]
    exclude: tuple[Exclusion, ...] = ()


class NotChecked(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a gate could not check, and why. `slug` as in ``docs/messages.md``."""

    path: str
    slug: str
    reason: str


class Inspected(msgspec.Struct, tag="inspected", frozen=True, kw_only=True):
    """What one gate looked at. Paths are relative to the project, with forward slashes.

    `python` is the interpreter that it parsed with, `configuration` the hash of all that its
    tool was told, and `content` the hash of the names and bytes of what is `checked`.
    """

    gate: str
    tool: str
    paths: tuple[str, ...]
    inventory: int
    checked: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]
    duration_s: float
    python: str = ""
    configuration: str = ""
    content: str = ""


class Block(msgspec.Struct, tag="block", frozen=True, kw_only=True):
    """A function at any depth, or a module's own level, and its cyclomatic complexity.

    `radon` is the number that Radon's own report has for it, None where it has none; `because`
    says what makes the difference. A class is one only for averages, as Radon's are: of it,
    each function is a block anyway.
    """

    path: str
    line: int
    name: str
    complexity: int
    radon: int | None = None
    because: str = ""
    is_class: bool = False


class Maintained(msgspec.Struct, tag="maintained", frozen=True, kw_only=True):
    """Radon's maintainability index of a file, 0 to 100; None where it has no volume to go by."""

    path: str
    index: float | None


class Weakness(msgspec.Struct, tag="weakness", frozen=True, kw_only=True):
    """One issue of Bandit's. Levels are Bandit's: ``low``, ``medium``, ``high``.

    Where a ``# nosec`` suppresses it, `comment` is its line, and it is `blanket` where the
    comment does not name the rule.
    """

    path: str
    line: int
    rule: str
    severity: str
    confidence: str
    message: str
    suppressed: bool
    comment: int = 0
    blanket: bool = False


class Suppression(msgspec.Struct, tag="suppression", frozen=True, kw_only=True):
    """A comment that keeps something from a gate: ``nosec``, ``no cover`` or ``no branch``.

    `rules` are those that a ``nosec`` names; one that names none that Bandit knows is
    `blanket`. `reason` is what else the comment says, or one on a line of its own above it.
    """

    path: str
    line: int
    kind: Literal["nosec", "no cover", "no branch"]
    rules: tuple[str, ...] = ()
    blanket: bool = False
    reason: str = ""


class Churn(msgspec.Struct, tag="churn", frozen=True, kw_only=True):
    """In how many commits of the last `days` each file was changed, as far as git's history goes.

    `whole` is false where the clone is shallow, so that there may be more.
    """

    days: int
    commits: dict[str, int]
    whole: bool = True


class Covered(msgspec.Struct, tag="covered", frozen=True, kw_only=True):
    """What the functional tests ran of one file: counts, and the lines `missing` and `ran`.

    `excluded` counts the lines that comments and coverage.py's defaults take out.
    """

    path: str
    statements: int
    covered: int
    branches: int
    covered_branches: int
    missing: tuple[int, ...]
    excluded: int = 0
    ran: tuple[int, ...] = ()
