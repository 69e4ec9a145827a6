"""Tokens of the real tokendealer, and users that are gone after the test that made them."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from quart.testing import QuartClient

Headers = dict[str, str]
NewUser = Callable[..., Awaitable[dict[str, Any]]]


async def token(client_id: str, **asked: str) -> Headers:
    """A token for the dataservice, as the header that it is sent in."""
    name = f"{client_id.upper().replace('-', '_')}_SECRET"
    secret = os.environ.get(name, f"{client_id}-secret-for-tests")
    form = {"client_id": client_id, "client_secret": secret, "audience": "dataservice"}
    form |= {"grant_type": "client_credentials", **asked}
    url = f"{os.environ['TOKENDEALER_URL'].rstrip('/')}/oauth/token"
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as reply:
        reply.raise_for_status()
        return {"Authorization": f"Bearer {(await reply.json())['access_token']}"}


@pytest.fixture(scope="session")
async def writer() -> Headers:
    """Who may read and write."""
    return await token("dataservice-writer")


@pytest.fixture(scope="session")
async def reader() -> Headers:
    """Who may read."""
    return await token("reader")


@pytest.fixture(scope="session")
async def only_writer() -> Headers:
    """Who may write and not read."""
    return await token("dataservice-writer", scope="users:write")


def slack_id() -> str:
    """A Slack id that nobody has."""
    return f"U{uuid4().hex[:16].upper()}"


@pytest.fixture
async def new_user(client: QuartClient, writer: Headers) -> AsyncIterator[NewUser]:
    """Makes users of this test's own: the target may outlive us and serve others."""
    made = []

    async def make(**facts: Any) -> dict[str, Any]:
        sent = {"slack_id": slack_id(), "name": "Ada", **facts}
        response = await client.post("/api/users", json=sent, headers=writer)
        assert response.status_code == 201
        user: dict[str, Any] = await response.get_json()
        made.append(user["url"])
        return user

    yield make
    for url in made:
        await client.delete(url, headers=writer)


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
