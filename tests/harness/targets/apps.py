"""Applications for the tests of targets, each with one habit."""

from __future__ import annotations

import asyncio
from typing import Any

from quart import Quart, Response, request, websocket


def shop() -> Quart:
    """A well-behaved application whose start-up must have run."""
    app = Quart(__name__)
    app.config["started"] = False

    @app.before_serving
    async def start() -> None:
        app.config["started"] = True

    @app.get("/started")
    async def started() -> dict[str, bool]:
        return {"started": app.config["started"]}

    @app.route("/echo/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
    async def echo(path: str) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": path,
            "args": request.args.to_dict(flat=False),
            "body": (await request.get_data()).decode(),
            "host": request.host,
            "kind": request.headers.get("Content-Type"),
            "traceparent": request.headers.get("traceparent"),
        }

    @app.get("/count")
    async def count() -> Response:
        visits = int(request.cookies.get("visits", 0)) + 1
        response = Response(str(visits))
        response.set_cookie("visits", str(visits))
        return response

    @app.get("/away")
    async def away() -> Response:
        return Response(status=302, headers={"Location": "/started"})

    @app.get("/stream")
    async def stream() -> Response:
        async def parts() -> Any:
            for number in range(3):
                yield f"{number}\n".encode()
                await asyncio.sleep(0)

        return Response(parts())

    @app.get("/broken")
    async def broken() -> Response:
        async def parts() -> Any:
            yield b"some"
            raise RuntimeError("in the middle")

        return Response(parts())

    @app.websocket("/ws")
    async def ws() -> None:
        while True:
            await websocket.send(f"you said {await websocket.receive()}")

    return app


def no_start() -> Quart:
    """An application whose start-up raises."""
    app = Quart(__name__)

    @app.before_serving
    async def start() -> None:
        raise ValueError("no database")

    return app


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application of no framework, which knows no lifespan."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-bare", b"yes")]})
    await send({"type": "http.response.body", "body": b"bare"})


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """Not ASGI."""
    return []


def broken_factory() -> Quart:
    """A factory that raises."""
    raise RuntimeError("needs settings")


async def async_factory() -> Quart:
    """A factory that would have to be awaited."""
    return shop()


def gives_up() -> Quart:
    """An application whose start-up ends the process."""
    app = Quart(__name__)

    @app.before_serving
    async def start() -> None:
        raise SystemExit("no settings")

    return app


async def strict(scope: Any, receive: Any, send: Any) -> None:
    """Takes ASGI at its word: the lifespan's state, and a WebSocket that first connects."""
    if scope["type"] == "lifespan":
        scope["state"]["number"] = 5
        for part in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{part}.complete"})
    elif scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": f"{scope['subprotocols']}"})
        await receive()
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % scope["state"]["number"]})


application = shop()
number = 5


async def secure(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the scheme that it was called by."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})
