"""What a change adds, as git tells it: the lines of Python files since the merge base.

What is not committed counts, and so does what git does not track: all lines of such a file are
new. Renames are followed.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.comparison import Changed
from harness.errors import HarnessError, UsageError
from harness.fingerprint import Anatomy

_TIMEOUT_S = 60
_FILE = re.compile(rb"^diff --git ", re.MULTILINE)
_HUNK = re.compile(rb"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_SUFFIXES = (".py", ".pyw")


@dataclass(frozen=True, slots=True)
class Touched:
    """One file of a diff: its name before, empty for a new one, and the ranges that it gained."""

    before: str
    ranges: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """The change from `merge_base` to the files as they are. Paths are those of the inventory."""

    root: Path
    base: str
    merge_base: str
    files: dict[str, Touched]
    outside: tuple[str, ...]

    @classmethod
    def since(cls, root: Path, base: str, inventory: Sequence[str]) -> Changes:
        """Ask git. Raises UsageError for no git or no such revision, HarnessError without a base.

        A clone without enough history has no merge base.
        """
        commit = known(root, base)
        merge_base = _merge_base(root, base, commit)
        top = Path(os.fsdecode(_git(root, "rev-parse", "--show-toplevel").rstrip(b"\n")))
        names = {os.path.realpath(root / name): name for name in inventory}
        tracked = {os.path.realpath(top / os.fsdecode(name))
                   for name in _git(top, "ls-files", "-z").split(b"\0") if name}  # fmt: skip
        files = {name: Touched("") for place, name in names.items() if place not in tracked}
        for name in files:
            files[name].ranges.append((1, _length(root / name)))
        outside = []
        for path, touched in _diff(top, merge_base).items():
            place = os.path.realpath(top / path)
            if place in names:
                files[names[place]] = touched
            elif path.endswith(_SUFFIXES):
                outside.append(path)
        return cls(root, base, merge_base, dict(sorted(files.items())), tuple(outside))

    def fact(self) -> Changed:
        """Return the change, its ranges widened to the whole statements that it touches."""
        files = {name: tuple(_whole(self.root / name, one.ranges)) for name, one in
                 self.files.items()}  # fmt: skip
        return Changed(
            base=self.base, merge_base=self.merge_base, files=files, outside=self.outside
        )

    def before(self, name: str) -> bytes | None:
        """Return a file as it was in the merge base; None for a new one."""
        path = self.files[name].before
        return _git(self.root, "show", f"{self.merge_base}:{path}") if path else None


def known(root: Path, base: str) -> str:
    """Return the commit that `base` names. Raises UsageError."""
    if _answer(root, "rev-parse", "--git-dir") is None:
        raise UsageError(
            "gates/no-git", "what a change adds is asked of git, and here is no repository",
            where=str(root), next_step="go into a clone, or leave --new-only out",
        )  # fmt: skip
    names = (base, f"origin/{base}") if base else ()
    found = (_answer(root, "rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}")
             for name in names)  # fmt: skip
    commit = next(filter(None, found), None)
    if commit is None:
        raise UsageError(
            "gates/no-base", f"git knows no revision {base!r}",
            next_step="name a branch, a tag or a commit; in CI fetch it first: git fetch origin",
        )  # fmt: skip
    return commit.decode().strip()


def _merge_base(root: Path, base: str, commit: str) -> str:
    found = _answer(root, "merge-base", commit, "HEAD")
    if found:
        return found.decode().split()[0]
    shallow = (_answer(root, "rev-parse", "--is-shallow-repository") or b"").strip() == b"true"
    why = "this clone is shallow" if shallow else "their histories have nothing in common"
    step = "git fetch --unshallow; in a workflow, check out with fetch-depth: 0"
    raise HarnessError(
        "gates/no-merge-base", f"{base} and HEAD have no merge base here: {why}",
        next_step=step if shallow else "name the branch that this one came from",
    )  # fmt: skip


def _diff(top: Path, merge_base: str) -> dict[str, Touched]:
    """Return what a diff without context adds, by today's paths; deleted files are left out."""
    text = _git(
        top, "-c", "core.quotePath=true", "diff", "-U0", "--inter-hunk-context=0", "-M", "--text",
        "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--ignore-submodules",
        "--src-prefix=a/", "--dst-prefix=b/", merge_base, "--",
    )  # fmt: skip
    found: dict[str, Touched] = {}
    for section in _FILE.split(text)[1:]:
        head, _, hunks = section.partition(b"\n@@ ")
        before, path = _names(head)
        if path:
            found[path] = Touched(before, list(_gained(b"@@ " + hunks)))
    return found


def _names(head: bytes) -> tuple[str, str]:
    """Return a file's name before and now; empty where it was or is none."""
    before = now = ""
    for line in head.split(b"\n"):
        if line.startswith((b"--- ", b"rename from ")):
            before = _path(line)
        elif line.startswith((b"+++ ", b"rename to ")):
            now = _path(line)
    return before, now


def _gained(hunks: bytes) -> Iterator[tuple[int, int]]:
    for hunk in _HUNK.finditer(hunks):
        first, count = int(hunk[1]), int(hunk[2] or 1)
        if count:
            yield first, first + count - 1


def _path(line: bytes) -> str:
    """Read a name as git quotes it; empty for /dev/null."""
    prefixed = line.startswith((b"--- ", b"+++ "))
    name = line[4:] if prefixed else line.split(b" ", 2)[2]
    if name.startswith(b'"'):  # as C writes it, which is how Python writes bytes
        quoted = name.rstrip(b"\t").decode("ascii")
        name = ast.literal_eval(f"b{quoted}")
    elif prefixed:
        name = name.removesuffix(b"\t")
    if prefixed:
        return "" if name == b"/dev/null" else os.fsdecode(name[2:])
    return os.fsdecode(name)


def _whole(file: Path, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Widen ranges to whole statements; of what cannot be parsed, keep them."""
    lines = {line for first, last in ranges for line in range(first, last + 1)}
    try:
        anatomy = Anatomy.of(ast.parse(file.read_bytes()), lines)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        yield from ranges
        return
    for place in {anatomy.at(line) for line in lines}:
        lines.update(range(place.first, place.last + 1))
    yield from _ranges(sorted(lines))


def _ranges(lines: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for line in lines:
        if found and found[-1][1] == line - 1:
            found[-1] = (found[-1][0], line)
        else:
            found.append((line, line))
    return found


def _length(file: Path) -> int:
    try:
        return file.read_bytes().count(b"\n") + 1
    except OSError:
        return 1


def _git(folder: Path, *arguments: str) -> bytes:
    """Ask git what it must be able to answer. Raises HarnessError."""
    answer = _answer(folder, *arguments)
    if answer is None:
        told = " ".join(arguments[:3])
        raise HarnessError(
            "gates/git-failed", f"git could not tell what changed: git {told} failed",
            where=str(folder), next_step="run it by hand, and mend what it says",
        )  # fmt: skip
    return answer


def _answer(folder: Path, *arguments: str) -> bytes | None:
    """Return what git prints; None where it fails or is not there."""
    # In a hook, git's own variables point to the hook's repository and its index.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],  # noqa: S607 - the user's
            env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
