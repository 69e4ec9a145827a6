"""The comments that keep something from a gate: each with its place, its rules and its reason.

``# nosec`` is read by Bandit's own rules: one with an unknown rule, or with prose, hides every
issue of its line. ``# pragma: no cover`` and ``no branch`` are coverage.py's. What linters read,
such as ``# noqa``, hides nothing from the gates.
"""

from __future__ import annotations

import io
import re
import time
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.facts import Fact
from harness.gates import account, content, fingerprint, parsed, tool_error, writable
from harness.gates.security import undisturbed
from harness.inspection import NotChecked, Suppression

_MARKS = re.compile(rb"nosec|pragma", re.IGNORECASE)
_NOSEC = re.compile(r"#\s*nosec:?\s*")
_PRAGMA = re.compile(r"#\s*(?:pragma|PRAGMA)[:\s]?\s*(?:no|NO)\s*(cover|branch|COVER|BRANCH)")
_RULE = re.compile(r"\bB\d+\b,?")
_OTHERS = re.compile(
    r"#?\s*(?:noqa\b(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore\b(?:\[[\w, -]*\])?"
    r"|pylint:\s*\S+|pyright:\s*ignore\b(?:\[[\w, -]*\])?|fmt:\s*\w+)"
)
"""What other tools read in a comment, which is no reason."""
_EDGES = re.compile(r"\A[\W_]+|[\W_]+\Z")


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The gate that finds a `Suppression` for every comment that hides something."""

    name: str = "suppressions"

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Read the files' comments."""
        began = time.monotonic()
        found: list[Suppression] = []
        lost: list[NotChecked] = []
        for path in files:
            read = _read(root, path)
            if isinstance(read, NotChecked):
                lost.append(read)
            else:
                found += read
        inspected = account(
            self.name, f"quart-harness {__version__}",
            fingerprint([_NOSEC.pattern, _PRAGMA.pattern]), root, paths, files, lost, began,
        )  # fmt: skip
        return [inspected, *found]


def _read(root: Path, path: str) -> list[Suppression] | NotChecked:
    source = content(root, path)
    if isinstance(source, NotChecked):
        return source
    tree = parsed(root, path)
    if isinstance(tree, NotChecked):
        return tree
    if not _MARKS.search(source):
        return []
    try:
        comments = _comments(source)
        return [
            found
            for line, (text, _) in comments.items()
            for found in _found(path, line, text, _above(comments, line))
        ]
    except (SyntaxError, tokenize.TokenError, ValueError) as error:
        return tool_error(path, error)


def _comments(source: bytes) -> dict[int, tuple[str, bool]]:
    """Return each line's comment, and whether it has the line for itself."""
    return {
        token.start[0]: (token.string, not token.line[: token.start[1]].strip())
        for token in tokenize.tokenize(io.BytesIO(source).readline)
        if token.type == tokenize.COMMENT
    }


def _above(comments: dict[int, tuple[str, bool]], line: int) -> str:
    text, alone = comments.get(line - 1, ("", False))
    return text if alone else ""


def _found(path: str, line: int, text: str, above: str) -> Iterator[Suppression]:
    if _NOSEC.search(text):
        rules = _rules(text)
        yield Suppression(
            path=path, line=line, kind="nosec", rules=rules, blanket=not rules,
            reason=_reason(" ".join(_prose(text))) or _reason(above),
        )  # fmt: skip
    for pragma in _PRAGMA.finditer(text):
        yield Suppression(
            path=path, line=line, reason=_reason(text) or _reason(above),
            kind="no cover" if pragma[1].lower() == "cover" else "no branch",
        )  # fmt: skip


def _rules(text: str) -> tuple[str, ...]:
    """Return the rules that Bandit takes a comment to name, sorted."""
    with undisturbed():
        from bandit.core import manager  # where there is a nosec: it takes a third of a second

        return tuple(sorted(manager._parse_nosec_comment(text) or ()))


def _prose(text: str) -> Iterator[str]:
    """Yield the words of a ``nosec`` that do not name a rule, by its number or otherwise."""
    yield from (word for word in text.split() if not _rules(f"# nosec {word}"))


def _reason(text: str) -> str:
    """Return what a comment says besides the marks that tools read."""
    left = _RULE.sub(" ", _PRAGMA.sub("#", _NOSEC.sub("#", _OTHERS.sub("#", text))))
    return writable(_EDGES.sub("", " ".join(left.split())))
