"""The head of an answer as a scenario sees it, and the request that it answers.

https://docs.aiohttp.org/en/stable/client_reference.html#response-object
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from http.cookies import SimpleCookie
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp._cookie_helpers import parse_set_cookie_headers
from multidict import CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from harness.load.head import Head, as_text
from harness.load.request import Request

_LIKE_JSON = re.compile(r"application/(?:[\w.+-]+?\+)?json", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
_BETWEEN_LINKS = re.compile(r",(?=\s*<)")
_LINK = re.compile(r"\s*<(?P<url>.*)>(?P<parameters>.*)")
_PARAMETER = re.compile(
    r"\s*(?P<name>[^\s=]+)\s*=\s*(?:(?P<mark>['\"])(?P<quoted>.*?)(?P=mark)|(?P<bare>\S*))\s*$"
)
_SET_COOKIE = b"set-cookie"
_NONE = Head(0, "", b"", [])  # before it has come


class View:
    """What a head says under aiohttp's names, worked out when it is asked for."""

    request: Request
    status = 0
    head = _NONE
    _cookies: SimpleCookie | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def method(self) -> str:
        """The method that was sent."""
        return self.request.method

    @property
    def url(self) -> URL:
        """The address, without a fragment."""
        return self.request.address.url.with_fragment(None)

    @property
    def real_url(self) -> URL:
        """The address as it was asked for."""
        return self.request.address.url

    @property
    def host(self) -> str:
        """The host of the address."""
        return str(self.request.address.url.host)

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return as_text(self.head.reason)

    @property
    def version(self) -> aiohttp.HttpVersion:
        """The version of HTTP that the server speaks."""
        major, minor = map(int, self.head.version.split("."))
        return aiohttp.HttpVersion(major, minor)

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers as they came."""
        return self.head.stripped

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers."""
        return self.head.headers

    @property
    def cookies(self) -> SimpleCookie:
        """The cookies that the answer sets."""
        if self._cookies is None:
            self._cookies = SimpleCookie()
            self._cookies.update(parse_set_cookie_headers(self.cookie_lines))
        return self._cookies

    @property
    def cookie_lines(self) -> list[str]:
        """The headers Set-Cookie."""
        return [as_text(value) for name, value in self.head.raw if name.lower() == _SET_COOKIE]

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        found = _media_type(self.head.kind)
        return found if found.count("/") == 1 else "application/octet-stream"

    @property
    def charset(self) -> str | None:
        """The charset that the media type names."""
        return _charset(self.head.kind)

    @property
    def content_length(self) -> int | None:
        """The length that was announced."""
        text = self.headers.get("Content-Length")
        return None if text is None else int(text)

    @property
    def content_disposition(self) -> Any:
        """The disposition, as aiohttp reads it."""
        text = self.headers.get("Content-Disposition")
        if text is None:
            return None
        kind, parameters = aiohttp.multipart.parse_content_disposition(text)
        name = aiohttp.multipart.content_disposition_filename(parameters)
        return aiohttp.client_reqrep.ContentDisposition(kind, MappingProxyType(parameters), name)

    @property
    def links(self) -> MultiDictProxy[MultiDictProxy[str | URL]]:
        """The links of the header of that name (RFC 8288), by their relation."""
        links: MultiDict[MultiDictProxy[str | URL]] = MultiDict()
        for one in _BETWEEN_LINKS.split(", ".join(self.headers.getall("Link", ()))):
            found = _LINK.match(one)
            if found is None:
                continue
            link: MultiDict[str | URL] = MultiDict()
            for parameter in map(_PARAMETER.match, found["parameters"].split(";")[1:]):
                if parameter is not None:
                    bare, quoted = parameter["bare"], parameter["quoted"]
                    link.add(parameter["name"], bare if quoted is None else quoted)
            name = str(link.get("rel", found["url"]))
            link.add("url", self.url.join(URL(found["url"])))
            links.add(name, MultiDictProxy(link))
        return MultiDictProxy(links)

    def get_encoding(self) -> str:
        """Return the name of the codec of the charset that the body names, or UTF-8."""
        return codec_of(self.head.kind)


@lru_cache(256)
def is_of(kind: str, content_type: str) -> bool:
    """Tell whether a body's type is the one that is asked for, as aiohttp's `json` does."""
    if content_type == "application/json":
        return _LIKE_JSON.match(kind) is not None
    return content_type in kind.lower()


@lru_cache(256)
def _media_type(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


@lru_cache(256)
def _charset(kind: str) -> str | None:
    found = _CHARSET.search(kind)
    return found[1] if found else None


@lru_cache(256)
def codec_of(kind: str) -> str:
    """Return the name of the codec of the charset that a type names, or UTF-8."""
    try:
        return codecs.lookup(_charset(kind) or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
