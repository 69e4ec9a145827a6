"""What a client asks for when it is sent on: RFC 9110, section 15.4, as browsers read it."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from quart import Response

from harness.errors import TargetError
from harness.targets.request import Origin, Request, target_of, without

LIMIT = 20
"""How many redirects are followed: as many as browsers do."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OF_A_BODY = ("content-type", "content-length", "content-encoding", "transfer-encoding")
_STANDARD_PORT = {"http": ":80", "https": ":443"}


def redirected(request: Request, response: Response, origin: Origin) -> Request | None:
    """Return what a client asks for next, None: nothing.

    After 303 it is a GET, and after 301 or 302 to a POST; after others it is the same request.
    Raises TargetError where it would go to another host, which is none of this service's.
    """
    where = response.headers.get("Location")
    if response.status_code not in _REDIRECTS or where is None:
        return None
    url = urljoin(request.url, where)
    if _origin(url) != _origin(request.url):
        raise TargetError(
            "target/elsewhere",
            f"{request.method} {request.target} is redirected to {url}, away from {request.host}",
            next_step="do not follow it, and look at the answer's status and Location",
        )
    parts = urlsplit(url)
    path = origin.within(parts.path) + (f"?{parts.query}" if parts.query else "")
    target = target_of(path, None, origin, request.host)
    if not _becomes_get(request.method, response.status_code):
        return replace(request, target=target)
    headers = without(request.headers, _OF_A_BODY)
    return replace(request, method="GET", target=target, headers=headers, body=b"")


def too_many(request: Request) -> TargetError:
    """Return the error of a client that is sent on without end."""
    return TargetError(
        "target/redirects",
        f"more than {LIMIT} redirects, the last of them to {request.target}",
        next_step="look at each answer's Location without follow_redirects",
    )


def _becomes_get(method: str, status: int) -> bool:
    return (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2].lower()
    return parts.scheme, netloc.removesuffix(_STANDARD_PORT.get(parts.scheme, ""))
