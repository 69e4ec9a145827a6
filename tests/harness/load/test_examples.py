"""The example scenarios of Molotov's own test-suite and quickstart, from its package, as they are.

They are imported from where Molotov is installed and driven in this process, against a server here
that answers as theirs would.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import molotov
import pytest

from harness.cli.config import read_test
from harness.demand import Load
from harness.errors import HarnessError
from harness.evidence import Part
from harness.load.board import Board
from harness.load.book import Book
from harness.load.generator import Generator
from harness.load.job import Job
from harness.load.molotov import Registries, load
from harness.pace import parse_pace

from .test_generator import Outcome, start

PACKAGE = Path(molotov.__file__).parent
ORIGINS = ("http://localhost:8080", "http://localhost:8888", "http://example.com")
PASSING = {
    "tests/example.py": {"scenario_two"},
    "tests/example2.py": {"scenario_one", "scenario_two"},
    "tests/example4.py": {"scenario_one"},
    "tests/example5.py": {"scenario_one"},
    "tests/example9.py": {"my_scenario"},
    "quickstart/loadtest.py": {"scenario_one", "scenario_two", "scenario_three"},
    "dummy.py": {"scenario_one"},
}
"""Their scenarios: all of them are picked in 12 visits, and pass."""

FAILING = {
    "tests/example3.py": ("load/set-up-failed", "global_setup() raised Exception: BAM"),
    # What these have is for --use-extension: they register listeners, and no scenario.
    "tests/example6.py": ("load/no-scenarios", "registers no scenario"),
    "tests/example7.py": ("load/no-scenarios", "registers no scenario"),
    "tests/example8.py": ("load/no-scenarios", "registers no scenario"),
}
EXTENSIONS = {
    "tests/example6.py": r"Average response time \d+ms",
    "tests/example7.py": r"Average concurrency: \d\.\d\d VU/s",
    "tests/example8.py": r'"type": "scenario_success", "name": "scenario_(one|two)"',
}

Driven = Callable[..., Outcome]


@pytest.fixture
def driven(tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> Driven:
    """Drive a file of Molotov's with one worker."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(time, "sleep", lambda s: None)  # molotov.dummy lets its reader read
    random.seed(3)  # and fails now and then, on purpose

    def drive(
        file: str, *extensions: str, pace: str = "1 worker for 20s", runs: int | None = 12
    ) -> Outcome:
        one = Load("test", str(PACKAGE / file), parse_pace(pace), (), max_runs=runs, seed=1)
        job = Job.of(one, target=target, root=PACKAGE, folder=tmp_path, rebase=ORIGINS)
        with Registries().in_place():
            named = [str(PACKAGE / extension) for extension in extensions]
            found = load(job.scenarios, PACKAGE, job.addresses, named)
            found.begin(job.arguments())
            board = Board(1)
            book = Book(0, found.places, board)

            async def generate(part: Part) -> None:
                starting = asyncio.create_task(start(board))
                await Generator(
                    job, 0, found, job.arguments(), board=board, book=book, part=part
                ).run()
                await starting

            with Part(tmp_path, "load-test.0") as part:
                asyncio.run(generate(part))
            found.end()
        return Outcome(tmp_path)

    return drive


@pytest.mark.parametrize("example", PASSING)
def test_an_example_passes_unmodified(driven: Driven, example: str) -> None:
    outcome = driven(example)

    assert outcome.failed == []
    assert set(outcome.counts) == PASSING[example]
    assert sum(outcome.counts.values()) == sum(outcome.last.rebased.values()) == 12


@pytest.mark.parametrize("example", FAILING)
def test_an_example_that_cannot_run_says_why(driven: Driven, example: str) -> None:
    slug, said = FAILING[example]

    with pytest.raises(HarnessError) as caught:
        driven(example)

    assert caught.value.slug == slug
    assert said in caught.value.message
    assert caught.value.where.startswith(example)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_an_extension_sees_what_the_visits_did(
    driven: Driven, capsys: pytest.CaptureFixture[str], extension: str
) -> None:
    a_second = {"pace": "1 worker for 1100ms", "runs": None} if "7" in extension else {}

    outcome = driven("tests/example2.py", extension, **a_second)

    assert outcome.failed == []
    assert re.search(EXTENSIONS[extension], capsys.readouterr().out)


def test_every_example_of_the_package_is_one_of_these() -> None:
    found = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")
             if re.fullmatch(r"example\d*|loadtest|dummy", path.stem)}  # fmt: skip

    assert found == {*PASSING, *FAILING}
    assert set(EXTENSIONS) < set(FAILING)
    # It looks like one by its name, and is a terminal's demonstration without any scenario.
    assert "scenario" not in (PACKAGE / "demo.py").read_text()


@pytest.mark.parametrize("folder", ["tests", "quickstart"])
def test_every_configuration_of_the_package_is_read(folder: str) -> None:
    config = str(PACKAGE / folder / "molotov.json")
    names = {"tests": ("big", "test", "scenario_two_once"), "quickstart": ("big", "small", "smoke")}

    found = {name: read_test(config, name) for name in names[folder]}

    assert all(test.scenario.endswith(("example.py", "loadtest.py")) for test, _ in found.values())
    if folder == "tests":
        assert found["big"][1] == {"SERVER_URL": "http://aserver.net"}
        assert found["scenario_two_once"][0].single_mode == "scenario_two"
