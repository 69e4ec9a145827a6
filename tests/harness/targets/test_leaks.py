"""What handlers leave behind, told from what they keep for later."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.targets.call import CALL, Call, Meanwhile, call_of
from harness.targets.handler import Handler
from harness.targets.leaks import Descriptors

LEAKY, OTHER = Handler("GET /a, a", "/a", "a.py:1"), Handler("GET /b, b", "/b", "a.py:2")


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as closing:
        yield closing


def test_a_file_that_each_request_leaves_open_is_a_leak_of_its_handler(
    closing: contextlib.ExitStack, tmp_path: Path
) -> None:
    (tmp_path / "data").touch()
    descriptors = Descriptors()
    descriptors.count("before", Counter())

    for number in range(4):
        for _ in range(2):
            closing.enter_context((tmp_path / "data").open())
        descriptors.count(f"t{number}", Counter({LEAKY: 2}))
        descriptors.count(f"u{number}", Counter({OTHER: 1}))

    (grown,) = descriptors.growth()
    assert (grown.handler, grown.number, grown.tests) == (LEAKY, 8, ["t0", "t1", "t2", "t3"])
    assert grown.kind.endswith("/data")
    closing.close()
    assert list(descriptors.growth()) == []


def test_a_pool_of_connections_that_grows_once_with_its_callers_is_none(
    closing: contextlib.ExitStack,
) -> None:
    listener = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
    descriptors = Descriptors()
    descriptors.count("before", Counter())

    for callers in (1, 2, 5, 5, 3):
        for _ in range(callers - len(_open_to(descriptors, listener))):
            closing.enter_context(socket.create_connection(listener.getsockname()))
        descriptors.count(f"{callers} callers", Counter({LEAKY: callers}))

    assert list(descriptors.growth()) == []


def test_connections_of_the_tests_own_and_those_that_a_server_accepted_do_not_count(
    closing: contextlib.ExitStack,
) -> None:
    listener = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
    descriptors = Descriptors()
    descriptors.ignored_ports.add(listener.getsockname()[1])
    descriptors.count("before", Counter())

    for number in range(4):
        closing.enter_context(socket.create_connection(listener.getsockname()))
        closing.enter_context(listener.accept()[0])
        descriptors.count(f"t{number}", Counter({LEAKY: 1}))

    assert list(descriptors.growth()) == []


def test_what_other_tests_opened_is_no_fault_of_a_handler(
    closing: contextlib.ExitStack, tmp_path: Path
) -> None:
    (tmp_path / "data").touch()
    descriptors = Descriptors()
    descriptors.count("before", Counter())

    for number in range(4):
        closing.enter_context((tmp_path / "data").open())
        descriptors.count(f"unit {number}", Counter())
        descriptors.count(f"t{number}", Counter({LEAKY: 1}))

    assert list(descriptors.growth()) == []


async def test_a_task_knows_the_call_that_it_was_made_in() -> None:
    async def nothing(scope: object, receive: object, send: object) -> None: ...

    call = Call(nothing, "shop", {"type": "http"}, Meanwhile("t"))
    token = CALL.set(call)
    within = asyncio.create_task(asyncio.sleep(0))
    CALL.reset(token)
    outside = asyncio.create_task(asyncio.sleep(0))

    assert (call_of(within), call_of(outside)) == (call, None)
    await asyncio.gather(within, outside)


def _open_to(descriptors: Descriptors, listener: socket.socket) -> range:
    host, port = listener.getsockname()
    return range(descriptors._now()[f"connections to {host}:{port}"])
