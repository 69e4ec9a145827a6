"""What Molotov documents and its implementation does not do, done here; and the page of both."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from types import MappingProxyType
from typing import Any

import molotov
import pytest
from molotov.run import _parser

from harness.cli.config import Test as Configured
from harness.cli.load import UNSUPPORTED, verb
from harness.errors import UsageError
from harness.load.board import Board, Stop

from .conftest import Service
from .test_generator import ran, scenarios

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/molotov.md").read_text()
PACKAGE = Path(molotov.__file__).parent
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "shown by" not in line]


async def test_the_delay_of_a_scenario_follows_a_failed_visit_too(tmp_path: Path) -> None:
    async def broken(session: Any) -> None:
        raise ValueError

    found = scenarios(broken)
    (one,) = found.each
    found = replace(found, each=(replace(one, delay_s=60.0),))
    outcome = await ran(tmp_path, found, "1 worker for 300ms")

    assert outcome.visits("broken").failed == 1  # and none after it, in the pause


@pytest.mark.parametrize("kind", [dict, MappingProxyType])
async def test_what_setup_returns_may_be_any_mapping(
    tmp_path: Path, service: Service, kind: type[Mapping[str, Any]]
) -> None:
    async def setup(worker_id: int, arguments: Any) -> object:
        return kind({"headers": {"X-Own": "1"}})

    async def visit(session: Any) -> None:
        assert session.headers["X-Own"] == "1"
        await session.get("/")

    found = replace(scenarios(visit), setup=setup)
    outcome = await ran(tmp_path, found, "1 worker for 9s", target=service.url, max_runs=1)

    assert outcome.visits().ok == 1


async def test_a_worker_that_was_cancelled_is_torn_down(tmp_path: Path) -> None:
    said: list[str] = []

    async def endless(session: Any) -> None:
        await asyncio.sleep(60)

    async def teardown_session(worker_id: int, session: Any) -> None:
        said.append(f"session {worker_id}")

    def teardown(worker_id: int) -> None:
        said.append(f"worker {worker_id}")

    async def cancel(board: Board) -> None:
        await asyncio.sleep(0.1)
        board.stop(Stop.CANCEL)

    found = replace(scenarios(endless), teardown_session=teardown_session, teardown=teardown)
    await ran(tmp_path, found, "2 workers for 60s", beside=cancel)

    assert sorted(said) == ["session 0", "session 1", "worker 0", "worker 1"]


async def test_listeners_are_given_what_is_documented(tmp_path: Path, service: Service) -> None:
    told: dict[str, list[dict[str, Any]]] = {}
    sessions: dict[int, Any] = {}

    async def hear(event: str, **info: Any) -> None:
        told.setdefault(event, []).append(info)

    async def setup_session(worker_id: int, session: Any) -> None:
        sessions[worker_id] = session

    async def good(session: Any) -> None:
        await (await session.get(f"/{session.context.worker_id}")).read()

    async def bad(session: Any) -> None:
        raise KeyError("why")

    found = replace(scenarios(good, bad), listeners=(hear,), setup_session=setup_session)
    await ran(tmp_path, found, "2 workers for 20s", target=service.url, single_run=True)

    assert {event: set(infos[0]) for event, infos in told.items()} == {
        "sending_request": {"session", "request"},
        "response_received": {"session", "response", "request"},
        "current_workers": {"workers"},
        "scenario_start": {"scenario", "wid"},
        "scenario_success": {"scenario", "wid"},
        "scenario_failure": {"scenario", "exception", "wid"},
    }  # fmt: skip
    for event in ("sending_request", "response_received"):
        for info in told[event]:  # each by the session that it is of
            assert info["session"] is sessions[int(info["request"].url.path[1:])]
    assert {info["wid"] for info in told["scenario_start"]} == {0, 1}
    assert told["scenario_failure"][0]["scenario"]["name"] == "bad"
    assert repr(told["scenario_failure"][0]["exception"]) == "KeyError('why')"
    assert len(told["current_workers"]) == 1  # in less than a second


@pytest.mark.parametrize("option", UNSUPPORTED)
def test_what_is_not_supported_is_refused_with_what_to_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mix.py").touch()

    with pytest.raises(UsageError) as caught:
        verb.main(
            ["mix.py", "--target", "http://127.0.0.1:1", f"--{option}"], standalone_mode=False
        )

    assert caught.value.slug == "load/unsupported"
    assert caught.value.next_step == UNSUPPORTED[option]


def test_every_name_event_option_and_key_of_molotov_has_a_row() -> None:
    table = "\n".join(ROWS)
    names = {name for name, value in vars(molotov).items()
             if callable(value) and not name.startswith("_")}  # fmt: skip
    options = {option for action in _parser()._actions for option in action.option_strings}
    senders = (PACKAGE / name for name in ("worker.py", "runner.py", "session.py"))
    sent = "".join(sender.read_text() for sender in senders)
    events = re.findall(r'send_event\(\s*"(\w+)"', sent)
    keys = {"tests", "env", "requirements", "scenario", *Configured.__struct_fields__}

    assert len(names) >= 14
    assert len(set(events)) == 6
    assert len(options) >= 30
    wanted = {*names, *options, *events, *keys}
    assert {one for one in wanted if f"`{one}`" not in table} == set()


def test_every_command_of_molotov_is_on_the_page() -> None:
    commands = {one.name for one in distribution("molotov").entry_points
                if one.group == "console_scripts"}  # fmt: skip

    assert commands == {"molotov", "moloslave", "molostart"}
    assert {one for one in commands if f"`{one}`" not in PAGE} == set()


@pytest.mark.parametrize("row", [row for row in ROWS if not row.startswith("|--")])
def test_every_row_names_a_test_that_there_is(row: str) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "tests/harness").rglob("test_*.py"))
    *_, shown_by, _ = row.split("|")
    named = re.findall(r"`(test_\w+)`", shown_by)

    assert named
    assert [name for name in named if f"def {name}(" not in sources] == []


def test_the_page_is_about_the_installed_molotov() -> None:
    assert f"(https://molotov.readthedocs.io) {molotov.__version__} documents" in PAGE
