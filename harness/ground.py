"""A copy of a project in which faults may be planted: the project itself is never written to.

It holds what the inventory holds: tracked files, and untracked ones that git does not ignore.
Links are copied as what they lead to, so nothing written in the copy reaches beyond it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.inventory import files
from harness.leash import scratch


@dataclass(frozen=True, slots=True)
class Ground:
    """The copy at `root` of the project at `origin`; `runs` is where its runs are kept."""

    origin: Path
    root: Path
    runs: Path

    @contextmanager
    def planted(self, changes: Mapping[str, str]) -> Iterator[None]:
        """Write files of the copy, by name and content, and put back what was there."""
        before: dict[Path, bytes | None] = {}
        try:
            for name, text in changes.items():
                path = self.root / name
                before[path] = path.read_bytes() if path.exists() else None
                path.write_text(text, encoding="utf-8")
            yield
        finally:
            for path, content in before.items():
                if content is None:
                    path.unlink(missing_ok=True)
                else:
                    path.write_bytes(content)

    def text(self, name: str) -> str | None:
        """Return the text of a file of the copy; None where it has none."""
        try:
            return (self.root / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which Python imports the copy, also of what is installed editable."""
        origin, root = os.path.realpath(self.origin), str(self.root)
        found = [root]
        for entry in [*sys.path, str(self.origin / "src")]:
            place = os.path.realpath(entry or origin)
            copied = os.path.normpath(os.path.join(root, os.path.relpath(place, origin)))
            if Path(place).is_relative_to(origin) and os.path.isdir(copied):
                found.append(copied)
        for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            if entry and not Path(os.path.realpath(entry)).is_relative_to(origin):
                found.append(entry)
        return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(found))}


@contextmanager
def copied(origin: Path, leave_out: Path) -> Iterator[Ground]:
    """Lend a copy of the project at `origin`, but for the folder `leave_out`, and remove it.

    Raises HarnessError where there is no room for it.
    """
    with scratch("harness-prove-") as folder:
        ground = Ground(origin, folder / "project", folder / "runs")
        try:
            ground.root.mkdir()
            ground.runs.mkdir()
            for name in files(origin):
                source = origin / name
                if not source.is_relative_to(origin) or source.is_relative_to(leave_out):
                    continue
                if source.is_file():  # a pipe would be waited for, and a link may lead nowhere
                    target = ground.root / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)
        except OSError as error:
            raise HarnessError(
                "prove/not-copied",
                f"the project cannot be copied: {error.strerror or error}",
                where=str(error.filename or folder),
                next_step="make it readable, or name a folder with more space: TMPDIR=DIR",
            ) from None
        yield ground
