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
from collections.abc import Iterable, Iterator
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


class Rows(Iterator[Any]):
    """The rows of a ``.csv``, ``.jsonl`` or ``.json`` file: ``next(rows)`` is the next visit's.

    After the last comes the first. Of n processes, number k has the rows k, k + n, …, so that
    none is used again before all were; under the stock runner every process begins with the
    first. A file is read as its rows are needed, ``.json``, a list, as a whole. Raises ValueError
    for another kind of file, or one without rows.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        if self._path.suffix not in _KINDS:
            raise ValueError(f"{path} is none of {', '.join(_KINDS)}")
        self._process = 0
        self._rows: Iterator[Any] = iter(())

    def __next__(self) -> Any:
        if self._process != os.getpid():  # a file that was open before a fork is not ours alone
            self._process = os.getpid()
            number, _, processes = os.environ.get(PROCESS, "0/1").partition("/")
            self._rows = itertools.islice(self._endless(), int(number), None, int(processes))
        return next(self._rows)

    def _endless(self) -> Iterator[Any]:
        while True:
            found = False
            with closing(self._path.open(encoding="utf-8", newline="")) as file:
                for row in _KINDS[self._path.suffix](file):
                    found = True
                    yield row
            if not found:
                raise ValueError(f"{self._path} has no rows")


def _lines(file: TextIO) -> Iterable[Any]:
    return (json.loads(line) for line in file if line.strip())


_KINDS: dict[str, Any] = {".csv": csv.DictReader, ".jsonl": _lines, ".json": json.load}
