"""The pytest plugin: the fixture `client` in every target, stubs by mark, and the facts of a run.

Installed and unused it changes nothing: it acts where a test uses `client` or is marked with
`stubs`, or where ``harness test`` asked it to record.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from harness import leash
from harness.bench import Bench
from harness.errors import HarnessError
from harness.evidence import Part, problem
from harness.facts import Fact, Problem, PytestEnded, Surprise, Tested, TestOutcome
from harness.plan import Plan, parse_plan
from harness.target import AppPath, TargetKind
from harness.targets import Running
from harness.targets.client import Client

PLAN = "harness.toml"
_MOST_TEXT = 4_000
_BENCH = pytest.StashKey[Bench]()
_RECORDER = pytest.StashKey["Recorder"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ``harness test`` passes on."""
    group = parser.getgroup("harness")
    group.addoption("--harness-plan", metavar="FILE", help=f"the plan; default: {PLAN}")
    group.addoption("--harness-app", metavar="MODULE:ATTR", help="the application under test")
    group.addoption("--harness-target", default="inproc", help="inproc (default) or served")
    group.addoption("--harness-folder", metavar="DIR", help="the run folder to record into")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark and, where this run is recorded, start everything at once."""
    config.addinivalue_line(
        "markers", "stubs(*names): answer the outside calls of this test with these stubs"
    )
    folder = config.getoption("--harness-folder")
    if folder:
        leash.hold()
        try:
            _record(config, Path(folder))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None


def _record(config: pytest.Config, folder: Path) -> None:
    recorder = Recorder(folder, _bench(config))
    config.stash[_RECORDER] = recorder
    config.pluginmanager.register(recorder, "harness-recorder")
    with recorder.noting():
        _bench(config).start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo what was started, also after a failure."""
    bench = config.stash.get(_BENCH, None)
    if bench is not None:
        bench.close()


def _bench(config: pytest.Config) -> Bench:
    """Return the session's bench, made when it is first asked for."""
    if _BENCH not in config.stash:
        target = TargetKind.parse(config.getoption("--harness-target"))
        config.stash[_BENCH] = Bench(_plan(config), config.rootpath, target)
    return config.stash[_BENCH]


def _plan(config: pytest.Config) -> Plan:
    """Read the plan, or make one of the application that was named."""
    named, app = config.getoption("--harness-plan"), config.getoption("--harness-app")
    path = Path(named) if named else config.rootpath / PLAN
    plan = parse_plan(path.read_text(), path.name) if named or path.exists() else Plan()
    return plan.with_app(AppPath.parse(app)) if app else plan


@contextlib.contextmanager
def _noting(config: pytest.Config) -> Iterator[None]:
    """Note an error of ours, so that the verdict names it and no test is blamed."""
    recorder = config.stash.get(_RECORDER, None)
    with recorder.noting() if recorder else contextlib.nullcontext():
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def harness_target(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """The service under test, running in the session's target."""
    try:
        with _noting(request.config):
            bench = _bench(request.config)
            bench.start()
            running = bench.service()
            await running.__aenter__()
    except HarnessError as error:
        request.session.shouldfail = str(error)
        pytest.fail(str(error), pytrace=False)
    try:
        yield running
    finally:
        await running.__aexit__(None, None, None)


@pytest_asyncio.fixture(loop_scope="session")
async def client(harness_target: Running, pytestconfig: pytest.Config) -> Client:
    """Quart's test client, a new one for each test, speaking to the session's target."""
    return Client(harness_target, _bench(pytestconfig).exchanges)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Select the stubs that the test is marked with, or the stand-ins' defaults."""
    marks = list(item.iter_markers("stubs"))
    if not marks and _BENCH not in item.config.stash and not _uses_client(item):
        return
    try:
        bench = _bench(item.config)
        rig = bench.start()
        _note_leftovers(item.config, bench)
        rig.standins.select([name for mark in marks for name in mark.args] if marks else None)
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)


def _uses_client(item: pytest.Item) -> bool:
    return "harness_target" in getattr(item, "fixturenames", ())


def _note_leftovers(config: pytest.Config, bench: Bench) -> None:
    """Note what happened between two tests, such as a background task's call."""
    recorder = config.stash.get(_RECORDER, None)
    surprises = bench.leftovers()
    if recorder is not None:
        place = f"after {recorder.last_test}" if recorder.last_test else "before the first test"
        for told in surprises:
            recorder.note(Surprise(slug="functional/between-tests", message=told, where=place))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that passed in spite of a surprise; show surprises beside other failures."""
    bench = item.config.stash.get(_BENCH, None)
    try:
        result = yield
    except BaseException:
        for told in bench.surprises() if bench else ():
            item.add_report_section("call", "harness", told)
        raise
    surprises = bench.surprises() if bench else []
    if surprises:
        pytest.fail("\n".join(surprises), pytrace=False)
    return result


class Recorder:
    """Writes down each test, and how the session ended. Registered only where a run records."""

    def __init__(self, folder: Path, bench: Bench) -> None:
        self.last_test = ""
        self._bench = bench
        self._part = Part(folder, f"functional-{bench.target}")
        self._part.__enter__()
        self._reports: list[pytest.TestReport] = []
        self._failed = False
        self._deselected = 0

    def note(self, *facts: Fact) -> None:
        """Write facts."""
        self._part.note(*facts)

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Note the first error of ours; tests that fail after it are not blamed."""
        try:
            yield
        except HarnessError as error:
            if not self._failed:
                self.note(problem(error))
            self._failed = True
            raise

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that could not be imported: its tests are missing evidence."""
        if report.failed:
            self.note(
                Problem(
                    slug="functional/not-collected",
                    message=_message(report),
                    where=report.nodeid or "the tests",
                    next_step="mend it: its tests did not run",
                )
            )

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count what was left out."""
        self._deselected += len(items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Note the test when it is over."""
        self._reports = []
        self._bench.exchanges.take()
        result = yield
        if self._reports and not self._failed:
            self.note(_tested(item, self._reports, self._bench))
        self.last_test = item.nodeid
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep each phase's report of the test that is running."""
        self._reports.append(report)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Note how the session ended. Without this, evidence is missing."""
        _note_leftovers(session.config, self._bench)
        if self._bench.rig is not None:
            self.note(*self._bench.rig.facts("between tests"))
        self.note(
            PytestEnded(
                exit_status=int(exitstatus),
                collected=session.testscollected,
                deselected=self._deselected,
            )
        )
        self._part.__exit__(None, None, None)


def _tested(item: pytest.Item, reports: list[pytest.TestReport], bench: Bench) -> Tested:
    decisive = next((r for r in reports if r.failed), None) or next(
        (r for r in reports if r.skipped or hasattr(r, "wasxfail")), reports[-1]
    )
    services = bench.plan.services
    return Tested(
        nodeid=item.nodeid,
        where=_where(item, decisive),
        outcome=_outcome(decisive),
        duration_s=sum(report.duration for report in reports),
        exchanges=len(bench.exchanges.take()),
        message=_message(decisive),
        service=services[0].name if services else "",
        target=bench.target,
    )


def _outcome(report: pytest.TestReport) -> TestOutcome:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "skipped" if report.skipped else "passed"


def _where(item: pytest.Item, report: pytest.TestReport) -> str:
    """Return the line that failed, or else the test's own."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None and report.failed:
        path, root = Path(crash.path), item.config.rootpath
        return f"{path.relative_to(root) if path.is_relative_to(root) else path}:{crash.lineno}"
    file, line, _ = item.location
    return f"{file}:{(line or 0) + 1}"


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.longrepr is None:
        return ""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")[:_MOST_TEXT]
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr)[:_MOST_TEXT]
