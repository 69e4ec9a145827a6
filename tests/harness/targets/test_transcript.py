from __future__ import annotations

from typing import Any

import pytest

from harness import secret
from harness.targets.exchange import Ends, Exchange
from harness.targets.trace import Line
from harness.targets.transcript import transcript

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = [(b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())]


def answered(body: bytes = b"", headers: Any = (), at: float = 0.0, **changes: Any) -> Exchange:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": TRACEPARENT, **changes}
    one = Exchange(scope)
    one.at = at
    one.said({"type": "http.response.start", "status": 200, "headers": headers})
    one.said({"type": "http.response.body", "body": body})
    one.end()
    return one


def told(*exchanges: Exchange, lines: Any = (), hint: str = "") -> list[str]:
    ends: Ends[Exchange] = Ends()
    for one in exchanges:
        ends.add(one)
    return transcript(ends, lines, hint)


def test_an_exchange_is_told_with_its_answer() -> None:
    (text,) = told(answered(b"a\nb", [(b"x-a", b"1")]), hint="a hint")

    title, command, hint, *answer = text.splitlines()
    assert title.startswith("1. GET /: 200 in ")
    assert command == f"curl -i -H 'traceparent: {TRACEPARENT[0][1].decode()}' http://localhost/"
    assert hint == "  a hint"
    assert answer == ["answer 200", "  x-a: 1", "  3 bytes:", "  | a", "  | b"]


def test_how_many_were_left_out_stands_between_them() -> None:
    texts = told(*[answered() for _ in range(12)])

    assert len(texts) == 11
    assert texts[5] == "(2 exchanges between these were not kept)"
    assert [text.split(".")[0] for text in (texts[4], texts[6], texts[-1])] == ["5", "8", "12"]


@pytest.mark.parametrize(
    ("body", "headers", "shown"),
    [
        (b"", [], "answer 200"),
        (b"\x89PNG\0", [], "  5 bytes, not text"),
        (b"\xff\xfe", [], "  2 bytes, not text"),
        (b"zip", [(b"Content-Encoding", b"gzip")], "  3 bytes, encoded"),
        ("é".encode() * 9000, [], "  | …"),
        (b"x" * 9000, [], "  | …"),
    ],
)
def test_a_body_is_shown_where_it_is_text(body: bytes, headers: Any, shown: str) -> None:
    (text,) = told(answered(body, headers))

    assert text.splitlines()[-1] == shown
    assert len(text) < 2500


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        (b"Set-Cookie", b"session=abc; Path=/; HttpOnly", "session=…; Path=/; HttpOnly"),
        (b"X-Api-Key", b"abc", "…"),
        (b"x-a", b"1\r\n2", "1\\r\\n2"),
    ],
)
def test_credentials_in_an_answers_headers_are_not_shown(
    name: bytes, value: bytes, shown: str
) -> None:
    (text,) = told(answered(headers=[(name, value)]))

    assert text.splitlines()[-1] == f"  {name.decode()}: {shown}"


@pytest.mark.parametrize("before", [0, 1500, 2044, 2048, 10_236])
def test_no_part_of_a_secret_is_left_where_a_body_is_cut(
    monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setenv("HARNESS_SECRET_PIN", "open-sesame")
    secret.keep([])
    try:
        (text,) = told(answered(b"." * before + b"open-sesame" + b"." * 9000))
    finally:
        monkeypatch.undo()
        secret.keep([])

    assert "open" not in text
    assert ("{env.PIN}" in text) is (before < 2000)


def test_lines_are_told_with_the_exchange_in_which_they_were_logged() -> None:
    def line(at: float, said: str, trace: str = TRACE) -> Line:
        return Line(at, trace, "shop", "INFO", said, ("shop.py:3 raised KeyError: 1",))

    lines = [line(25, "third"), line(12, "first"), line(5, "early"), line(12, "no", "another")]
    first, second = told(answered(at=10), answered(at=20), lines=lines)

    assert [one.split()[-1] for one in first.splitlines() if "INFO" in one] == ["early", "first"]
    assert [one.split()[-1] for one in second.splitlines() if "INFO" in one] == ["third"]
    assert second.splitlines()[-1] == "    shop.py:3 raised KeyError: 1"


def test_what_goes_on_what_broke_and_what_was_apart_say_so() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": TRACEPARENT}
    still, broke = Exchange(dict(scope)), Exchange(dict(scope), apart="shop.other")
    broke.end(ConnectionResetError("by peer"))

    first, second = told(still, broke)

    assert first.startswith("1. GET /: no answer, and it goes on\n")
    assert second.startswith("2. GET /, of shop.other by itself: no answer in ")
    assert "broke: ConnectionResetError: by peer\n" in second


def test_what_was_said_over_a_websocket_is_told() -> None:
    scope = {"type": "websocket", "path": "/ws", "headers": TRACEPARENT, "subprotocols": ["chat"]}
    one = Exchange(scope)
    one.said({"type": "websocket.accept"})
    one.heard({"type": "websocket.receive", "text": "hi\n"})
    for n in range(12):
        one.said({"type": "websocket.send", "text": None, "bytes": b"x" * n})
    one.end()

    (text,) = told(one)

    assert text.startswith("1. WebSocket /ws: 101 in ")
    assert "-H 'Upgrade: websocket'" in text
    assert "-H 'Sec-WebSocket-Protocol: chat'" in text
    assert "\nsent hi\\n\nreceived 0 bytes\n" in text
    assert "  (3 messages between these were not kept)\n" in text
    assert text.endswith("received 11 bytes")


def test_garbage_is_told_and_can_be_written() -> None:
    one = answered(b"\xed\xa0\x80", [(b"\xff\n", b"\xfe\0")], raw_path=b"/\xff\n\x1b[2J",
                   query_string=b"\xff '")  # fmt: skip
    one.broke = "\ud800"

    (text,) = told(one)

    assert text.encode()
    assert text.startswith("1. GET /%FF%0A%1B%5B2J?%FF%20%27: 200 in ")


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ([("x-a", 1)], "  'x-a': 1"),
        (None, "1. GET: TypeError("),
        ([b"x-a"], "1. GET: ValueError("),
        ({"x-a": "1"}, "1. GET: ValueError("),
        ([(b"x", b"%d" % n) for n in range(100)], "  and 70 more headers"),
    ],
)
def test_headers_that_are_none_break_nothing(headers: Any, shown: str) -> None:
    (text,) = told(answered(headers=headers))

    assert text.splitlines()[-1].startswith(shown)
