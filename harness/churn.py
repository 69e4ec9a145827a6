"""How often each file changed lately, as git remembers it: where faults are likely to be next."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.inspection import Churn

DAYS = 365
"""How far back changes count."""

_TIMEOUT_S = 20


def churned(root: Path, files: Sequence[str], days: int = DAYS) -> Iterator[Churn]:
    """Yield how often `files` changed; nothing without git, or where it takes over 20 s.

    Merges do not count, and a renamed file begins anew.
    """
    since = f"--since={days}.days"
    log = _git(root, "log", since, "--no-merges", "--numstat", "-z", "--format=", "--no-renames",
               "--relative")  # fmt: skip
    if log is None:
        return
    wanted = set(files)
    changes = Counter(entry.split("\t", 2)[-1].lstrip("\n") for entry in log.split("\0"))
    shallow = _git(root, "rev-parse", "--is-shallow-repository")
    yield Churn(
        days=days,
        commits={path: number for path, number in sorted(changes.items()) if path in wanted},
        whole=(shallow or "").strip() == "false",
    )


def _git(root: Path, *arguments: str) -> str | None:
    # In a hook, git's own variables point to the hook's repository and its index.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "--no-optional-locks", "-C", str(root), *arguments],  # noqa: S607 - the user's
            env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
            errors="backslashreplace", timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
