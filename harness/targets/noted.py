"""Exchanges of a client of aiohttp's, noted as those of the tests' own client are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from harness.targets.exchange import Exchange, Exchanges

MayBeSent = Callable[[str, URL], Awaitable[None]]
"""Waits until a request may be sent, by its method and address; raises where it must not be."""

_SAME_METHOD = (307, 308)  # RFC 9110, 15.4.8 and 15.4.9: the redirected request has it, too


class Noted:
    """Notes what sessions that have its `trace` say; `target` is whose answers are counted.

    Of an answer's body is kept what was read as a whole.
    """

    def __init__(self, exchanges: Exchanges, target: str, may_be_sent: MayBeSent) -> None:
        self._exchanges = exchanges
        self._origin = URL(target).origin()
        self._may_be_sent = may_be_sent
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_start.append(self._start)
        self.trace.on_request_headers_sent.append(self._headers)
        self.trace.on_request_chunk_sent.append(self._body)
        self.trace.on_request_redirect.append(self._redirect)
        self.trace.on_request_end.append(self._end)
        self.trace.on_request_exception.append(self._broke)
        self.trace.on_response_chunk_received.append(self._answer)

    async def _start(self, session: Any, about: SimpleNamespace, told: Any) -> None:
        await self._may_be_sent(told.method, told.url)
        about.exchange = self._begun(told.method, told.url, told.headers)
        told.headers.setdefault("traceparent", about.exchange.traceparent)

    async def _headers(self, session: Any, about: SimpleNamespace, told: Any) -> None:
        if about.exchange is None:  # of the request that a redirect leads to
            about.exchange = self._begun(told.method, told.url, told.headers)
        about.exchange.headers = _pairs(told.headers)

    async def _body(self, session: Any, about: SimpleNamespace, told: Any) -> None:
        about.exchange.body.add(told.chunk)

    async def _redirect(self, session: Any, about: SimpleNamespace, told: Any) -> None:
        self._answered(about.exchange, told.response)
        about.exchange = None
        method = told.method if told.response.status in _SAME_METHOD else "GET"
        address = told.response.headers.get("Location") or told.response.headers.get("URI", "")
        await self._may_be_sent(method, told.response.url.join(URL(address)))

    async def _end(self, session: Any, about: SimpleNamespace, told: Any) -> None:
        self._answered(about.exchange, told.response)

    async def _broke(self, session: Any, about: SimpleNamespace, told: Any) -> None:
        if getattr(about, "exchange", None) is not None:
            about.exchange.end(told.exception)

    async def _answer(self, session: Any, about: SimpleNamespace, told: Any) -> None:
        about.exchange.answer.add(told.chunk)

    def _begun(self, method: str, url: URL, headers: Mapping[str, str]) -> Exchange:
        scope = {
            "type": "http", "method": method, "path": url.path, "raw_path": url.raw_path.encode(),
            "query_string": url.raw_query_string.encode(), "headers": _pairs(headers),
        }  # fmt: skip
        exchange = Exchange(scope, str(url.origin()))
        self._exchanges.begin(exchange)
        return exchange

    def _answered(self, exchange: Exchange, response: aiohttp.ClientResponse) -> None:
        exchange.said(
            {"type": "http.response.start", "status": response.status,
             "headers": [(name.lower(), value) for name, value in response.raw_headers]}
        )  # fmt: skip
        if response.url.origin() == self._origin:
            self._exchanges.note(exchange)
        exchange.end()


def _pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1", "replace"), value.encode("utf-8", "surrogateescape"))
            for name, value in headers.items()]  # fmt: skip
