"""A reply as bytes, and how it breaks: what of it is sent, in which pieces, and what ends it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from harness.reply import BODILESS, Reply

_NOT_HTTP = b"\x00\xfethis is not HTTP\r\n\r\n"
_PIECES_PER_S = 20
_MOST_PIECES = 1000


class End(Enum):
    """What becomes of the connection after a reply."""

    OPEN = auto()
    CLOSED = auto()
    RESET = auto()
    SILENCE = auto()
    """It stays open, and nothing more is heard of it."""


_ENDS = {
    None: End.OPEN,
    "timeout": End.SILENCE,
    "reset": End.RESET,
    "reset-during-headers": End.RESET,
    "reset-after-headers": End.RESET,
    "closed": End.CLOSED,
    "truncated": End.CLOSED,
    "malformed": End.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Wire:
    """A reply, but for the line that says whether the connection stays open."""

    head: bytes
    body: bytes
    delay_s: float
    drip_s: float
    fault: str | None

    @classmethod
    def of(cls, reply: Reply) -> Wire:
        """Write a reply down. The length is always told, save where there can be no body."""
        headers, body = reply.content()
        lines = [f"HTTP/1.1 {reply.status} {_reason(reply.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if reply.status in BODILESS:
            body = b""
        else:
            lines.append(f"Content-Length: {len(body)}")
        head = "".join(f"{line}\r\n" for line in lines).encode()
        return cls(head, body, reply.delay_s, reply.drip_s, reply.fault)

    @property
    def end(self) -> End:
        """What becomes of the connection."""
        return _ENDS[self.fault]

    def pieces(self, persistence: bytes, *, is_head: bool) -> list[bytes]:
        """Return what is sent, in the pieces between which `gap_s` passes."""
        head, body = b"%b%b\r\n" % (self.head, persistence), b"" if is_head else self.body
        if self.fault == "reset-during-headers":
            return [head[: len(head) // 2]]
        if self.fault == "reset-after-headers":
            return [head]
        if self.fault == "malformed":
            return [_NOT_HTTP]
        if self.fault not in (None, "truncated"):
            return []
        body = body[: len(body) // 2] if self.fault == "truncated" else body
        if self.drip_s and body:
            size = math.ceil(len(body) / self._parts)
            drops = [body[start : start + size] for start in range(0, len(body), size)]
        else:
            head, drops = head + body, []
        return [head, *drops]

    @property
    def gap_s(self) -> float:
        """How long to wait between two pieces, in seconds."""
        return self.drip_s / self._parts

    @property
    def _parts(self) -> int:
        return max(1, min(len(self.body), math.ceil(self.drip_s * _PIECES_PER_S), _MOST_PIECES))


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
