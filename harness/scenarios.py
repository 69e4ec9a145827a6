"""What scenario files may import: addresses, tokens and rows, under the stock `molotov`, too.

It imports nothing else of the harness, so that a scenario file stays as light as it was.
"""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

PROCESS = "HARNESS_PROCESS"
"""Where a generator finds its number and how many there are, as in ``0/2``."""


def base_url(service: str = "") -> str:
    """Return the address of the target, or of another service of the plan, without a last slash.

    The harness sets what this reads; for the stock runner, set it. Raises LookupError.
    """
    variable = "HARNESS_TARGET"
    if service:
        variable += f"_{service.upper().replace('-', '_')}"
    address = os.environ.get(variable, "")
    if not address:
        raise LookupError(
            f"{variable} is not set; type it before the command: {variable}=http://HOST:PORT. "
            "The harness sets it for the services of its plan, and --target for the first"
        )
    return address.rstrip("/")


class Token:
    """A token that OAuth's client credentials give; of one process, renewed after half its life.

    `form` is what is posted to `url`: ``client_id``, ``client_secret``, ``audience``, …
    """

    def __init__(self, url: str, /, **form: str) -> None:
        self.url = url
        self.form = {"grant_type": "client_credentials", **form}
        self._sent: dict[str, Any] = {"data": self.form}
        self._field = "access_token"
        self._header: dict[str, str] = {}
        self._renew_at = 0.0
        self._turn = asyncio.Lock()

    @classmethod
    def told(cls, url: str, sent: dict[str, Any], field: str) -> Token:
        """Make one that is got otherwise: `sent` are options of ``post``, `field` has the token."""
        made = cls(url)
        made._sent, made._field = sent, field
        return made

    async def header(self, session: Any) -> dict[str, str]:
        """Return the header to send, as a dictionary of its own. Raises AssertionError."""
        async with self._turn:  # of visits that come together, one asks
            if time.monotonic() >= self._renew_at:
                async with session.post(self.url, **self._sent) as response:
                    told = await response.text()
                    assert 200 <= response.status < 300, f"no token: {response.status} {told[:200]}"
                granted = self._granted(told)
                self._header = {"Authorization": f"Bearer {granted[self._field]}"}
                self._renew_at = time.monotonic() + granted.get("expires_in", 0) / 2
        return dict(self._header)

    def _granted(self, told: str) -> dict[str, Any]:
        try:
            granted = json.loads(told)
        except ValueError:
            granted = None
        found = granted.get(self._field) if isinstance(granted, dict) else None
        assert isinstance(granted, dict), "no token: the answer is no object of JSON"
        assert isinstance(found, str), f"no token: the answer has no text {self._field!r}"
        assert found, f"no token: {self._field!r} of the answer is empty"
        return granted


class NoRowsLeft(Exception):  # noqa: N818 - what happened, and no mistake of anybody's
    """Every row has been given once. The load ends by it, and the visit does not count."""


class Rows(Iterator[Any]):
    """The rows of a ``.csv``, ``.jsonl`` or ``.json`` file: ``next(rows)`` is the next visit's.

    After the last comes the first; with `once`, NoRowsLeft is raised instead. Of n processes,
    number k has the rows k, k + n, …, so that no two visits have one before a process is through;
    under the stock runner every process begins with the first. A file is read as its rows are
    needed, ``.json``, a list, as a whole. Raises ValueError for another kind of file, one without
    rows, and what cannot be read, with line and column: of the first row at once, of a later one
    when it is its turn.
    """

    def __init__(self, path: str | Path, *, once: bool = False) -> None:
        self._path = Path(path)
        self._once = once
        if self._path.suffix not in _KINDS:
            raise ValueError(f"{path} is none of {', '.join(_KINDS)}")
        self._process = os.getpid()
        self._given = 0
        self._rows = self._own()
        next(self._pass())  # what is wrong from the beginning is told before a load begins

    def __next__(self) -> Any:
        if self._process != os.getpid():  # a file that was open before a fork is not ours alone
            self._process, self._given = os.getpid(), 0
            self._rows = self._own()
        try:
            row = next(self._rows)
        except StopIteration:
            raise NoRowsLeft(f"{self._path} has no row left: {self._given} were given") from None
        except ValueError as error:
            self._rows = _raising(error)  # nobody is told "no row left" afterwards
            raise
        self._given += 1
        return row

    def _own(self) -> Iterator[Any]:
        number, _, processes = os.environ.get(PROCESS, "0/1").partition("/")
        rows = self._pass() if self._once else self._endless()
        return itertools.islice(rows, int(number), None, int(processes))

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self._pass()

    def _pass(self) -> Iterator[Any]:
        """Give each row once, read from the beginning."""
        found = False
        with closing(self._path.open(encoding="utf-8-sig", newline="")) as file:
            try:
                for row in _KINDS[self._path.suffix](file):
                    found = True
                    yield row
            except UnicodeDecodeError:
                raise ValueError(f"{self._path}:{_not_utf8(self._path.read_bytes())}") from None
            except _BadRowError as error:
                raise ValueError(f"{self._path}:{error}") from None
        if not found:
            raise ValueError(f"{self._path} has no rows")


class _BadRowError(Exception):
    """What is wrong in a file, after its line and column."""


def _not_utf8(content: bytes) -> str:
    """Say where `content` stops being UTF-8; the decoder of a file knows its own piece only."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].rpartition(b"\n")
        line, column = before[0].count(b"\n") + 1 + len(before[1]), len(before[2].decode()) + 1
        return f"{line}:{column}: byte {content[error.start]:#04x} is not UTF-8"
    return "1:1: this is not UTF-8"


def _raising(error: ValueError) -> Iterator[Any]:
    while True:
        raise error
        yield


def _csv(file: TextIO) -> Iterator[dict[str, str]]:
    """Read what RFC 4180 describes: a line of names, then rows of as many fields."""
    reader = csv.reader(file, strict=True)
    names: list[str] | None = None
    before = 0
    try:
        for fields in reader:
            line, before = before + 1, reader.line_num
            if not fields:  # an empty line
                continue
            if names is None:
                names = _names(fields, line)
            elif len(fields) != len(names):
                told = f"{len(fields)} fields, where the first line has {len(names)}"
                raise _BadRowError(f"{line}:1: {told}")
            else:
                yield dict(zip(names, fields, strict=True))
    except csv.Error as error:
        raise _BadRowError(f"{before + 1}:1: {error}") from None


def _names(fields: list[str], line: int) -> list[str]:
    twice = next((name for name in fields if fields.count(name) > 1), None)
    if twice is not None:
        raise _BadRowError(f"{line}:1: two columns are named {twice!r}")
    return fields


def _lines(file: TextIO) -> Iterator[Any]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise _BadRowError(f"{number}:{error.colno}: {error.msg}") from None


def _list(file: TextIO) -> Iterator[Any]:
    try:
        rows = json.load(file)
    except json.JSONDecodeError as error:
        raise _BadRowError(f"{error.lineno}:{error.colno}: {error.msg}") from None
    if not isinstance(rows, list):
        raise _BadRowError("1:1: this is no list of rows, [...]")
    yield from rows


_KINDS: dict[str, Callable[[TextIO], Iterator[Any]]] = {
    ".csv": _csv, ".jsonl": _lines, ".json": _list
}  # fmt: skip
