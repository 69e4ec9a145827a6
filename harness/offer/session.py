"""What one pytest session has of the harness: its plan, its bench and what writes it down."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from harness import secret, workers
from harness.bench import Bench
from harness.errors import HarnessError
from harness.manifest import parse_plan
from harness.plan import Plan
from harness.recorder import Recorder
from harness.target import AppPath, Target, TargetKind, parse_targets, read_url

PLAN = pytest.StashKey[str]()
BENCH = pytest.StashKey[Bench]()
RECORDER = pytest.StashKey[Recorder]()


def bench_of(config: pytest.Config, folder: Path | None = None) -> Bench:
    """Return the session's bench, made when it is first asked for."""
    if BENCH not in config.stash:
        config.stash[BENCH] = Bench(
            plan_of(config), config.rootpath, target_of(config), folder, workers.count_of(config)
        )
    return config.stash[BENCH]


def target_of(config: pytest.Config) -> Target:
    """Read the target from the options that name it. Raises UsageError."""
    urls: list[str] = config.getoption("--harness-url")
    if config.getoption("--harness-target") == TargetKind.LIVE and urls:
        pairs = (text.partition("=") for text in urls)
        return Target(TargetKind.LIVE, tuple((name, read_url(url)) for name, _, url in pairs))
    (target,) = parse_targets([config.getoption("--harness-target")], "")
    return target


def plan_of(config: pytest.Config) -> Plan:
    """Read the plan, or make one of the application that was named."""
    named, app = config.getoption("--harness-plan"), config.getoption("--harness-app")
    path = Path(named) if named else config.rootpath / config.stash[PLAN]
    plan = parse_plan(path.read_text(), path.name) if named or path.exists() else Plan()
    secret.keep(plan.variables)
    if profile := config.getoption("--harness-profile"):
        plan = plan.in_profile(profile)
    allowed = (*plan.allow_hosts, *config.getoption("--harness-allow-host"))
    manners = plan.manners.with_writable(config.getoption("--harness-writable"))
    plan = replace(plan, allow_hosts=allowed, manners=manners)
    return plan.with_app(AppPath.parse(app)) if app else plan


@contextlib.contextmanager
def noting(config: pytest.Config) -> Iterator[None]:
    """Note an error of ours, so that the verdict names it and no test is blamed."""
    recorder = config.stash.get(RECORDER, None)
    with recorder.noting() if recorder else contextlib.nullcontext():
        yield


def end_session(session: pytest.Session, error: HarnessError) -> NoReturn:
    """End the session: what kept one test from its target keeps them all."""
    session.shouldfail = "the tests have no target"
    raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo what was started, also after a failure. Nothing of ours comes after this."""
    bench = config.stash.get(BENCH, None)
    if bench is not None:
        bench.close()
    workers.save(config)
    recorder = config.stash.get(RECORDER, None)
    if recorder is not None:
        recorder.close()
