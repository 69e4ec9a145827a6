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


application = shop()
number = 5
