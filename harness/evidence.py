"""The run folder: facts appended line by line, and read back even after a crash.

reports/20261120T093309Z-3f2a9c/
  run.json                       who, when, which code, what was asked (`Identity`)
  functional-inproc-py312.jsonl  a file of facts per part, and per generator process of a load
  load-mix.jsonl  load-mix.0.jsonl
  gates.jsonl
  coverage/  logs/               what tools and services left
  record.json  report.html       folded from the above, at any time
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import secrets
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from types import TracebackType

import msgspec

from harness.errors import EvidenceError, HarnessError, UsageError
from harness.facts import Begun, Ended, Fact, Problem
from harness.secret import redacted_fact
from harness.waiver import Waiver

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises where the text is none of ours."""

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Fact)


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run happened. `commit` is empty outside git; `tree` hashes the files' content.

    `ci` tells whether the variable ``CI`` was set, as every CI service sets it.
    """

    python: str
    platform: str
    cpu_count: int
    packages: dict[str, str]
    commit: str
    dirty: bool
    tree: str
    ci: bool = False


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a run one run. `asked` names the parts without which it is not complete.

    `pythons` are the versions that it is to run its tests on, `waivers` what it tolerates. `whole`:
    it is of all that the plan has, so what nothing in it used, nothing uses.
    """

    run_id: str
    started_at: str
    asked: tuple[str, ...]
    plan_source: str
    environment: Environment
    pythons: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    whole: bool = False


_PACKAGES = (
    "quart-harness", "quart", "hypercorn", "aiohttp", "molotov", "pytest", "pytest-asyncio",
    "radon", "bandit", "coverage",
)  # fmt: skip


def environment(root: Path, tree: str) -> Environment:
    """Describe this interpreter, this machine and the code at `root`."""
    commit = _git(root, "rev-parse", "HEAD")
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=os.cpu_count() or 1,
        packages={name: version for name in _PACKAGES if (version := _version(name))},
        commit=commit,
        dirty=bool(commit and _git(root, "status", "--porcelain")),
        tree=tree,
        ci=os.environ.get("CI", "").lower() not in ("", "0", "false"),
    )


def functional_part(target: str) -> str:
    """Name the part of the tests in a target on this Python, as ``functional-inproc-py312``."""
    return f"functional-{target}-py{sys.version_info.major}{sys.version_info.minor}"


def _version(package: str) -> str:
    """Return an installed package's version; empty where there is none, or a broken one."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of Python's, about broken ones
            return metadata.version(package) or ""
    except (metadata.PackageNotFoundError, KeyError, TypeError):
        return ""


def tree_hash(root: Path, files: Iterable[str]) -> str:
    """Hash names and content of `files`, so that evidence of other code can be refused."""
    digest = sha256()
    for name in sorted(files):
        content = b"(unreadable)"
        if (root / name).is_file():  # a pipe would be waited for, and a device has no end
            with contextlib.suppress(OSError):
                content = (root / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _git(root: Path, *arguments: str) -> str:
    # In a hook, git's own variables point to the hook's repository and its index.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "--no-optional-locks", "-C", str(root), *arguments],  # noqa: S607 - the user's
            env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
            errors="replace", timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def new_run_id(now: datetime) -> str:
    """Make a name that sorts by time and that two runs at once do not share."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


_RUN_NAME = re.compile(r"\w[\w.+=@-]{0,99}")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @classmethod
    def named(cls, reports: Path, run_id: str) -> RunFolder:
        """Return the folder of the run `run_id`: below `reports`, and nowhere else.

        Raises UsageError for a name that could lead elsewhere, or that no report could show.
        """
        if not _RUN_NAME.fullmatch(run_id):
            raise UsageError(
                "evidence/run-name",
                f"a run cannot be called {run_id!r}: its name is that of a folder in {reports}",
                next_step="let HARNESS_RUN be letters, digits and . _ - + = @, at most 100",
            )
        return cls(reports / run_id)

    @classmethod
    def create(cls, reports: Path, identity: Identity) -> RunFolder:
        """Make the folder, or join it where another part of the same run has made it.

        Raises UsageError where it cannot be written, before anything has started.
        """
        folder = cls.named(reports, identity.run_id)
        try:
            (folder.path / "logs").mkdir(parents=True, exist_ok=True)
            (folder.path / "coverage").mkdir(exist_ok=True)
            folder._write_once("run.json", msgspec.json.format(_ENCODER.encode(identity)))
        except OSError as error:
            raise UsageError(
                "evidence/not-writable",
                f"the run folder cannot be written: {error.strerror}",
                where=str(folder.path),
                next_step="make it writable, or name another with --reports DIR",
            ) from None
        return folder

    def _write_once(self, name: str, content: bytes) -> None:
        """Write a file that another process may be writing: the first one stays, and is whole."""
        target, partial = self.path / name, self.path / f".{name}.{os.getpid()}"
        try:
            partial.write_bytes(content)
            try:
                os.link(partial, target)
            except FileExistsError:
                return
            except OSError:  # a file system without links: the last one stays, whole all the same
                partial.replace(target)
        finally:
            _remove(partial)

    @property
    def identity(self) -> Identity:
        """Who this run is. Raises EvidenceError where the folder is not one of a run."""
        try:
            return msgspec.json.decode((self.path / "run.json").read_bytes(), type=Identity)
        except (OSError, *UNREADABLE) as error:
            told = f"run.json: {error.strerror if isinstance(error, OSError) else error}"
            raise EvidenceError(
                "evidence/no-run",
                f"this is not the folder of a run: {told}",
                where=str(self.path),
                next_step="name a folder that holds a run.json",
            ) from None

    def refuse_second(self, part: str) -> None:
        """Raise UsageError where the run has evidence of `part` already."""
        if (self.path / f"{part}.jsonl").exists():
            raise _second(self.path / f"{part}.jsonl", part)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file whole or not at all: to a temporary name first, then renamed."""
        target = self.path / name
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            partial.write_bytes(content)
            partial.replace(target)
        except OSError as error:
            _remove(partial)
            raise _not_written(target, error) from None
        return target

    def facts(self) -> Facts:
        """Read every part that is there."""
        return Facts.read(self.path)


def _remove(partial: Path) -> None:
    with contextlib.suppress(OSError):  # what refused to be written may refuse to be removed
        partial.unlink(missing_ok=True)


_REMEDY = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space")


def _not_written(path: Path, error: OSError) -> EvidenceError:
    return EvidenceError(
        "evidence/not-written",
        f"could not write: {error.strerror}",
        where=str(path),
        next_step=f"{_REMEDY.get(error.errno or 0, 'make it writable')} and run again; "
        "what was recorded before is readable",
    )


def _second(path: Path, part: str) -> UsageError:
    return UsageError(
        "evidence/part-exists",
        f"this run already has evidence of {part}",
        where=str(path),
        next_step="start another run: unset HARNESS_RUN, or give it another name",
    )


class Part:
    """The facts of one part of a run, appended and flushed to the disk fact by fact.

    As a context manager it notes that the part began and, where nothing was raised, that it
    ended; a `HarnessError` is noted as a `Problem` and goes on.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = folder / f"{name}.jsonl"
        try:
            self._file = self.path.open("xb", buffering=0)
        except FileExistsError:
            raise _second(self.path, name) from None
        except OSError as error:
            raise _not_written(self.path, error) from None

    def note(self, *facts: Fact) -> None:
        """Append facts, without secrets. Raises EvidenceError where the disk does not take them."""
        left = memoryview(b"".join(redacted_fact(_ENCODER.encode(fact)) + b"\n" for fact in facts))
        try:
            while left:  # a disk that is almost full takes a part, and only then says so
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _not_written(self.path, error) from None

    def __enter__(self) -> Part:
        python = ".".join(map(str, sys.version_info[:3]))
        self.note(Begun(part=self.name, at=_now(), python=python, pid=os.getpid(), **self._run()))
        return self

    def _run(self) -> dict[str, str]:
        """Return the run that this is evidence of, and its code's hash, where the folder tells."""
        with contextlib.suppress(EvidenceError):
            identity = RunFolder(self.path.parent).identity
            return {"run": identity.run_id, "tree": identity.environment.tree}
        return {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        try:
            if isinstance(error, HarnessError):
                self.note(problem(error))
            elif error is None:
                self.note(Ended(part=self.name, at=_now()))
        finally:
            self._file.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def problem(error: HarnessError) -> Problem:
    """Take down an error."""
    return Problem(
        slug=error.slug, message=error.message, where=error.where,
        next_step=error.next_step, exit_code=error.exit_code,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a run by part, and the lines that could not be read."""

    by_part: dict[str, tuple[Fact, ...]]
    unreadable: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Facts:
        """Read a folder. A line cut short by a crash or a full disk is named, not fatal."""
        by_part: dict[str, tuple[Fact, ...]] = {}
        unreadable: list[str] = []
        for path in sorted(folder.glob("*.jsonl")):
            by_part[_written(path.name).removesuffix(".jsonl")] = tuple(_read(path, unreadable))
        return cls(by_part, tuple(unreadable))

    @property
    def duration_s(self) -> float:
        """From when the first part began to when the last one that ended did."""
        noted = [fact for facts in self.by_part.values() for fact in facts]
        begun = [at for fact in noted if isinstance(fact, Begun) and (at := _moment(fact.at))]
        ended = [at for fact in noted if isinstance(fact, Ended) and (at := _moment(fact.at))]
        return max(0.0, max(ended) - min(begun)) if begun and ended else 0.0

    def part(self, name: str) -> tuple[Fact, ...] | None:
        """Return the facts of one part; None where there is no such part."""
        return self.by_part.get(name)

    def parts(self, asked: str) -> tuple[str, ...]:
        """Return the parts that are what was asked: of tests, those on any Python."""
        on_any = re.compile(rf"{re.escape(asked)}(-py\d+)?\Z")
        return tuple(part for part in self.by_part if on_any.match(part))

    def below(self, name: str) -> tuple[Fact, ...]:
        """Return the facts of a part's own processes, in files such as ``name.0.jsonl``."""
        found = [facts for part, facts in self.by_part.items() if part.startswith(f"{name}.")]
        return tuple(fact for facts in found for fact in facts)


def _moment(at: str) -> float | None:
    """Return a time in seconds since 1970; None where a damaged line has none."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return None


def _written(name: str) -> str:
    """Escape the bytes of a file's name that are not UTF-8, which no record can hold."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


_MOST_UNREADABLE = 20
"""Lines of one file that are named; the rest of a ruined one is counted."""


def _read(path: Path, unreadable: list[str]) -> Iterator[Fact]:
    name, bad = _written(path.name), 0
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        unreadable.append(f"{name}: {error.strerror}")
        return
    for number, line in enumerate(lines, 1):
        try:
            yield _DECODER.decode(line)
        except UNREADABLE as error:
            bad += 1
            if bad <= _MOST_UNREADABLE:
                unreadable.append(f"{name}:{number}: {error}")
    if bad > _MOST_UNREADABLE:
        unreadable.append(f"{name}: {bad - _MOST_UNREADABLE} more lines of {len(lines)}")
