"""The pytest plugin: the fixture `client` in every target, stubs by mark, and the facts of a run.

Installed and unused it changes nothing: it acts where there is a plan, where an application is
named, or where ``harness test`` asked it to record.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
import pytest_asyncio

from harness import leash
from harness.bench import Bench
from harness.errors import HarnessError, UsageError
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
    """Register the mark and, where the harness is used, what it gives to tests."""
    config.addinivalue_line(
        "markers", "stubs(*names): answer the outside calls of this test with these stubs"
    )
    folder = config.getoption("--harness-folder")
    if _is_used(config):
        config.pluginmanager.register(_offer(), "harness-offer")
    if folder:
        leash.hold()
        try:
            _record(config, Path(folder))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None


def _is_used(config: pytest.Config) -> bool:
    """Tell whether this project means us by `client` and `stubs`, which others may call theirs."""
    options = ("--harness-folder", "--harness-plan", "--harness-app")
    return any(map(config.getoption, options)) or (config.rootpath / PLAN).is_file()


def _offer() -> ModuleType:
    """Make the plugin with our fixtures. Those of this module would be there for every project."""
    offer = ModuleType("harness-offer", "What the harness gives to tests.")
    session = pytest_asyncio.fixture(scope="session", loop_scope="session")
    vars(offer).update(
        harness_service=pytest.fixture(scope="session")(harness_service),
        harness_target=session(harness_target),
        client=pytest_asyncio.fixture(loop_scope="session")(client),
    )
    return offer


def _record(config: pytest.Config, folder: Path) -> None:
    recorder = Recorder(folder, _bench(config, folder))
    config.stash[_RECORDER] = recorder
    config.pluginmanager.register(recorder, "harness-recorder")
    with recorder.noting():
        _refuse_workers(config)
        _bench(config).start()


def _refuse_workers(config: pytest.Config) -> None:
    """pytest-xdist's workers would each have a service of their own, and no one's evidence."""
    if config.getoption("dist", "no") != "no":
        raise UsageError(
            "functional/pytest-usage",
            "tests that pytest-xdist spreads over processes cannot be recorded",
            next_step="run them in one process: PYTEST_ADDOPTS='-n 0' harness …",
        )


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo what was started, also after a failure. Nothing of ours comes after this."""
    bench = config.stash.get(_BENCH, None)
    if bench is not None:
        bench.close()
    recorder = config.stash.get(_RECORDER, None)
    if recorder is not None:
        recorder.close()


def _bench(config: pytest.Config, folder: Path | None = None) -> Bench:
    """Return the session's bench, made when it is first asked for."""
    if _BENCH not in config.stash:
        target = TargetKind.parse(config.getoption("--harness-target"))
        config.stash[_BENCH] = Bench(_plan(config), config.rootpath, target, folder)
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


def _fail(session: pytest.Session, error: HarnessError) -> NoReturn:
    """End the session: what kept one test from its target keeps them all."""
    session.shouldfail = "the tests have no target"
    raise pytest.fail.Exception(str(error), pytrace=False) from None


def harness_service(request: pytest.FixtureRequest) -> Running:
    """The service under test, imported where no loop runs yet, and not started."""
    try:
        with _noting(request.config):
            bench = _bench(request.config)
            bench.start()
            return bench.service()
    except HarnessError as error:
        _fail(request.session, error)


async def harness_target(
    request: pytest.FixtureRequest, harness_service: Running
) -> AsyncIterator[Running]:
    """The service under test, running in the session's target."""
    try:
        with _noting(request.config):
            await harness_service.__aenter__()
    except HarnessError as error:
        _fail(request.session, error)
    try:
        yield harness_service
    finally:
        await harness_service.__aexit__(None, None, None)


async def client(harness_target: Running, pytestconfig: pytest.Config) -> Client:
    """Quart's test client, a new one for each test, speaking to the session's target."""
    return Client(harness_target, _bench(pytestconfig).exchanges)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Select the stubs that the test is marked with, or the stand-ins' defaults."""
    marks = list(item.iter_markers("stubs")) if _is_used(item.config) else []
    if not marks and _BENCH not in item.config.stash and not _uses_client(item):
        return
    try:
        bench = _bench(item.config)
        rig = bench.start()
        _note_leftovers(item.config, bench)
        rig.standins.select([name for mark in marks for name in mark.args] if marks else None)
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


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
        self._collected = 0
        self._finished = False

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
        """Note a module that could not be imported, or was skipped: its tests did not run."""
        if report.skipped:
            self._collected += 1
            self.note(_left_out(report, self._bench))
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
        if _has_run(self._reports) and not self._failed:
            self.note(_tested(item, self._reports, self._bench))
        self.last_test = item.nodeid
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep each phase's report of the test that is running."""
        self._reports.append(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Note how the session ended, after all others had their say. Else, evidence is missing."""
        yield
        _note_leftovers(session.config, self._bench)
        if session.exitstatus == pytest.ExitCode.OK:
            self._check_service()
        if self._bench.rig is not None:
            self.note(*self._bench.rig.facts("between tests"))
        self.note(
            PytestEnded(
                exit_status=int(session.exitstatus),
                collected=session.testscollected + self._collected,
                deselected=self._deselected,
            )
        )
        self._finished = True

    def _check_service(self) -> None:
        """Note that the service which was asked for is not there, where no test needed it."""
        with contextlib.suppress(HarnessError), self.noting():
            self._bench.check()

    def close(self) -> None:
        """Note that nothing came between the session's end and pytest's own."""
        if self._finished:
            self._part.__exit__(None, None, None)
        else:
            self._part.__exit__(RuntimeError, RuntimeError("pytest did not finish"), None)


def _has_run(reports: Sequence[pytest.TestReport]) -> bool:
    """Tell whether a test was called, or why not: under ``--setup-only`` it is set up, no more."""
    return any(r.when == "call" or not r.passed for r in reports)


def _left_out(report: pytest.CollectReport, bench: Bench) -> Tested:
    return Tested(
        nodeid=report.nodeid, where=report.nodeid, outcome="skipped", duration_s=0.0, exchanges=0,
        message=_message(report), service=_service(bench), target=bench.target,
    )  # fmt: skip


def _tested(item: pytest.Item, reports: list[pytest.TestReport], bench: Bench) -> Tested:
    decisive = next((r for r in reports if r.failed), None) or next(
        (r for r in reports if (r.skipped or hasattr(r, "wasxfail")) and not _is_subtest(r)),
        reports[-1],
    )
    return Tested(
        nodeid=_writable(item.nodeid),
        where=_where(item, decisive),
        outcome=_outcome(decisive),
        duration_s=sum(report.duration for report in reports),
        exchanges=len(bench.exchanges.take()),
        message=_message(decisive),
        service=_service(bench),
        target=bench.target,
    )


def _service(bench: Bench) -> str:
    return bench.plan.services[0].name if bench.plan.services else ""


def _is_subtest(report: pytest.TestReport) -> bool:
    return hasattr(report, "context")


def _writable(text: str) -> str:
    """Escape the lone surrogates that JSON cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()


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
    return _writable(_said(report))[:_MOST_TEXT]


def _said(report: pytest.TestReport | pytest.CollectReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.longrepr is None:
        return ""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr)
    if isinstance(report, pytest.CollectReport):  # a whole traceback, in which E marks what it says
        said = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
        return "\n".join(said) or text
    return text
