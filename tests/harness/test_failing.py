"""What a failing test shows: two services, one that calls the other, and a secret among it all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.harness.project import Project
from tests.harness.suite import LOOP, Suite

PAGE = Path(__file__).parents[2] / "docs/testing.md"
PIN = "o'pen/sesame+"

SHOP = """
import os

import aiohttp
from quart import Quart, request


def create_app():
    app = Quart(__name__)

    @app.get("/things/<int:number>")
    async def thing(number):
        headers = {"traceparent": request.headers["traceparent"]}
        url = f"{os.environ['STOCK_URL']}/stock/{number}"
        async with aiohttp.ClientSession() as session:
            async with session.get(url, headers=headers) as response:
                return {"left": (await response.json())["left"]}

    @app.errorhandler(500)
    async def failed(error):
        return {"error": "internal"}, 500

    @app.websocket("/ws")
    async def ws():
        from quart import websocket
        await websocket.send("you said " + await websocket.receive())

    return app
"""

STOCK = """
import json
import logging
import os
import sys

from quart import Quart


class JsonLines(logging.Handler):
    def emit(self, record):
        told = {"message": record.getMessage(), "pin": record.opened_with}
        sys.stderr.write(json.dumps(told) + "\\n")


def create_app():
    app = Quart(__name__)
    log = logging.getLogger("stock.log")
    log.propagate, log.handlers = False, [JsonLines()]

    @app.get("/stock/<int:number>")
    async def stock(number):
        log.warning("none is left of %s", number, extra={"opened_with": os.environ["PIN"]})
        return {"gone": True}

    return app
"""

TESTS = """
import os

import pytest


async def test_a_thing_is_left(client):
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}

    response = await client.get("/things/3", headers=headers)

    assert response.status_code == 200


async def test_nothing_is_shown_of_what_passed(client):
    assert (await client.get("/elsewhere")).status_code == 404


@pytest.mark.xfail
async def test_nor_of_what_is_expected(client):
    assert (await client.get("/expected")).status_code == 200


@pytest.fixture
async def socket(client):
    async with client.websocket("/ws") as socket:
        yield socket
        raise ValueError("in the end")


async def test_a_tear_down(socket):
    await socket.send(os.environ["PIN"])
    await socket.receive()
"""

PLAN = """
[services.shop]
app = "shop:create_app()"
env = { STOCK_URL = "{stock.url}" }

[services.stock]
app = "stock:create_app()"
env = { PIN = "{env.PIN}" }

[tests]
paths = ["tests"]
targets = ["inproc", "served"]
"""


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("PIN", PIN)
    monkeypatch.setenv("TOKEN", "abc.def.ghi")
    return {"shop.py": SHOP, "stock.py": STOCK, "harness.toml": PLAN, "tests/test_shop.py": TESTS}


def usual(text: str) -> str:
    """Put what differs from run to run in the words of the page."""
    for pattern, word in (
        (r"\b[0-9a-f]{32}\b", "0af7651916cd43dd8448eb211c80319c"),
        (r"-[0-9a-f]{16}-01", "-b7ad6b7169203331-01"),
        (r"in [\d.e+]+ ms", "in 6.81 ms"),
        (r"\d\d:\d\d:\d\d\.\d{3}", "09:33:09.120"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:41001"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "Fri, 20 Nov 2026 09:33:09 GMT"),
    ):
        text = re.sub(pattern, word, text)
    return text


def on_the_page() -> str:
    found = re.search(r"## When a test fails\n.*?```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    return found[1].rstrip("\n")


def test_plain_pytest_shows_the_exchanges_as_the_page_does(
    tmp_path: Path, files: dict[str, str]
) -> None:
    suite = Suite(tmp_path)
    for name, text in files.items():
        suite.write(name, text)

    code, output = suite.pytest("--asyncio-mode=auto", *LOOP, "tests", "-p", "no:cacheprovider")

    assert code == 1, output
    shown = re.findall(
        r"^-+ harness exchanges -+\n(.*?)(?=\n(?:___|===|---))", output, re.MULTILINE | re.DOTALL
    )
    torn_down, failed = shown  # errors first, and nothing of what passed or was expected
    assert torn_down.endswith("\nsent {env.PIN}\nreceived you said {env.PIN}")
    assert usual(failed) == on_the_page()


def test_a_run_keeps_the_exchanges_with_what_failed_and_shows_them(
    tmp_path: Path, files: dict[str, str]
) -> None:
    project = Project(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    code, output = project.harness("run")

    assert code == 1, output
    failed = [one for one in project.record()["findings"] if one["slug"] == "functional/failed"]
    assert [one["message"].split("\n")[0] for one in failed] == [
        f"tests/test_shop.py::test_a_thing_is_left [{target}]" for target in ("inproc", "served")
    ]
    for one, url in zip(failed, ("http://127.0.0.1:41001/",) * 2, strict=True):
        (told,) = [usual(text) for text in one["evidence"]]
        assert f"{url}things/3\n" in told
        assert told.partition("logged for")[2] == on_the_page().partition("logged for")[2]
    _is_in_every_report(next((tmp_path / "reports").glob("*/")), failed)


def _is_in_every_report(folder: Path, failed: list[dict[str, Any]]) -> None:
    told = failed[0]["evidence"][0].split("\n")
    text = (folder / "report.txt").read_text()
    assert f"         {told[0]}\n           {told[1]}\n" in text
    page = (folder / "report.html").read_text()
    assert page.count("<summary>1 exchange</summary>") >= 2
    assert "none is left of 3" in page
    log = (folder / "logs").glob("functional-inproc-*.log")
    assert '"pin": "{env.PIN}"' in next(log).read_text()  # as pytest showed what was printed
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_text(errors="replace")
            written = (PIN, json.dumps(PIN)[1:-1], "o%27pen", "o&#39;pen", "abc.def.ghi")
            assert not any(one in content for one in written), path
