"""The same scenarios by our client and by aiohttp: what they see, and what the server is sent."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import warnings
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import aiohttp
import pytest
import trustme
from uvloop import Loop

from harness.load.address import Addresses
from harness.load.board import Board
from harness.load.book import Book
from harness.load.failure import Places
from harness.load.session import Session
from harness.snapshot import Snapshot

from .wire import CLOSE, Piece, Received, Wire

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # aiohttp's, of auth

T = TypeVar("T")
Do = Callable[[Session], Awaitable[Any]]
Script = Sequence[Sequence[Piece]]

BY_AIOHTTP = {"trust_env": False}
"""An option that our client does not know, and that changes nothing."""

INTENDED = {
    "gzip, deflate": "aiohttp asks for brotli and zstd, too, where it finds them",
}
"""How values of ours end that differ from aiohttp's, and why; see docs/load.md for the rest."""

JSON = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"6\r\none\ntw\r\n8;x=y\r\no\nthree\n\r\n4\r\nfour\r\n0\r\n\r\n"
AGAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"
OK: Script = [[JSON]]


def answer(*headers: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def basic(login: str, password: str) -> aiohttp.BasicAuth:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return aiohttp.BasicAuth(login, password, "utf-8")


async def seen(response: Any) -> dict[str, Any]:
    """All that a scenario can see of an answer."""
    info = response.request_info
    return {
        "status": response.status, "reason": response.reason, "version": response.version,
        "ok": response.ok, "method": response.method, "url": response.url, "host": response.host,
        "real_url": response.real_url, "headers": sorted(response.headers.items()),
        "raw_headers": response.raw_headers, "cookies": response.cookies.output(),
        "content_type": response.content_type, "charset": response.charset,
        "content_length": response.content_length, "links": response.links,
        "content_disposition": response.content_disposition,
        "history": [(past.status, past.url) for past in response.history],
        "info": (info.method, info.url, info.real_url, sorted(info.headers.items())),
        "body": await response.read(), "at_eof": response.content.at_eof(),
        "encoding": response.get_encoding(), "is_closed": response.closed,
    }  # fmt: skip


class Saw(NamedTuple):
    """What came of a scenario: what it returned or raised, cookies, and what was received."""

    result: Any
    cookies: list[tuple[str, str]]
    received: list[Received]
    opened: int


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Name each place where the two differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        pairs = [(ours[name], theirs[name], f"{where}/{name}") for name in ours]
    elif isinstance(ours, list | tuple) and type(ours) is type(theirs) and len(ours) == len(theirs):
        pairs = [(*pair, f"{where}/{k}") for k, pair in enumerate(zip(ours, theirs, strict=True))]
    else:
        is_intended = any(f"{ours}".endswith(own) and f"{theirs}".startswith(f"{ours}")
                          for own in INTENDED)  # fmt: skip
        told = f"{where}: {ours!r:.300}, aiohttp: {theirs!r:.300}"
        return [] if ours == theirs or is_intended else [told]
    return [found for pair in pairs for found in differences(*pair)]


async def _saw(do: Do, wire: Wire, options: dict[str, Any]) -> tuple[Saw, Snapshot]:
    book = Book(0, Places(Path(__file__), Path(__file__).parent), Board(1))
    wire.begin()
    before = wire.opened
    async with Session(book, Addresses(wire.url), SimpleNamespace(), **options) as session:
        visit = session.visit = book.begin("scenario", None)
        try:
            result = await asyncio.wait_for(do(session), 5)
        except Exception as error:
            result = error
        await session.finish(visit, result if isinstance(result, Exception) else None)
        cookies = [(cookie.key, cookie.value) for cookie in session.cookie_jar]
    snapshot = book.facts(0, 0)[-1]
    assert isinstance(snapshot, Snapshot)
    return Saw(result, cookies, list(wire.received), wire.opened - before), snapshot


def both(
    do: Do, script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1",
    **options: Any,
) -> tuple[Saw, Saw]:  # fmt: skip
    """Run a scenario by our client, which must not leave it to aiohttp, and by aiohttp."""

    async def run() -> tuple[Saw, Saw]:
        async with Wire(script, tls=tls, host=host) as wire:
            ours, snapshot = await _saw(do, wire, options)
            assert not snapshot.by_aiohttp
            theirs, _ = await _saw(do, wire, {**options, **BY_AIOHTTP})
        return ours, theirs

    return on_a_loop(run())


def on_a_loop(run: Coroutine[Any, Any, T]) -> T:
    loop = Loop()
    try:
        return loop.run_until_complete(run)
    finally:
        loop.close()


def asking(method: str = "GET", path: str = "/things/17", **options: Any) -> Do:
    async def do(session: Session) -> dict[str, Any]:
        async with session.request(method, path, **options) as response:
            return await seen(response)

    return do


async def callback(response: Any) -> None:
    if response.status == 404:
        raise LookupError(response.reason)


REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{method: (method, {}) for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")},
    "lower case": ("post", {}),
    "a method of its own": ("PURGE", {}),
    "params": ("GET", {"params": {"a": "1", "b": "x y&z/ä"}}),
    "params in pairs": ("GET", {"params": [("a", "1"), ("a", "2")]}),
    "params as numbers": ("GET", {"params": {"a": 1, "b": 2.5}}),
    "params as text": ("GET", {"params": "a=1&b=%20"}),
    "headers": ("GET", {"headers": {"X-One": "1", "accept": "text/html"}}),
    "headers in pairs": ("GET", {"headers": [("X-One", "1"), ("X-One", "2")]}),
    "a header beyond ASCII": ("GET", {"headers": {"X-One": "ä"}}),
    "a user agent": ("GET", {"headers": {"User-Agent": "own/1"}}),
    "json": ("POST", {"json": {"a": [1, None, "ä"]}}),
    "json of nothing": ("POST", {"json": None}),
    "falsy json": ("POST", {"json": {}}),
    "json of another type": ("POST", {"json": [], "headers": {"Content-Type": "text/x"}}),
    "bytes": ("POST", {"data": b"\0\1"}),
    "text": ("PUT", {"data": "ä"}),
    "a form": ("POST", {"data": {"a": "x y", "b": "ä&"}}),
    "a body of GET": ("GET", {"json": {"a": 1}}),
    "a body of DELETE": ("DELETE", {"data": b"1"}),
    "a large body": ("POST", {"data": b"x" * 1_000_000}),
    "basic auth": ("GET", {"auth": basic("me", "ä")}),
    "a timeout": ("GET", {"timeout": aiohttp.ClientTimeout(total=4)}),
    "a timeout of none": ("GET", {"timeout": aiohttp.ClientTimeout(total=None)}),
    "no verification": ("GET", {"ssl": False}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_sent_as_aiohttp_sends_it(name: str) -> None:
    method, options = REQUESTS[name]

    ours, theirs = both(asking(method, **options), OK)

    assert isinstance(ours.result, dict)
    assert differences(ours, theirs) == []


@pytest.mark.parametrize(
    "path",
    ["/", "/a%20b/ä?x=ä&y=%2F#part", "things?a=1", "/a/../b", "/?", "/a+b?c+d"],
)
def test_an_address_is_sent_as_aiohttp_sends_it(path: str) -> None:
    ours, theirs = both(asking(path=path), OK)

    assert isinstance(ours.result, dict)
    assert differences(ours, theirs) == []


SESSIONS: dict[str, dict[str, Any]] = {
    "headers": {"headers": {"X-One": "1", "User-Agent": "own/1", "Authorization": "Bearer x"}},
    "a type": {"headers": {"Content-Type": "text/x"}},
    "cookies": {"cookies": {"a": "1", "b": "x y"}},
    "json_serialize": {"json_serialize": lambda value: f"<{value}>"},
    "raise_for_status": {"raise_for_status": True},
    "a timeout": {"timeout": aiohttp.ClientTimeout(total=5)},
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_means_what_it_means_to_aiohttp(name: str) -> None:
    ours, theirs = both(asking("POST", json={"a": 1}), OK, **SESSIONS[name])

    assert isinstance(ours.result, dict)
    assert differences(ours, theirs) == []


ANSWERS: dict[str, Script] = {
    "json": OK,
    "chunks": [[CHUNKS]],
    "chunks in pieces": [[CHUNKS[k : k + 3] for k in range(0, len(CHUNKS), 3)]],
    "trailers": [[CHUNKED + b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"], [AGAIN]],
    "interim answers": [
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + JSON]
    ],
    "nothing": [[b"HTTP/1.1 204 No Content\r\n\r\n"], [AGAIN]],
    "not modified, with a length": [
        [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"], [AGAIN]
    ],
    "an empty body": [[answer()], [AGAIN]],
    "close": [[answer("Connection: close", body=b"x")], [AGAIN]],
    "closed at once": [[answer("Connection: close", body=b"x"), CLOSE], [AGAIN]],
    "until the end": [[b"HTTP/1.1 200 OK\r\n\r\nall of ", 0.02, b"it", CLOSE], [AGAIN]],
    "until the end, coded": [[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\nit", CLOSE]],
    "1.0": [[b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", CLOSE], [AGAIN]],
    "1.0 kept": [
        [b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"], [AGAIN]
    ],
    "no reason": [[b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx"]],
    "a long reason": [[answer(status="299 " + "so " * 99 + "ä")]],
    "empty headers": [[answer("X-Empty:", "X-Blank:   ", "X-Tab:\tx\t")]],
    "headers twice": [[answer("X-One: 1", "x-one: 2", "X-Latin: ä")]],
    "an unwelcome status": [[answer(status="503 Down", body=b"no")]],
    "a status of its own": [[answer(status="799 Own")]],
    "cookies": [[answer("Set-Cookie: a=1; Path=/", 'Set-Cookie: b="x y"; HttpOnly')], [AGAIN]],
    "odd cookies": [[answer('Set-Cookie: a={"x":1}; Path=/', "Set-Cookie: ; =", "Set-Cookie: c")]],
    "a charset": [[answer("Content-Type: text/plain; charset=ISO-8859-1", body=b"\xe4")]],
    "an unknown charset": [[answer("Content-Type: text/plain; charset=klingon", body=b"x")]],
    "a quoted charset": [[answer('Content-Type: text/html; a=b; Charset="utf-16"', body=b"x\0")]],
    "a type that is none": [[answer("Content-Type: so what", body=b"x")]],
    "links": [[answer('Link: </a?b,c>; rel="next"; x=1, <b>; rel=last', "Link: <c>; title='d'")]],
    "a file": [[answer('Content-Disposition: attachment; filename="a b.txt"')]],
    "gzip": [[answer("Content-Encoding: gzip", body=gzip.compress(b"packed" * 99))], [AGAIN]],
    "gzip twice": [
        [answer("Content-Encoding: gzip", body=gzip.compress(b"a") + gzip.compress(b"b"))]
    ],
    "deflate": [[answer("Content-Encoding: deflate", body=zlib.compress(b"packed" * 99))]],
    "raw deflate": [
        [answer("Content-Encoding: Deflate", body=zlib.compress(b"packed", wbits=-15))]
    ],
    "gzip of nothing": [[answer("Content-Encoding: gzip")]],
    "an unknown coding": [[answer("Content-Encoding: rot13", body=b"cnpxrq")]],
    "a large body": [[answer(body=b"x" * 700_000)], [AGAIN]],
    "whole, then in pieces": [[JSON], [JSON[:9], 0.01, JSON[9:-3], 0.01, JSON[-3:]]],
    "in pieces, then whole": [[JSON[:-3], 0.01, JSON[-3:]], [JSON]],
    "another answer after it": [[answer(body=b"x") + AGAIN], [AGAIN]],
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_is_seen_as_by_aiohttp(method: str, name: str) -> None:
    async def do(session: Session) -> list[Any]:
        first = await asking(method)(session)
        return [first, await asking()(session)]

    ours, theirs = both(do, ANSWERS[name])

    assert differences(ours, theirs) == []
    assert isinstance(ours.result, list)


@pytest.mark.parametrize(
    "head",
    [
        answer("Content-Type: text/x").replace(b"Length: 0", b"Length: 7"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_head_alone_is_seen_as_by_aiohttp(head: bytes) -> None:
    async def do(session: Session) -> list[Any]:
        async with session.head("/") as response:
            first = await seen(response)
        return [first, await asking()(session)]

    ours, theirs = both(do, [[head], [AGAIN]])

    assert differences(ours, theirs) == []
    assert isinstance(ours.result, list)


def test_a_head_that_is_known_has_no_body_where_it_answers_head() -> None:
    head = JSON.partition(b"{")[0]

    async def do(session: Session) -> list[Any]:
        first = await asking()(session)
        async with session.head("/") as response:
            return [first, await seen(response), await asking()(session)]

    ours, theirs = both(do, [[JSON], [head], [JSON]])

    assert isinstance(ours.result, list)
    assert differences(ours, theirs) == []


def moved(status: int, to: str, *headers: str) -> list[Piece]:
    return [answer(f"Location: {to}", *headers, status=f"{status} Moved", body=b"gone")]


REDIRECTS: dict[str, tuple[str, Script, dict[str, Any]]] = {
    **{
        f"{method} {status}": (method, [moved(status, "/there?x=1"), [JSON]], {"data": b"1"})
        for method in ("GET", "POST", "PUT")
        for status in (301, 302, 303, 307, 308)
    },
    **{
        f"HEAD {status}": ("HEAD", [[answer("Location: /there", status=f"{status} x")]], {})
        for status in (301, 303, 308)
    },
    "relative": ("GET", [moved(302, "beside?a=%20#part"), [JSON]], {}),
    "twice": ("GET", [moved(302, "/a", "Set-Cookie: a=1"), moved(301, "/b"), [JSON]], {}),
    "uri": ("GET", [[answer("URI: /there", status="302 x")], [JSON]], {}),
    "to nowhere": ("GET", [[answer(status="302 x", body=b"here")]], {}),
    "not followed": ("GET", [moved(302, "/a")], {"allow_redirects": False}),
    "not modified": ("GET", [[b"HTTP/1.1 304 x\r\nLocation: /a\r\n\r\n"]], {}),
    "to another scheme": ("GET", [moved(302, "ftp://127.0.0.1/")], {}),
    "to no address": ("GET", [moved(302, "http://[/")], {}),
    "without a host": ("GET", [moved(302, "http:///x"), [JSON]], {}),
    "for ever": ("GET", [moved(302, "/a")], {}),
    "too often": ("GET", [moved(302, "/a")], {"max_redirects": 2}),
    "with auth": ("GET", [moved(302, "/a"), [JSON]], {"auth": basic("a", "b")}),
    "to an unwelcome answer": (
        "GET", [moved(302, "/a"), [answer(status="500 x")]], {"raise_for_status": True}
    ),
}  # fmt: skip


OF_ANOTHER_HISTORY = {"to nowhere", "to an unwelcome answer"}
"""aiohttp's history has the answer itself, where it redirects to nowhere; it is empty in the error
of an answer that `raise_for_status` refuses. Ours is what went before.
"""


@pytest.mark.parametrize("name", REDIRECTS)
def test_a_redirect_is_followed_as_by_aiohttp(name: str) -> None:
    method, script, options = REDIRECTS[name]

    ours, theirs = both(asking(method, **options), script)

    found = differences(told(ours.result), told(theirs.result))
    assert [line for line in found if "history" not in line] == []
    assert differences(ours[1:3], theirs[1:3]) == []
    assert ("history" in f"{found}") == (name in OF_ANOTHER_HISTORY)


def test_no_other_origin_is_sent_what_the_session_authorizes_itself_by() -> None:
    async def run() -> list[list[Received]]:
        async with Wire(OK) as other:
            there = moved(302, f"{other.url}/there")
            async with Wire([there, [JSON]]) as wire:
                other.answers = [moved(302, f"{wire.url}/back")]
                found = []
                for extra in ({}, BY_AIOHTTP):
                    other.begin()
                    saw, _ = await _saw(asking(), wire, {"headers": SECRET, **extra})
                    assert isinstance(saw.result, dict), saw.result
                    found.append([*saw.received, *other.received])
                return found

    ours, theirs = on_a_loop(run())

    assert [received.target for received in ours] == ["/things/17", "/back", "/there"]
    sent = [[line for line in one.headers if not line.startswith("Host")] for one in ours]
    assert ["Authorization: Bearer 123" in lines for lines in sent] == [True, False, False]
    assert ["Proxy-Authorization: Basic 456" in lines for lines in sent] == [True, False, False]
    assert all("X-Plain: 7" in lines for lines in sent)
    assert differences(ours, theirs) == []


SECRET = {
    "Authorization": "Bearer 123", "Proxy-Authorization": "Basic 456", "X-Plain": "7",
}  # fmt: skip
"""Headers of a session, two of which are for its own target alone."""


def told(result: Any) -> Any:
    """An exception as far as it can be compared; anything else as it is."""
    if not isinstance(result, Exception):
        return result
    details = {name: getattr(result, name, None) for name in ("status", "message", "headers")}
    details["history"] = [past.status for past in getattr(result, "history", ())]
    return {"type": type(result), "text": str(result), **details}


FAILURES: dict[str, tuple[Script, dict[str, Any]]] = {
    "closed before the head": ([[CLOSE]], {}),
    "closed within the head": ([[b"HTTP/1.1 200 OK\r\nConte", CLOSE]], {}),
    "cut short": ([[answer(body=b"12345")[:-1], 0.02, CLOSE]], {}),
    "a chunk cut short": ([[CHUNKED + b"5\r\n12", 0.02, CLOSE]], {}),
    "no last chunk": ([[CHUNKED + b"2\r\n12\r\n", 0.02, CLOSE]], {}),
    "no gzip": ([[answer("Content-Encoding: gzip", body=b"0" * 9)]], {}),
    "unwelcome": ([[answer(status="404 Gone away", body=b"no")]], {"raise_for_status": True}),
    "unwelcome to a callback": (
        [[answer(status="404 Gone away", body=b"no")]], {"raise_for_status": callback}
    ),
    "too late": ([[0.3, JSON]], {"timeout": aiohttp.ClientTimeout(total=0.1)}),
    "too late within": (
        [[JSON[:-2], 0.3, JSON[-2:]]], {"timeout": aiohttp.ClientTimeout(total=0.1)}
    ),
}  # fmt: skip
OURS_TO_WORD = {"no gzip", "closed within the head", "cut short", "a chunk cut short",
                "no last chunk"}  # fmt: skip
"""Where the exceptions are the same, and say it in other words."""


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_raised_as_by_aiohttp(name: str) -> None:
    script, options = FAILURES[name]

    ours, theirs = both(asking(**options), script)

    assert isinstance(ours.result, Exception)
    if name in OURS_TO_WORD:
        assert type(ours.result) is type(theirs.result)
    else:
        assert told(ours.result) == told(theirs.result)
    assert differences(ours[1:], theirs[1:]) == []


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_coding_cut_short_is_a_failure_though_its_length_fits(coding: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](b"packed" * 99)

    async def run() -> Saw:
        async with Wire([[answer(f"Content-Encoding: {coding}", body=packed[:-4])]]) as wire:
            return (await _saw(asking(), wire, {}))[0]

    result = on_a_loop(run()).result

    # aiohttp returns what there is of gzip, and waits for the rest of deflate.
    assert isinstance(result, aiohttp.ClientPayloadError)


@pytest.mark.parametrize(
    "sent",
    [
        b"this is not HTTP\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_the_same_exception(sent: bytes) -> None:
    ours, theirs = both(asking(), [[sent]])

    assert type(ours.result) is type(theirs.result) is aiohttp.ClientResponseError
    assert ours.result.status == theirs.result.status == 400
    assert differences(ours[1:], theirs[1:]) == []


async def pieces(stream: AsyncIterator[Any]) -> bytes:
    return b"".join([piece async for piece in stream])


READS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "read": lambda body: body.read(),
    "read some": lambda body: body.read(5),
    "read nothing": lambda body: body.read(0),
    "readany": lambda body: body.readany(),
    "readexactly": lambda body: body.readexactly(12),
    "readline": lambda body: body.readline(),
    "readuntil": lambda body: body.readuntil(b"re"),
    "readuntil what never comes": lambda body: body.readuntil(b"never"),
    "iter_any": lambda body: pieces(body.iter_any()),
    "iter_chunked": lambda body: pieces(body.iter_chunked(4)),
    "wait_eof": lambda body: body.wait_eof(),
}


@pytest.mark.parametrize("name", READS)
def test_a_body_is_read_as_by_aiohttp(name: str) -> None:
    async def do(session: Session) -> list[Any]:
        async with session.get("/") as response:
            content = response.content
            first = await READS[name](content)
            rest = await content.read()
            return [first, rest, content.at_eof(), content.is_eof(), content.total_bytes,
                    await content.read(), content.read_nowait(), content.exception()]  # fmt: skip

    ours, theirs = both(do, [[CHUNKS]])

    assert isinstance(ours.result, list)
    assert differences(ours, theirs) == []


def test_lines_and_chunks_are_those_of_aiohttp() -> None:
    async def do(session: Session) -> list[Any]:
        async with session.get("/") as response:
            lines = [line async for line in response.content]
        async with session.get("/") as response:
            return [lines, [chunk async for chunk in response.content.iter_chunks()]]

    ours, theirs = both(do, [[CHUNKS]])

    assert differences(ours, theirs) == []
    assert ours.result[0] == [b"one\n", b"two\n", b"three\n", b"four"]
    assert ours.result[1] == [(b"one\ntw", True), (b"o\nthree\n", True), (b"four", True)]


async def too_few(session: Session) -> Any:
    async with session.get("/") as response:
        await response.content.readexactly(99)


async def without_a_separator(session: Session) -> Any:
    async with session.get("/") as response:
        await response.content.readuntil(b"")


async def two_readers(session: Session) -> Any:
    async with session.get("/slow") as response:
        await asyncio.gather(response.content.read(99), response.content.read(99))


async def of_another_type(session: Session) -> Any:
    async with session.get("/") as response:
        await response.json(content_type="text/html")


async def that_is_no_json(session: Session) -> Any:
    async with session.get("/") as response:
        await response.json(content_type=None)


async def in_another_charset(session: Session) -> Any:
    async with session.get("/") as response:
        return await response.text("utf-16", errors="replace"), await response.text()


async def after_it_was_left(session: Session) -> Any:
    async with session.get("/") as response:
        pass
    await response.read()


async def again_after_it_was_left(session: Session) -> Any:
    async with session.get("/") as response:
        await response.read()
    assert await response.text()
    await response.read()


async def unwelcome(session: Session) -> Any:
    response = await session.get("/", raise_for_status=False)
    response.raise_for_status()
    return response.closed


async def of_a_closed_session(session: Session) -> Any:
    await session.close()
    await session.get("/")


async def of_two_bodies(session: Session) -> Any:
    await session.post("/", data=b"1", json=1)


USES = [too_few, without_a_separator, of_another_type, that_is_no_json, in_another_charset,
        after_it_was_left, again_after_it_was_left, unwelcome, of_a_closed_session]  # fmt: skip


@pytest.mark.parametrize("do", USES)
def test_an_odd_use_ends_as_with_aiohttp(do: Do) -> None:
    ours, theirs = both(do, [[CHUNKS]])

    assert told(ours.result) == told(theirs.result)


def test_two_readers_at_once_are_an_error_as_with_aiohttp() -> None:
    ours, theirs = both(two_readers, [[CHUNKED, 0.1, b"0\r\n\r\n"]])

    assert type(ours.result) is type(theirs.result) is RuntimeError


def test_nothing_listening_is_the_same_exception() -> None:
    async def do(session: Session) -> Any:
        await session.get("http://127.0.0.1:1/")

    ours, theirs = both(do, OK)

    assert type(ours.result) is type(theirs.result) is aiohttp.ClientConnectorError
    assert ours.result.errno == theirs.result.errno
    assert "127.0.0.1:1 ssl:default" in str(ours.result)


def test_a_redirect_may_leave_out_its_scheme() -> None:
    async def do(session: Session) -> Any:
        await session.get("/")

    ours, theirs = both(do, [moved(302, "//127.0.0.1:1/x")])

    assert type(ours.result) is type(theirs.result) is aiohttp.ClientConnectorError


def test_what_follows_an_answer_unasked_is_never_taken_for_the_next_one() -> None:
    async def do(session: Session) -> list[Any]:
        return [await asking()(session) for _ in range(2)]

    ours, _ = both(do, [[answer(body=b"x") + b"HTTP/1.1 404 N"], [AGAIN]])

    assert [one["status"] for one in ours.result] == [200, 200]
    assert ours.opened == 2  # aiohttp goes on with a connection that has begun another answer


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_server_that_proves_its_name_is_asked(authority: trustme.CA) -> None:
    asked: list[str] = []
    context, trust = serving(authority, "localhost"), trusting(authority)
    context.sni_callback = lambda _, name, __: asked.append(name)

    async def do(session: Session) -> Any:
        port = session._addresses._target.port
        return [await asking(path=f"https://localhost:{port}/", ssl=trust)(session) for _ in "12"]

    ours, theirs = both(do, OK, tls=context)

    assert isinstance(ours.result, list)
    assert differences(ours, theirs) == []
    assert asked == ["localhost"] * 2


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_server_that_does_not_is_refused(authority: trustme.CA, is_trusted: bool) -> None:
    options = {"ssl": trusting(authority)} if is_trusted else {}

    ours, theirs = both(asking(**options), OK, tls=serving(authority, "other.test"))

    assert type(ours.result) is type(theirs.result) is aiohttp.ClientConnectorCertificateError
    assert str(ours.result) == str(theirs.result)
    assert ours.received == []


def test_a_server_is_asked_for_no_proof_where_none_is_wanted(authority: trustme.CA) -> None:
    ours, theirs = both(asking(ssl=False), OK, tls=serving(authority, "other.test"))

    assert isinstance(ours.result, dict)
    assert differences(ours, theirs) == []


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_address_may_be_of_ipv6() -> None:
    ours, theirs = both(asking(), OK, host="::1")

    assert isinstance(ours.result, dict)
    assert differences(ours, theirs) == []


def test_cookies_are_kept_for_both_carriers_in_one_jar() -> None:
    async def do(session: Session) -> Any:
        await asking(path="/set")(session)
        await asking(path="/by-aiohttp", chunked=None)(session)
        await asking(path="/ours")(session)

    async def run() -> list[Received]:
        script = [[answer("Set-Cookie: a=1")], [answer("Set-Cookie: b=2")], [AGAIN]]
        async with Wire(script) as wire:
            _, snapshot = await _saw(do, wire, {})
            assert snapshot.by_aiohttp == {"chunked": 1}
            return wire.received

    received = on_a_loop(run())

    assert [[line for line in one.headers if "Cookie" in line] for one in received] == [
        [], ["Cookie: a=1"], ["Cookie: a=1; b=2"]
    ]  # fmt: skip
