"""What a test that failed and its target said to each other, in words, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import quote_from_bytes

from harness.answer import shown_value, text_of
from harness.curl import SHOWN_BYTES, curl
from harness.secret import redacted, redacted_start
from harness.targets.exchange import Ends, Exchange, Start
from harness.targets.trace import Line, trace_of

_MOST_HEADERS = 30
_MOST_LINES = 30
_MOST_SAID = 500
"""Characters of a header or of a logged line."""


def transcript(exchanges: Ends[Exchange], lines: Sequence[Line], hint: str = "") -> list[str]:
    """Tell of each exchange that was kept, in order; between them, how many were not.

    The first of an exchange's lines says what it was, the second is one of curl. `hint` says what
    else it takes to paste the first one.
    """
    kept, logged = list(exchanges), _by_exchange(list(exchanges), lines)
    told = []
    for position, exchange in enumerate(kept):
        number = position + 1 + (exchanges.left_out if position >= len(exchanges.first) else 0)
        if exchanges.left_out and position == len(exchanges.first):
            told.append(f"({exchanges.left_out:,} exchanges between these were not kept)")
        try:
            text = "\n".join(_told(number, exchange, logged[position], "" if position else hint))
        except (TypeError, ValueError, AttributeError) as error:  # not what ASGI has there
            text = f"{number}. {exchange.method}: {error!r}, which cannot be shown"
        told.append(redacted(_writable(text)))
    return told


def unsent(exchanges: Ends[Exchange]) -> list[str]:
    """Say of each cookie that was not sent over http that it is Secure."""
    held = {name: exchange for exchange in exchanges for name in reversed(exchange.held_back)}
    return [redacted(_writable(_unsent(name, one))) for name, one in held.items()]


def _unsent(name: str, exchange: Exchange) -> str:
    return (
        f"the cookie {_one_line(name)} was not sent with {_title(exchange)}: it is Secure, and "
        "this is http; 'tls = true' makes it https"
    )


def _title(exchange: Exchange) -> str:
    kind = "WebSocket" if exchange.is_websocket else exchange.method
    return f"{kind} {redacted(quote_from_bytes(exchange.target, '/?&=%:;,+-._~{}@'))}"


def _by_exchange(exchanges: list[Exchange], lines: Sequence[Line]) -> list[list[Line]]:
    """Give each line to the last exchange of its trace that had begun when it was logged."""
    found: list[list[Line]] = [[] for _ in exchanges]
    traces = [trace_of(exchange.traceparent) for exchange in exchanges]
    for line in sorted(lines, key=lambda one: one.at):
        same = [n for n, trace in enumerate(traces) if trace == line.trace]
        begun = [n for n in same if exchanges[n].at <= line.at]
        if same:
            found[(begun or same[:1])[-1]].append(line)
    return found


def _told(number: int, exchange: Exchange, lines: list[Line], hint: str) -> Iterator[str]:
    command, wanted = curl(exchange.asked)
    apart = f", of {exchange.apart} by itself" if exchange.apart else ""
    yield f"{number}. {_title(exchange)}{apart}: {_outcome(exchange)}"
    yield command
    yield from (f"  to fill in: {one}" for one in wanted)
    if hint:
        yield f"  {hint}"
    if exchange.body.length > SHOWN_BYTES:
        yield from _block(f"sent {exchange.body.length:,} bytes, which begin", exchange.body)
    if exchange.status is not None:
        yield from _answer(exchange)
    yield from _messages(exchange)
    if lines:
        yield f"logged for trace {trace_of(exchange.traceparent)[:64]}:"
        yield from (text for line in lines[:_MOST_LINES] for text in _logged(line))
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES:,} more lines"


def _outcome(exchange: Exchange) -> str:
    status = "no answer" if exchange.status is None else str(exchange.status)
    if exchange.seconds is None:
        return f"{status}, and it goes on"
    took = f"{1000 * exchange.seconds:.3g} ms"
    broke = f", broke: {redacted_start(exchange.broke, _MOST_SAID)}" if exchange.broke else ""
    return f"{status} in {took}{broke}"


def _answer(exchange: Exchange) -> Iterator[str]:
    yield f"answer {exchange.status}"
    headers = [(_text(name), _text(value)) for name, value in exchange.answer_headers]
    for name, value in headers[:_MOST_HEADERS]:
        yield f"  {_one_line(name)}: {_one_line(shown_value(name, value))}"
    if len(headers) > _MOST_HEADERS:
        yield f"  and {len(headers) - _MOST_HEADERS:,} more headers"
    if exchange.answer.length:
        coded = any(name.lower() == "content-encoding" for name, _ in headers)
        yield from _block(f"{exchange.answer.length:,} bytes", exchange.answer, is_coded=coded)


def _text(said: object) -> str:
    """Return a header's name or value: bytes, as it must be, or what stands in their place."""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else repr(said)


def _block(title: str, start: Start, *, is_coded: bool = False) -> Iterator[str]:
    """Show the start of a body: as text, where it is one."""
    text = None if is_coded else text_of(start.kept, start.length)
    if text is None:
        yield f"  {title}{', encoded' if is_coded else ', not text'}"
        return
    shown = redacted_start(text, SHOWN_BYTES)
    yield f"  {title}:"
    yield from (f"  | {one}" for one in shown.splitlines())
    if start.length > SHOWN_BYTES:
        yield "  | …"


def _messages(exchange: Exchange) -> Iterator[str]:
    for position, (by_test, is_text, start) in enumerate(exchange.messages):
        if exchange.messages.left_out and position == len(exchange.messages.first):
            yield f"  ({exchange.messages.left_out:,} messages between these were not kept)"
        shown = (
            _one_line(start.kept.decode(errors="ignore")) if is_text else f"{start.length:,} bytes"
        )
        yield f"{'sent' if by_test else 'received'} {shown}"


def _logged(line: Line) -> Iterator[str]:
    at = datetime.fromtimestamp(line.at).strftime("%H:%M:%S.%f")[:-3]
    yield f"  {at} {line.service} {line.level} {_one_line(line.said)}"
    yield from (f"    {_one_line(raised)}" for raised in line.raised)


def _one_line(text: str) -> str:
    shown = redacted_start(text, _MOST_SAID)
    more = "…" if len(text) > _MOST_SAID else ""
    return shown.replace("\r", "\\r").replace("\n", "\\n") + more


def _writable(text: str) -> str:
    """Escape the lone surrogates that JSON cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()
