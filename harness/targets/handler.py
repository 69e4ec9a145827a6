"""Which of an application's functions a request is for, found out only when it must be named."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, NamedTuple

from quart import Quart

from harness.targets import Asgi, Scope
from harness.targets.hang import own_line


class Handler(NamedTuple):
    """A function that answers requests. `where` is its ``file:line``, empty if it is not known."""

    name: str
    route: str
    where: str

    def __str__(self) -> str:
        return f"{self.name} ({self.where})" if self.where else self.name


def handler_of(app: Asgi, scope: Scope, service: str, root: Path) -> Handler:
    """Name what answers a request: the function and its route, or else method and path.

    Quart is asked by its own map of URLs; Starlette and its like leave the function in `scope`.
    """
    if scope["type"] == "lifespan":
        return Handler(f"start-up and shut-down of {service}", "", "")
    method = scope.get("method", "WEBSOCKET")
    route, function = _quart(app, scope) if isinstance(app, Quart) else _left(scope)
    asked = f"{method} {route or scope['path']}"
    if function is None:
        return Handler(f"{asked} of {service}" if service else asked, route or scope["path"], "")
    function = inspect.unwrap(function)
    name = getattr(function, "__qualname__", type(function).__name__)
    code = getattr(function, "__code__", None)
    where = own_line([(code.co_filename, code.co_firstlineno)], root) if code else ""
    return Handler(f"{asked}, {name}", route or scope["path"], where)


def _quart(app: Quart, scope: Scope) -> tuple[str, Any]:
    host = next((v.decode("latin-1") for k, v in scope["headers"] if k.lower() == b"host"), "")
    adapter = app.url_map.bind(host if app.url_map.host_matching else "localhost")
    try:
        rule, _ = adapter.match(
            scope["path"], scope.get("method", "GET"), return_rule=True,
            websocket=scope["type"] == "websocket",
        )  # fmt: skip
    except Exception:  # of Werkzeug's: no such route, a method that it has not, a redirect
        return "", None
    return rule.rule, app.view_functions.get(rule.endpoint)


def _left(scope: Scope) -> tuple[str, Any]:
    return str(getattr(scope.get("route"), "path", "")), scope.get("endpoint")
