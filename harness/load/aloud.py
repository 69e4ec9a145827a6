"""What ``-vv`` prints: each request as it is sent, and the head of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})


async def print_exchange(event: str, **info: Any) -> None:
    """Print one. A listener, as the scenario file's own; bodies are left alone."""
    if event == "sending_request":
        request = info["request"]
        _print(">", f"{request.method} {request.url}", request.headers)
    elif event == "response_received":
        response = info["response"]
        _print("<", f"{response.status} {response.reason}", response.headers)


def _print(mark: str, first: str, headers: Mapping[str, str]) -> None:
    fields = (f"{name}: {'…' if name.lower() in _SECRET else headers[name]}" for name in headers)
    print(*(f"{mark} {line}" for line in (first, *fields)), sep="\n", flush=True)  # noqa: T201 - asked for
