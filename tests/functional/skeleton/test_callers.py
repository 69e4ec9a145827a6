"""What several callers at once do to each other: nothing."""

import pytest
from quart.testing import QuartClient


@pytest.mark.callers(5)
async def test_who_creates_beside_others_finds_a_thing_of_its_own(client: QuartClient) -> None:
    cup = {"name": "cup", "colour": "blue"}
    created = await (await client.post("/things", json=cup)).get_json()
    path = f"/things/{created['id']}"
    found = await (await client.get(path)).get_json()
    deleted = await client.delete(path)

    assert found == created
    assert deleted.status_code == 204
