"""What no assertion sees, test by test: told to the watch, and in plain pytest to its user."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from harness.errors import UsageError
from harness.facts import Noticed
from harness.judge.watched import judge
from harness.offer.session import BENCH, RECORDER
from harness.verdict import Finding

_NOTICED = pytest.StashKey[list[Noticed]]()
_HOW = {"fail": True, "list": False}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let what happens be this test's. Comes after its surroundings, which make the bench."""
    bench = item.config.stash.get(BENCH, None)
    try:
        strict = _strict(item)
    except UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    if bench is not None and bench.rig is not None:
        bench.watch.begin(item.nodeid, strict)


def _strict(item: pytest.Item) -> bool | None:
    mark = item.get_closest_marker("error_logs")
    if mark is None:
        return None
    how = mark.args[0] if len(mark.args) == 1 and not mark.kwargs else None
    if how not in _HOW:
        raise UsageError(
            "functional/error-logs",
            f"error_logs{mark.args} says nothing",
            where=item.nodeid,
            next_step="write @pytest.mark.error_logs('fail'), or 'list'",
        )
    return _HOW[how]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, Any, Any]:
    """Take stock. After the last test, that is done before services stop, within this."""
    bench = item.config.stash.get(BENCH, None)
    if bench is None or bench.rig is None:
        return (yield)
    if nextitem is None:
        bench.watch.end()
    try:
        return (yield)
    finally:
        if nextitem is not None:
            bench.watch.end()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """In plain pytest: let what is beyond a limit fail the session."""
    yield
    if _beyond(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """In plain pytest: say what is beyond a limit."""
    found = _beyond(config)
    if found:
        terminalreporter.section("harness: what no assertion sees", red=True)
    for one in found:
        terminalreporter.line(f"{one.where} ({one.slug}): {one.message}\n  next: {one.next_step}")


def _beyond(config: pytest.Config) -> list[Finding]:
    bench = config.stash.get(BENCH, None)
    if bench is None or bench.rig is None or RECORDER in config.stash:
        return []
    noticed = config.stash.setdefault(_NOTICED, [])
    noticed += bench.watch.take_last()
    return judge("", [bench.watch.begun, *noticed]).findings
