"""The stand-ins' stubs through `aioresponses` and `requests_mock`, for tests in their style.

What a test adds to these mocks is answered by them, in their manner, and comes first. What it
did not add goes on to a real connection; there, calls to a stand-in's origin are sent to the
stand-in. So one journal chooses and counts whichever way a call came, and timeouts, cookies
and redirects of its replies are real. Everything else is for the guard to pass or to refuse.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import requests_mock
from aiohttp import ClientConnectionError, ClientHandlerType, ClientRequest, ClientSession
from aiohttp.client import ClientResponse
from aioresponses import aioresponses
from requests import Response
from requests.adapters import HTTPAdapter
from yarl import URL


class Routes:
    """Which stand-in answers for a URL. `addresses` are those of the stand-ins, by origin."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        both = {**{url: url for url in addresses.values()}, **addresses}
        self._routes = {_origin(URL(origin)): URL(url) for origin, url in both.items()}

    def lead(self, url: URL) -> URL | None:
        """Return the URL at which a stand-in answers a call to `url`; None: none does."""
        to = self._routes.get(_origin(url))
        return to and url.with_scheme(to.scheme).with_host(str(to.host)).with_port(to.port)


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port


def _is_unmatched(response: ClientResponse | Response) -> bool:
    """Tell whether a stand-in said that no stub answers; to these mocks that is no connection."""
    return response.headers.get("X-Harness") == "no-stub"


@contextlib.contextmanager
def aioresponses_before(routes: Routes) -> Iterator[aioresponses]:
    """Mock aiohttp meanwhile, the stand-ins behind it."""
    original = ClientSession._request

    async def route(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        called, led = request.url, routes.lead(request.url)
        if led is None:
            return await send(request)
        request.url, request.proxy = led, None
        response = await send(request)
        if _is_unmatched(response):
            response.close()
            raise ClientConnectionError(f"Connection refused: {request.method} {called}")
        return response

    @functools.wraps(original)
    async def routed(session: ClientSession, *arguments: Any, **options: Any) -> ClientResponse:
        given = options.pop("middlewares", None)
        outer = session._middlewares if given is None else given
        return await original(session, *arguments, middlewares=(*outer, route), **options)

    mocked = aioresponses(passthrough_unmatched=True)
    with patch.object(ClientSession, "_request", routed), mocked as mock:
        yield mock


@contextlib.contextmanager
def requests_mock_before(routes: Routes, *, case_sensitive: bool) -> Iterator[requests_mock.Mocker]:
    """Mock requests meanwhile, the stand-ins behind it."""
    original = HTTPAdapter.send

    @functools.wraps(original)
    def routed(
        adapter: HTTPAdapter,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        led = routes.lead(URL(request.url, encoded=True))
        if led is None:
            return original(adapter, request, stream, timeout, verify, cert, proxies)
        sent = request.copy()
        sent.url = str(led)  # and no proxy for it
        response = original(adapter, sent, stream, timeout)
        if _is_unmatched(response):
            response.close()
            raise requests_mock.NoMockAddress(request)
        response.request, response.url = request, request.url
        return response

    mocked = requests_mock.Mocker(real_http=True, case_sensitive=case_sensitive)
    with patch.object(HTTPAdapter, "send", routed), mocked as mock:
        yield mock
