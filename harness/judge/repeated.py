"""What is told of a load of one request beside the figures of its row."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.facts import Answered, Fact, LoadBegun
from harness.record import LoadRun, RepeatedRun
from harness.snapshot import Snapshot


def told(run: LoadRun, facts: Sequence[Fact], below: Sequence[Fact]) -> LoadRun:
    """Add to a load's run which request it repeated, if it did, and how it was answered."""
    begun = next((fact.request for fact in facts if isinstance(fact, LoadBegun)), None)
    if begun is None:
        return run
    seen = [fact for fact in below if isinstance(fact, Answered)]
    servers = sorted({fact.server for fact in seen if fact.server})
    repeated = RepeatedRun(
        method=begun.method, url=begun.url, total=begun.total, connections=begun.connections,
        server=", ".join(servers) if seen else None,
        least_bytes=min((fact.least_bytes for fact in seen), default=None),
        most_bytes=max((fact.most_bytes for fact in seen), default=None),
        took_s=max((fact.at_s for fact in below if isinstance(fact, Snapshot)), default=None),
    )  # fmt: skip
    return msgspec.structs.replace(run, repeated=repeated)
