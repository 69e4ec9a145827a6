"""Writes down what a pytest session did: each test with its exchanges, and how it ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.bench import Bench
from harness.errors import HarnessError
from harness.evidence import Part, functional_part, problem
from harness.facts import Fact, Problem, PytestEnded, Surprise, Tested, TestOutcome
from harness.secret import redacted
from harness.target import TargetKind
from harness.targets.hang import own_line
from harness.targets.raised import raised_in

_MOST_TEXT = 4_000
_LOGS = ("Captured log", "Captured stderr")


class Recorder:
    """Writes down each test, and how the session ended. Registered only where a run records.

    `worker` names the one of pytest-xdist's that this process is, whose facts are its own; the
    process that has workers is told of their tests only where one of them died.
    """

    def __init__(self, folder: Path, bench: Bench, worker: str = "") -> None:
        self.last_test = ""
        self._bench = bench
        self._worker = worker
        part = functional_part(str(bench.target))
        self._part = Part(folder, f"{part}.{worker}" if worker else part)
        self._part.__enter__()
        self._part.note(bench.watch.begun)
        self._reports: list[pytest.TestReport] = []
        self._failed = False
        self._deselected = 0
        self._collected = 0
        self._finished = False

    def note(self, *facts: Fact) -> None:
        """Write facts."""
        self._part.note(*facts)

    def note_leftovers(self) -> None:
        """Note what happened between two tests, such as a background task's call."""
        place = f"after {self.last_test}" if self.last_test else "before the first test"
        for told in self._bench.leftovers():
            self.note(Surprise(slug="functional/between-tests", message=told, where=place))

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
        if self._worker:  # all of them find the same, and who has workers hears it once
            return
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
        self._bench.forget()
        result = yield
        if _has_run(self._reports) and not self._failed:
            self.note(_tested(item, self._reports, self._bench), *self._bench.watch.take())
        self.last_test = item.nodeid
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep each phase's report of the test that is running."""
        self._reports.append(report)
        if report.when not in ("setup", "call", "teardown"):  # whose worker died in it
            self.note(
                Tested(
                    nodeid=_writable(report.nodeid), where=report.nodeid, outcome="failed",
                    duration_s=0.0, exchanges=0, message=_message(report),
                    service=_service(self._bench, None), target=_target(self._bench),
                )
            )  # fmt: skip

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Note how the session ended, after all others had their say. Else, evidence is missing."""
        yield
        self.note_leftovers()
        self.note(*self._bench.watch.take_last())
        if session.exitstatus == pytest.ExitCode.OK and self._bench.rig is not None:
            self._check_service()
        live = self._bench.target.kind is TargetKind.LIVE  # a deployment cannot use our stubs
        if self._bench.rig is not None and not live:
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
        message=_message(report), service=_service(bench, None), target=_target(bench),
    )  # fmt: skip


def _tested(item: pytest.Item, reports: list[pytest.TestReport], bench: Bench) -> Tested:
    decisive = next((r for r in reports if r.failed), None) or next(
        (r for r in reports if (r.skipped or hasattr(r, "wasxfail")) and not _is_subtest(r)),
        reports[-1],
    )
    name = service_of(item)
    apart = bench.exchanges.take_apart()
    alike = sum(bench.is_alike(one, name) for one in apart)
    logged = [raised for line in bench.lines.kept for raised in line.raised]
    logged += bench.unsent() if decisive.failed else []
    return Tested(
        nodeid=_writable(item.nodeid),
        where=_where(item, decisive),
        outcome=_outcome(decisive),
        duration_s=sum(report.duration for report in reports),
        exchanges=bench.exchanges.answered + alike,
        apart=len(apart) - alike,
        message=_message(decisive, item.config.rootpath, logged),
        evidence=tuple(bench.told()) if decisive.failed else (),
        asks=uses_target(item),
        service=_service(bench, name),
        target=_target(bench),
    )


def uses_target(item: pytest.Item) -> bool:
    """Tell whether a test has one of the harness's clients, or a fixture that has."""
    return "harness_target" in getattr(item, "fixturenames", ())


def _target(bench: Bench) -> str:
    """Write the target as a command line names it; of several addresses, all."""
    urls = [f"{name}={url}" if name else url for name, url in bench.target.urls]
    return " ".join(urls) or str(bench.target)


def service_of(node: pytest.Item | pytest.Collector) -> str | None:
    """Return the service that a test is marked with; None: the plan's first."""
    mark = node.get_closest_marker("service")
    return str(mark.args[0]) if mark and mark.args else None


def _service(bench: Bench, marked: str | None) -> str:
    return marked or (bench.plan.services[0].name if bench.plan.services else "")


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
    """Return the project's last line in what failed, or else the test's own."""
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
    places = [entry.reprfileloc for entry in entries if getattr(entry, "reprfileloc", None)]
    start = item.config.invocation_params.dir  # pytest writes paths as seen from there
    lines = [(os.path.normpath(start / place.path), place.lineno) for place in places]
    file, line, _ = item.location
    return own_line(lines, item.config.rootpath) or f"{file}:{(line or 0) + 1}"


def _message(
    report: pytest.TestReport | pytest.CollectReport,
    root: Path | None = None,
    logged: Sequence[str] = (),
) -> str:
    """Return what a report says and, below the project's `root`, what may have caused it."""
    causes = _causes(report, root, logged) if root and report.failed else ()
    first, newline, rest = _said(report).partition("\n")
    text = "\n".join([first, *causes]) + newline + rest  # a report may show no more than its start
    return redacted(_writable(text))[:_MOST_TEXT]  # a part of a secret is not found


def _causes(
    report: pytest.TestReport | pytest.CollectReport, root: Path, logged: Sequence[str]
) -> list[str]:
    """Return what happened beside a failure: calls without an answer, and exceptions logged."""
    refused = [text for title, text in report.sections if title.startswith("Captured harness")]
    printed = [text for title, text in report.sections if title.startswith(_LOGS)]
    raised = dict.fromkeys([*logged, *(one for text in printed for one in raised_in(text, root))])
    return [*refused, *(f"meanwhile {one}" for one in raised)]


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
