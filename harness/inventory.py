"""Which files exist to be checked: as git sees them or, without git, as they lie on the disk.

What a gate checked must equal this list, so it errs towards too much: what cannot be opened
is listed all the same, and only what git ignores, virtual environments, ``__pycache__`` and
the folders of version control are left out.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness.errors import HarnessError, UsageError, nearest
from harness.inspection import Exclusion
from harness.objective import matches

_LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__"})
_SUFFIXES = frozenset({".py", ".pyw"})
_GIT_TIMEOUT_S = 60
_SHEBANG_BYTES = 256


def files(root: Path) -> tuple[str, ...]:
    """Return every file below `root`, by the names that `python_files` gives."""
    root = Path(os.path.abspath(root))
    return _named(root, _below(root))


def python_files(root: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the Python files below `paths`, which are files or folders, relative to `root`.

    Names are relative to `root` with forward slashes, sorted; what lies outside it is absolute.
    Python is what ends in ``.py`` or ``.pyw``, or has no ending and a shebang that says so.
    A path without any gives none. Raises UsageError for a path that does not exist.
    """
    root = Path(os.path.abspath(root))
    found = {file for path in paths for file in _asked(root, path) if _is_python(file)}
    return _named(root, found)


def parted(
    files: Sequence[str], exclude: Sequence[Exclusion]
) -> tuple[tuple[str, ...], tuple[Exclusion, ...]]:
    """Return the files that are left, and each exclusion with those that it is first to name."""
    taken: dict[str, list[str]] = {}
    left: list[str] = []
    for file in files:
        first = next((one for one in exclude if matches(one.path, file)), None)
        (left if first is None else taken.setdefault(first.path, [])).append(file)
    known = {one.path: one for one in reversed(exclude)}
    told = tuple(
        msgspec.structs.replace(one, files=tuple(taken.get(one.path, ())))
        if known[one.path] is one else one
        for one in exclude
    )  # fmt: skip
    return tuple(left), told


def _asked(root: Path, path: str) -> Iterable[Path]:
    place = _placed(root, path)
    if not path:  # a variable that was not set means no folder, and not all of this one
        raise UsageError("gates/no-path", "a path is empty", next_step="name it, or '.' for here")
    if not os.path.lexists(place):
        raise _no_path(path, place)
    if not os.path.isdir(place):
        return [place]
    # A folder asked for by name is looked at even where git ignores all of it.
    return _below(place) or _below(place, with_git=False)


def _placed(root: Path, path: str) -> Path:
    """Return where `path` is, below `root` also where it was spelt through a link to it."""
    place = Path(os.path.abspath(root / path))
    real, real_root = Path(os.path.realpath(place)), Path(os.path.realpath(root))
    if not place.is_relative_to(root) and real.is_relative_to(real_root):
        return root / real.relative_to(real_root)
    return place


def _no_path(path: str, place: Path) -> UsageError:
    folder, missing = place.parent, place.name
    while not folder.is_dir():
        folder, missing = folder.parent, folder.name
    known = [e.name for e in os.scandir(folder) if e.is_dir() or Path(e.name).suffix in _SUFFIXES]
    return UsageError(
        "gates/no-path",
        f"there is no {path!r} to check",
        where=str(folder),
        next_step=nearest(missing, (name for name in known if not name.startswith("."))),
    )


def _is_python(file: Path) -> bool:
    if file.suffix:
        return file.suffix.lower() in _SUFFIXES
    if not os.path.isfile(file):
        return False
    try:
        with file.open("rb") as opened:
            first = opened.readline(_SHEBANG_BYTES)
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first


def _named(root: Path, found: Iterable[Path]) -> tuple[str, ...]:
    return tuple(sorted(_name(root, file) for file in found))


def _name(root: Path, file: Path) -> str:
    inside = file.relative_to(root) if file.is_relative_to(root) else file
    # A name that is not UTF-8 cannot be written down. Escaped, it opens nothing: not checked.
    return os.fsencode(inside.as_posix()).decode("utf-8", "backslashreplace")


def _below(folder: Path, *, with_git: bool = True) -> set[Path]:
    """Return the files below `folder`, through links to folders, each folder once."""
    found: set[Path] = set()
    trees: list[Path] = []
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        real = Path(os.path.realpath(place))
        if place.is_symlink() and any(_overlap(real, tree) for tree in trees):
            continue
        trees.append(real)
        # A submodule that was not fetched has no .git, and git would answer for its parent.
        ask_git = with_git and (not trees[1:] or place.is_symlink() or (place / ".git").exists())
        for entry in _listed(place, ask_git=ask_git):
            if entry != place and os.path.isdir(entry):
                waiting.append(entry)
            elif _is_there(entry):
                found.add(entry)
    return found


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _is_there(file: Path) -> bool:
    """Tell whether a file was not deleted. One that may not be looked at is there."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _listed(folder: Path, *, ask_git: bool) -> Iterable[Path]:
    """Yield the files below `folder`, and the folders that were not looked into.

    Those are links to folders, submodules and repositories in the repository.
    """
    tracked = _git(folder, "--cached") if ask_git else None
    if tracked is None:
        return _walked(folder)
    untracked = _git(folder, "--others", "--exclude-standard") or []
    skips = _Skips(folder)
    return sorted({*tracked, *(file for file in untracked if not skips.holds(file))})


def _git(folder: Path, *options: str) -> list[Path] | None:
    """List files with git; None where there is no git, or `folder` is in no repository."""
    # In a hook, git's own variables point to the hook's repository and its index.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(folder), "ls-files", "-z", *options],  # noqa: S607 - the user's git
            env=env, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_GIT_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return None
    return [folder / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


class _Skips:
    """Which folders below `top` are left out of a listing."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._known: dict[Path, bool] = {top: False}

    def holds(self, file: Path) -> bool:
        """Tell whether a file, or a folder not looked into, is to be left out."""
        return self.folder(file.parent)

    def folder(self, folder: Path) -> bool:
        """Tell whether a folder is left out, by itself or by one around it."""
        if folder not in self._known:
            self._known[folder] = self.folder(folder.parent) or _is_left_out(folder)
        return self._known[folder]


def _is_left_out(folder: Path) -> bool:
    """Tell by its name, or by what a virtual environment has beside its pyvenv.cfg."""
    if folder.name in _LEFT_OUT:
        return True
    return (folder / "pyvenv.cfg").is_file() and any(
        (folder / scripts).is_dir() for scripts in ("bin", "Scripts")
    )


def _walked(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_not_listed):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not _is_left_out(here / name))
        yield from (here / name for name in sorted(names))
        yield from (here / name for name in folders if (here / name).is_symlink())


def _not_listed(error: OSError) -> None:
    raise HarnessError(
        "gates/unlisted",
        f"the folder cannot be listed: {error.strerror}",
        where=str(error.filename),
        next_step="make it readable, or name paths beside it",
    ) from None
