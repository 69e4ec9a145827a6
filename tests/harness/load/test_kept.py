"""What is kept of a load's exchanges, by either of its clients."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import inspect
import shlex
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from harness import secret
from harness.facts import Failed, Slow
from harness.load.board import Board
from harness.load.book import Book, Step, Visit
from harness.load.example import KEPT_BODY, SHOWN_BODY, ByAiohttp, Example, kept
from harness.load.failure import Places
from harness.load.kept import FIRST_FAILURES, MOST_AT_ONCE, SLOWEST, Kept
from harness.tally import MOST_STEPS, OTHER_STEPS

from .conftest import Measured, Service
from .test_generator import Outcome, ran, scenarios

Make = Callable[..., Measured]
BY = {"own": {}, "aiohttp": {"compress": None}}
"""Options of a request that has aiohttp send it, and that change nothing."""


def slow_of(outcome: Outcome) -> list[Slow]:
    return [fact for fact in outcome.facts if isinstance(fact, Slow)]


def line_of(function: Any, text: str) -> str:
    lines, first = inspect.getsourcelines(function)
    at = next(n for n, line in enumerate(lines) if text in line)
    return f"test_kept.py:{first + at}"


async def run(tmp_path: Path, visit: Any, target: str, pace: str = "1 workers for 20s",
              **options: Any) -> Outcome:  # fmt: skip
    found = scenarios(visit)
    file = Path(__file__)
    found = type(found)(Places(file, file.parent), found.each)
    return await ran(tmp_path, found, pace, target=target, **options)


@pytest.mark.parametrize("by", BY)
async def test_a_failed_visit_keeps_its_last_exchange(
    tmp_path: Path, service: Service, by: str
) -> None:
    async def visit(session: Any) -> None:
        async with session.get("/first") as response:
            assert response.status == 200
        async with session.post(
            "/things?at=/status/503", data="a=1", headers={"X-Mine": "yes"}, **BY[by]
        ) as response:
            assert response.status == 201

    outcome = await run(tmp_path, visit, service.url, max_runs=1)

    (failed,) = outcome.failed
    exchange = failed.exchange
    assert exchange is not None
    assert (failed.step, failed.kind) == ("POST /things", "assertion")
    assert failed.where == line_of(visit, "== 201")
    words = shlex.split(exchange.curl)
    assert words[:2] == ["curl", "-i"]
    assert words[-1] == f"{service.url}/things?at=/status/503"
    assert words[words.index("--data-raw") + 1] == "a=1"
    assert "X-Mine: yes" in words
    assert not [word for word in words if word.lower().startswith(("accept", "user-agent"))]
    assert (exchange.status, exchange.body) == (503, "hello")
    assert "Content-Length: 5" in exchange.headers
    assert "Set-Cookie: seen=…" in exchange.headers
    assert 0 <= exchange.service_ms <= exchange.response_ms


@pytest.mark.parametrize("by", BY)
async def test_a_body_that_the_scenario_has_read_is_kept_all_the_same(
    tmp_path: Path, service: Service, by: str
) -> None:
    async def visit(session: Any) -> None:
        async with session.get("/", **BY[by]) as response:
            assert await response.text() == "goodbye"

    outcome = await run(tmp_path, visit, service.url, max_runs=1)

    (failed,) = outcome.failed
    assert failed.exchange is not None
    assert failed.exchange.body == "hello"


@pytest.mark.parametrize("by", BY)
async def test_a_refused_request_keeps_what_was_asked_and_has_no_answer(
    tmp_path: Path, by: str
) -> None:
    async def visit(session: Any) -> None:
        await session.put("/things", data=b"x", headers={"X-Mine": "yes"}, **BY[by])

    outcome = await run(tmp_path, visit, "http://127.0.0.1:1", max_runs=1)

    (failed,) = outcome.failed
    assert failed.exchange is not None
    assert failed.exchange.status is None
    assert failed.exchange.headers == ()
    assert "-X PUT -H 'X-Mine: yes'" in failed.exchange.curl
    assert failed.exchange.curl.endswith("--data-raw x http://127.0.0.1:1/things")


async def test_a_failure_that_its_scenario_copes_with_is_kept_under_its_own_step(
    tmp_path: Path, service: Service
) -> None:
    async def visit(session: Any) -> None:
        with contextlib.suppress(aiohttp.ClientError):
            await session.get("http://127.0.0.1:1/other")
        async with session.get("/status/500") as response:
            assert response.ok

    outcome = await run(tmp_path, visit, service.url, max_runs=1)

    kept = {failed.step: failed for failed in outcome.failed}
    assert {step: failed.kind for step, failed in kept.items()} == {
        "GET /other": "refused", "GET /status/{}": "assertion",
    }  # fmt: skip
    assert kept["GET /other"].where == line_of(visit, "/other")


async def test_the_first_five_of_each_kind_are_kept_and_the_others_counted(
    tmp_path: Path, service: Service
) -> None:
    async def visit(session: Any) -> None:
        async with session.get("/") as response:
            raise ValueError if len(service.paths) % 2 else AssertionError(response)

    outcome = await run(tmp_path, visit, service.url, max_runs=24)

    kinds = [failed.kind for failed in outcome.failed]
    assert sorted(kinds) == ["assertion"] * FIRST_FAILURES + ["exception"] * FIRST_FAILURES
    assert outcome.visits().failures == {"assertion": 12, "exception": 12}


@pytest.mark.parametrize("by", BY)
async def test_the_slowest_five_successes_are_kept_with_their_line(
    tmp_path: Path, service: Service, by: str
) -> None:
    async def visit(session: Any) -> None:
        number = len(service.paths)
        if number in (3, 7):
            service.gate.clear()
            asyncio.get_running_loop().call_later(0.3, service.gate.set)
        async with session.get(f"/{number}", **BY[by]):
            pass

    outcome = await run(tmp_path, visit, service.url, max_runs=20)

    kept = sorted(slow_of(outcome), key=lambda one: -one.exchange.response_ms)
    assert len(kept) == SLOWEST
    assert {one.exchange.curl.rpartition("/")[2] for one in kept[:2]} == {"3", "7"}
    assert kept[1].exchange.response_ms >= 250
    assert kept[0].exchange.body == "hello"
    assert {one.where for one in kept} == {line_of(visit, "async with")}


async def test_secrets_are_in_no_example(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_SECRET_PIN", "opensesame")
    secret.keep([])
    credentials = {"Authorization": "Bearer abcdef", "Cookie": "session=abcdef", "X-Pin": "ab"}

    async def visit(session: Any) -> None:
        async with session.post(
            "/login?pin=opensesame", json={"pin": "opensesame"}, headers=credentials
        ) as response:
            assert response.status == 500

    try:
        outcome = await run(tmp_path, visit, service.url, max_runs=1)
    finally:
        monkeypatch.undo()
        secret.keep([])

    (failed,) = outcome.failed
    assert failed.exchange is not None
    assert "abcdef" not in failed.exchange.curl
    assert "opensesame" not in failed.exchange.curl
    assert failed.exchange.wanted == ("AUTHORIZATION, COOKIE_SESSION, PIN, which are not shown",)


@pytest.mark.parametrize("by", BY)
async def test_an_exchange_that_is_not_kept_is_not_held(
    measured: Make, service: Service, by: str
) -> None:
    one = measured(service.url)
    gone: list[weakref.ref[Any]] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(SLOWEST + 20):
            visit = one.session.visit = one.book.begin("scenario", None)
            async with one.session.get("/", **BY[by]) as response:
                await response.read()
            gone.append(weakref.ref(response))
            del response
            one.book.end(visit, None)
        left = sum(reference() is not None for reference in gone)
    finally:
        gc.enable()

    # The last one is still being told of: this test goes on within the call that brought it.
    assert left <= 1, "each holds another, and only the collector parts them"


def example(took_ns: int = 0, body: bytes = b"") -> Example:
    return Example(None, None, 200, (), body, len(body), 0, 0, took_ns)


def test_only_what_is_slower_than_the_slowest_five_is_kept() -> None:
    examples = Kept(0)
    floors = [
        examples.slow("s", "GET /", "s.py:1", example(took)) for took in (5, 1, 4, 2, 3, 9, 6)
    ]

    assert floors == [-1, -1, -1, -1, 1, 2, 3]
    assert [fact.exchange.service_ms * 10**6 for fact in examples.facts(0, final=True)
            if isinstance(fact, Slow)] == [3, 4, 5, 6, 9]  # fmt: skip
    assert examples.facts(0, final=True) == []


def test_many_failures_are_put_into_words_over_several_snapshots_and_none_is_lost() -> None:
    examples = Kept(0)
    for step in range(3 * MOST_AT_ONCE):
        examples.failed("s", f"GET /{step}", "refused", "no", "s.py:1", example())

    first, last = examples.facts(0), examples.facts(0, final=True)

    assert len(first) == MOST_AT_ONCE
    steps = [fact.step for fact in first + last if isinstance(fact, Failed)]
    assert steps == [f"GET /{step}" for step in range(3 * MOST_AT_ONCE)]


def test_slow_successes_are_put_into_words_now_and_then_and_none_is_lost() -> None:
    examples = Kept(0)
    for step in range(MOST_AT_ONCE + 3):
        examples.slow("s", f"GET /{step}", "s.py:1", example())

    assert examples.facts(0) == []
    assert len(examples.facts(0, with_slow=True)) == MOST_AT_ONCE
    assert len(examples.facts(0, final=True)) == 3
    assert examples.facts(0, final=True) == []


def test_of_more_steps_than_are_counted_no_more_are_kept() -> None:
    file = Path(__file__)
    book = Book(0, Places(file, file.parent), Board(1))
    for number in range(MOST_STEPS + 100):
        visit = book.begin("s", None)
        book.done(book.ask(visit, f"GET /{number}"), 0)
        step = book.ask(visit, f"PUT /{number}")
        book.failed(step, ConnectionError())
        book.end(visit, None)

    facts = book.facts(1, 1, final=True)

    steps = {fact.step for fact in facts if isinstance(fact, Slow | Failed)}
    assert len(steps) <= MOST_STEPS
    assert sum(f.step == OTHER_STEPS for f in facts if isinstance(f, Slow)) == SLOWEST
    assert sum(f.step == OTHER_STEPS for f in facts if isinstance(f, Failed)) == FIRST_FAILURES


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"x" * 5_000, "x" * SHOWN_BODY),
        ("é".encode() * 500, "é" * (SHOWN_BODY // 2)),
        (b"\xff\xfe\0", "(3 bytes or more, not text)"),
        (b"", ""),
    ],
)
def test_of_a_body_200_bytes_are_shown(body: bytes, shown: str) -> None:
    assert example(body=body).in_words(0).body == shown


def test_a_body_that_is_cut_within_a_character_is_text_all_the_same() -> None:
    visit = Visit("s", 0, 0)
    step = Step(visit, "GET /", 0, 0, status=500, body=(b"x" + "é".encode() * 500)[:KEPT_BODY])

    shown = kept(step, 1).in_words(0).body

    assert shown == "x" + "é" * ((SHOWN_BODY - 1) // 2)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (ByAiohttp("get", URL("ws://a:81/x"), {}, is_websocket=True), "curl -i -N --http1.1 -H"),
        (ByAiohttp("get", URL("ws://a:81/x"), {}, is_websocket=True), " http://a:81/x"),
        (ByAiohttp("post", URL("http://a/"), {"data": aiohttp.FormData()}), "-raw '(FormData)'"),
        (ByAiohttp("post", URL("http://a/"), {"json": {"a": 1}}), """--data-raw '{"a": 1}'"""),
        (ByAiohttp("post", URL("http://a/"), {"json": {1, 2}}), "--data-raw '(json)'"),
        (ByAiohttp("put", URL("http://a/"), {"data": b"x" * 9_000}), "--data-binary @BODY"),
        (ByAiohttp("get", URL("http://a/"), {"headers": [("X-A", "1")]}), "-H 'X-A: 1'"),
        (None, ""),
    ],
)  # fmt: skip
def test_what_aiohttp_was_asked_for_is_said_as_far_as_it_can_be(
    asked: ByAiohttp | None, line: str
) -> None:
    told = dataclasses.replace(example(), asked=asked).in_words(0).curl

    assert line in told
    assert bool(told) is bool(asked)
