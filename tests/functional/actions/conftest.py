"""Messages to Jeeves, and those who send them: users of the real dataservice, gone afterwards."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from quart.testing import QuartClient

from tests.functional.dataservice.conftest import Headers, Token, slack_id

Ask = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]
NewUser = Callable[[str], Awaitable[str]]


@pytest.fixture(scope="session")
async def writer(token: Token) -> Headers:
    """Who may make users."""
    return await token("writer")


@pytest.fixture
async def someone_in(writer: Headers, undo: Callable[..., None]) -> AsyncIterator[NewUser]:
    """Makes a user who is there, and tells the Slack id."""
    url = os.environ["DATASERVICE_URL"]
    async with aiohttp.ClientSession(headers=writer, raise_for_status=True) as session:

        async def make(location: str) -> str:
            user = {"slack_id": slack_id(), "name": "Ada", "location": location}
            async with session.post(f"{url}/api/users", json=user) as reply:
                undo(session.delete, f"{url}{reply.headers['Location']}")
            return user["slack_id"]

        yield make


@pytest.fixture
def ask(client: QuartClient) -> Ask:
    """Send a message; the status, and what is said."""

    async def send(text: str, sender: str = "U0NOBODY", **more: str) -> tuple[int, dict[str, Any]]:
        message = {"text": text, "sender": sender, **more}
        response = await client.post("/actions/weather", json=message)
        return response.status_code, await response.get_json()

    return send
