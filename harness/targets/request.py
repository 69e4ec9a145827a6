"""A request as a real client sends it: its target as it was written, its body with a length."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from quart.datastructures import FileStorage
from quart.testing import make_test_body_with_headers
from quart.testing.utils import sentinel
from werkzeug.datastructures import Authorization, Headers, MultiDict

from harness.errors import TargetError
from harness.targets import Scope

CLIENT = ("127.0.0.1", 50000)
"""Where requests come from in process. Any port that no server has would do."""

NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods whose requests have no length where they have no body (RFC 9110, section 8.6)."""

NOTHING = sentinel
"""What Quart's client has for a `json` that was not given: None is JSON."""

BY_HAND = "harness.scope_base"
"""Where a scope names what a test wrote into it by hand, which no wire can carry."""

_DEFAULT_HOST = "localhost"  # what Quart's client calls the service, and so do tests
_PORTS = {"http": 80, "https": 443}
_SECURE = {"http": "https", "ws": "wss"}


Pairs = Sequence[tuple[str, str]]
"""Headers, in their order. Werkzeug's own are a sixth of a request's time in process."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a service is, as its clients name it: `host` has the port; `base` is its path."""

    scheme: str = "http"
    host: str = _DEFAULT_HOST
    server: tuple[str, int] = (_DEFAULT_HOST, 80)
    base: str = ""

    @classmethod
    def of(cls, url: str) -> Origin:
        """Take an address apart."""
        parts = urlsplit(url)
        server = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
        return cls(parts.scheme, parts.netloc.rpartition("@")[2], server, parts.path.rstrip("/"))

    def within(self, path: str) -> str:
        """Return a path as it is below `base`."""
        below = path.removeprefix(self.base)
        return below if not below or below.startswith("/") else path

    def over(self, scheme: str) -> str:
        """Return what a request has for a scheme: a service over https is asked over https."""
        return _SECURE.get(scheme, scheme) if self.scheme == "https" else scheme


@dataclass(slots=True)
class Request:
    """A request to a service. `target` is its path and query, as they stand in its first line."""

    method: str
    scheme: str
    target: str
    host: str
    headers: Pairs
    body: bytes = b""

    @property
    def url(self) -> str:
        """Its whole address."""
        scheme = {"ws": "http", "wss": "https"}.get(self.scheme, self.scheme)
        return f"{scheme}://{self.host}{self.target}"

    def scope(self, kind: str, origin: Origin, headers: Pairs) -> Scope:
        """Return what a server (Hypercorn 0.18) makes of it, sent with these headers."""
        raw, _, query = self.target.partition("?")
        scope: Scope = {
            "type": kind,
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "path": unquote(raw),
            "raw_path": raw.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [(k.lower().encode(), v.strip().encode()) for k, v in headers],
            "client": CLIENT,
            "server": origin.server,
            "extensions": {},
        }
        if kind == "http":
            scope["method"] = self.method
        else:
            scope["asgi"]["spec_version"] = "2.3"
            offered = value_of(headers, "sec-websocket-protocol") or ""
            scope["subprotocols"] = [one.strip() for one in offered.split(",") if one.strip()]
            scope["extensions"] = {"websocket.http.response": {}}
        return scope


def target_of(path: str, query: Mapping[str, Any] | None, origin: Origin, host: str) -> str:
    """Return what stands in a request's first line.

    A fragment stays with the client. Raises ValueError for two queries, and TargetError for the
    address of another service.
    """
    path, _, _ = path.partition("#") if query is None else (path, "", "")
    path, mark, written = path.partition("?")
    if mark and query is not None:
        raise ValueError("Query string is defined in the path and as an argument")
    if "://" in path and not path.startswith("/"):
        path = _of_address(path, origin, host)
    text = urlencode(query, doseq=True) if query is not None else written
    path = _ascii(path if path.startswith("/") else f"/{path}")
    return f"{path}?{_ascii(text)}" if text else path


def _of_address(url: str, origin: Origin, host: str) -> str:
    """Return the path of an address of this service, which Quart also calls localhost."""
    parts = urlsplit(url)
    if parts.netloc not in (host, origin.host, _DEFAULT_HOST):
        raise TargetError(
            "target/elsewhere",
            f"{url} leads away from {host}, to which these requests go",
            next_step="ask for a path of the service, or send its Host as a header",
        )
    return origin.within(parts.path) if parts.netloc == origin.host else parts.path


def _ascii(text: str) -> str:
    """Write what a request's first line cannot have as the bytes of UTF-8; all else stays."""
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    return quote(text, safe=string.punctuation)


def headers_of(
    given: Mapping[str, str] | Headers | Pairs | None,
    auth: Authorization | tuple[str, str] | None,
    host: str,
) -> tuple[str, Pairs]:
    """Return a request's host and its headers, with what every request has.

    Raises ValueError for a header with a line break in it.
    """
    if given is None and auth is None:
        return host, [("User-Agent", "Quart"), ("Host", host)]
    headers = Headers(given)
    if auth is not None:
        if isinstance(auth, tuple):
            auth = Authorization("basic", {"username": auth[0], "password": auth[1]})
        headers.setdefault("Authorization", auth.to_header())
    headers.setdefault("User-Agent", "Quart")
    host = headers.getlist("Host")[-1] if "Host" in headers else host
    headers["Host"] = host
    return host, list(headers)


def without(headers: Pairs, names: Iterable[str]) -> Pairs:
    """Return the headers that have none of some names, which are in small letters."""
    return [pair for pair in headers if pair[0].lower() not in names]


def value_of(headers: Pairs, name: str) -> str | None:
    """Return the first value of a header, whose name is in small letters."""
    return next((value for key, value in headers if key.lower() == name), None)


def body_of(
    data: str | bytes | None,
    form: Mapping[str, Any] | None,
    files: Mapping[str, Any] | None,
    json: Any,
) -> tuple[bytes, Pairs]:
    """Return a body and the headers that name its type.

    A field or a file that is a list is sent as often. Raises ValueError where they exclude each
    other.
    """
    if form is None and files is None:
        if data is None and json is NOTHING:
            return b"", ()
        made, headers = make_test_body_with_headers(data=data, json=json)
        return made or b"", list(headers)
    fields = list(_each(form))
    if files is None:
        make_test_body_with_headers(data=data, form={}, json=json)  # do they exclude each other?
        kind = "application/x-www-form-urlencoded"
        return urlencode(fields).encode(), [("Content-Type", kind)]
    text = [(key, str(value)) for key, value in fields]
    made, headers = make_test_body_with_headers(
        data=data, json=json, files=_Repeated(_each(files)), form=_Repeated(text)
    )
    return made, list(headers)


class _Repeated(dict[str, Any]):
    """Pairs, of which several may have one key, as Quart's encoder goes through them."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        self._pairs = list(pairs)

    def items(self) -> Any:
        """Return every pair."""
        return self._pairs


def _each(values: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    pairs = values.items(multi=True) if isinstance(values, MultiDict) else (values or {}).items()
    for key, value in pairs:
        if isinstance(value, list | tuple) and not isinstance(value, FileStorage):
            yield from ((key, one) for one in value)
        else:
            yield key, value


def with_length(headers: Pairs, method: str, body: bytes) -> Pairs:
    """Say how long a body is, where the test does not say it, and where a real client does."""
    if not body and method in NO_BODY:
        return headers
    if any(key.lower() in ("transfer-encoding", "content-length") for key, _ in headers):
        return headers
    return [*headers, ("Content-Length", str(len(body)))]
