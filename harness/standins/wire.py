"""A reply as bytes, and how it breaks: what of it is sent, in which pieces, and what ends it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from harness.latency import Latency
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
    "wrong-length": End.CLOSED,
    "malformed": End.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Wire:
    """A reply, but for the line that says whether the connection stays open."""

    head: bytes
    body: bytes
    latency: Latency | None
    drip_s: float
    fault: str | None
    whole: bytes | None
    """All of it, where nothing breaks or drips and the connection stays open as it is."""

    @classmethod
    def of(cls, reply: Reply) -> Wire:
        """Write a reply down. The length is always told, save where there can be no body."""
        headers, body = reply.content()
        lines = [f"HTTP/1.1 {reply.status} {_reason(reply.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if reply.status in BODILESS:
            body = b""
        else:
            told = len(body) // 2 if reply.fault == "wrong-length" else len(body)
            lines.append(f"Content-Length: {told}")
        head = "".join(f"{line}\r\n" for line in lines).encode()
        whole = None if reply.fault or reply.drip else b"%b\r\n%b" % (head, body)
        return cls(head, body, reply.latency, reply.drip_s, reply.fault, whole)

    def delay_s(self, chance: float) -> float:
        """How long it is held back, in seconds, by a chance from 0 to 1."""
        return self.latency.at(chance) if self.latency else 0.0

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
        if self.fault not in (None, "truncated", "wrong-length"):
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
