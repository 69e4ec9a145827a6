"""Cookies as a client keeps them (RFC 6265): each goes back to its host, path and scheme only."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.request import Request

from werkzeug.datastructures import Headers

from harness.targets import request
from harness.targets.request import Pairs, without

HELD_BACK = "harness.held_back"
"""Where a scope names the cookies that were not sent because they are ``Secure``."""


def jar() -> CookieJar:
    """Return an empty jar: a cookie without a Domain goes to its host alone."""
    strict = DefaultCookiePolicy.DomainStrictNonDomain
    return CookieJar(DefaultCookiePolicy(strict_ns_domain=strict))


def sent(cookies: CookieJar | None, asked: request.Request) -> Pairs:
    """Return a request's headers with the cookies that are for it, after those a test wrote."""
    headers = asked.headers
    if cookies is None or next(iter(cookies), None) is None:
        return headers
    asking = Request(asked.url)  # noqa: S310 - it is asked for its parts, and never opened
    cookies.add_cookie_header(asking)
    kept = asking.get_header("Cookie")
    if not kept:
        return headers
    written = [value for key, value in headers if key.lower() == "cookie"]
    return [*without(headers, ("cookie",)), ("Cookie", "; ".join([*written, kept]))]


def held_back(cookies: CookieJar | None, asked: request.Request) -> list[str]:
    """Return the names of the cookies that the request has over https, and has not over http."""
    plain = "http:"
    if not cookies or not any(cookie.secure for cookie in cookies):
        return []
    url = asked.url
    if not url.startswith(plain):
        return []
    kept = _names(cookies, url)
    return [one for one in _names(cookies, f"https:{url.removeprefix(plain)}") if one not in kept]


def _names(cookies: CookieJar, url: str) -> list[str]:
    found = Request(url)  # noqa: S310 - nothing is opened
    cookies.add_cookie_header(found)
    return [one.partition("=")[0] for one in found.get_header("Cookie", "").split("; ") if one]


def keep(cookies: CookieJar, asked: request.Request, headers: Headers) -> None:
    """Keep what a request's answer sets."""
    if "set-cookie" in headers:
        answer: Any = _Answer(headers)
        cookies.extract_cookies(answer, Request(asked.url))  # noqa: S310 - likewise


class _Answer:
    """An answer as a jar asks for its headers."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def info(self) -> _Answer:
        """Return its headers: they are here."""
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        """Return each value of a header."""
        return self._headers.getlist(name) or default
