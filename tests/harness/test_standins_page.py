"""What the page about stand-ins shows, run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from harness.reply import FAULTS, Reply
from harness.standins.desk import JOURNAL, STUBS
from harness.standins.server import StandIn
from harness.stub import Call
from harness.stubfile import parse_stubs
from tests.harness.project import Project

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "standins.md").read_text()
STUBS_SHOWN = (DOCS / "examples/shop.toml").read_text()

APP = """
import os

import aiohttp
from quart import Quart


def create_app():
    app = Quart(__name__)

    @app.post("/orders/<order>/pay")
    async def pay(order):
        async with aiohttp.ClientSession(os.environ["PAYMENTS_URL"]) as session:
            async with session.post("/session", json={"user": "shop"}) as response:
                token = (await response.json())["token"]
            told = {"Authorization": f"Bearer {token}"}
            async with session.post("/payments", headers=told) as response:
                if response.status != 202:
                    return {}, response.status
            async with session.get(f"/payments/{order}") as response:
                return await response.json()

    return app
"""

PLAN = """
[services.shop]
app = "shop:create_app()"
env = { PAYMENTS_URL = "{payments.url}" }

[standins.payments]
origin = "https://pay.example.org"
stubs = ["payments.toml"]
default = ["login", "pay", "open", "settled"]

[tests]
paths = ["tests"]
targets = ["inproc"]
"""


def test_the_example_passes_on_an_application_that_does_what_it_says(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "harness.toml").write_text(PLAN)
    shutil.copy(DOCS / "examples/shop.toml", tmp_path / "payments.toml")
    shutil.copy(DOCS / "examples/test_shop.py", tmp_path / "tests/test_shop.py")

    code, output = project.harness("test")

    assert "2 tests passed" in output
    assert code == 0, output


def test_the_message_that_is_shown_is_what_a_stand_in_says() -> None:
    (shown,) = re.findall(r"```text\n(no stub .*?)```", PAGE, re.DOTALL)
    standin = StandIn("payments", parse_stubs(STUBS_SHOWN, "p.toml"), ["login", "pay"])

    told = standin.answer(Call("POST", "/payments", "", {"authorization": "Bearer t-1"}, b""))

    assert isinstance(told, str)
    assert re.sub(r"payments\.(\w+) …", r"\1 (p.toml:N):", shown).strip() == re.sub(
        r"toml:\d+", "toml:N", told
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_on_the_page(fault: str) -> None:
    assert f"`{fault}`" in PAGE


def test_what_the_page_lists_is_there() -> None:
    for key in (*Reply.__struct_fields__, JOURNAL, STUBS):
        assert key in PAGE
