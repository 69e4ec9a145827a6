"""Answers of any bytes, in any pieces: each request ends, once, as what it was."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import aiohttp
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from uvloop import Loop

from harness.load.address import Addresses
from harness.load.board import Board
from harness.load.book import Book
from harness.load.failure import Places
from harness.load.session import Session
from harness.sample import FailureKind
from harness.snapshot import Snapshot

from .wire import CLOSE, Piece, Wire

LIMIT_S = 0.05
KINDS = {FailureKind.DISCONNECTED, FailureKind.PROTOCOL, FailureKind.TIMEOUT}


class Answer(NamedTuple):
    """An answer as it is sent, what its body means, and whether its connection ends it."""

    sent: bytes
    body: bytes
    closes: bool


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[k : k + size] for k in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\nX-T: 1\r\n\r\n"


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers as RFC 9112 has them."""
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n",
                                    b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"]))  # fmt: skip
    status = draw(st.sampled_from([b"200 OK", b"201 ", b"404 Not Found", b"503 x", b"204 N"]))
    body = b"" if status == b"204 N" else draw(st.binary(max_size=300))
    coding = draw(st.sampled_from(["", "gzip", "deflate"])) if body else ""
    packed = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[coding](body)
    lines = [b"HTTP/1.1 " + status, b"X: " + draw(st.sampled_from([b"", b"a b", b"\xe4"]))]
    lines += [b"Content-Encoding: " + coding.encode()] if coding else []
    framing = "none" if status == b"204 N" else draw(st.sampled_from(["length", "chunks", "end"]))
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(packed))
    elif framing == "chunks":
        lines.append(b"Transfer-Encoding: chunked")
        packed = chunked(packed, draw(st.integers(1, 200)))
    return Answer(interim + b"\r\n".join([*lines, b"", b""]) + packed, body, framing == "end")


@st.composite
def scripts(draw: st.DrawFn, sent: bytes, *, closes: bool) -> list[Piece]:
    """A script that sends some bytes in pieces, and may end with a wait or a close."""
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    pieces: list[Piece] = [
        sent[k:m] for k, m in zip([0, *cuts], [*cuts, len(sent)], strict=True) if k < m
    ]
    if closes:
        pieces.append(CLOSE)
    pauses: list[Piece] = [0.0]
    return [one for piece in pieces for one in ([piece] if piece is CLOSE else [piece, *pauses])]


@st.composite
def damaged(draw: st.DrawFn) -> list[Piece]:
    """An answer that was cut, changed or added to, or bytes that were never one."""
    sent = draw(st.one_of(answers().map(lambda one: one.sent), st.binary(max_size=200)))
    at = draw(st.integers(0, len(sent)))
    how = draw(st.sampled_from(["cut", "change", "insert", "double"]))
    noise = draw(st.sampled_from([b"\r\n", b"\0", b" ", b"HTTP/1.1 200 OK\r\n", b"\xff" * 9, b"0"]))
    sent = {
        "cut": sent[:at], "change": sent[:at] + noise + sent[at + len(noise) :],
        "insert": sent[:at] + noise + sent[at:], "double": sent + sent[:at],
    }[how]  # fmt: skip
    return draw(scripts(sent, closes=draw(st.booleans())))


class Seen(NamedTuple):
    """How a request ended: its body or exception, and what the book says of it."""

    body: bytes | None
    error: Exception | None
    snapshot: Snapshot


async def _ask(script: list[Piece], *, reads: bool, limit_s: float) -> Seen:
    book = Book(0, Places(Path(__file__), Path(__file__).parent), Board(1))
    limit = aiohttp.ClientTimeout(total=limit_s)
    body = raised = None
    async with Wire([script]) as wire:
        session = Session(book, Addresses(wire.url), SimpleNamespace(), timeout=limit)
        async with session:
            visit = session.visit = book.begin("scenario", None)
            try:
                async with session.get("/", allow_redirects=False) as response:
                    body = await response.read() if reads else None
            except (aiohttp.ClientError, TimeoutError) as error:
                raised = error
            await session.finish(visit, raised)
            assert not book._steps
            assert session._plain is not None
            await until(lambda: wire.open <= session._plain.unused)
        await until(lambda: wire.open == 0)
    snapshot = book.facts(0, 0)[-1]
    assert isinstance(snapshot, Snapshot)
    return Seen(body, raised, snapshot)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for the server to see what the client has done; a leak never ends."""
    async with asyncio.timeout(4):
        while not holds():  # noqa: ASYNC110 - of the server's own
            await asyncio.sleep(0.001)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with contextlib.closing(Loop()) as loop:
        yield loop


def ask(loop: Loop, script: list[Piece], *, reads: bool = True, limit_s: float = 10) -> Seen:
    async def in_time() -> Seen:
        return await asyncio.wait_for(_ask(script, reads=reads, limit_s=limit_s), 20)

    return loop.run_until_complete(in_time())


FEW = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@FEW
@given(data=st.data())
def test_a_good_answer_is_read_whole_in_whatever_pieces_it_comes(
    loop: Loop, data: st.DataObject
) -> None:
    answer = data.draw(answers())

    found = ask(loop, data.draw(scripts(answer.sent, closes=answer.closes)))

    assert found.error is None
    assert found.body == answer.body
    (tally,) = found.snapshot.tallies
    assert (tally.sent, tally.ok) == (1, 1)


@FEW
@given(script=damaged(), reads=st.booleans())
@example(script=[CLOSE], reads=True)
@example(script=[b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000], reads=True)
@example(script=[b"HTTP/1.1 100 C\r\n\r\n" * 5_000], reads=True)
@example(
    script=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 70_000],
    reads=False,
)
@example(script=[b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx"], reads=True)
def test_whatever_comes_ends_once_as_what_it_was(
    loop: Loop, script: list[Piece], reads: bool
) -> None:
    found = ask(loop, script, reads=reads, limit_s=LIMIT_S)

    (tally,) = found.snapshot.tallies
    assert tally.sent == 1
    assert tally.ok + sum(tally.failures.values()) == 1
    assert set(tally.failures) <= KINDS
    if found.error is not None:
        assert tally.failures
