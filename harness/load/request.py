"""A request of a load as bytes: formed as aiohttp forms it, and cheaply where it is plain.

What is not plain (multipart, streamed and compressed bodies, proxies, 100-continue) is aiohttp's.
"""

from __future__ import annotations

import functools
import json as json_module
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractCookieJar
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_AUTO = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": SERVER_SOFTWARE}
_PRIVATE = frozenset({"authorization", "cookie", "proxy-authorization"})
_NOT_PLAIN = frozenset(
    {"connection", "content-encoding", "content-length", "cookie", "expect", "host", "te",
     "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
_OPTIONS = frozenset(
    {"params", "headers", "json", "data", "auth", "timeout", "allow_redirects",
     "max_redirects", "raise_for_status", "ssl"}
)  # fmt: skip
_AUTHORITY = re.compile(r"[^/?#]*://")
_METHOD = re.compile(r"(?!CONNECT$)[!#$%&'*+.^_`|~0-9A-Z-]+")  # one tunnels (RFC 9110, 9.3.6)
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TYPED = frozenset({"PATCH", "POST", "PUT"})  # have a type, with a body or without
_MOST_KEPT = 1_000  # of headers as they are sent: a token in them may differ each time

Headers = tuple[tuple[str, str], ...]


class NotPlainError(Exception):
    """What makes a request one for aiohttp, in a word or two."""


class Origin(NamedTuple):
    """Where a connection leads. `tls` is None in the clear, else aiohttp's `ssl`."""

    host: str
    port: int
    tls: SSLContext | bool | None


class Address:
    """A URL as requests need it, time and again. Raises NotPlainError for what aiohttp must do."""

    __slots__ = ("host", "origin", "path", "tls", "url")

    def __init__(self, url: URL, ssl: SSLContext | bool = True) -> None:
        if url.scheme not in ("http", "https") or url.raw_user or url.raw_password:
            raise NotPlainError("address")
        host, port, shown = url.raw_host, url.port, url.host_port_subcomponent
        if not host or port is None or shown is None:
            raise NotPlainError("address")
        self.url = url
        self.tls = ssl
        self.origin = Origin(host, port, ssl if url.scheme == "https" else None)
        self.path = url.raw_path_qs.encode("ascii")
        self.host = shown.encode("ascii")


class Defaults:
    """What every request of a session has: its own `headers`, and those that aiohttp adds.

    Raises NotPlainError for headers that decide how a request is sent.
    """

    def __init__(self, headers: Any, dumps: Callable[[Any], str] = json_module.dumps) -> None:
        self.headers = CIMultiDict(_given(headers))
        self.dumps = dumps
        self._lines: dict[Headers, bytes] = {}

    @functools.cached_property
    def public(self) -> Defaults:
        """What another origin may see of it, to which a redirect leads."""
        return Defaults([one for one in self.headers.items() if not _is_private(one)], self.dumps)

    def lines(self, given: Headers) -> bytes:
        """Return all headers as they are sent, with those `given` in place of others of theirs."""
        found = self._lines.get(given)
        if found is None:
            if len(self._lines) >= _MOST_KEPT:
                self._lines.clear()
            found = self._lines[given] = _lines(self.merged(given).items())
        return found

    def merged(self, given: Headers) -> CIMultiDict[str]:
        """Return what `lines` writes down."""
        headers = self.headers.copy()
        replaced: set[str] = set()
        for name, value in given:
            if name.lower() in replaced:
                headers.add(name, value)
            else:
                headers[name] = value
                replaced.add(name.lower())
        for name, value in _AUTO.items():
            headers.setdefault(name, value)
        return headers


@dataclass(frozen=True, slots=True)
class Request:
    """A method, an address, headers beyond the session's own, and a body of some `kind`.

    `ready` is all of it as it is sent, where that is known already. `has_strayed`: a redirect led
    to another origin, so what the session authorizes itself by is no longer sent (as in aiohttp,
    not even where another one leads back).
    """

    method: str
    address: Address
    headers: Headers = ()
    body: bytes = b""
    kind: str = ""
    cookie: str = ""
    ready: bytes = b""
    has_strayed: bool = False

    def encoded(self, defaults: Defaults) -> bytes:
        """Return all of it as it is sent."""
        address = self.address
        defaults = defaults.public if self.has_strayed else defaults
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b\r\n%b" % (
            self.method.encode(), address.path, address.host, defaults.lines(self.headers),
            self._own() if self.cookie or self.body or self.method not in _BODYLESS else b"",
            self.body,
        )  # fmt: skip

    def _own(self) -> bytes:
        return _lines(self._own_headers())

    def _own_headers(self) -> Headers:
        """The headers that follow from body and cookies."""
        found = []
        if self.cookie:
            found.append(("Cookie", self.cookie))
        if self.body or self.method not in _BODYLESS:
            found.append(("Content-Length", str(len(self.body))))
        if self.kind:
            found.append(("Content-Type", self.kind))
        return tuple(found)

    def sent_headers(self, defaults: Defaults) -> CIMultiDictProxy[str]:
        """Return all headers, as a request's info shows them."""
        defaults = defaults.public if self.has_strayed else defaults
        headers = CIMultiDict({"Host": self.address.host.decode()})
        headers.extend(defaults.merged(self.headers))
        headers.extend(self._own_headers())
        return CIMultiDictProxy(headers)


def plain_request(bare: Request, options: Mapping[str, Any], defaults: Defaults) -> Request:
    """Add aiohttp's `options` to a request. Raises NotPlainError where that is aiohttp's to do."""
    if not _METHOD.fullmatch(bare.method):
        raise NotPlainError("method")
    for name in options.keys() - _OPTIONS:
        raise NotPlainError(name)
    headers = _given(options.get("headers"))
    names = {name.lower() for name, _ in headers}
    if (auth := options.get("auth")) is not None:
        is_told = "authorization" in names or "Authorization" in defaults.headers
        if is_told or type(auth) is not aiohttp.BasicAuth:
            raise NotPlainError("auth")
        headers = (*headers, ("Authorization", auth.encode()))
    body, kind = _body(options, defaults)
    if "content-type" in names or "Content-Type" in defaults.headers:
        kind = ""
    elif not kind and bare.method in _TYPED:
        kind = "application/octet-stream"
    return Request(bare.method, _of(bare.address, options), headers, body, kind)


def _of(address: Address, options: Mapping[str, Any]) -> Address:
    params, tls = options.get("params"), options.get("ssl")
    if not params and tls in (None, True):
        return address
    if tls not in (None, True, False) and not isinstance(tls, SSLContext):
        raise NotPlainError("ssl")
    url = address.url.extend_query(params) if params else address.url
    return Address(url, True if tls is None else tls)


def _given(headers: Any) -> Headers:
    if not headers:
        return ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    given = tuple((str(name), value) for name, value in pairs)
    for name, value in given:
        is_sendable = isinstance(value, str) and not _UNSENDABLE.search(name + value)
        if name.lower() in _NOT_PLAIN or not is_sendable:
            raise NotPlainError(f"header {name.lower()}" if is_sendable else "header value")
    return given


def _body(options: Mapping[str, Any], defaults: Defaults) -> tuple[bytes, str]:
    """Return the body and its type, as aiohttp's payloads have them."""
    data, json = options.get("data"), options.get("json")
    if json is not None:
        if data is not None:
            raise NotPlainError("data and json")
        return defaults.dumps(json).encode(), "application/json"
    if data is None:
        return b"", ""
    if not data:
        raise NotPlainError("empty data")
    if type(data) is bytes:
        return data, "application/octet-stream"
    if type(data) is str:
        return data.encode(), "text/plain; charset=utf-8"
    if type(data) is dict and all(type(one) is str for pair in data.items() for one in pair):
        return urlencode(data).encode(), "application/x-www-form-urlencoded"
    raise NotPlainError(f"data ({type(data).__name__})")


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode()


def cookie_line(jar: AbstractCookieJar, url: URL) -> str:
    """Return the cookies of a jar that go to `url`, as one header has them."""
    return jar.filter_cookies(url).output(attrs=[], header="", sep=";").strip()


def following(request: Request, status: int, url: URL) -> Request:
    """Return the request that a redirect to `url` leads to, as aiohttp follows it (RFC 9110, 15.4).

    Raises NotPlainError as `Address` does.
    """
    method, body, kind, headers = request.method, request.body, request.kind, request.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body, kind = "GET", b"", ""
    has_strayed = url.origin() != request.address.url.origin()
    if has_strayed:
        headers = tuple(one for one in headers if not _is_private(one))
    return Request(
        method, Address(url, request.address.tls), headers, body, kind,
        has_strayed=has_strayed or request.has_strayed,
    )  # fmt: skip


def _is_private(header: tuple[str, str]) -> bool:
    return header[0].lower() in _PRIVATE


def redirect_of(response: Any) -> URL | None:
    """Return where a redirect leads; None: nowhere. Raises aiohttp's own errors."""
    location = response.headers.get("Location") or response.headers.get("URI")
    if location is None:
        return None
    try:
        found = URL(location)
    except ValueError as error:
        told = "Server attempted redirecting to a location that does not look like a URL"
        raise aiohttp.InvalidUrlRedirectClientError(location, told) from error
    if found.scheme not in ("", "http", "https"):
        raise aiohttp.NonHttpUrlRedirectClientError(location)
    is_relative = found.scheme == response.url.scheme and not _AUTHORITY.match(location)
    if is_relative or not found.scheme:
        found = response.url.join(found)
    if not found.host:
        raise aiohttp.InvalidUrlRedirectClientError(found, "Invalid redirect URL origin")
    return found
