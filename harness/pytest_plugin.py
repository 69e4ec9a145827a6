"""The pytest plugin's options, and nothing else where the harness is not used.

Installed and unused it changes nothing and costs nothing: it acts where there is a plan, where an
application is named, or where ``harness test`` asked it to record. Then `offer` has the rest.
"""

from __future__ import annotations

import pytest

PLAN = "harness.toml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ``harness test`` passes on."""
    group = parser.getgroup("harness")
    group.addoption("--harness-plan", metavar="FILE", help=f"the plan; default: {PLAN}")
    group.addoption("--harness-app", metavar="MODULE:ATTR", help="the application under test")
    group.addoption("--harness-target", default="inproc", help="inproc (default), served, live")
    group.addoption("--harness-url", action="append", default=[], help="live: NAME=URL; again")
    group.addoption("--harness-allow-host", action="append", default=[], help="allow this host")
    group.addoption("--harness-writable", action="append", default=[], help="live: writable host")
    group.addoption("--harness-profile", metavar="NAME", help="of the plan: where it runs")
    group.addoption("--harness-folder", metavar="DIR", help="the run folder to record into")


def pytest_configure(config: pytest.Config) -> None:
    """Give what the harness has to tests, where they mean it by `client` and `stubs`."""
    options = ("--harness-folder", "--harness-plan", "--harness-app")
    if any(map(config.getoption, options)) or (config.rootpath / PLAN).is_file():
        from harness import offer  # not above: it imports Quart, and every pytest imports this

        offer.begin(config, PLAN)
