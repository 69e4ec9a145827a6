from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.targets import Receive, Scope, Send
from harness.targets.trace import Line, Lines, trace_of, traced

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    with Lines(tmp_path) as lines:
        yield lines


async def call(does: Any, header: bytes | None = TRACEPARENT.encode(), name: str = "shop") -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        does()

    headers = [] if header is None else [(b"Traceparent", header)]
    await traced(app, name)({"type": "http", "headers": headers}, None, None)  # type: ignore[arg-type]  # neither is called


def said(lines: Lines) -> list[tuple[str, str, str]]:
    return [(line.service, line.level, line.said) for line in lines.take()]


@pytest.mark.parametrize(
    ("given", "trace"),
    [(TRACEPARENT, TRACE), (f"{TRACEPARENT}-more", TRACE), ("00-short-01", "00-short-01"),
     (TRACEPARENT.upper(), TRACEPARENT.upper()), ("", "")],
)  # fmt: skip
def test_the_id_of_a_trace_context_is_its_second_part(given: str, trace: str) -> None:
    assert trace_of(given) == trace


async def test_what_services_log_for_a_trace_is_kept_with_their_names(lines: Lines) -> None:
    await call(lambda: logging.getLogger("a").warning("one %d", 1))
    await call(lambda: logging.getLogger("b").error("two", extra={"of": {"x": 2}}), name="stock")

    first, second = lines.take()
    assert (first.service, first.level, first.said, first.trace) == (
        "shop",
        "WARNING",
        "one 1",
        TRACE,
    )
    assert (second.service, second.level, second.said) == ("stock", "ERROR", "two of={'x': 2}")
    assert lines.take() == []


async def test_what_is_logged_for_no_trace_is_not_kept(lines: Lines) -> None:
    logging.getLogger("a").warning("by a test")
    await call(lambda: logging.getLogger("a").warning("for nobody"), header=None)
    await call(lambda: None)
    logging.getLogger("a").warning("after the call")

    assert lines.take() == []


async def test_a_logger_that_does_not_propagate_is_heard_and_its_levels_and_filters_hold(
    lines: Lines,
) -> None:
    logger = logging.getLogger("harness.test_trace")
    logger.propagate, logger.handlers = False, [logging.NullHandler()]
    logger.setLevel(logging.INFO)
    logger.addFilter(lambda record: "secret" not in record.getMessage())
    for text in ("told", "a secret"):
        await call(lambda text=text: logger.info(text))
    await call(lambda: logger.debug("too small"))

    assert said(lines) == [("shop", "INFO", "told")]


async def test_the_servers_log_of_what_was_raised_is_the_services(lines: Lines) -> None:
    def raises() -> None:
        raise KeyError("left")

    with pytest.raises(KeyError):
        await call(raises)
    logging.getLogger("server").error("Error in ASGI Framework")

    assert said(lines) == [("shop", "ERROR", "Error in ASGI Framework")]


async def test_an_exception_is_told_by_the_projects_last_line(tmp_path: Path) -> None:
    code = compile("def fails():\n    return {}['left']\n", str(tmp_path / "shop.py"), "exec")
    there: dict[str, Any] = {}
    exec(code, there)

    def logs() -> None:
        try:
            there["fails"]()
        except KeyError:
            logging.getLogger("shop").exception("it failed")

    with Lines(tmp_path) as lines:
        await call(logs)

    assert [line.raised for line in lines.take()] == [("shop.py:2 raised KeyError: 'left'",)]


class Awkward:
    def __repr__(self) -> str:
        raise ValueError

    __str__ = __repr__


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        (("%d", "x"), "%d"),
        (("%s", Awkward()), "%s"),
        (("x" * 100_000,), "x" * 10_240),
    ],
)
async def test_what_cannot_be_shown_breaks_nothing(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, logged: Any, shown: str
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # which would say so on stderr
    monkeypatch.setattr(logging, "lastResort", None)
    await call(lambda: logging.getLogger("a").error(*logged, extra={"awkward": Awkward()}))

    ((_, _, text),) = said(lines)
    assert text.startswith(shown)
    assert len(text) <= 10_240


async def test_of_many_lines_those_at_both_ends_are_kept(lines: Lines) -> None:
    for n in range(1000):
        await call(lambda n=n: logging.getLogger("a").error("%d", n))

    assert lines.kept.left_out == 600
    kept: list[Line] = lines.take()
    assert (kept[0].said, kept[-1].said) == ("0", "999")


def test_logging_is_as_it_was_afterwards(tmp_path: Path) -> None:
    before = logging.Logger.callHandlers
    with Lines(tmp_path), Lines(tmp_path):
        assert logging.Logger.callHandlers is not before

    assert logging.Logger.callHandlers is before
