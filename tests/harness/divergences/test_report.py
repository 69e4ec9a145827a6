"""What a run says of tests whose outcome depends on the target, and of breaches of ASGI."""

from __future__ import annotations

from pathlib import Path

from tests.harness.project import Project

APP = """
from quart import Quart, Response


def create_app():
    app = Quart(__name__)

    @app.get("/")
    async def index():
        return "hello"

    @app.get("/odd")
    async def odd():
        return Response("", headers={"bad header": "1"})

    return app
"""

TESTS = """
import contextlib
import pytest


async def test_a_server_has_a_name(client):
    assert "hypercorn" in (await client.get("/")).headers["Server"]


async def test_it_says_hello(client, pytestconfig):
    if pytestconfig.getoption("--harness-target") == "served":
        pytest.skip("not there")
    await client.get("/")


async def test_nothing_is_asserted(client):
    with contextlib.suppress(Exception):
        await client.get("/odd")
"""


def test_a_run_tells_what_differs_and_what_no_server_would_send(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.drop("standins.weather", "load.mix", "gates")
    project.change("harness.toml", 'env = { WEATHER_URL = "{weather.url}" }', "")
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "tests/test_shop.py").write_text(TESTS)

    code, output = project.harness("test", "--target", "inproc", "--target", "served")

    assert code == 1
    record = project.record()
    slugs = [finding["slug"] for finding in record["findings"]]
    assert slugs == ["functional/differs", *["functional/failed"] * 3]
    differs, _, *odd = record["findings"]
    lines = differs["message"].splitlines()
    assert lines[0].startswith(
        "tests/test_shop.py::test_a_server_has_a_name passes in served and fails in inproc"
    )
    assert lines[1].startswith("inproc: failed: ")
    assert "served: passed" in lines
    assert output.index("(functional/differs)") < output.index("(functional/failed)")
    for finding in odd:
        assert "shop.py:12: the application broke a rule of ASGI" in finding["message"]
        assert "(asgi/header)" in finding["message"]
    whys = {gap["why"] for gap in record["not_checked"]}
    assert "ran in inproc, and in served it was skipped" in whys
    (page,) = tmp_path.glob("reports/*/report.html")
    assert "passes in served and fails in inproc" in page.read_text()
