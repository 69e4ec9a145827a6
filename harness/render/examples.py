"""Exchanges of a load that were kept, in words: what they were, and how to ask again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.record import Example, LoadRow
from harness.render.figures import figure


def failures(row: LoadRow) -> list[Example]:
    """Return the failures that were kept of a row."""
    return [one for one in row.examples if one.failure is not None]


def title(example: Example) -> str:
    """Say what it was, where it came from, and how long it took."""
    what = "slow" if example.failure is None else example.failure
    said = f"{what}, {example.where}"
    if example.exchange is None:
        return said
    exchange, verb = example.exchange, "took" if example.failure is None else "failed after"
    took = f"due at {figure(exchange.due_s, 's')}, {verb} {figure(exchange.response_ms, 'ms')}"
    if exchange.response_ms - exchange.service_ms >= max(1, exchange.response_ms / 100):
        took += f" ({figure(exchange.service_ms, 'ms')} of it from when it was sent)"
    return f"{said}, {took}"


def answer(example: Example) -> str:
    """Say on one line what was answered."""
    exchange = example.exchange
    if exchange is None or exchange.status is None:
        return "no answer"
    return " ".join(f"{exchange.status} {exchange.body}".split())


def told(example: Example) -> str:
    """Tell all of an example: a line of curl stands on a line of its own."""
    return "\n".join(_lines(example))


def _lines(example: Example) -> Iterator[str]:
    yield f"{title(example)}, process {example.process}"
    if example.message:
        yield example.message
    exchange = example.exchange
    if exchange is None:
        return
    if exchange.curl:
        yield exchange.curl
    yield from (f"  to fill in: {one}" for one in exchange.wanted)
    yield "no answer" if exchange.status is None else f"answer {exchange.status}"
    yield from (f"  {one}" for one in exchange.headers)
    yield from (f"  | {one}" for one in exchange.body.splitlines())


def summary(row: LoadRow) -> str:
    """Say what was kept of a row."""
    kinds = Counter(one.failure for one in failures(row))
    said = [f"{number} {kind}" for kind, number in kinds.items()]
    slow = len(row.examples) - sum(kinds.values())
    return ", ".join([*said, *([f"the {slow} slowest"] if slow else [])])
