"""One measured exchange of a load, and the kinds of failure it can end in."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class FailureKind(StrEnum):
    """How a step or a visit failed.

    A step fails by the first six; a visit fails by whatever its scenario raised.
    """

    REFUSED = "refused"  # no connection: nothing listens there, or the name is unknown
    TIMEOUT = "timeout"  # no whole answer within the client's limit
    DISCONNECTED = "disconnected"  # the connection ended before the answer did
    PROTOCOL = "protocol"  # what came is not HTTP
    FOREIGN = "foreign-host"  # not sent: the plan does not allow that host
    EXHAUSTED = "exhausted"  # not sent: the generator had no file or port left
    STATUS = "status"  # raise_for_status() raised
    ASSERTION = "assertion"  # an assert of the scenario did not hold
    EXCEPTION = "exception"  # the scenario raised anything else
    UNFINISHED = "unfinished"  # still running when the load had ended and been drained


class Sample(NamedTuple):
    """One request and its answer, or one whole visit (`step` None). Times in ns, one clock.

    `due_ns` is when the schedule asked for it, `sent_ns` when it was handed to a connection
    (before connecting), `answered_ns` when the head of its answer came (0: none did), `done_ns` its
    last body byte. `alone`: who waits for each answer before sending the next would have sent it.
    """

    scenario: str
    step: str | None
    due_ns: int
    sent_ns: int
    done_ns: int
    status: int | None = None
    failure: FailureKind | None = None
    bytes_in: int = 0
    answered_ns: int = 0
    alone: bool = False

    @property
    def response_ns(self) -> int:
        """Response time: from due, so that waiting for a busy generator or target counts."""
        return self.done_ns - self.due_ns

    @property
    def service_ns(self) -> int:
        """Service time: from sent."""
        return self.done_ns - self.sent_ns

    @property
    def lag_ns(self) -> int:
        """Schedule lag: from due to sent."""
        return self.sent_ns - self.due_ns
