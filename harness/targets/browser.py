"""Quart's test client, which asks as a real one does: in each target the service sees the same."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from quart import Response
from quart.sessions import SessionMixin
from quart.testing import QuartClient
from werkzeug.datastructures import Authorization, Headers

from harness.errors import TargetError
from harness.targets import Scope, cookies
from harness.targets.connections import ANSWER_S, HttpConnection, WebsocketConnection
from harness.targets.redirects import LIMIT, redirected, too_many
from harness.targets.request import (
    BY_HAND,
    NO_BODY,
    NOTHING,
    Origin,
    Pairs,
    Request,
    body_of,
    headers_of,
    target_of,
    value_of,
    with_length,
    without,
)

CARRIER = "harness-carrier"
"""The import name of the application that a client has where the service's is not Quart's, or not
in this process."""

_CHUNKED = ("Transfer-Encoding", "chunked")
_OWN_NAMES = ("", "localhost", "127.0.0.1")  # what tests call the service


class Browser(QuartClient):
    """Everything that Quart documents of its client works; `origin` is where the service is.

    `answer_s` is how long an answer may take to its end where a test waits for all of it.
    """

    http_connection_class = HttpConnection
    websocket_connection_class = WebsocketConnection
    origin = Origin()
    answer_s = ANSWER_S

    def visit(self, url: str) -> None:
        """Ask the service at `url` from now on."""
        self.origin = Origin.of(url)
        if self.cookie_jar is not None:
            self.cookie_jar = cookies.jar()

    async def open(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | Headers | None = None,
        data: str | bytes | None = None,
        form: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        query_string: Mapping[str, Any] | None = None,
        json: Any = NOTHING,
        scheme: str = "http",
        follow_redirects: bool = False,
        auth: Authorization | tuple[str, str] | None = None,
        subdomain: str | None = None,
        **scope: Any,
    ) -> Response:
        """Make a request and wait for all of its answer.

        Raises TargetError where it leads to another host, in a circle, or has no end.
        """
        body, of_body = body_of(data, form, files, json)
        request = self._request(path, method, headers, query_string, scheme, auth, subdomain)
        own = request.headers
        if of_body:
            own = [*without(own, [key.lower() for key, _ in of_body]), *of_body]
        request.headers, request.body = with_length(own, request.method, body), body
        for _ in range(LIMIT + 1):
            response = await super().open(
                request.target,
                method=request.method,
                headers=request,  # type: ignore[arg-type]  # which comes to _make_request
                data=request.body,
                scheme=request.scheme,
                **scope,
            )
            following = redirected(request, response, self.origin) if follow_redirects else None
            if following is None:
                return response
            request = following
        raise too_many(request)

    async def _make_request(  # type: ignore[override]  # Quart calls it by position
        self,
        target: str,
        method: str,
        request: Request,
        data: bytes,
        form: None,
        files: None,
        query_string: None,
        json: Any,
        scheme: str,
        *scope: Any,
    ) -> Response:
        """Send what `open` made: Quart calls it, and then keeps the context that it may keep."""
        declared = int(value_of(request.headers, "content-length") or len(data))
        connection: Any = self._connection("http", request, *scope)
        async with connection:
            await _say(connection, data, declared)
        response: Response = await connection.as_response()
        if self.cookie_jar is not None:
            cookies.keep(self.cookie_jar, request, response.headers)
        self.push_promises.extend(connection.push_promises)
        return response

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | Headers | None = None,
        query_string: Mapping[str, Any] | None = None,
        scheme: str = "http",
        auth: Authorization | tuple[str, str] | None = None,
        subdomain: str | None = None,
        **scope: Any,
    ) -> Any:
        """Begin a request, whose body and answer are sent and received part by part.

        Its body goes in chunks, unless it has a Content-Length.
        """
        made = self._request(path, method, headers, query_string, scheme, auth, subdomain)
        if made.method not in NO_BODY and value_of(made.headers, "content-length") is None:
            made.headers = [*without(made.headers, ("transfer-encoding",)), _CHUNKED]
        return self._connection("http", made, **scope)

    def websocket(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | Headers | None = None,
        query_string: Mapping[str, Any] | None = None,
        scheme: str = "ws",
        subprotocols: list[str] | None = None,
        auth: Authorization | tuple[str, str] | None = None,
        subdomain: str | None = None,
        **scope: Any,
    ) -> Any:
        """Open a WebSocket. `subprotocols` are those that the service may choose from."""
        made = self._request(path, "GET", headers, query_string, scheme, auth, subdomain)
        if subprotocols:
            offered = ("Sec-WebSocket-Protocol", ",".join(subprotocols))
            made.headers = [*without(made.headers, ("sec-websocket-protocol",)), offered]
        made.headers = [*made.headers, *_handshake()]
        return self._connection("websocket", made, **scope)

    def _request(
        self,
        path: str,
        method: str,
        headers: Mapping[str, str] | Headers | None,
        query: Mapping[str, Any] | None,
        scheme: str,
        auth: Authorization | tuple[str, str] | None,
        subdomain: str | None,
    ) -> Request:
        named = self.app.config["SERVER_NAME"]
        host = named or self.origin.host
        if subdomain is not None:
            host = f"{subdomain}.{named or 'localhost'}"
        host, own = headers_of(headers, auth, host)
        target = target_of(path, query, self.origin, host)
        return Request(method.upper(), self.origin.over(scheme), target, host, own)

    def _connection(
        self,
        kind: str,
        request: Request,
        root_path: str = "",
        http_version: str = "1.1",
        scope_base: Mapping[str, Any] | None = None,
        *_: Any,
    ) -> Any:
        """Return a connection for a request, with the cookies that belong to it."""
        scope = request.scope(kind, self.origin, cookies.sent(self.cookie_jar, request))
        if kept := cookies.held_back(self.cookie_jar, request):
            scope[cookies.HELD_BACK] = kept
        scope.update({"root_path": root_path, "http_version": http_version})
        scope["_quart._preserve_context"] = self.preserve_context
        if kind == "http" and http_version in ("2", "3"):
            scope["extensions"] = {"http.response.push": {}}
        if scope_base:
            scope.update({**scope_base, BY_HAND: tuple(scope_base)})
        connection = self._connected(kind, scope)
        connection.answer_s = self.answer_s
        return connection

    def _connected(self, kind: str, scope: Scope) -> Any:
        made: Any = scope
        if kind == "websocket":
            return self.websocket_connection_class(self.app, made)
        return self.http_connection_class(self.app, made, _preserve_context=self.preserve_context)

    def set_cookie(self, server_name: str | None, *arguments: Any, **options: Any) -> None:
        """Put a cookie into the jar. For localhost, or no name, it is the service's own."""
        name = server_name or ""  # None comes from Quart-Auth, which has no COOKIE_DOMAIN
        if name.partition(":")[0] in _OWN_NAMES:
            name = self.app.config["SERVER_NAME"] or self.origin.host
        super().set_cookie(name, *arguments, **options)

    @contextlib.asynccontextmanager
    async def session_transaction(
        self, path: str = "/", *, headers: Any = None, scheme: str = "http", **options: Any
    ) -> AsyncIterator[SessionMixin]:
        """Lend the session of the service, which is saved into the jar at the end.

        Raises TargetError where the service's key is not in this process.
        """
        if self.app.import_name == CARRIER and not self.app.secret_key:
            raise TargetError(
                "target/no-session",
                "session_transaction needs the service's own key, which is not in this process",
                where=self.origin.host,
                next_step="sign in by a request, as a user does",
            )
        own = Headers(headers)
        own.setdefault("Host", self.app.config["SERVER_NAME"] or self.origin.host)
        asked = super().session_transaction(
            path, headers=own, scheme=self.origin.over(scheme), **options
        )
        async with asked as session:
            yield session


def as_browser(client: QuartClient) -> Browser:
    """Make a browser of a client that is there, and keep what its own class adds to Quart's."""
    if not isinstance(client, Browser):
        kind = type(client)
        bases = (Browser,) if kind is QuartClient else (kind, Browser)
        client.__class__ = type(kind.__name__, bases, {"__module__": kind.__module__})
    return cast(Browser, client)


def _handshake() -> Pairs:
    """Return what opens a WebSocket (RFC 6455, section 4.1)."""
    return (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64.b64encode(secrets.token_bytes(16)).decode()),
    )


async def _say(connection: Any, body: bytes, declared: int) -> None:
    """Send a body as long as its Content-Length says: of a shorter one the rest is missing."""
    if isinstance(connection, HttpConnection) and len(body) == declared:
        connection.send_whole(body)
        return
    if body[:declared]:
        await connection.send(body[:declared])
    if len(body) >= declared:
        await connection.send_complete()
