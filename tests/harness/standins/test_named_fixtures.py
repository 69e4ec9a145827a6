"""The fixtures `aioresponses` and `requests_mock`, and the mocks made by hand, in real sessions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.project import STUBS, Project, clean

PLUGINS = {"PYTEST_ADDOPTS": ""}  # all that are installed, that of requests-mock among them

OTHERS = """
import pytest


@pytest.fixture
def aioresponses():
    return "somebody else's"


@pytest.fixture
def requests_mock():
    return "somebody else's"
"""

BY_HAND = """
import os

import pytest
from aioresponses import aioresponses


async def test_a_service_whose_calls_are_mocked(client):
    with aioresponses() as mock:
        mock.get(os.environ["WEATHER_URL"] + "/now", payload={"celsius": 30})
        response = await client.get("/weather")

    assert await response.get_json() == {"celsius": 30}


async def test_a_service_that_needs_no_mock(client):
    with aioresponses():
        assert (await client.get("/")).status_code == 200


async def test_a_websocket_beside_a_mock(client):
    with aioresponses():
        with pytest.raises(Exception) as raised:
            async with client.websocket("/"):
                pass
    assert "Connection refused" not in str(raised.value)
"""

FIXTURES = """
import os

import aiohttp
import pytest
import requests

ORIGIN = "https://weather.example.org"


async def test_defaults(client, aioresponses):
    assert await (await client.get("/weather")).get_json() == {"celsius": 15}
    aioresponses.assert_called_once_with(os.environ["WEATHER_URL"] + "/now", allow_redirects=True)


async def test_own(client, aioresponses):
    aioresponses.get(os.environ["WEATHER_URL"] + "/now", payload={"celsius": 30})
    assert await (await client.get("/weather")).get_json() == {"celsius": 30}


@pytest.mark.stubs("cold")
async def test_selected(client, aioresponses):
    assert await (await client.get("/weather")).get_json() == {"celsius": -5}


def test_requests(requests_mock):
    assert requests.get(ORIGIN + "/now").json() == {"celsius": 15}
    assert requests_mock.call_count == 1


@pytest.mark.stubs("cold")
def test_requests_selected(requests_mock):
    requests_mock.get("https://other.example.org/x", text="mine")
    assert requests.get("https://other.example.org/x").text == "mine"
    assert requests.get(ORIGIN + "/now").json() == {"celsius": -5}


def test_both(aioresponses, requests_mock):
    assert requests.get(ORIGIN + "/now").json() == {"celsius": 15}
"""

SURPRISES = """
import aiohttp
import pytest
import requests

ORIGIN = "https://weather.example.org"


@pytest.mark.stubs("cold")
async def test_unused(aioresponses):
    pass


@pytest.mark.stubs("cold")
async def test_hidden_by_ones_own(requests_mock):
    requests_mock.get(ORIGIN + "/now", text="mine")
    requests.get(ORIGIN + "/now")


async def test_unmatched(aioresponses):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(ORIGIN + "/then")


def test_requests_unmatched(requests_mock):
    with pytest.raises(requests.ConnectionError):
        requests.get(ORIGIN + "/then")


async def test_outside(aioresponses):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("https://other.example.org/x")


def test_requests_outside(requests_mock):
    with pytest.raises(requests.ConnectionError):
        requests.get("https://other.example.org/x")
"""

COLD = """
[[stub]]
name = "cold"
request = { method = "GET", path = "/now" }
reply = { json = { celsius = -5 } }
"""

TARGETS = ("--target", "inproc", "--target", "served")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.drop("gates")
    (tmp_path / "weather.toml").write_text(STUBS + COLD)
    return made


def write_tests(project: Project, text: str) -> None:
    (project.root / "tests" / "test_shop.py").write_text(text)


SESSION = """
import sys
import pytest
from aioresponses import core

published = dict(vars(core)), dict(vars(core.RequestMatch))
code = pytest.main([*sys.argv[1:], "-o", "asyncio_default_fixture_loop_scope=session"])
assert (dict(vars(core)), dict(vars(core.RequestMatch))) == published
raise SystemExit(code)
"""


def plain_pytest(root: Path, *options: str) -> tuple[int, str]:
    """Run a session, and see that it leaves aioresponses as it is published."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SESSION, *options],
        cwd=root, env={**clean(), **PLUGINS}, capture_output=True, check=False, timeout=60,
        text=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_tests_that_mock_aiohttp_by_hand_still_reach_their_service(project: Project) -> None:
    write_tests(project, BY_HAND)

    code, output = project.harness("test", *TARGETS, PYTHONDEVMODE="1")

    assert code == 0, output


def test_the_fixtures_have_the_stubs_and_win_over_those_of_other_plugins(
    project: Project,
) -> None:
    write_tests(project, FIXTURES)
    (project.root / "others.py").write_text(OTHERS)

    others = {"PYTEST_PLUGINS": "others", "PYTHONPATH": ".", **PLUGINS}
    code, output = project.harness("test", *TARGETS, **others)

    assert code == 0, output


def test_a_projects_own_fixture_is_left_to_it(project: Project) -> None:
    write_tests(project, "def test_a(aioresponses):\n    assert aioresponses == 'ours'\n")
    (project.root / "conftest.py").write_text(OTHERS.replace("somebody else's", "ours"))

    code, output = plain_pytest(project.root)

    assert code == 0, output


def test_a_stub_without_use_and_a_call_without_stub_fail_as_ever(project: Project) -> None:
    write_tests(project, SURPRISES)

    code, output = project.harness("test", "--target", "inproc")

    assert code == 1
    (row,) = project.record()["functional"]
    assert (row["tests"], row["failed"]) == (6, 6)
    assert output.count("the test selected the stub weather.cold (weather.toml:") >= 2
    assert output.count("no stub answers GET /then\n") >= 2
    assert "now (weather.toml:2): path: wanted /now, got /then" in output
    assert output.count("outside call to other.example.org:443") >= 2


REPAIRED = """
from harness.standins.aioresponses_repair import _works


def test_a(requests_mock):
    assert _works()
    assert not requests_mock.called
"""


def test_a_session_that_uses_the_harness_has_both_libraries_working_till_its_end(
    project: Project,
) -> None:
    write_tests(project, REPAIRED)

    code, output = plain_pytest(project.root, "-p", "no:requests_mock")

    assert code == 0, output


FOREIGN = """
import pytest
from aioresponses import core


def test_a(request, requests_mock):
    assert core.stream_reader_factory.__module__ == "aioresponses.compat"
    assert not requests_mock.real_http
    with pytest.raises(pytest.FixtureLookupError):
        request.getfixturevalue("aioresponses")
"""


def test_a_session_that_does_not_has_what_is_published_and_no_fixture_of_ours(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_a.py").write_text(FOREIGN)

    code, output = plain_pytest(tmp_path)

    assert code == 0, output
