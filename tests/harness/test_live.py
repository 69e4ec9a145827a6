"""The same tests against a deployment that somebody else started, by its address."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.standins.server import StandIn
from harness.stubfile import parse_stubs
from harness.targets import live
from harness.targets.client import Client, Exchanges
from harness.targets.port import Port
from tests.harness.project import STUBS, Project, clean


class Deployment:
    """The shop under a Hypercorn of its own, asking a stand-in for the weather."""

    def __init__(self, root: Path, weather: str) -> None:
        with Port.bound() as port:  # kept: a free one could be another test's by then
            self.url, handle = port.url, port.socket.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hypercorn", "-w", "0", "--bind", f"fd://{handle}",
                 "shop:create_app()"],
                cwd=root, env={**clean(), "WEATHER_URL": weather}, pass_fds=(handle,),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while not _listens(port.address) and time.monotonic() < deadline:
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.drop("gates")
    return made


@pytest.fixture
def deployment(project: Project) -> Iterator[Deployment]:
    with StandIn("weather", parse_stubs(STUBS, "weather.toml"), ["now"]) as weather:
        running = Deployment(project.root, weather.url)
        yield running
        running.stop()


def test_the_same_tests_pass_in_all_three_targets_and_the_deployment_is_left_running(
    project: Project, deployment: Deployment
) -> None:
    code, output = project.harness(
        "test", "--target", "inproc", "--target", "served", "--target", deployment.url
    )

    assert code == 0, output
    rows = project.record()["functional"]
    assert [row["passed"] for row in rows] == [2, 2, 2]
    assert (rows[2]["target"], rows[2]["reached"]) == (f"shop={deployment.url}", 2)
    assert project.harness("load", "mix.py", "--target", deployment.url, "-d", "1")[0] == 0


def test_a_deployment_needs_neither_plan_nor_application_here(
    project: Project, deployment: Deployment
) -> None:
    (project.root / "harness.toml").unlink()

    code, output = project.harness("test", "tests", "--target", deployment.url)

    assert code == 0, output


def test_a_fault_of_the_deployment_fails_and_says_how_to_see_it_again(
    project: Project, deployment: Deployment
) -> None:
    project.change("tests/test_shop.py", "== 200", "== 202")

    code, output = project.harness("test", "--target", deployment.url)

    assert code == 1
    assert f"--target shop={deployment.url}" in output


def test_with_the_deployments_port_dead_nothing_passes(
    project: Project, deployment: Deployment
) -> None:
    deployment.stop()

    code, output = project.harness("test", "--target", deployment.url)

    assert code == 2, output
    assert f"nothing answers at {deployment.url}" in output
    assert " passed" not in output.split("UNKNOWN:")[1].splitlines()[0]


def test_tests_with_a_client_of_their_own_are_no_evidence_of_a_deployment(
    project: Project, deployment: Deployment
) -> None:
    (project.root / "tests" / "test_shop.py").write_text(
        "import os\n\nos.environ['WEATHER_URL'] = ''\n\n\nasync def test_index():\n"
        "    from shop import create_app\n"
        "    assert (await create_app().test_client().get('/')).status_code == 200\n"
    )

    code, output = project.harness("test", "--target", deployment.url)

    assert code == 2, output
    assert "functional/unreached" in output


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("async def test_the_weather", 'import pytest\n\n\n@pytest.mark.stubs("now")\n{old}'),
        (
            "async def test_the_weather",
            'import pytest\n\n\n@pytest.mark.usefixtures("stub")\n{old}',
        ),
        ("the_outside(client", "{old}, aioresponses"),
    ],
)
def test_a_test_that_selects_or_mocks_answers_is_skipped_and_listed(
    project: Project, deployment: Deployment, old: str, new: str
) -> None:
    project.change("tests/test_shop.py", old, new.format(old=old))

    code, output = project.harness("test", "--target", deployment.url)

    assert code == 0, output
    assert "needs stubs, and a live deployment does not call these stand-ins" in output


@contextlib.contextmanager
def mute() -> Iterator[str]:
    """Accept connections, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(("scheme", "told"), [("http", "silent"), ("https", "no connection")])
async def test_a_deployment_that_accepts_and_never_answers_does_not_hold_a_test_for_ever(
    monkeypatch: pytest.MonkeyPatch, scheme: str, told: str
) -> None:
    monkeypatch.setattr(live, "CONNECT_S", 0.2)
    monkeypatch.setattr(live, "SILENT_S", 0.2)

    with mute() as address:
        async with live.Live(f"{scheme}://{address}") as running:
            with pytest.raises(TargetError, match=told):
                async with asyncio.timeout(10):
                    await Client(running, Exchanges()).get("/")


async def test_a_password_in_an_address_is_no_part_of_the_host() -> None:
    with StandIn("shop", parse_stubs(STUBS, "weather.toml"), ["now"]) as shop:
        async with live.Live(shop.url.replace("://", "://user:secret@")) as running:
            origin = Client(running, Exchanges()).origin

    assert origin.host == shop.url.removeprefix("http://")


def test_of_two_addresses_for_one_service_none_is_left_out_in_silence(
    project: Project, deployment: Deployment
) -> None:
    code, output = project.harness(
        "test", "--target", "http://127.0.0.1:9", "--target", deployment.url
    )

    assert code == 64, output
    assert "two addresses" in output


@pytest.mark.parametrize("target", ["", "shop=", "nowhere=http://127.0.0.1:9", "http://192.0.2.1"])
def test_an_address_that_makes_no_sense_here_is_refused_and_no_reason_to_skip(
    project: Project, target: str
) -> None:
    code, output = project.harness("test", "--target", target)

    assert code == 64, output
