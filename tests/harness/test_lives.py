"""Services from their import to their end, as a user runs them: https, hangs, order, shut-down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.project import Project

FRONT = """
import os

import aiohttp
import requests
from quart import Quart, request


def create_app():
    app = Quart(__name__)

    @app.before_serving
    async def start():
        pass  # starts

    @app.after_serving
    async def stop():
        pass  # stops

    @app.get("/")
    async def index():
        async with aiohttp.ClientSession() as session:
            async with session.get(os.environ["BACK_URL"]) as response:
                by_aiohttp = await response.text()
        by_requests = await app.ensure_async(requests.get)(os.environ["BACK_URL"], timeout=9)
        return [request.scheme, by_aiohttp, by_requests.text]

    return app
"""

BACK = """
from quart import Quart, request


def create_app():
    app = Quart(__name__)

    @app.before_serving
    async def start():
        pass  # starts

    @app.get("/")
    async def index():
        return request.scheme

    return app
"""

TESTS = """
async def test_front(client):
    assert await (await client.get("/")).get_json() == ["https", "https", "https"]
"""

SCENARIOS = """
import os

from molotov import scenario

URL = os.environ["HARNESS_TARGET"]


@scenario()
async def front(session):
    assert URL.startswith("https://")
    async with session.get(URL + "/") as response:
        assert await response.json() == ["https", "https", "https"]
"""

PLAN = """
[services.front]
app = "front:create_app()"
env = { BACK_URL = "{back.url}/" }
tls = true
start_within = "20s"

[services.back]
app = "back:create_app()"
tls = true

[tests]
paths = ["tests"]
targets = ["inproc"]

[load.mix]
scenarios = "mix.py"
pace = "10/s for 1s"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for name, text in {
        "front.py": FRONT, "back.py": BACK, "tests/test_shop.py": TESTS, "mix.py": SCENARIOS,
        "harness.toml": PLAN,
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    return project


def findings(project: Project) -> list[tuple[str, str]]:
    return [(one["slug"], one["where"]) for one in project.record()["findings"]]


def test_services_over_https_pass_in_every_target_and_under_load(project: Project) -> None:
    project.change("harness.toml", '["inproc"]', '["inproc", "served"]')

    code, output = project.harness("run")

    assert code == 0, output
    assert not list((project.root / "reports").glob("**/*.pem"))
    for log in (project.root / "reports").glob("*/logs/*.log"):
        assert "Traceback" not in log.read_text()


HANGS = "import time; time.sleep(1e9)"
VERBS = pytest.mark.parametrize("verb", ["test", "load"])


@VERBS
def test_a_start_up_that_hangs_is_named_with_its_line(project: Project, verb: str) -> None:
    project.change("harness.toml", "20s", "3s")
    project.change("front.py", "pass  # starts", HANGS)

    code, output = project.harness(verb)

    assert code == 2, output
    assert ("target/hung", f"front.py:{line_of(project, HANGS)}") in findings(project)


def line_of(project: Project, text: str) -> int:
    lines = (project.root / "front.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_an_import_that_serves_is_named(project: Project) -> None:
    project.change("harness.toml", "20s", "3s")
    with (project.root / "front.py").open("a") as file:
        file.write("\n\nfrom aiohttp import web\nweb.run_app(web.Application(), port=0)\n")

    code, output = project.harness("test")

    assert code == 2, output
    assert ("target/hung", f"front.py:{line_of(project, 'web.run_app')}") in findings(project)
    assert "__main__" in output


def test_a_start_up_that_hangs_on_a_thread_of_its_own_does_not_keep_the_tests(
    project: Project,
) -> None:
    project.change("harness.toml", "20s", "3s")
    project.change(
        "front.py",
        "    async def start():\n        pass",
        "    def start():\n        import time; time.sleep(1e9)",
    )

    code, output = project.harness("test")

    assert code == 2, output
    assert ("target/hung", f"front.py:{line_of(project, 'time.sleep')}") in findings(project)


@VERBS
def test_a_shut_down_that_raises_fails(project: Project, verb: str) -> None:
    project.change("front.py", "pass  # stops", "raise OSError('no disk')")

    code, output = project.harness(verb)

    assert code == 1, output
    assert {slug for slug, _ in findings(project) if slug.startswith("target/")} == {
        "target/shut-down"
    }
    assert "no disk" in output


CALLS = "import aiohttp; await aiohttp.request('GET', os.environ['BACK_URL']).__aenter__()"


@VERBS
def test_a_service_may_call_at_its_start_up_those_that_it_calls(
    project: Project, verb: str
) -> None:
    project.change("front.py", "pass  # starts", CALLS)
    project.change("back.py", "pass  # starts", f"import os; {CALLS.replace('BACK', 'DEEP')}")
    project.change("harness.toml", "[tests]", "[services.deep]\napp = 'back:create_app()'\n[tests]")
    project.change(
        "harness.toml",
        '"back:create_app()"',
        '"back:create_app()"\nenv = { DEEP_URL = "{deep.url}" }',
    )
    (project.root / "deep.py").write_text(BACK)
    project.change("harness.toml", "'back:create_app()'", "'deep:create_app()'")

    code, output = project.harness(verb)

    assert code == 0, output


@VERBS
def test_services_that_need_each_other_to_start_are_told_so(project: Project, verb: str) -> None:
    project.change("front.py", "pass  # starts", CALLS)
    project.change("back.py", "pass  # starts", f"import os; {CALLS.replace('BACK', 'FRONT')}")
    project.change(
        "harness.toml",
        '"back:create_app()"',
        '"back:create_app()"\nenv = { FRONT_URL = "{front.url}" }',
    )

    code, output = project.harness(verb)

    assert code == 2, output
    assert "call each other, so none of them can need another one to start" in output


@VERBS
def test_nothing_stays_behind(
    project: Project, tmp_path_factory: pytest.TempPathFactory, verb: str
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    leaves = "import asyncio; app.left = asyncio.create_task(asyncio.sleep(1e9))"
    project.change("front.py", "pass  # starts", leaves)

    code, output = project.harness(verb, TMPDIR=str(scratch))

    assert code == 0, output
    assert "destroyed" not in output
    assert list(scratch.iterdir()) == []
    assert not list((project.root / "reports").glob("**/*.pem"))
    assert processes_in(project.root) == []


def processes_in(folder: Path) -> list[str]:
    """Return the processes that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append((entry / "cmdline").read_text())
        except OSError:  # it has ended, or is another's
            pass
    return found
