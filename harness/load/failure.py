"""What an exception means to a load: its kind of failure, its place in the scenario, its words."""

from __future__ import annotations

import errno
import linecache
import traceback
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from harness.sample import FailureKind
from harness.secret import redacted, without_credentials

LONGEST_MESSAGE = 300
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL)
_OURS = Path(__file__).parent.parent


class OutsideCallError(aiohttp.ClientConnectionError):
    """A request to a host that the plan does not allow. It was not sent.

    One of aiohttp's connection errors, so that a scenario that copes with an outage does so.
    """


def first_cause(error: BaseException) -> BaseException:
    """Return the first exception of a group, as a task group raises; any other as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def kind_of(error: BaseException) -> FailureKind:
    """Tell what kind of failure an exception of aiohttp's, or of a scenario, is."""
    match error:
        case OutsideCallError():
            return FailureKind.FOREIGN
        case OSError() if error.errno in _EXHAUSTED:
            return FailureKind.EXHAUSTED
        case AssertionError():
            return FailureKind.ASSERTION
        case TimeoutError():
            return FailureKind.TIMEOUT
        case aiohttp.ContentTypeError():  # the answer is fine, but not what `json()` wants
            return FailureKind.EXCEPTION
        case aiohttp.TooManyRedirects() | aiohttp.RedirectClientError() | aiohttp.ClientSSLError():
            return FailureKind.PROTOCOL
        case aiohttp.ClientResponseError():  # `raise_for_status()`, or what came is not HTTP
            broken = isinstance(error.__cause__, HttpProcessingError)
            return FailureKind.PROTOCOL if broken else FailureKind.STATUS
        case aiohttp.ClientConnectorError():
            return FailureKind.REFUSED
        case aiohttp.ClientPayloadError():
            broken = isinstance(error.__cause__, ContentEncodingError)
            return FailureKind.PROTOCOL if broken else FailureKind.DISCONNECTED
        case aiohttp.ClientConnectionError() | ConnectionError():
            return FailureKind.DISCONNECTED
        case _:
            return FailureKind.EXCEPTION


class Places:
    """Finds places in a scenario file. `root` is what they are shown relative to."""

    def __init__(self, file: Path, root: Path) -> None:
        self.file = str(file)
        self._root = root
        self._lines: dict[int, str] = {}  # of the scenario file, as they are shown

    def of(self, error: BaseException) -> str:
        """Return ``file:line`` of the innermost line of the scenario file that `error` crossed.

        Where it crossed none: the line that raised it, or the file where that is one of ours.
        """
        file, line = self._found(error)
        return self.shown(file, line)

    def here(self) -> str:
        """Return ``file:line`` of the scenario file's line that is being executed, if any."""
        for frame, line in traceback.walk_stack(None):
            if frame.f_code.co_filename == self.file:
                return self.shown(self.file, line)
        return self.shown(self.file, 0)

    def at(self, running: Any) -> str:
        """Return ``file:line`` of the scenario file that a coroutine has come to, if any.

        `running` may be waiting, or be what runs at this moment.
        """
        line = 0
        while running is not None:
            frame = getattr(running, "cr_frame", None)
            if frame is not None and frame.f_code.co_filename == self.file:
                line = frame.f_lineno
            running = getattr(running, "cr_await", None)
        if line not in self._lines:
            self._lines[line] = self.shown(self.file, line)
        return self._lines[line]

    def told(self, error: BaseException) -> str:
        """Say what was raised, in few words; of an assertion, the line that did not hold."""
        try:
            said = " ".join(" ".join([str(error), *getattr(error, "__notes__", ())]).split())
        except Exception:  # an exception of the scenario's own may be broken, too
            said = "(which cannot be written)"
        if isinstance(error, AssertionError):
            line = linecache.getline(*self._found(error)).strip()
            told = f"{line}: {said}" if line and said else line or said or "AssertionError"
        else:
            told = f"{type(error).__name__}: {said}" if said else type(error).__name__
        return redacted(without_credentials(told))[
            :LONGEST_MESSAGE
        ]  # a part of a secret would not be found

    def shown(self, file: str, line: int) -> str:
        """Write a place, relative to the root where it lies below."""
        path = Path(file)
        if path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        return f"{path.as_posix()}:{line}" if line else path.as_posix()

    def _found(self, error: BaseException) -> tuple[str, int]:
        found, last = None, (self.file, 0)
        for frame, line in traceback.walk_tb(error.__traceback__):  # the innermost comes last
            last = (frame.f_code.co_filename, line)
            if last[0] == self.file:
                found = last
        own = Path(last[0]).is_relative_to(_OURS)
        return found or ((self.file, 0) if own else last)
