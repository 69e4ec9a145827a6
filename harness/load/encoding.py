"""Content codings of answers, undone as they come: gzip and deflate (RFC 9110, 8.4.1)."""

from __future__ import annotations

import zlib
from typing import Any

from aiohttp.http_exceptions import ContentEncodingError

_WITH_GZIP = 16 + zlib.MAX_WBITS
_METHOD = 8  # what the low half of zlib's first byte says (RFC 1950, 2.2)

MOST_AT_ONCE = 64 * 1024 * 1024
"""Bytes that one piece of what came over the wire may grow to."""

_MOST_MEMBERS = 100  # in one piece: each costs a copy of the rest


class Decoder:
    """Undoes one coding. What is cut short is an error, also where its length fits."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._inflate: Any = None

    @classmethod
    def of(cls, header: bytes) -> Decoder | None:
        """Return what undoes the coding that a Content-Encoding names; None: it is left."""
        coding = header.strip().lower().decode("latin-1").removeprefix("x-")
        return cls(coding) if coding in ("gzip", "deflate") else None

    def decode(self, data: bytes) -> bytes:
        """Return what `data` means. Raises ContentEncodingError."""
        if self._inflate is None:
            self._inflate = zlib.decompressobj(self._window(data))
        try:
            found = self._inflated(data)
            members = 0
            while self._inflate.eof and (rest := self._inflate.unused_data):
                members += 1
                if members > _MOST_MEMBERS:
                    raise self._broken()
                self._inflate = zlib.decompressobj(self._window(rest))  # another member (RFC 1952)
                found += self._inflated(rest)
        except zlib.error as error:
            raise self._broken() from error
        return found

    def _inflated(self, data: bytes) -> bytes:
        found: bytes = self._inflate.decompress(data, MOST_AT_ONCE)
        if self._inflate.unconsumed_tail:
            raise self._broken()
        return found

    def end(self) -> None:
        """Know that this was all. Raises ContentEncodingError where it was not."""
        if self._inflate is not None and not self._inflate.eof:
            raise self._broken()

    def _window(self, data: bytes) -> int:
        """Tell zlib's three forms apart: some servers send deflate without its wrapper."""
        if self._coding == "gzip":
            return _WITH_GZIP
        return zlib.MAX_WBITS if data[0] & 0x0F == _METHOD else -zlib.MAX_WBITS

    def _broken(self) -> ContentEncodingError:
        return ContentEncodingError(f"Can not decode content-encoding: {self._coding}")
