from __future__ import annotations

import asyncio
import time
import tracemalloc

import aiohttp
import pytest

from harness.errors import HarnessError, UsageError
from harness.standins import ledger as module
from harness.standins.ledger import Ledger
from harness.standins.server import StandIn
from harness.stub import Call
from harness.stubfile import parse_stubs

STUBS = """
[[stub]]
name = "hung"
request = { method = "POST", path = "/hung" }
reply = { fault = "timeout" }

[[stub]]
name = "quick"
request = { method = "GET", path = "/quick" }
reply = { text = "quick" }
"""


def call(body: bytes = b"") -> Call:
    return Call("GET", "/", "", {}, body)


async def until_asked(standin: StandIn, count: int) -> None:
    deadline = time.monotonic() + 30
    while standin.asked().count < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def test_what_was_asked_is_told_of_a_stand_in_and_of_a_stub() -> None:
    with StandIn("s", parse_stubs(STUBS, "s.toml"), ["hung", "quick"]) as standin:
        async with aiohttp.ClientSession(standin.url) as session:
            for path in ("/quick", "/quick", "/none"):
                async with session.get(path) as response:
                    await response.read()
            hung = [asyncio.create_task(session.post("/hung", json=n)) for n in range(3)]
            await until_asked(standin, 6)
            whole, some, quick = standin.asked(), standin.asked("hung"), standin.asked("quick")

            assert (whole.count, some.count, quick.count) == (6, 3, 2)
            assert {one.body for one in some.calls} == {b"0", b"1", b"2"}
            assert whole.calls[2].path == "/none"
            assert (whole.at_once, some.at_once, quick.at_once) == (3, 3, 1)
            assert (whole.connections, some.connections, quick.connections) == (3, 3, 1)

            standin.select()
            assert standin.asked().count == 0
            for one in hung:
                one.cancel()
    with pytest.raises(UsageError, match="hng"):
        standin.asked("hng")


async def test_a_call_under_way_while_stubs_are_selected_is_not_the_next_ones() -> None:
    with StandIn("s", parse_stubs(STUBS, "s.toml"), ["hung", "quick"]) as standin:
        async with aiohttp.ClientSession(standin.url) as session:
            before = asyncio.create_task(session.post("/hung"))
            await until_asked(standin, 1)
            standin.select()
            before.cancel()
            for _ in range(2):
                async with session.get("/quick") as response:
                    await response.read()
            assert (standin.asked().count, standin.asked().at_once) == (2, 1)


def test_many_calls_are_counted_and_the_last_are_kept() -> None:
    ledger = Ledger()
    tracemalloc.start()
    try:
        for number in range(20_000):
            ledger.began(call(b"%d" % number + b"x" * 50_000), "a", number)
            ledger.gone(number)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    asked = ledger.asked("a")

    assert (asked.count, asked.connections, asked.at_once) == (20_000, 20_000, 1)
    assert 0 < len(asked.kept) <= module.MAX_CALLS
    assert asked.kept[-1].body.startswith(b"19999x")
    assert grown < 2 * module.MAX_BYTES
    with pytest.raises(HarnessError, match="of 20000 calls the last") as raised:
        _ = asked.calls
    assert raised.value.slug == "standins/not-kept"


def test_a_call_that_is_larger_than_all_that_is_kept_is_counted_and_not_kept() -> None:
    ledger = Ledger()
    ledger.began(call(b"x" * (module.MAX_BYTES + 1)), "a", 1)
    ledger.began(call(b"small"), "a", 1)

    assert ledger.asked().count == 2
    assert [one.body for one in ledger.asked().kept] == [b"small"]


def test_long_targets_are_bounded_as_bodies_are() -> None:
    ledger = Ledger()
    for _ in range(100):
        ledger.began(Call("GET", "/" + "x" * 100_000, "", {}, b""), "", 1)

    assert len(ledger.entries) <= module.MAX_BYTES // 100_000
    assert (ledger.unmatched, ledger.asked().count) == (100, 100)
