"""What the functional tests ran: measured by coverage.py, counted per file of the inventory.

No configuration of a user's is read on either side, so none can leave files out; the default
exclusions, ``# pragma: no cover`` among them, hold. A file that no test imported counts with
all its statements as missing, and code that is not in the inventory does not count.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.evidence import RunFolder
from harness.facts import Fact
from harness.gates import account, content, fingerprint, parsed, tool_error, writable
from harness.inspection import Covered, NotChecked

if TYPE_CHECKING:
    import coverage  # where it is needed: whoever starts pytest only names it

_PREFIX = ".coverage."


_NOTE = "code-"


class _Code(msgspec.Struct, frozen=True):
    """What was about to be measured: in which run, and the hash of each file's content."""

    run: str
    files: dict[str, str]


def measured(
    module: Sequence[str], *, data: Path, part: str, root: Path, files: Sequence[str], run: str = ""
) -> list[str]:
    """Return the command that runs ``python -m module…`` and measures `files`, threads included.

    It leaves a file in the folder `data`, named after `part` and of its own for each process,
    so that nothing is overwritten. Killed, it leaves none. What the files are now, and in which
    `run`, is noted there, since evidence of other code is none. Raises EvidenceError.
    """
    code = _Code(run, _hashes(root, files))
    RunFolder(data).write(f"{_NOTE}{part}.json", msgspec.json.encode(code))
    concurrency = ["thread"]
    if importlib.util.find_spec("greenlet"):
        concurrency.append("greenlet")  # else lines after SQLAlchemy's awaits are lost
    return [
        sys.executable, "-m", "coverage", "run",
        f"--rcfile={os.devnull}",
        "--branch",
        "--parallel-mode",
        f"--data-file={Path(os.path.abspath(data), _PREFIX + part)}",
        f"--include={','.join(_patterns(root, files))}",
        f"--concurrency={','.join(concurrency)}",
        "-m", *module,
    ]  # fmt: skip


def _hashes(root: Path, files: Iterable[str]) -> dict[str, str]:
    found = ((path, content(root, path)) for path in files)
    return {path: sha256(one).hexdigest() for path, one in found if isinstance(one, bytes)}


def _patterns(root: Path, files: Iterable[str]) -> list[str]:
    """Name the files to measure, a folder at a time, as coverage.py's patterns have it.

    Not ``--source``: it takes no files, splits at commas and has opinions about environments.
    """
    patterns = set()
    for file in files:
        real = Path(os.path.realpath(root / file))
        place = re.sub(r"[^\w/.\- ]", "?", str(real.parent))
        name = "*.py" if real.suffix == ".py" else re.sub(r"[^\w.\- ]", "?", real.name)
        patterns.add(f"{place.rstrip('/')}/{name}")
    return sorted(patterns)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The gate that finds a `Covered` for every file. `data` is the folder `measured` wrote to.

    Data of another run than `run` is no evidence, and none of a file that has changed since.
    """

    data: Path
    run: str = ""
    name: str = "coverage"

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Count what was run. Without data, or with data that is damaged, nothing is checked."""
        import coverage

        began = time.monotonic()
        found = self._covered(root, files)
        covered = [fact for fact in found if isinstance(fact, Covered)]
        lost = [fact for fact in found if isinstance(fact, NotChecked)]
        tool, told = f"coverage {coverage.__version__}", fingerprint(_excluding())
        inspected = account(self.name, tool, told, root, paths, files, lost, began)
        return [inspected, *covered]

    def _covered(self, root: Path, files: Sequence[str]) -> list[Covered | NotChecked]:
        import coverage

        sources = _data_files(self.data)
        if not sources:
            reason = f"no functional test left coverage data in {self.data}"
            return _none_checked(files, "coverage/no-data", reason)
        with (
            tempfile.TemporaryDirectory(prefix="harness-coverage-") as scratch,
            warnings.catch_warnings(action="ignore"),
        ):
            combined = coverage.Coverage(
                data_file=str(Path(scratch, "combined")), config_file=False, messages=False
            )
            try:
                changed = _changed(_codes(sources, self.run), root, files)
                _combine(combined, sources)
                found = [_count(combined, root, path) for path in files]
                return [
                    changed.get(one.path, one) if isinstance(one, Covered) else one for one in found
                ]
            except _Damaged as error:
                return _none_checked(files, "coverage/bad-data", str(error))
            finally:
                combined.get_data().close(force=True)


class _Damaged(Exception):  # noqa: N818 - of the data, not of ours
    """A data file that cannot be used, by its name and why."""


def _data_files(folder: Path) -> list[Path]:
    """Return the data files in one folder; never what another run left elsewhere."""
    return sorted(
        path
        for path in folder.glob(f"{_PREFIX}*")
        if path.is_file() and not path.name.endswith("-journal")
    )


def _codes(sources: Iterable[Path], run: str) -> list[_Code]:
    """Read of which code each data file is. Raises _Damaged where that is not known."""
    codes = {}
    for source in sources:
        notes = [note for note in source.parent.glob(f"{_NOTE}*.json") if _is_of(note, source)]
        try:
            (note,) = notes
            codes[note] = msgspec.json.decode(note.read_bytes(), type=_Code)
        except (ValueError, OSError, RecursionError):
            raise _Damaged(f"{source.name}: nothing says of which code it is") from None
        if codes[note].run != run:
            raise _Damaged(f"{source.name}: it is of another run, {codes[note].run}")
    return list(codes.values())


def _is_of(note: Path, source: Path) -> bool:
    part = note.name.removeprefix(_NOTE).removesuffix(".json")
    return source.name.startswith(f"{_PREFIX}{part}.")


def _changed(codes: Sequence[_Code], root: Path, files: Sequence[str]) -> dict[str, NotChecked]:
    """Find the files that are not what they were when the tests ran."""
    now = _hashes(root, files)
    return {
        path: NotChecked(
            path=path, slug="coverage/other-code", reason="it has changed since the tests ran"
        )
        for path, found in now.items()
        if any(code.files.get(path) != found for code in codes)
    }


def _combine(combined: coverage.Coverage, sources: Iterable[Path]) -> None:
    """Add up data files, which stay. One at a time: several at once, a bad one is skipped."""
    from coverage.exceptions import CoverageException

    combined.get_data().add_arcs({})  # so that data without branches cannot be mixed in
    for source in sources:
        try:
            combined.combine([str(source)], strict=True, keep=True)
        except (CoverageException, OSError) as error:
            raise _Damaged(f"{source.name}: {error}") from None


def _excluding() -> list[str]:
    """Return the patterns of what coverage.py leaves out."""
    import coverage

    return [str(one) for one in coverage.Coverage(config_file=False).get_exclude_list()]


def _none_checked(files: Iterable[str], slug: str, reason: str) -> list[Covered | NotChecked]:
    return [NotChecked(path=path, slug=slug, reason=writable(reason)) for path in files]


def _count(combined: coverage.Coverage, root: Path, path: str) -> Covered | NotChecked:
    tree = parsed(root, path)  # coverage.py reads what Python would not: it replaces bad bytes
    if isinstance(tree, NotChecked):
        return tree
    place = os.path.realpath(root / path)
    try:
        _, statements, excluded, missing, _ = combined.analysis2(place)
        branches = combined.branch_stats(place).values()
    except Exception as error:
        return tool_error(path, error)
    return Covered(
        path=path,
        statements=len(statements),
        covered=len(statements) - len(missing),
        branches=sum(total for total, _ in branches),
        covered_branches=sum(taken for _, taken in branches),
        missing=tuple(missing),
        ran=tuple(sorted({*statements} - {*missing})),
        excluded=len(excluded),
    )
