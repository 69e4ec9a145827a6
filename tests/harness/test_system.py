"""Several services that call each other, tested and loaded as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.project import Project

FRONT = """
import os

import aiohttp
from quart import Quart


def create_app():
    app = Quart(__name__)
    back, colour = os.environ["BACK_URL"], os.environ["COLOUR"]

    @app.get("/")
    async def index():
        async with aiohttp.ClientSession() as session, session.get(back) as response:
            return {"colour": colour, "back": (await response.json())["colour"]}

    return app
"""

BACK = """
import os

from quart import Quart


def create_app():
    app = Quart(__name__)
    colour = os.environ["COLOUR"]

    @app.get("/")
    async def index():
        return {"colour": colour}

    return app
"""

TESTS = '''
import aiohttp
import pytest


@pytest.fixture(scope="session")
async def seen():
    """Session fixtures may need the services beside the one under test."""
    import os

    async with aiohttp.ClientSession() as session, session.get(os.environ["BACK_URL"]) as response:
        return await response.json()


async def test_front_asks_back(client, seen):
    assert await (await client.get("/")).get_json() == {"colour": "red", "back": "blue"}
    assert seen == {"colour": "blue"}


@pytest.mark.service("back")
async def test_back_by_itself(client):
    assert await (await client.get("/")).get_json() == {"colour": "blue"}
'''

SCENARIOS = """
import os

from molotov import scenario


@scenario()
async def both(session):
    async with session.get(os.environ["HARNESS_TARGET"] + "/") as response:
        assert (await response.json())["back"] == "blue"
    async with session.get(os.environ["HARNESS_TARGET_BACK"] + "/") as response:
        assert (await response.json())["colour"] == "blue"
"""

PLAN = """
[services.front]
app = "front:create_app()"
env = { BACK_URL = "{back.url}/", COLOUR = "red" }

[services.back]
app = "back:create_app()"
env = { COLOUR = "blue" }

[tests]
paths = ["tests"]
targets = ["inproc", "served"]

[load.both]
scenarios = "both.py"
pace = "20/s for 1s"
"""


@pytest.fixture
def system(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for name, text in {
        "front.py": FRONT, "back.py": BACK, "tests/test_shop.py": TESTS, "both.py": SCENARIOS,
        "harness.toml": PLAN,
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    return project


def test_services_that_call_each_other_pass_in_every_target_and_under_load(system: Project) -> None:
    code, output = system.harness("run")

    assert code == 0, output
    record = system.record()
    assert [(row["service"], row["target"]) for row in record["functional"]] == [
        ("front", "inproc"), ("back", "inproc"), ("front", "served"), ("back", "served"),
    ]  # fmt: skip
    assert {row["step"] for row in record["load"]} == {None, "GET /"}


def test_a_load_can_be_about_another_service_than_the_first(system: Project) -> None:
    system.change(
        "harness.toml", 'scenarios = "both.py"', 'scenarios = "both.py"\nservice = "back"'
    )
    system.change("both.py", '["back"] == "blue"', '["colour"] == "blue"')

    assert system.harness("load")[0] == 0


def test_a_service_beside_that_does_not_start_is_named(system: Project) -> None:
    system.change("back.py", "    return app", "    raise OSError('no disk')")

    for verb in ("test", "load"):
        code, output = system.harness(verb)
        assert code == 2, output
        assert "the factory of back:create_app() raised OSError: no disk" in output


def test_a_mark_that_names_no_service_is_answered_with_the_nearest(system: Project) -> None:
    system.change("tests/test_shop.py", 'service("back")', 'service("bakc")')

    code, output = system.harness("test", "--target", "inproc")

    assert code == 64, output
    assert "Did you mean 'back'?" in output


def test_one_instance_cannot_be_under_test_in_process_and_called_by_others(
    system: Project,
) -> None:
    system.change("harness.toml", "back:create_app()", "back:app")
    (system.root / "back.py").write_text(
        f"import os\nos.environ['COLOUR'] = 'blue'\n{BACK}\n\napp = create_app()\n"
    )
    system.change("front.py", "back, colour =", "os.environ['COLOUR'] = 'red'\n    back, colour =")
    system.change("harness.toml", 'COLOUR = "blue"', 'FRONT_URL = "{front.url}", COLOUR = "blue"')

    code, output = system.harness("test", "--target", "inproc")

    assert code == 64, output
    assert "name a factory" in output


def test_one_instance_is_not_started_for_its_own_tests_and_for_those_of_its_caller(
    system: Project,
) -> None:
    system.change("harness.toml", "back:create_app()", "back:app")
    (system.root / "back.py").write_text(f"{BACK}\n\napp = create_app()\n")

    assert system.harness("test", "--target", "served")[0] == 0
    code, output = system.harness("test", "--target", "inproc")

    assert code == 64, output
    assert "back is under test in process and called by others" in output


def test_two_services_are_not_one_instance_in_the_environment_of_one_of_them(
    system: Project,
) -> None:
    system.change("harness.toml", "front:create_app()", "back:app")
    system.change("harness.toml", "back:create_app()", "back:app")
    (system.root / "back.py").write_text(f"{BACK}\n\napp = create_app()\n")

    code, output = system.harness("test", "--target", "served")

    assert code == 64, output
    assert "front and back are one instance" in output
