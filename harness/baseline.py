"""The baseline: findings that a project tolerates, a line each, in a file that it commits.

The file is sorted as text and holds JSON, so that two branches merge where they do not touch the
same findings, and a reader sees what a change accepts. Whatever is not as `written` writes it is
an error, and never an empty baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path

import msgspec

from harness.comparison import Accepted, Baseline
from harness.errors import UsageError

HEADER = '{"baseline": 1}'
"""The first line of the file: its format. It sorts before all findings."""

_DAMAGED = "baseline/damaged"
_SORT = "git checkout it, or sort it: LC_ALL=C sort -u -o {0} {0}"
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Accepted)


def file_of(plan_file: Path | None, root: Path) -> Path:
    """Return where the baseline is: beside the plan and named after it, or else in `root`."""
    if plan_file is None:
        return root / "harness-baseline.jsonl"
    return plan_file.with_name(f"{plan_file.stem}-baseline.jsonl")


def read(file: Path, name: str) -> Baseline | None:
    """Read the file, called `name` in messages; None where there is none. Raises UsageError."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            _DAMAGED, f"the baseline cannot be read: {error.strerror}", where=name,
            next_step="make it readable",
        ) from None  # fmt: skip
    return parsed(content, name)


def parsed(content: bytes, name: str) -> Baseline:
    """Read a baseline's text. Raises UsageError, which names the line that is not one of ours."""
    lines = content.decode("utf-8", "backslashreplace").split("\n")
    if lines[0] != HEADER:
        raise _damaged(name, 1, f"expected {HEADER}, found {_short(lines[0])}")
    if lines[-1]:
        raise _damaged(name, len(lines), "the last line has no end: the file may be cut short")
    entries: list[Accepted] = []
    for number, line in enumerate(lines[1:-1], 2):
        entries.append(_entry(name, number, line))
        before = lines[number - 2]
        if line == before or (number > 2 and _key(entries[-1]) == _key(entries[-2])):
            raise _damaged(name, number, "the same finding twice")
        if line < before:
            raise _damaged(name, number, "not sorted: it belongs before the line above")
    return Baseline(file=name, sha256=sha256(content).hexdigest(), entries=tuple(entries))


def _entry(name: str, number: int, line: str) -> Accepted:
    if line.startswith(_CONFLICT):
        raise _damaged(name, number, f"a merge left its mark: {_short(line)}")
    try:
        entry = _DECODER.decode(line)
        date.fromisoformat(entry.since)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise _damaged(name, number, f"not a finding: {error}") from None
    if _line(entry) != line:
        raise _damaged(name, number, "not as it is written: keys are missing, moved or unknown")
    if entry.occurrence < 1 or (entry.value is not None and entry.value < 0):
        raise _damaged(name, number, "an occurrence is at least 1, and a value at least 0")
    return entry


def _key(entry: Accepted) -> tuple[str, str, str, str, int]:
    return entry.path, entry.rule, entry.symbol, entry.snippet, entry.occurrence


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _damaged(name: str, number: int, said: str) -> UsageError:
    return UsageError(
        _DAMAGED, f"the baseline is damaged: {said}", where=f"{name}:{number}",
        next_step=_SORT.format(name),
    )  # fmt: skip


def _line(entry: Accepted) -> str:
    return _ENCODER.encode(entry).decode()


def written(entries: Iterable[Accepted]) -> bytes:
    """Return the file's text: sorted, a line each."""
    return "".join(f"{line}\n" for line in [HEADER, *sorted(map(_line, entries))]).encode()


_Key = tuple[str, ...] | None


def _as_it_was(entry: Accepted) -> _Key:
    return entry.path, entry.rule, entry.symbol, entry.snippet


def _rewritten(entry: Accepted) -> _Key:
    """A function that was changed is the same one: what it measures may not grow."""
    return None if entry.value is None else (entry.path, entry.rule, entry.symbol)


def _elsewhere(entry: Accepted) -> _Key:
    is_named = entry.symbol or entry.snippet
    return (entry.rule, entry.symbol, entry.snippet) if is_named else None


def _renamed(entry: Accepted) -> _Key:
    is_plain = entry.value is None and entry.snippet
    return (entry.path, entry.rule, entry.snippet) if is_plain else None


_WAYS: tuple[Callable[[Accepted], _Key], ...] = (_as_it_was, _rewritten, _elsewhere, _renamed)
"""How a finding is known again, the surest first: in place, changed, moved, function renamed."""


def matched(
    found: Sequence[Accepted], entries: Sequence[Accepted], moved: Callable[[Accepted], bool]
) -> dict[int, int]:
    """Pair findings with entries, each once, by their positions.

    `moved` tells whether an entry may be a finding in another file now: its own was looked at.
    """
    pairs: dict[int, int] = {}
    for way in _WAYS:
        free = set(range(len(entries))) - set(pairs.values())
        by_key: dict[_Key, list[int]] = {}
        for position in sorted(free, key=lambda at: _order(entries[at])):
            if way is not _elsewhere or moved(entries[position]):
                by_key.setdefault(way(entries[position]), []).append(position)
        left = [at for at in range(len(found)) if at not in pairs]
        for position in sorted(left, key=lambda at: _order(found[at])):
            key = way(found[position])
            if key is not None and by_key.get(key):
                pairs[position] = by_key[key].pop(0)
    return pairs


def _order(entry: Accepted) -> tuple[int, int]:
    """The worst first, so that as many as possible are no worse than what they are paired with."""
    return -(entry.value or 0), entry.occurrence
