"""WebTest over a target's wire: what a `webtest.TestApp` asks, the target answers.

A bridge of our own, since those that exist (a2wsgi, WSGIProxy2) turn an answer that breaks off
into a 500 of theirs, decode ``%2F``, and leave out what WSGI has no word for.
"""

from __future__ import annotations

import asyncio
import os
import string
import warnings
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, unquote, urlsplit

from harness.errors import UsageError
from harness.loops import result_of
from harness.targets import Asgi, Message, Running, Scope
from harness.targets.exchange import Exchanges, counted

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    # WebOb imports cgi, and a project may take warnings for errors.
    import webtest
    from webtest import lint

_DEFAULT_URL = "http://localhost"  # of a service that is in this process
_RAW_PATH = "harness.raw_path"
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Request(webtest.TestRequest):  # type: ignore[misc]  # WebTest is without types
    """A request that keeps its path as it was written, and goes to no other host."""

    @classmethod
    def blank(cls, path: str, environ: Environ | None = None, **arguments: Any) -> _Request:
        """Make a request for a path, or for a URL of the target's."""
        request: _Request = super().blank(path, environ, **arguments)
        parts = urlsplit(path)
        host = request.environ["HTTP_HOST"]
        if parts.netloc and _origin(parts.scheme, parts.netloc) != _origin(
            request.environ["wsgi.url_scheme"], host
        ):
            raise AssertionError(f"{path} leads away from {host}, to which these requests go")
        request.environ[_RAW_PATH] = quote(parts.path, safe=string.punctuation)
        return request


def _origin(scheme: str, netloc: str) -> str:
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{netloc.removesuffix(port)}"


class WebTest(webtest.TestApp):  # type: ignore[misc]  # WebTest is without types
    """WebTest's application, whose every request is an exchange with a target."""

    RequestClass = _Request

    def __init__(
        self, running: Running, exchanges: Exchanges, loop: asyncio.AbstractEventLoop
    ) -> None:
        url = urlsplit(getattr(running, "url", _DEFAULT_URL))
        environ = {
            "HTTP_HOST": url.netloc.rpartition("@")[2],  # else cookies are another host's
            "SCRIPT_NAME": url.path.rstrip("/"),
            "wsgi.url_scheme": url.scheme,
        }
        with patch.dict(os.environ):
            os.environ.pop("WEBTEST_TARGET_URL", None)  # which would win over any application
            bridge = _Bridge(counted(running.wire, exchanges), loop)
            super().__init__(bridge, extra_environ=environ, lint=False)

    def do_request(self, req: Any, *arguments: Any, **options: Any) -> Any:
        """Send a request. The answer's headers are text, not the Latin-1 that WSGI has."""
        response = super().do_request(req, *arguments, **options)
        response.headerlist = [(name, _text(value)) for name, value in response.headerlist]
        return response


class _Bridge:
    """A WSGI application that answers as an ASGI one on `loop` does."""

    def __init__(self, app: Asgi, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        if asyncio._get_running_loop() is not None:
            raise UsageError(
                "functional/blocking",
                "webtest waits for each answer, and in an async test nothing would give it",
                where=f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}",
                next_step="use 'client' there, or let the test be synchronous",
            )
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, headers, answer = result_of(self._loop, _answer(self._app, _scope(environ), body))
        told = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        lint.check_headers(told)
        start_response(f"{status} {_phrase(status)}", told)
        has_body = environ["REQUEST_METHOD"] != "HEAD" and status not in _BODILESS
        return [answer] if has_body else []  # as on a wire, whatever the application gave


async def _answer(
    app: Asgi, scope: Scope, body: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Have one conversation, to its end. What it raises, and one that breaks off, is an error."""
    start: Message = {}
    said = bytearray()
    over = asyncio.Event()
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            said.extend(message.get("body", b""))
            if not message.get("more_body", False):
                over.set()

    await app(scope, receive, send)
    if not start or not over.is_set():
        raise ConnectionError(f"the answer to {scope['method']} {scope['path']} broke off")
    return int(start["status"]), list(start.get("headers", ())), bytes(said)


def _scope(environ: Environ) -> Scope:
    raw = environ.get(_RAW_PATH) or quote(environ["PATH_INFO"].encode("latin-1"))
    raw = raw.removeprefix(environ.get("SCRIPT_NAME", "")) or "/"
    host, _, port = environ["HTTP_HOST"].partition(":")
    scheme = environ["wsgi.url_scheme"]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": scheme,
        "path": unquote(raw),
        "raw_path": raw.encode("ascii"),
        "query_string": quote(environ.get("QUERY_STRING", ""), safe=string.punctuation).encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in _headers(environ)],
        "client": ("127.0.0.1", 0),
        "server": (host, int(port) if port.isdigit() else {"https": 443}.get(scheme, 80)),
        "extensions": {},
    }


def _headers(environ: Environ) -> list[tuple[str, str]]:
    return [
        (key.removeprefix("HTTP_").replace("_", "-").lower(), value)
        for key, value in environ.items()
        if key.startswith("HTTP_") or (key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    ]


def _phrase(status: int) -> str:
    """Return a status's phrase, which WSGI must have and a server may leave out."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _text(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
