from __future__ import annotations

import pytest

from harness.load.head import Head, head_of

LINES = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nX-One: \t 1 \r\nContent-Length: 5\r\n\r\n"


def of(raw: bytes) -> Head:
    found = head_of(raw)
    assert found is not None
    return found


def test_a_head_says_what_it_says() -> None:
    head = of(LINES)

    assert (head.status, head.version, head.reason, head.length) == (200, "1.1", b"OK", 5)
    assert head.kind == "text/x"
    assert head.headers["x-one"] == "1"
    assert head.is_final
    assert not head.sets_cookies


def test_the_same_bytes_are_parsed_once() -> None:
    assert head_of(LINES) is head_of(bytes(bytearray(LINES)))


@pytest.mark.parametrize(
    ("raw", "length"),
    [
        (b"HTTP/1.1 204 N\r\n\r\n", 0),
        (b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", 0),
        (b"HTTP/1.1 200 N\r\nContent-Length: 0\r\n\r\n", 0),
        (b"HTTP/1.0 200 N\r\nConnection: keep-alive\r\ncontent-length: 7\r\n\r\n", 7),
    ],
)
def test_a_body_has_the_length_that_the_protocol_gives_it(raw: bytes, length: int) -> None:
    assert of(raw).length == length


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"this is not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 until the end\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 204 N\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
        LINES + b"body\r\n\r\n",
    ],
)
def test_what_is_no_such_head_is_left_to_the_parser_that_sees_all(raw: bytes) -> None:
    assert head_of(raw) is None


@pytest.mark.parametrize("line", [b"Content-Encoding: gzip", b"Content-Encoding: x"])
def test_an_answer_in_a_coding_has_something_left_to_do(line: bytes) -> None:
    assert not of(LINES.replace(b"X-One: \t 1 ", line)).is_final


def test_an_answer_that_leads_elsewhere_has_something_left_to_do() -> None:
    assert not of(LINES.replace(b"200 OK", b"302 Found")).is_final
