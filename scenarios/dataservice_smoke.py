"""Each read of the dataservice once: is it there, and does it answer? A plain Molotov file.

HARNESS_TARGET=http://localhost:5000 HARNESS_TARGET_TOKENDEALER=http://localhost:5001 \
    molotov scenarios/dataservice_smoke.py --single-run
"""

import os

from molotov import scenario

from harness.scenarios import Token, base_url

TARGET = base_url()
READER = Token(
    f"{base_url('tokendealer')}/oauth/token",
    client_id="reader",
    client_secret=os.environ.get("READER_SECRET", "reader-secret-for-tests"),
    audience="dataservice",
)


@scenario()
async def smoke(session):
    """Health, metrics, a page of users, and the first of them by its id and by its Slack id."""
    for path in ("/health/live", "/health/ready", "/metrics"):
        async with session.get(f"{TARGET}{path}") as response:
            assert response.status == 200
    bearer = await READER.header(session)
    async with session.get(f"{TARGET}/api/users", headers=bearer) as response:
        assert response.status == 200
        users = (await response.json())["users"]
    for user in users[:1]:
        async with session.get(f"{TARGET}{user['url']}", headers=bearer) as response:
            assert response.status in (200, 404)  # somebody may have deleted it meanwhile
        wanted = {"slack_id": user["slack_id"]}
        async with session.get(f"{TARGET}/api/users", params=wanted, headers=bearer) as response:
            assert response.status == 200
