"""``harness up`` as a user has it: what it prints, what it serves, what it leaves."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.targets.port import Port
from tests.harness.project import Project

READY = "Ctrl-C stops it all"
PATIENCE_S = 30.0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


class Up:
    """A ``harness up`` that is running. `seen` is what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen = ""

    def until(self, text: str) -> str:
        assert self.process.stdout is not None
        while text not in self.seen:
            line = self.process.stdout.readline()
            assert line, self.seen
            self.seen += line
        return self.seen

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        self.seen += self.process.communicate(timeout=PATIENCE_S)[0]
        return self.process.returncode, self.seen

    @property
    def urls(self) -> dict[str, str]:
        return dict(re.findall(r"^(\w+) +(http://\S+)", self.until(READY), re.M))


Start = Callable[..., Up]


@pytest.fixture
def up(project: Project) -> Iterator[Start]:
    started: list[Up] = []

    def start(*arguments: str, **env: str) -> Up:
        started.append(Up(project.start("up", *arguments, **env)))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
        text: str = response.read().decode()
        return text


def nobody_listens(url: str) -> bool:
    """Wait until nothing takes connections any more."""
    host, _, port = url.removeprefix("http://").partition(":")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_services_answer_with_their_stand_ins_until_they_are_told_to_stop(
    project: Project, up: Start, number: signal.Signals
) -> None:
    running = up()
    urls = running.urls

    assert get(f"{urls['shop']}/weather") == '{"celsius":15}\n'
    assert get(f"{urls['weather']}/now") == '{"celsius":15}'
    code, output = running.end(number)

    assert code == 130
    assert output.endswith("stopped\n")
    assert all(map(nobody_listens, urls.values()))
    assert project.harness("report")[0] == 2  # it is no run that a report could be about


def test_killed_it_leaves_nothing_running(up: Start) -> None:
    running = up()
    urls = running.urls

    running.end(signal.SIGKILL)

    assert all(map(nobody_listens, urls.values()))


def test_what_no_stub_answers_is_printed_as_it_happens(up: Start) -> None:
    running = up()

    with pytest.raises(urllib.error.HTTPError):
        get(f"{running.urls['weather']}/then")

    assert "no stub answers GET /then" in running.until("path: wanted /now, got /then")


def test_a_refused_outside_call_is_printed_as_it_happens(project: Project, up: Start) -> None:
    project.change("shop.py", 'os.environ["WEATHER_URL"]', '"http://weather.example.org"')
    running = up()

    with pytest.raises(urllib.error.HTTPError):
        get(f"{running.urls['shop']}/weather")

    running.until("shop called weather.example.org:80, which was refused: ")


def test_ports_can_be_fixed(up: Start) -> None:
    with Port.bound() as one, Port.bound() as other:
        shop, weather = one.address[1], other.address[1]

    urls = up("--port", f"shop={shop}", "--port", f"weather={weather}").urls

    assert urls == {
        "shop": f"http://127.0.0.1:{shop}", "weather": f"http://127.0.0.1:{weather}"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["shop", "weather"])
def test_a_port_that_is_taken_is_refused_before_anything_starts(
    project: Project, name: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, output = project.harness("up", "--port", f"{name}={port}")

    assert code == 64, output
    assert f"--port {name}={port}: the port {port} cannot be used: Address already in use" in output
    assert not (project.root / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "shpo=5000"], "Did you mean 'shop'?"),
        (["--port", "shop"], "cannot read the port ''"),
        (["--port", "shop=0"], "cannot read the port '0'"),
        (["--port", "shop=65536"], "cannot read the port '65536'"),
        (["--port", "shop=5999", "--port", "weather=5999"], "asked for twice"),
        (["--app", "shopp:app"], "there is no module 'shopp'"),
        (["--reports", "harness.toml"], "cannot be written"),
    ],
)
def test_what_cannot_be_understood_exits_64(
    project: Project, arguments: list[str], said: str
) -> None:
    code, output = project.harness("up", *arguments)

    assert code == 64, output
    assert said in output


def test_without_a_plan_an_application_is_enough(project: Project, up: Start) -> None:
    (project.root / "harness.toml").unlink()

    assert "hello" in get(up("--app", "shop:create_app()").urls["app"])


def test_without_a_service_it_says_how_to_name_one(project: Project) -> None:
    (project.root / "harness.toml").unlink()

    code, output = project.harness("up")

    assert code == 64
    assert "--app module:attr" in output


SECOND = """
[services.till]
app = "till:app"
env = { SHOP_URL = "{shop.url}" }

[standins.weather]"""

TILL = """
import os
import signal
import urllib.request

from quart import Quart

app = Quart(__name__)


@app.before_serving
async def ask():
    urllib.request.urlopen(os.environ["SHOP_URL"]).read()


@app.get("/end")
async def end():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_services_that_are_called_start_first(project: Project, up: Start) -> None:
    project.change("harness.toml", "\n[standins.weather]", SECOND)
    (project.root / "till.py").write_text(TILL)

    assert set(up().urls) == {"shop", "till", "weather"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    return app", "    raise RuntimeError('no settings')", "no settings"),
        ("    return app", "    os._exit(3)", "ended with code 3 before it listened"),
    ],
)
def test_a_service_that_does_not_start_stops_the_others_and_says_why(
    project: Project, old: str, new: str, said: str
) -> None:
    project.change("harness.toml", "\n[standins.weather]", SECOND.replace('"{shop.url}"', '""'))
    (project.root / "till.py").write_text("from quart import Quart\n\napp = Quart(__name__)\n")
    project.change("shop.py", old, new)

    code, output = project.harness("up")

    assert code == 2, output
    assert said in output
    (folder,) = re.findall(r"logs in (\S+)", output)
    assert (project.root / folder / "shop.log").is_file()


def test_a_service_that_ends_stops_the_others_and_its_log_is_named(
    project: Project, up: Start
) -> None:
    project.change("harness.toml", "\n[standins.weather]", SECOND)
    (project.root / "till.py").write_text(TILL)
    running = up()
    urls = running.urls

    with pytest.raises(OSError, match=r"closed|reset"):
        get(f"{urls['till']}/end")
    output = running.until("(target/ended)")

    assert running.process.wait(PATIENCE_S) == 2
    assert f"logs{os.sep}till.log: the service till ended by itself, with code -9" in output
    assert all(map(nobody_listens, urls.values()))


def test_a_service_that_the_profile_has_an_address_of_is_not_started(
    project: Project, up: Start
) -> None:
    project.change("harness.toml", "\n[standins.weather]", SECOND)
    project.change(
        "harness.toml", "[gates]", "[profiles.mixed.targets]\nshop = '{env.SHOP}'\n[gates]"
    )
    (project.root / "till.py").write_text(TILL)
    shop = up("--app", "shop:create_app()").urls["shop"]

    seen = up("--profile", "mixed", SHOP=shop).until(READY)

    assert re.search(r"^shop +\{env\.SHOP\}  elsewhere$", seen, re.M)
    assert "starting till" in seen
    assert "starting shop" not in seen


CHAIN = """
import os
from urllib.request import urlopen

from quart import Quart


def create_app():
    app = Quart(__name__)

    @app.get("/")
    async def index():
        return {}

    @app.before_serving
    async def start():
        if "NEXT_URL" in os.environ:
            urlopen(os.environ["NEXT_URL"]).close()

    return app
"""


def test_those_that_are_called_start_before_their_callers(project: Project, up: Start) -> None:
    (project.root / "chain.py").write_text(CHAIN)
    called = {"one": "two", "two": "three", "three": ""}
    (project.root / "harness.toml").write_text(
        "\n".join(
            f'[services.{name}]\napp = "chain:create_app()"\n'
            + (f'env = {{ NEXT_URL = "{{{other}.url}}" }}\n' if other else "")
            for name, other in called.items()
        )
    )

    assert set(up().urls) == set(called)
