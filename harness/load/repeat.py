"""A load without a scenario file: one request, which every visit sends once."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from harness.errors import TargetError, UsageError
from harness.facts import Answered
from harness.load.failure import Places
from harness.load.molotov import Scenario, Scenarios
from harness.load.response import Response
from harness.load.session import Session
from harness.repeated import SCENARIO, Repeated

GIVE_UP, GIVE_UP_S = 10, 30.0
"""After so many requests in vain of one process, or seconds, a target that never answered is
given up."""

_TRUST = "-k takes any certificate; SSL_CERT_FILE=FILE before the command trusts the one in FILE"


def scenarios_of(repeated: Repeated, root: Path) -> Scenarios:
    """Return what a file with the one request would register. Raises UsageError for its body."""
    repeat = Repeat(repeated, _body(repeated, root))
    entry = {"name": SCENARIO, "weight": 1, "delay": 0.0, "func": repeat.visit}
    entry |= {"args": (), "kw": {}}
    places = _Places(f"{repeated.method} {urlsplit(repeated.url).path or '/'}", root)
    return Scenarios(places, (Scenario.of(entry),), setup=repeat.setup, told=repeat.told)


class _Places(Places):
    """The only place that there is: the request."""

    def __init__(self, request: str, root: Path) -> None:
        super().__init__(Path(request), root)
        self._request = request

    def shown(self, file: str, line: int) -> str:
        return self._request


def _body(repeated: Repeated, root: Path) -> bytes:
    if not repeated.file:
        return repeated.data.encode()
    try:
        return (root / repeated.file).read_bytes()
    except OSError as error:
        raise UsageError(
            "load/body",
            f"the body cannot be read: {error.strerror}",
            where=repeated.file,
            next_step="name a file that can be read: --data @FILE",
        ) from None


class Repeat:
    """Sends the request of each visit, and keeps what its answers looked like to this process."""

    def __init__(self, repeated: Repeated, body: bytes) -> None:
        self._repeated = repeated
        self._method, self._url = repeated.method, repeated.url
        self._options: dict[str, Any] = {"allow_redirects": repeated.follows}
        if body:
            self._options["data"] = body
        if repeated.follows:  # there, of a request's, credentials are not sent to other origins
            self._options["headers"] = list(repeated.headers)
        if not repeated.verifies:
            self._options["ssl"] = False
        self._server: str | None = None
        self._least, self._most = 0, -1
        self._in_vain = 0
        self._began_s: float | None = None

    async def setup(self, worker_id: int, arguments: Namespace) -> dict[str, Any]:
        """Return the options of a connection's session: no cookies, so that requests are alike."""
        repeated = self._repeated
        return {
            "headers": [] if repeated.follows else list(repeated.headers),
            "timeout": aiohttp.ClientTimeout(total=repeated.timeout_s),
            "cookie_jar": aiohttp.DummyCookieJar(),
        }

    async def visit(self, session: Session) -> None:
        """Send it once and wait for the whole answer, whatever its status."""
        if self._began_s is None:
            self._began_s = asyncio.get_running_loop().time()
        try:
            async with session.request(self._method, self._url, **self._options) as response:
                pass
        except Exception as error:
            self._unanswered(session, error)
            raise
        own = type(response) is Response
        length = response.bytes_in if own else response.content.total_bytes
        if length > self._most or length < self._least:
            self._of_length(length)
        if self._server is None:
            self._server = response.headers.get("Server", "")

    def told(self, process: int) -> Answered | None:
        """Tell what the answers looked like; None where there was none."""
        if self._server is None:
            return None
        return Answered(
            process=process, server=self._server, least_bytes=self._least, most_bytes=self._most
        )

    def _of_length(self, length: int) -> None:
        self._least = length if self._most < 0 else min(self._least, length)
        self._most = max(self._most, length)

    def _unanswered(self, session: Session, error: Exception) -> None:
        """Give the load up where its first requests were all in vain."""
        self._in_vain += 1
        took_s = asyncio.get_running_loop().time() - (self._began_s or 0)
        if self._server is None and (self._in_vain >= GIVE_UP or took_s >= GIVE_UP_S):
            session.give_up(
                TargetError(
                    "target/dead",
                    f"not one of {self._in_vain} requests had an answer to its end; the last one: "
                    f"{type(error).__name__} {error}".rstrip(),
                    where=self._url,
                    next_step=_TRUST
                    if isinstance(error, aiohttp.ClientSSLError)
                    else f"see what curl says of it: curl -v {self._url}",
                )
            )
