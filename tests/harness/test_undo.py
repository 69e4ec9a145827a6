"""What tests made is taken away again: in reverse, whatever fails, and named where it stays."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.bench import Bench
from harness.evidence import Facts
from harness.facts import Surprise
from harness.offer import undo
from harness.offer.undo import Undo
from harness.plan import Plan
from harness.target import Target, TargetKind
from harness.targets.exchange import Exchange
from harness.verdict import Outcome
from tests.harness.project import clean
from tests.harness.suite import PART, Suite

LIVE = Target(TargetKind.LIVE, (("", "http://127.0.0.1:9"),))


class Answer:
    def __init__(self, status: Any) -> None:
        self.status = status


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Plan(), tmp_path, LIVE)


@pytest.fixture
def left() -> list[Surprise]:
    return []


@pytest.fixture
def undoing(bench: Bench, loop: asyncio.AbstractEventLoop, left: list[Surprise]) -> Undo:
    return Undo(bench, loop, left.append, "test_it.py:1", "test_it.py::test_it")


async def answer(status: Any) -> Answer:
    return Answer(status)


class Client:
    async def delete(self, path: str) -> Answer:
        return Answer(int(path.rpartition("/")[2]))


def raising(error: BaseException) -> Callable[[], None]:
    def no() -> None:
        raise error

    return no


def test_the_newest_is_undone_first_async_or_not(undoing: Undo, left: list[Surprise]) -> None:
    done: list[Any] = []

    async def later(what: str) -> None:
        done.append(what)

    undoing(done.append, "a")
    undoing(later, "b")
    undoing(lambda: later("c"))
    undoing.run()
    undoing.finish()

    assert (done, left) == (["c", "b", "a"], [])


@pytest.mark.parametrize("status", [200, 204, 302, 404, 410, "200 OK", None])
def test_what_has_gone_or_says_nothing_is_undone(
    undoing: Undo, left: list[Surprise], status: Any
) -> None:
    undoing(answer, status)
    undoing.run()

    assert left == []


def test_what_fails_is_named_with_its_request_and_the_rest_is_undone(
    undoing: Undo, left: list[Surprise]
) -> None:
    done: list[str] = []
    undoing(done.append, "a")
    for status in (400, 404, 500):
        undoing(Client().delete, f"/users/{status}")
    undoing(raising(ValueError("not today")))
    undoing(raising(asyncio.CancelledError()))
    undoing(pytest.fail, "nor tomorrow")
    undoing.run()

    (told,) = left
    assert done == ["a"]
    assert (told.slug, told.where) == ("functional/not-undone", "test_it.py:1")
    who, *lines = told.message.splitlines()
    assert who.startswith("test_it.py::test_it left behind")
    assert [line.rpartition(":")[2].strip() for line in lines] == [
        "nor tomorrow", "", "not today", "answered 500", "answered 400"
    ]  # fmt: skip
    assert "DELETE http://127.0.0.1:9/users/500: answered 500" in told.message
    assert f"of {__file__}" in lines[2]


def test_an_error_of_a_client_that_says_gone_is_no_failure(
    undoing: Undo, left: list[Surprise]
) -> None:
    class RefusedError(Exception):
        response = Answer(404)

    undoing(raising(RefusedError()))
    undoing(raising(Exception("Bad response: 410 GONE (not 200 OK)")))  # WebTest's
    undoing.run()

    assert left == []


def test_a_lambda_is_named_by_what_it_asked(
    undoing: Undo, bench: Bench, left: list[Surprise]
) -> None:
    async def delete() -> Answer:
        bench.exchanges.begin(
            Exchange({"type": "http", "method": "DELETE", "path": "/users/7", "headers": []})
        )
        return Answer(500)

    undoing(lambda: delete())
    undoing.run()

    assert "DELETE http://127.0.0.1:9/users/7: answered 500" in left[0].message
    assert bench.exchanges.take() == []  # no evidence of the test


def test_what_hangs_is_left_after_its_time(
    undoing: Undo, left: list[Surprise], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "UNDO_S", 0.05)
    released = threading.Event()
    done: list[str] = []
    undoing(done.append, "a")
    undoing(asyncio.sleep, 60)
    undoing(released.wait, 60)
    undoing.run()
    released.set()

    assert done == ["a"]
    assert left[0].message.count("no end within 0.05 s") == 2


def test_interrupted_it_tells_all_that_is_left(undoing: Undo, left: list[Surprise]) -> None:
    undoing(Client().delete, "/users/1")
    undoing(raising(KeyboardInterrupt()))
    undoing(Client().delete, "/users/500")

    with pytest.raises(KeyboardInterrupt):
        undoing.run()

    lines = left[0].message.splitlines()[1:]
    assert [line.rpartition(":")[2] for line in lines] == [
        " answered 500", " interrupted", " interrupted"
    ]  # fmt: skip
    assert "DELETE http://127.0.0.1:9/users/1: interrupted" in lines[2]


def test_what_an_undo_registers_is_undone_after_it(undoing: Undo, left: list[Surprise]) -> None:
    undone: list[str] = []

    def once() -> None:
        undone.append("it")
        undoing(undone.append, "what it was made of")

    undoing(undone.append, "the oldest")
    undoing(once)
    undoing.run()

    assert (undone, left) == (["it", "what it was made of", "the oldest"], [])


class WordlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [WordlessError(), SystemExit(3)])
def test_whatever_is_raised_the_others_are_undone(
    undoing: Undo, left: list[Surprise], error: BaseException
) -> None:
    undone: list[str] = []
    undoing(undone.append, "the other")
    undoing(raising(error))
    undoing.run()

    assert undone == ["the other"]
    assert type(error).__name__ in left[0].message


def test_where_nothing_records_what_is_left_is_an_error(
    bench: Bench, loop: asyncio.AbstractEventLoop
) -> None:
    undoing = Undo(bench, loop, None, "", "test_it")
    undoing(answer, 500)
    undoing.run()

    with pytest.raises(pytest.fail.Exception, match="answered 500"):
        undoing.finish()


def test_an_undo_that_was_called_at_once_is_refused_in_words(undoing: Undo) -> None:
    with pytest.raises(TypeError, match=r"write undo\(client.delete, url\)"):
        undoing(answer(204))  # type: ignore[arg-type]


# In a pytest of its own

APP = """
import pathlib

from quart import Quart

app = Quart(__name__)


@app.delete("/things/<name>")
async def remove(name):
    with pathlib.Path("removed.txt").open("a") as file:
        file.write(f"{name} ")
    return "", {"gone": 404, "broken": 500}.get(name, 204)
"""

TESTS = """
import asyncio

import pytest


@pytest.fixture
def session():
    state = {"open": True}
    yield state
    state["open"] = False


@pytest.fixture
async def thing(client, undo):
    undo(client.delete, "/things/a")


async def test_fails(client, thing, undo, undo_at_end, session):
    undo_at_end(client.delete, "/things/last")

    async def close():
        assert session["open"]
        await client.delete("/things/b")

    undo(close)
    assert False


def test_sync(webtest, undo):
    undo(webtest.delete, "/things/c")
    undo(webtest.delete, "/things/gone")
    undo(lambda: webtest.delete("/things/broken"))
"""


def removed(suite: Suite) -> list[str]:
    return (suite.root / "removed.txt").read_text().split()


@pytest.mark.parametrize("target", ["inproc", "served"])
def test_tests_undo_also_where_they_fail_or_are_synchronous(tmp_path: Path, target: str) -> None:
    suite = Suite(tmp_path)
    suite.write("app.py", APP)
    suite.write("test_it.py", TESTS)

    judged = suite.judged(target=target)

    assert removed(suite) == ["b", "a", "broken", "gone", "c", "last"]
    assert judged.outcome is Outcome.FAIL
    assert judged.outcomes == {"test_fails": "failed", "test_sync": "passed"}
    assert judged.slugs == [
        "functional/failed", "functional/not-undone", "functional/unreached"
    ]  # fmt: skip
    assert "test_sync left behind" in judged.said
    assert "DELETE /things/broken: " in judged.said
    assert judged.reached == {"test_fails": 0, "test_sync": 0}


def test_after_ctrl_c_what_was_made_is_undone(tmp_path: Path) -> None:
    suite = Suite(tmp_path)
    suite.write("app.py", APP)
    suite.write(
        "test_it.py",
        "import asyncio\nimport pathlib\n\n\n"
        "async def test_it(client, undo, undo_at_end):\n"
        "    undo_at_end(client.delete, '/things/last')\n"
        "    undo(client.delete, '/things/a')\n"
        "    undo(client.delete, '/things/broken')\n"
        "    pathlib.Path('ready').touch()\n"
        "    await asyncio.sleep(60)\n",
    )
    options = [
        "--asyncio-mode=auto", "--harness-app=app:app", f"--harness-folder={suite.evidence}",
        "-o", "asyncio_default_fixture_loop_scope=session",
        "-o", "asyncio_default_test_loop_scope=session",
    ]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", f"--rootdir={suite.root}", *options],
        cwd=suite.root, env=clean(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not (suite.root / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(60)

    told = [f for f in Facts.read(suite.evidence).part(PART) or () if isinstance(f, Surprise)]
    assert removed(suite) == ["broken", "a", "last"]
    assert [fact.slug for fact in told] == ["functional/not-undone"]
