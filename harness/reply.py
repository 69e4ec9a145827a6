"""What a stub answers: a status, headers and a body, late, slowly or broken. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

import msgspec

from harness.errors import UsageError, nearest
from harness.latency import Latency, Spread, parse_latency
from harness.pace import parse_duration

SILENT = ("timeout", "reset", "closed", "malformed")
"""The faults in whose place no part of the reply is sent."""
FAULTS = (*SILENT, "reset-during-headers", "reset-after-headers", "truncated", "wrong-length")
REFUSED, NO_TLS = OF_A_CONNECTION = ("refused", "tls")
"""The faults of stubs without a request. While one is selected, nothing listens; no handshake of
TLS succeeds."""
_OF_A_BODY = ("reset-after-headers", "truncated", "wrong-length")

BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
_HEADER = re.compile(r"[!#$%&'*+.^_`|~\w-]+:[^\r\n\0]*", re.ASCII)

Status = Annotated[int, msgspec.Meta(ge=200, le=599)]


class Defect(NamedTuple):
    """What a declaration cannot mean, at `path` below it."""

    slug: str
    message: str
    path: Sequence[str | int] = ()
    next_step: str = ""


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is answered: `json` or `text`, after `delay`, the body spread over `drip`.

    Both are durations (``2s``, ``50ms``); `delay` may also be a range of them, or a `Spread`.
    `fault` is how the answer breaks, one of FAULTS.
    """

    status: Status = 200
    headers: dict[str, str] = {}
    json: Any = msgspec.UNSET
    text: str | None = None
    delay: Spread | str | None = None
    drip: str | None = None
    fault: str | None = None

    @property
    def latency(self) -> Latency | None:
        """How long the delay is; None: there is none."""
        return parse_latency(self.delay) if self.delay else None

    @property
    def drip_s(self) -> float:
        """How long the body takes, in seconds."""
        return float(parse_duration(self.drip)) if self.drip else 0.0

    def content(self) -> tuple[dict[str, str], bytes]:
        """Return the headers, with a content type where none is given, and the body."""
        if self.json is not msgspec.UNSET:
            kind, body = "application/json", msgspec.json.encode(self.json)
        else:
            kind, body = "text/plain; charset=utf-8", (self.text or "").encode()
        given = {name.lower() for name in self.headers}
        extra = {} if "content-type" in given or not body else {"Content-Type": kind}
        return {**extra, **self.headers}, body

    def defect(self, method: str) -> Defect | None:
        """Return the first thing that no call of this method can be answered; None: all can."""
        return (
            self._body_defect() or self._header_defect() or self._time_defect()
            or self._fault_defect(method)
        )  # fmt: skip

    def _body_defect(self) -> Defect | None:
        has_json = self.json is not msgspec.UNSET
        if has_json and self.text is not None:
            return Defect("stubs/reply", "gives both 'json' and 'text'")
        try:
            self.content()
        except (TypeError, ValueError) as error:  # what Python has and JSON has not
            return Defect("stubs/reply", f"gives what cannot be written: {error}")
        if self.status in BODILESS and (has_json or self.text):
            return Defect("stubs/reply", f"gives a body, which a {self.status} never has")
        return None

    def _header_defect(self) -> Defect | None:
        for name, value in self.headers.items():
            if name.lower() in _FRAMING or not _HEADER.fullmatch(f"{name}:{value}"):
                return Defect(
                    "stubs/header",
                    f"cannot send the header {name!r}: {value!r}",
                    ["headers", name],
                    f"write one line; {', '.join(sorted(_FRAMING))} are the stand-in's own",
                )
        return None

    def _time_defect(self) -> Defect | None:
        for key in ("delay", "drip"):
            try:
                _ = self.latency if key == "delay" else self.drip_s
            except UsageError as error:
                told = f"cannot have the {key}: {error.message}"
                return Defect(error.slug, told, [key], error.next_step)
        return None

    def _fault_defect(self, method: str) -> Defect | None:
        if self.fault in OF_A_CONNECTION:
            told = f"has a request, which a connection never has with the fault {self.fault!r}"
            return Defect("stubs/fault", told, ["fault"], "leave 'request' out")
        if self.fault is not None and self.fault not in FAULTS:
            known = nearest(self.fault, [*FAULTS, *OF_A_CONNECTION])
            return Defect("stubs/fault", f"has an unknown fault {self.fault!r}", ["fault"], known)
        needs = self.fault if self.fault in _OF_A_BODY else "drip" if self.drip else ""
        if self.fault in SILENT:
            unsent = {"status": self.status != 200, "headers": self.headers, "text": self.text,
                      "json": self.json is not msgspec.UNSET, "drip": self.drip}  # fmt: skip
            for key in (key for key, is_given in unsent.items() if is_given):
                told = f"gives {key!r}, of which the fault {self.fault!r} sends nothing"
                return Defect("stubs/fault", told, [key])
        elif needs and (method.upper() == "HEAD" or not self.content()[1]):
            told = f"has no body for {needs!r} to act on"
            return Defect("stubs/fault", told, ["drip" if needs == "drip" else "fault"])
        return None
