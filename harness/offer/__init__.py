"""What the harness gives to tests: a module for each kind of thing, a plugin of pytest's each.

They are registered only where the harness is used.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from harness import leash, workers
from harness.errors import HarnessError
from harness.offer import (
    callers,
    eventually,
    scenarios,
    services,
    session,
    stubs,
    surroundings,
    tokens,
    undo,
    watching,
)
from harness.offer.session import PLAN, RECORDER, bench_of
from harness.recorder import Recorder

_PLUGINS = (
    session, scenarios, services, stubs, surroundings, callers, watching, eventually, tokens, undo
)  # fmt: skip


def begin(config: pytest.Config, plan: str) -> None:
    """Register these plugins and, where a run records, what writes it down. `plan` is its name."""
    config.stash[PLAN] = plan
    config.addinivalue_line(
        "markers", "stubs(*names): answer the outside calls of this test with these stubs"
    )
    config.addinivalue_line("markers", "service(name): the plan's service that `client` talks to")
    config.addinivalue_line(
        "markers", "writes(*services): changes something there; skipped where that is not allowed"
    )
    config.addinivalue_line("markers", "callers(n): run this test n times at once, for n clients")
    config.addinivalue_line("markers", "error_logs(how): 'fail' or 'list' the service's error logs")
    for module in _PLUGINS:
        config.pluginmanager.register(module, module.__name__)
    _repair(config)
    folder = config.getoption("--harness-folder")
    if folder:
        leash.hold()
        try:
            _record(config, Path(folder))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None


def _repair(config: pytest.Config) -> None:
    """Make aioresponses work, before a test imports it and until the session's end."""
    with contextlib.suppress(ImportError):  # it does not even import: for its users to see
        from harness.standins.aioresponses_repair import repaired

        repair = contextlib.ExitStack()
        repair.enter_context(repaired())
        config.add_cleanup(repair.close)


def _record(config: pytest.Config, folder: Path) -> None:
    bench = bench_of(config, folder)
    recorder = Recorder(folder, bench, workers.name_of(config))
    config.stash[RECORDER] = recorder
    config.pluginmanager.register(recorder, "harness-recorder")
    config.pluginmanager.register(workers, "harness-workers")
    workers.measure(config)
    if not workers.spreads(config):
        with recorder.noting():
            bench.start()
