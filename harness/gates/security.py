"""What Bandit finds, file by file of the inventory, with what ``# nosec`` would have hidden.

Bandit is given exact files and no configuration, so neither its excludes nor a ``.bandit`` file
in the tree takes anything out. A file with issues and a ``nosec`` is looked at twice: without
regard to it, and with it; an issue that only the first finds is suppressed.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.facts import Fact
from harness.gates import account, content, fingerprint, parsed, tool_error, writable
from harness.inspection import NotChecked, Weakness


@dataclass(frozen=True, slots=True)
class Security:
    """The gate that finds a `Weakness` for every issue, suppressed ones included."""

    name: str = "security"

    def inspect(self, root: Path, paths: Sequence[str], files: Sequence[str]) -> list[Fact]:
        """Look for issues. A file in which one of Bandit's tests failed is not checked."""
        began = time.monotonic()
        with undisturbed():
            version, rules, weaknesses, not_checked = _scanned(root, files)
        tool, told = f"bandit {version}", fingerprint(sorted(rules))
        inspected = account(self.name, tool, told, root, paths, files, not_checked, began)
        return [inspected, *weaknesses]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Bandit quiet, and put back what it changes: its logger, warnings, Ctrl-C."""
    logger = logging.getLogger("bandit")
    level, propagate, handlers = logger.level, logger.propagate, list(logger.handlers)
    show = warnings.formatwarning
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.ERROR)  # above INFO it draws no progress bar
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except SystemExit as error:  # what Bandit makes of an interrupt
        raise KeyboardInterrupt from error
    finally:
        warnings.formatwarning = show
        logger.handlers = handlers
        logger.propagate = propagate
        logger.setLevel(level)


@dataclass(slots=True)
class _Scan:
    """What one run of Bandit did; paths as in the inventory.

    `rules` are Bandit's that it had, `comments` the rules that each ``nosec`` names, by its line.
    `done` are those whose visit came to its end: should a later Bandit go another way than
    through `_manager`, they are none, and nothing counts as checked.
    """

    done: set[str] = field(default_factory=set)
    issues: dict[str, list[Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rules: set[str] = field(default_factory=set)
    comments: dict[str, dict[int, set[str]]] = field(default_factory=dict)


def _scanned(
    root: Path, files: Sequence[str]
) -> tuple[str, set[str], list[Weakness], list[NotChecked]]:
    from bandit import __version__  # not at the top: it takes a third of a second

    # Bandit opens whatever it is given, and would wait for what comes out of a pipe.
    readable = [path for path in files if not isinstance(content(root, path), NotChecked)]
    found = _scan(root, readable, ignore_nosec=True)
    suspects = [path for path in found.issues if _mentions_nosec(root / path)]
    kept = _scan(root, suspects, ignore_nosec=False)
    weaknesses = [
        _weakness(path, issue, kept.comments.get(path, {}) if suppressed else None)
        for path, issues in found.issues.items()
        for issue, suppressed in _marked(issues, kept, path)
    ]
    not_checked = [_not_checked(root, path, found) for path in files if _is_lost(path, found)]
    return __version__, found.rules, weaknesses, not_checked


def _mentions_nosec(file: Path) -> bool:
    try:
        return b"nosec" in file.read_bytes()
    except OSError:
        return False  # its issues then count as not suppressed


def _scan(root: Path, files: Sequence[str], *, ignore_nosec: bool) -> _Scan:
    from bandit.core.config import BanditConfig

    scan = _Scan()
    names = {str(root / path): path for path in files}
    manager = _manager(scan, names, BanditConfig(), ignore_nosec)
    if not manager.b_ts.tests:  # its tests are entry points, which an odd install may lack
        scan.skipped = dict.fromkeys(files, "Bandit has no tests in this installation")
        return scan
    scan.rules = {test._test_id for tests in manager.b_ts.tests.values() for test in tests}
    manager.files_list = list(names)
    manager.run_tests()
    scan.skipped = {names[name]: str(reason) for name, reason in manager.get_skipped()}
    for issue in manager.results:
        scan.issues.setdefault(names[issue.fname], []).append(issue)
    return scan


def _manager(scan: _Scan, names: dict[str, str], config: Any, ignore_nosec: bool) -> Any:
    """Make a manager that notes each exception in a test, which Bandit only logs."""
    from bandit.core.manager import BanditManager
    from bandit.core.node_visitor import BanditNodeVisitor

    class Manager(BanditManager):  # type: ignore[misc]  # Bandit is untyped
        def _execute_ast_visitor(self, fname: str, fdata: Any, data: bytes, nosec: Any) -> Any:
            def note(test: str, context: Any, error: Exception) -> None:
                scan.failed.setdefault(names[fname], f"{test}: {type(error).__name__}: {error}")

            visitor = BanditNodeVisitor(
                fname, fdata, self.b_ma, self.b_ts, self.debug, nosec, self.metrics
            )
            visitor.tester.report_error = note
            score = visitor.process(data)
            self.results.extend(visitor.tester.results)
            scan.done.add(names[fname])
            scan.comments[names[fname]] = {
                line: set(rules) for line, rules in nosec.items() if rules is not None
            }
            return score

    return Manager(config, "file", ignore_nosec=ignore_nosec)


def _marked(issues: list[Any], kept: _Scan, path: str) -> Iterator[tuple[Any, bool]]:
    """Pair each issue with whether the run that heeds ``# nosec`` missed it.

    Where there was no such run, or it failed, nothing counts as suppressed.
    """
    left = Counter(_identity(issue) for issue in kept.issues.get(path, ()))
    for issue in issues:
        identity = _identity(issue)
        yield issue, not left[identity] and not _is_lost(path, kept)
        left[identity] -= 1


def _identity(issue: Any) -> tuple[Any, ...]:
    return (issue.test_id, issue.lineno, issue.col_offset, issue.end_col_offset, issue.text)


def _is_lost(path: str, scan: _Scan) -> bool:
    return path not in scan.done or path in scan.failed


def _not_checked(root: Path, path: str, scan: _Scan) -> NotChecked:
    if path in scan.failed:
        return tool_error(path, scan.failed[path])
    tree = parsed(root, path)
    if isinstance(tree, NotChecked):
        return tree
    return tool_error(path, scan.skipped.get(path, "Bandit did not look at it"))


_QUOTES_SECRETS = ("B105", "B106", "B107")


def _without_secret(issue: Any) -> str:
    """Return Bandit's words; of a hard-coded password without the password."""
    text = str(issue.text)
    return text.partition(":")[0] if issue.test_id in _QUOTES_SECRETS else text


def _hiding(issue: Any, comments: dict[int, set[str]]) -> tuple[int, bool]:
    """Return the line of the comment that hides an issue, and whether it does not name its rule."""
    lines = [line for line in (int(issue.lineno or 0), *issue.linerange) if line in comments]
    named = [line for line in lines if issue.test_id in comments[line]]
    return (named or lines or [0])[0], not named


def _weakness(path: str, issue: Any, comments: dict[int, set[str]] | None) -> Weakness:
    """Take down an issue. `comments` are its file's ``nosec``; None: it is not suppressed."""
    comment, blanket = (0, False) if comments is None else _hiding(issue, comments)
    return Weakness(
        path=path,
        line=int(issue.lineno or 0),
        rule=issue.test_id,
        severity=issue.severity.lower(),
        confidence=issue.confidence.lower(),
        message=writable(_without_secret(issue)),
        suppressed=comments is not None,
        comment=comment,
        blanket=blanket,
    )
