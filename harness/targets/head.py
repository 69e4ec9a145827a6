"""The head of a request in process: of which length Hypercorn lets through."""

from __future__ import annotations

from harness.targets import Scope

LIMIT = 64 * 1024
"""Octets of a head. h11 refuses from 16 KiB on what has not come whole, and Hypercorn reads 64."""


def refused(scope: Scope) -> int | None:
    """Return the status by which a server refuses a request before an application sees it."""
    size = len(scope["raw_path"]) + len(scope["query_string"])
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
    return 431 if size > LIMIT else None
