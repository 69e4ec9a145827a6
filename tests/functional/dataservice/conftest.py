"""Tokens of the real tokendealer, and users that are gone after the test that made them."""

import os
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from quart.testing import QuartClient

Headers = dict[str, str]
Token = Callable[[str], Awaitable[Headers]]
NewUser = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
async def writer(token: Token) -> Headers:
    """Who may read and write."""
    return await token("writer")


@pytest.fixture(scope="session")
async def reader(token: Token) -> Headers:
    """Who may read."""
    return await token("reader")


@pytest.fixture(scope="session")
async def only_writer(token: Token) -> Headers:
    """Who may write and not read."""
    return await token("only-writer")


def slack_id() -> str:
    """A Slack id that nobody has."""
    return f"U{uuid4().hex[:16].upper()}"


@pytest.fixture
async def new_user(client: QuartClient, writer: Headers, undo: Callable[..., None]) -> NewUser:
    """Makes users of this test's own: the target may outlive us and serve others."""

    async def make(**facts: Any) -> dict[str, Any]:
        sent = {"slack_id": slack_id(), "name": "Ada", **facts}
        response = await client.post("/api/users", json=sent, headers=writer)
        assert response.status_code == 201
        user: dict[str, Any] = await response.get_json()
        undo(client.delete, user["url"], headers=writer)
        return user

    return make


@pytest.fixture
async def user(new_user: NewUser) -> dict[str, Any]:
    """A user of this test's own."""
    return await new_user(location="London, UK", config={"units": "metric"})


@pytest.fixture
def dashboard() -> str:
    """The origin of the dashboard's pages, as the target was told."""
    url = os.environ.get("DASHBOARD_URL", "")
    if not url:
        pytest.skip("DASHBOARD_URL does not say which origin the target lets in")
    return url.rstrip("/")
