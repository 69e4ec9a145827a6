"""What scenario files may import, as they use it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harness.scenarios import NoRowsLeft, Rows, Token, base_url


def test_the_address_of_a_service_is_what_the_harness_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TARGET", "http://127.0.0.1:5000/below/")
    monkeypatch.setenv("HARNESS_TARGET_TOKEN_DEALER", "http://127.0.0.1:5001")

    assert base_url() == "http://127.0.0.1:5000/below"
    assert base_url("token-dealer") == "http://127.0.0.1:5001"


@pytest.mark.parametrize(
    ("service", "variable"), [("", "HARNESS_TARGET"), ("stock", "HARNESS_TARGET_STOCK")]
)
def test_an_address_that_is_not_set_names_its_variable_and_what_to_type(
    monkeypatch: pytest.MonkeyPatch, service: str, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)

    with pytest.raises(LookupError, match=f"{variable} is not set; .* {variable}=http://HOST:PORT"):
        base_url(service)


class Dealer:
    """Grants tokens, each for `lasts_s`, and remembers what it was asked."""

    def __init__(self) -> None:
        self.lasts_s = 100.0
        self.status = 200
        self.asked: list[dict[str, Any]] = []

    async def grant(self, request: web.Request) -> web.Response:
        self.asked.append(dict(await request.post()))
        await asyncio.sleep(0.01)
        granted = {"access_token": f"t{len(self.asked)}", "expires_in": self.lasts_s}
        return web.json_response(granted, status=self.status)


@pytest.fixture
async def dealer() -> Dealer:
    return Dealer()


@pytest.fixture
async def token(dealer: Dealer) -> AsyncIterator[Token]:
    app = web.Application()
    app.router.add_post("/oauth/token", dealer.grant)
    async with TestServer(app) as server:
        url = str(server.make_url("/oauth/token"))
        yield Token(url, client_id="me", client_secret="secret")


async def test_visits_that_come_together_share_a_token(dealer: Dealer, token: Token) -> None:
    async with aiohttp.ClientSession() as session:
        headers = await asyncio.gather(*(token.header(session) for _ in range(5)))
        headers[0]["If-Match"] = "mine alone"

        assert headers[1:] == [{"Authorization": "Bearer t1"}] * 4
        assert await token.header(session) == {"Authorization": "Bearer t1"}
    assert dealer.asked == [
        {"grant_type": "client_credentials", "client_id": "me", "client_secret": "secret"}
    ]


async def test_a_token_is_renewed_before_it_expires(dealer: Dealer, token: Token) -> None:
    dealer.lasts_s = 0

    async with aiohttp.ClientSession() as session:
        seen = [await token.header(session) for _ in range(2)]

    assert seen == [{"Authorization": "Bearer t1"}, {"Authorization": "Bearer t2"}]


async def test_a_token_that_is_not_granted_says_why(dealer: Dealer, token: Token) -> None:
    dealer.status = 401

    async with aiohttp.ClientSession() as session:
        with pytest.raises(AssertionError, match=r"no token: 401 .*access_token"):
            await token.header(session)


ROWS = [
    {"name": "Ada", "city": "London, UK"},
    {"name": "Radia", "city": "Boston"},
    {"name": "Mary", "city": "Paris"},
]
WRITTEN = {
    "people.csv": 'name,city\nAda,"London, UK"\nRadia,Boston\nMary,Paris\n',
    "people.json": json.dumps(ROWS),
    "people.jsonl": "".join(f"{json.dumps(row)}\n" for row in ROWS) + "\n",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_are_given_in_turn_and_from_the_first_again(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(WRITTEN[name])
    rows = Rows(tmp_path / name)

    assert [next(rows) for _ in range(7)] == [*ROWS, *ROWS, ROWS[0]]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_processes_share_the_rows_so_that_each_is_used_as_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    (tmp_path / "people.csv").write_text(WRITTEN["people.csv"])
    used: list[str] = []
    for number in range(processes):
        monkeypatch.setenv("HARNESS_PROCESS", f"{number}/{processes}")
        rows = Rows(tmp_path / "people.csv")
        used += [next(rows)["name"] for _ in range(6)]

    assert {name: used.count(name) for name in set(used)} == {
        row["name"]: 2 * processes for row in ROWS
    }


def test_a_process_that_is_forked_has_rows_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(WRITTEN["people.csv"])
    program = (
        "import os, sys\n"
        "from harness.scenarios import Rows\n"
        "rows = Rows('people.csv')\n"
        "next(rows)\n"
        "child = os.fork()\n"
        "if child: os.waitpid(child, 0)\n"
        "else: os.environ['HARNESS_PROCESS'] = '2/3'\n"
        "print(next(rows)['name'], flush=True)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["Mary", "Radia"]


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_that_are_for_once_end(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(WRITTEN[name])
    rows = Rows(tmp_path / name, once=True)

    assert [next(rows) for _ in range(3)] == ROWS
    for _ in range(2):
        with pytest.raises(NoRowsLeft, match=f"{name} has no row left: 3 were given"):
            next(rows)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_rows_that_are_for_once_are_given_to_one_process_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    (tmp_path / "people.csv").write_text(WRITTEN["people.csv"])
    used: list[str] = []
    for number in range(processes):
        monkeypatch.setenv("HARNESS_PROCESS", f"{number}/{processes}")
        rows = Rows(tmp_path / "people.csv", once=True)
        with contextlib.suppress(NoRowsLeft):
            while True:
                used.append(next(rows)["name"])

    assert sorted(used) == ["Ada", "Mary", "Radia"]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(WRITTEN[name], encoding="utf-8-sig")

    assert next(Rows(tmp_path / name)) == ROWS[0]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("people.txt", b"Ada", "is none of .csv, .jsonl, .json"),
        ("people.csv", b"", "has no rows"),
        ("people.csv", b"name\n", "has no rows"),
        ("people.csv", b"\xef\xbb\xbf", "has no rows"),
        ("people.csv", b"name,name\nAda,London\n", ":1:1: two columns are named 'name'"),
        ("people.csv", b"name,city\nAda\n", ":2:1: 1 fields, where the first line has 2"),
        ("people.csv", b'name\n"Ada', ":2:1: unexpected end of data"),
        ("people.csv", b"name\nR\xe9my\n", ":2:2: byte 0xe9 is not UTF-8"),
        ("people.jsonl", b"\n", "has no rows"),
        ("people.jsonl", b'{"name": Ada}\n', ":1:10: Expecting value"),
        ("people.json", b"[]", "has no rows"),
        ("people.json", b'[{"name": "Ada"},\n {]', ":2:3: Expecting property name"),
        ("people.json", b'{"name": "Ada"}', ":1:1: this is no list of rows"),
    ],
)  # fmt: skip
def test_a_file_that_can_give_no_rows_is_told_where_before_a_load_begins(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=f"{name}.*{re.escape(told)}"):
        Rows(tmp_path / name)


def test_a_row_further_down_that_is_wrong_is_told_each_time_that_it_is_due(
    tmp_path: Path,
) -> None:
    (tmp_path / "people.csv").write_text('name,city\n"Ada\nLovelace",London\n\nMary\nRadia,Paris\n')
    rows = Rows(tmp_path / "people.csv")

    assert next(rows) == {"name": "Ada\nLovelace", "city": "London"}
    for _ in range(2):
        with pytest.raises(ValueError, match=r"people.csv:5:1: 1 fields"):
            next(rows)


def test_it_imports_nothing_else_of_the_harness() -> None:
    program = "import sys, harness.scenarios; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("COV")},
    )  # fmt: skip

    loaded = [name for name in done.stdout.split() if name.startswith("harness.")]
    assert loaded == ["harness.scenarios"]
