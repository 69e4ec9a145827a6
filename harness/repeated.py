"""One request sent again and again, and how its total is split over connections."""

from __future__ import annotations

import msgspec

SCENARIO = "request"
"""What its visits are counted under."""


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """A request, as often as asked for. `total` None: as often as time allows.

    `connections` None: as many as a rate needs. `file` is where its body is read from, else
    `data`. `follows` redirects, `verifies` certificates, and waits `timeout_s` for an answer.
    """

    method: str
    url: str
    total: int | None = None
    connections: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    data: str = ""
    file: str = ""
    follows: bool = False
    verifies: bool = True
    timeout_s: float = 20.0

    def share(self, connection: int) -> int | None:
        """Return how many requests connection number `connection`, from 0, sends; None: any.

        All shares together are the total, and no two differ by more than one.
        """
        among = self.connections or 1
        if connection >= among:
            return 0
        if self.total is None:
            return None
        least, more = divmod(self.total, among)
        return least + (connection < more)

    def __str__(self) -> str:
        """Say how often, over how many connections.

        >>> str(Repeated(method="GET", url="http://localhost/", total=1000, connections=3))
        '1,000 requests over 3 connections (334 or 333 each)'
        """
        requests = "requests" if self.total is None else _counted(self.total, "request")
        if self.connections is None:
            return requests
        over = f"{requests} over {_counted(self.connections, 'connection')}"
        if self.total is None or self.connections == 1:
            return over
        shares = dict.fromkeys(f"{self.share(n):,}" for n in (0, self.connections - 1))
        return f"{over} ({' or '.join(shares)} each)"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
