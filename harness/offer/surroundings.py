"""What surrounds each test: its stubs, its environment, its loop, and what it did unasked."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from harness.bench import Bench
from harness.errors import HarnessError
from harness.loops import aside
from harness.offer.session import BENCH, RECORDER, bench_of
from harness.recorder import service_of, uses_target

if TYPE_CHECKING:
    from harness.offer.services import Started

_AROUND = pytest.StashKey[contextlib.ExitStack]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Select the stubs that the test is marked with, or the stand-ins' defaults."""
    marks = list(item.iter_markers("stubs"))
    declares = "harness_standins" in getattr(item, "fixturenames", ())
    written = _written(item)
    uses = bool(marks or written) or declares or uses_target(item) or _mocks(item)
    if not uses and BENCH not in item.config.stash:
        return
    try:
        bench = bench_of(item.config)
        bench.forget()
        rig = bench.start()
        around = item.stash[_AROUND] = contextlib.ExitStack()
        if uses:
            around.enter_context(bench.around())
        bench.under_test = service_of(item)
        _take_leftovers(item.config, bench)
        has_stubs = bool(marks) or declares or (uses_target(item) and _mocks(item))
        missing = bench.missing_live(service_of(item), has_stubs=has_stubs)
        missing = missing or bench.not_writable(written)
        if missing:
            pytest.skip(missing)
        rig.standins.select([name for mark in marks for name in mark.args] if marks else None)
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Take back what the test was lent, after its fixtures."""
    try:
        return (yield)
    finally:
        item.stash.get(_AROUND, contextlib.ExitStack()).close()


def _written(item: pytest.Item) -> list[str | None]:
    """Return the services that a test says it writes to: what it undoes it has written."""
    names = {name for mark in item.iter_markers("writes") for name in mark.args}
    undoes = not {"undo", "undo_at_end"}.isdisjoint(getattr(item, "fixturenames", ()))
    if names:
        return sorted(names)
    return [service_of(item)] if undoes or item.get_closest_marker("writes") else []


def _mocks(item: pytest.Item) -> bool:
    return not {"aioresponses", "requests_mock"}.isdisjoint(getattr(item, "fixturenames", ()))


def _take_leftovers(config: pytest.Config, bench: Bench) -> None:
    """What happened between two tests is no test's fault; a run notes it."""
    recorder = config.stash.get(RECORDER, None)
    if recorder is None:
        bench.leftovers()
    else:
        recorder.note_leftovers()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that passed in spite of a surprise; show surprises beside other failures."""
    bench = item.config.stash.get(BENCH, None)
    try:
        with _loop_turning(item):
            result = yield
    except BaseException:
        for told in bench.surprises() if bench else ():
            item.add_report_section("call", "harness", told)
        raise
    surprises = bench.surprises() if bench else []
    if surprises:
        pytest.fail("\n".join(surprises), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show, of a test that failed, what it and its target said to each other."""
    report = yield
    bench = item.config.stash.get(BENCH, None)
    if bench is not None and report.failed and (told := bench.told()):
        report.sections.append(("harness exchanges", "\n\n".join(told)))
    return report


@contextlib.contextmanager
def _loop_turning(item: pytest.Item) -> Iterator[None]:
    """Let the session's loop turn while a synchronous test uses a target that lives on it."""
    if not uses_target(item) or pytest_asyncio.is_async_test(item):
        yield
        return
    running: Started = item.funcargs["harness_running"]  # type: ignore[attr-defined]  # of functions, and only they use a target
    item.runtest = functools.partial(aside, running.loop, item.runtest)  # type: ignore[method-assign]  # for this one call
    try:
        yield
    finally:
        del item.runtest
