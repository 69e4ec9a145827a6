"""Redirects are followed as browsers follow them, and never out of the service."""

from __future__ import annotations

from typing import Any

import pytest
from quart import Quart, Response, redirect, request

from harness.errors import TargetError
from harness.targets.client import Client


def application() -> Quart:
    """Sends its clients on."""
    app = Quart(__name__)
    every = ["GET", "POST", "PUT", "DELETE", "HEAD"]

    @app.route("/to/<int:status>", methods=every)
    async def to(status: int) -> Response:
        return Response(status=status, headers={"Location": "../here?n=1#part"})

    @app.route("/here", methods=every)
    async def here() -> dict[str, Any]:
        return {
            "method": request.method,
            "body": (await request.get_data()).decode(),
            "type": request.content_type,
            "length": request.content_length,
            "query": request.query_string.decode(),
        }

    @app.get("/away")
    async def away() -> Any:
        return redirect("http://elsewhere.example/here")

    @app.get("/upgraded")
    async def upgraded() -> Any:
        return redirect(f"https://{request.host}/here")

    @app.get("/absolute")
    async def absolute() -> Any:
        return redirect(f"{request.host_url}here")

    @app.get("/round")
    async def around() -> Any:
        return redirect("/round")

    @app.get("/count/<int:left>")
    async def count(left: int) -> Any:
        return redirect(f"/count/{left - 1}") if left else "arrived"

    @app.get("/bare/<int:status>")
    async def bare(status: int) -> Response:
        return Response(status=status)

    @app.get("/login")
    async def login() -> Any:
        response = redirect("/cookies")
        response.set_cookie("user", "Ada")
        return response

    @app.get("/cookies")
    async def cookies() -> dict[str, str]:
        return dict(request.cookies)

    return app


async def _followed(client: Client, method: str, status: int) -> dict[str, Any]:
    response = await client.open(
        f"/to/{status}", method=method, json={"a": 1}, follow_redirects=True
    )
    return dict(await response.get_json())


@pytest.mark.parametrize(
    ("method", "status"), [("POST", 301), ("POST", 302), ("POST", 303), ("PUT", 303)]
)
async def test_36_a_redirect_becomes_a_get_without_a_body(
    client: Client, method: str, status: int
) -> None:
    assert await _followed(client, method, status) == {
        "method": "GET", "body": "", "type": None, "length": None, "query": "n=1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "status"), [("POST", 307), ("POST", 308), ("PUT", 301), ("DELETE", 302)]
)
async def test_36_a_redirect_keeps_its_method_and_body(
    client: Client, method: str, status: int
) -> None:
    seen = await _followed(client, method, status)

    assert (seen["method"], seen["body"], seen["length"]) == (method, '{"a": 1}', 8)


async def test_36_a_query_is_not_sent_again(client: Client) -> None:
    response = await client.get("/to/302", query_string={"q": "1"}, follow_redirects=True)

    assert (await response.get_json())["query"] == "n=1"


@pytest.mark.parametrize("path", ["/away", "/upgraded"])
async def test_35_a_redirect_to_another_host_is_an_error(client: Client, path: str) -> None:
    assert (await client.get(path)).status_code == 302

    with pytest.raises(TargetError, match="away from 127") as caught:
        await client.get(path, follow_redirects=True)
    assert caught.value.slug == "target/elsewhere"


async def test_35_a_redirect_to_the_services_address_is_followed(client: Client) -> None:
    assert (await client.get("/absolute", follow_redirects=True)).status_code == 200


async def test_37_a_redirect_loop_ends(client: Client) -> None:
    assert (await client.get("/count/20", follow_redirects=True)).status_code == 200
    for path in ("/count/21", "/round"):
        with pytest.raises(TargetError, match="more than 20 redirects") as caught:
            await client.get(path, follow_redirects=True)
        assert caught.value.slug == "target/redirects"


@pytest.mark.parametrize("status", [300, 302, 304])
async def test_37_an_answer_that_leads_nowhere_is_returned(client: Client, status: int) -> None:
    response = await client.get(f"/bare/{status}", follow_redirects=True)

    assert response.status_code == status


async def test_34_a_cookie_set_on_the_way_is_sent(client: Client) -> None:
    response = await client.get("/login", follow_redirects=True)

    assert await response.get_json() == {"user": "Ada"}
