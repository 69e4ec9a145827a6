"""What several of these tests need. The harness supplies `client`, for any target."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from quart.testing import QuartClient

Grant = Callable[..., Coroutine[Any, Any, Any]]


@pytest.fixture
def grant(client: QuartClient) -> Grant:
    """Ask for a token as one of the packaged clients, whose secrets are for tests only."""

    async def ask(name: str = "reader", audience: str = "dataservice", **more: str) -> Any:
        form = {
            "grant_type": "client_credentials",
            "client_id": name,
            "client_secret": f"{name}-secret-for-tests",
            "audience": audience,
            **more,
        }
        return await client.post(
            "/oauth/token", form={key: value for key, value in form.items() if value}
        )

    return ask


@pytest.fixture
async def token(grant: Grant) -> str:
    """A token of the reader's, for dataservice."""
    return str((await (await grant()).get_json())["access_token"])


@pytest.fixture
async def admin_token(grant: Grant) -> str:
    """A token that may rotate the keys."""
    return str((await (await grant("admin", "tokendealer")).get_json())["access_token"])
