"""pytest-xdist: a session spread over processes, each with a bench and facts of its own.

All that we must know of it is in pytest's `config`; nothing of it is imported.
"""

from __future__ import annotations

from typing import Any

import pytest

_MEASURED = "harness_coverage"
_SETTINGS = ("data_file", "branch", "include", "concurrency")
_COVERAGE = pytest.StashKey[Any]()


def name_of(config: pytest.Config) -> str:
    """Return the name of the worker that this process is, ``gw0``; empty where it is none."""
    return str(_input(config).get("workerid", ""))


def count_of(config: pytest.Config) -> int:
    """Return how many workers share the tests; 1 where this process runs them all."""
    return int(_input(config).get("workercount", 1))


def spreads(config: pytest.Config) -> bool:
    """Tell whether this process gives the tests to workers and runs none itself."""
    return not name_of(config) and config.getoption("dist", "no") != "no"


def _input(config: pytest.Config) -> dict[str, Any]:
    return getattr(config, "workerinput", {})


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker that is about to start what is measured here."""
    import coverage  # not above: few sessions spread their tests

    measuring = coverage.Coverage.current()
    if measuring is not None:
        settings = {name: measuring.get_option(f"run:{name}") for name in _SETTINGS}
        node.workerinput[_MEASURED] = settings


def measure(config: pytest.Config) -> None:
    """In a worker of a session that is measured: measure, and keep what was found."""
    settings = _input(config).get(_MEASURED)
    if settings:
        import coverage

        measuring = coverage.Coverage(**settings, data_suffix=True, config_file=False)
        measuring.start()
        config.stash[_COVERAGE] = measuring


def save(config: pytest.Config) -> None:
    """Write down what a worker measured."""
    measuring = config.stash.get(_COVERAGE, None)
    if measuring is not None:
        measuring.stop()
        measuring.save()
