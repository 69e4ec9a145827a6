"""What several of the functional tests need. The harness supplies `client`, for any target."""

from collections.abc import Callable
from typing import Any

import pytest
from quart.testing import QuartClient


@pytest.fixture
async def thing(client: QuartClient, undo: Callable[..., None]) -> dict[str, Any]:
    """A thing of this test's own, gone after it: the target may outlive us and serve others."""
    sent = {"name": "kettle", "colour": "red", "place": "kitchen/top-shelf"}
    created: dict[str, Any] = await (await client.post("/things", json=sent)).get_json()
    undo(client.delete, f"/things/{created['id']}")
    return created
