"""Which service logged what for which request, told by the trace context that came with it."""

from __future__ import annotations

import contextvars
import logging
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.curl import SHOWN_BYTES
from harness.targets import Asgi, Receive, Scope, Send
from harness.targets.exchange import Ends
from harness.targets.raised import raised_in

_MOST_LINES = 200
_KEPT = 5 * SHOWN_BYTES  # of one line: a secret that begins in what is shown must be seen whole
_W3C = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_SERVING: contextvars.ContextVar[tuple[bytes, str]] = contextvars.ContextVar("harness_serving")
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}


def trace_of(traceparent: str) -> str:
    """Return the id in a trace context (W3C), by which lines are found; of any other text, all."""
    found = _W3C.fullmatch(traceparent)
    return found[1] if found else traceparent


CoroutineAsgi = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]


def traced(app: Asgi, name: str) -> CoroutineAsgi:
    """Return the application of a service that knows for which trace it is called."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        before = _SERVING.set((_given(scope), name))
        await app(scope, receive, send)
        _SERVING.reset(before)  # not after an exception: the server is going to log it

    return call


def _given(scope: Scope) -> bytes:
    for name, value in scope.get("headers", ()):
        if name.lower() == b"traceparent":
            return bytes(value)
    return b""


@dataclass(frozen=True, slots=True)
class Line:
    """What a service logged for a trace. `at` is in seconds since 1970.

    `raised` are the exceptions that came with it, as `raised_in` finds them.
    """

    at: float
    trace: str
    service: str
    level: str
    said: str
    raised: tuple[str, ...] = ()


class Lines:
    """A context manager: within, what services log in this process is kept, until `take`.

    A logger's own level and filters hold. No handler is added: on the root it would keep Quart
    from adding its own, miss loggers that do not propagate, and be gone with ``dictConfig``.
    """

    def __init__(self, root: Path) -> None:
        self.kept: Ends[Line] = Ends(_MOST_LINES)
        self._root = root

    def take(self) -> list[Line]:
        """Return the lines that were kept and forget them."""
        kept, self.kept = self.kept, Ends(_MOST_LINES)
        return list(kept)

    def __enter__(self) -> Lines:
        self._before: Callable[..., None] = logging.Logger.callHandlers

        def handled(logger: logging.Logger, record: logging.LogRecord) -> None:
            self._keep(record)
            self._before(logger, record)

        logging.Logger.callHandlers = handled  # type: ignore[method-assign, assignment]  # until the exit
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.Logger.callHandlers = self._before  # type: ignore[method-assign]  # as it was

    def _keep(self, record: logging.LogRecord) -> None:
        traceparent, service = _SERVING.get((b"", ""))
        if traceparent:  # in words, at once: what a record refers to is not ours to keep alive
            raised = tuple(one[:_KEPT] for one in raised_in(_traceback(record), self._root))
            trace = trace_of(traceparent.decode("latin-1"))
            line = Line(record.created, trace, service, record.levelname, _said(record), raised)
            self.kept.add(line)


def _traceback(record: logging.LogRecord) -> str:
    if not isinstance(record.exc_info, tuple) or record.exc_info[0] is None:
        return ""
    return logging.Formatter().formatException(record.exc_info)


def _said(record: logging.LogRecord) -> str:
    """Return a record's message, and the fields that it was given beside it."""
    try:
        said = record.getMessage()
    except Exception:  # arguments that do not fit: logging says so itself
        said = str(record.msg)
    fields = vars(record).keys() - _USUAL
    return " ".join([said, *(f"{key}={_shown(vars(record)[key])}" for key in sorted(fields))])[
        :_KEPT
    ]


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"({type(error).__name__} in its repr)"
