"""The head of an answer, parsed: once, for all answers that begin with the same bytes.

A service repeats itself: within a second, its answers to one request differ in nothing but their
bodies. So a head is looked up by its bytes, and only one that is new is parsed.
"""

from __future__ import annotations

from functools import lru_cache

import httptools
from multidict import CIMultiDict, CIMultiDictProxy

MOST_KEPT = 4 * 1024
"""Bytes of a head that is kept: with `_HEADS`, what all of them take is bounded."""

_HEADS = 512
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FINAL = 200  # the first status of an answer that is not informational
RawHeaders = list[tuple[bytes, bytes]]


class Head:
    """What a head says. `length` is the body's, where it is known and the connection is kept.

    `is_final`: it leads nowhere else, and its body is what it is, so that nothing is left to do.
    """

    __slots__ = (
        "_headers", "coding", "is_final", "kind", "length", "raw", "reason", "sets_cookies",
        "status", "version",
    )  # fmt: skip

    def __init__(
        self, status: int, version: str, reason: bytes, raw: RawHeaders, length: int | None = None
    ) -> None:
        self.status = status
        self.version = version
        self.reason = reason
        self.raw = raw
        self.length = length
        self.kind = ""
        self.coding = b""
        self.sets_cookies = False
        for name, value in raw:
            name = name.lower()
            if name == b"content-type" and not self.kind:
                self.kind = as_text(value)
            elif name == b"content-encoding":
                self.coding = value
            elif name == b"set-cookie":
                self.sets_cookies = True
        self.is_final = not self.coding and status not in REDIRECTS
        self._headers: CIMultiDictProxy[str] | None = None

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers as text."""
        if self._headers is None:
            pairs = [(as_text(name), as_text(value)) for name, value in self.stripped]
            self._headers = CIMultiDictProxy(CIMultiDict(pairs))
        return self._headers

    @property
    def stripped(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers as they came, without blanks around their values."""
        return tuple([(name, value.strip(b" \t")) for name, value in self.raw])


def as_text(raw: bytes) -> str:
    """Return a header as text; what is not UTF-8 is kept in surrogates."""
    return raw.decode("utf-8", "surrogateescape")


@lru_cache(_HEADS)
def head_of(raw: bytes) -> Head | None:
    """Return the head that `raw` is, if a body of known length follows on a connection to be kept.

    None for any other, and for what is none: those take a parser that sees all of an answer. The
    answer must not be one to HEAD, whose length means nothing (RFC 9112, 6.3).
    """
    seen = _Seen()
    try:
        seen.parser.feed_data(raw)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    finally:
        del seen.parser  # which knows it, too: it would take a collection to be rid of the two
    length = 0 if seen.is_whole else seen.length()
    if seen.status < _FINAL or not seen.is_one or not seen.is_kept or length is None:
        return None
    return Head(seen.status, seen.version, seen.reason, seen.headers, length)


class _Seen:
    """Takes down what httptools sees."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: RawHeaders = []
        self.reason = b""
        self.status, self.version = 0, ""
        self.is_whole = self.is_one = self.is_kept = False

    def on_message_begin(self) -> None:
        self.is_one = not self.is_one and not self.is_whole

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        self.version = self.parser.get_http_version()
        self.is_kept = self.parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        self.is_one = False  # the head ended before, by a parser's leave

    def on_message_complete(self) -> None:
        self.is_whole = True

    def length(self) -> int | None:
        """Return the announced length, if nothing else ends the body."""
        found = {name.lower(): value for name, value in self.headers}
        if b"transfer-encoding" in found or b"content-length" not in found:
            return None
        return int(found[b"content-length"])
