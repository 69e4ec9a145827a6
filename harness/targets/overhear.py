"""What services say beside their answers, and what they should not say in them."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CoroutineType
from typing import Any

from harness import secret
from harness.targets import Asgi, Message, Receive, Scope, Send
from harness.targets.hang import own_line, stack_of

_TAIL = 4_000
"""Characters of a body that are looked at again with what follows: a value may be cut in two."""


@contextlib.contextmanager
def logging_heard(hear: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Hear every log record, whichever handlers its logger has."""
    make = logging.getLogRecordFactory()
    active = True

    def heard(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(*arguments, **options)
        if active:
            with contextlib.suppress(Exception):  # arguments that do not fit the message
                hear(record)
        return record

    logging.setLogRecordFactory(heard)
    try:
        yield
    finally:
        active = False
        if logging.getLogRecordFactory() is heard:
            logging.setLogRecordFactory(make)


def text_of(record: logging.LogRecord) -> str:
    """Return what a log record says, the exception with its traceback included."""
    raised = record.exc_info if record.exc_info and record.exc_info[0] else None
    lines = traceback.format_exception(*raised) if raised else []
    return "\n".join([record.getMessage(), *lines])


def place_of(record: logging.LogRecord, root: Path) -> str:
    """Return the project's line that a record is about: where it raised, or else where it logs."""
    trace = record.exc_info[2] if record.exc_info else None
    raised = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(trace)]
    return own_line(raised, root) or own_line([(record.pathname, record.lineno)], root)


@contextlib.contextmanager
def unawaited_heard(hear: Callable[[str, str, str], None], root: Path) -> Iterator[None]:
    """Hear of each coroutine that the project never awaited: its name, file, and who dropped it.

    Python calls this function of `warnings` for each, whatever is done about its warning.
    """
    module: Any = warnings
    warn = module._warn_unawaited_coroutine

    def heard(coroutine: CoroutineType[Any, Any, Any]) -> None:
        with contextlib.suppress(Exception):  # what is raised here, nobody sees
            origin = coroutine.cr_origin  # where asyncio debugs, the place that made it
            lines = (
                [(file, line) for file, line, _ in reversed(origin)]
                if origin
                else [(line.file, line.number) for line in stack_of(sys._getframe(1))]
            )
            hear(coroutine.__qualname__, coroutine.cr_code.co_filename, own_line(lines, root))
        warn(coroutine)

    module._warn_unawaited_coroutine = heard
    try:
        yield
    finally:
        module._warn_unawaited_coroutine = warn


def read_along(wire: Asgi, told: Callable[[Scope, str, set[str]], None]) -> Asgi:
    """Return a wire of which `told` hears the secrets that are in an answer's headers or body."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        tail = ""

        async def reading(message: Message) -> None:
            nonlocal tail
            for name, value in message.get("headers", ()):
                if found := secret.shown(bytes(value).decode(errors="replace")):
                    told(scope, f"the header {bytes(name).decode(errors='replace')} of", found)
            said = message.get("body") or message.get("text") or message.get("bytes") or b""
            if said:
                tail += said if isinstance(said, str) else bytes(said).decode(errors="replace")
                if found := secret.shown(tail):
                    told(scope, "the body of", found)
                    tail = ""
                tail = tail[-_TAIL:]
            await send(message)

        await wire(scope, receive, reading)

    return call
