"""An answer's head: what a server sends of it, and what it refuses to send."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from harness.targets import Message

Header = tuple[bytes, bytes]

# RFC 9110, 5.5 and 5.6.2, as h11 reads them.
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_VALUE = re.compile(rb"(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?")
_LENGTH = re.compile(rb"[0-9]{1,20}")
_DECLARES = frozenset({b"content-length", b"transfer-encoding"})


class Breach(Exception):  # noqa: N818 - what an application did; a server's refusal is its effect
    """An application broke a rule of ASGI, `slug`. Raised into it, as a server's refusal is."""

    def __init__(self, slug: str, said: str, next_step: str = "") -> None:
        super().__init__(said)
        self.slug = slug
        self.said = said
        self.next_step = next_step


def status_of(message: Message) -> int:
    """Return the status of an answer's start. Raises Breach for one that no server sends."""
    status = message.get("status")
    if isinstance(status, int) and 200 <= status < 1000 and status is not True:
        return int(status)
    raise Breach(
        "asgi/status",
        f"it began an answer with the status {status!r}: a server sends whole numbers from 200 "
        "to 999",
        "give a status that HTTP knows",
    )


def headers_of(message: Message) -> tuple[list[Header], int | None]:
    """Return the headers as a server sends them, trimmed, and the Content-Length that holds.

    Raises Breach for those that no server sends.
    """
    headers = message.get("headers", ())
    try:
        sent, length = _read(tuple(headers))  # a service has few heads, and says them often
    except TypeError:
        sent, length = _read(_pairs(headers))
    return list(sent), length


@lru_cache(maxsize=256)
def _read(headers: tuple[Header, ...]) -> tuple[tuple[Header, ...], int | None]:
    sent = tuple(_checked(name, value) for name, value in _pairs(headers))
    declared = [(name.lower(), value) for name, value in sent if name.lower() in _DECLARES]
    return sent, _framing(declared) if declared else None


def _pairs(headers: Any) -> tuple[Header, ...]:
    try:
        # Text is refused by `bytes`, and a number would be so many zero bytes, which no name has.
        return tuple((bytes(name), bytes(value)) for name, value in headers)
    except (TypeError, ValueError, OverflowError):
        raise Breach(
            "asgi/header",
            f"it gave headers that are not pairs of bytes: {_short(headers)}",
            "encode names and values: (b'content-type', b'text/plain')",
        ) from None


def _checked(name: bytes, value: bytes) -> Header:
    name, value = name.strip(), value.strip()
    if not _NAME.fullmatch(name):
        raise Breach(
            "asgi/header", f"it gave a header the name {name!r}, which HTTP does not allow"
        )
    if not _VALUE.fullmatch(value):
        raise Breach(
            "asgi/header",
            f"it gave the header {name.decode()} the value {_short(value)}, "
            "which HTTP does not allow: there is a line break or a zero byte in it",
        )
    return name, value


def _framing(declared: list[Header]) -> int | None:
    """Return the length that headers declare; None: none, since the body is chunked."""
    coded = [value.lower() for name, value in declared if name == b"transfer-encoding"]
    if coded and coded != [b"chunked"]:
        raise Breach("asgi/header", f"it gave the Transfer-Encoding {_short(b', '.join(coded))}")
    listed = b",".join(value for name, value in declared if name == b"content-length")
    lengths = {length.strip() for length in listed.split(b",")} if listed or not coded else set()
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise Breach("asgi/header", f"it gave the Content-Length {_short(listed)}")
    return None if coded else int(lengths.pop())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}…"
