"""A journey over two services: get a token, then make, read, change and delete a user with it.

HARNESS_TARGET=http://localhost:5000 HARNESS_TARGET_TOKENDEALER=http://localhost:5001 \
    molotov scenarios/login_and_write.py -d 10

Each visit costs the tokendealer the hash of a secret, some 50 ms of a processor.
"""

import os
from uuid import uuid4

from molotov import scenario

from harness.scenarios import base_url

TARGET, DEALER = base_url(), base_url("tokendealer")
WRITER = {
    "grant_type": "client_credentials",
    "client_id": "dataservice-writer",
    "client_secret": os.environ.get(
        "DATASERVICE_WRITER_SECRET", "dataservice-writer-secret-for-tests"
    ),
    "audience": "dataservice",
}


@scenario()
async def login_and_write(session):
    """The whole life of a user."""
    async with session.post(f"{DEALER}/oauth/token", data=WRITER) as response:
        assert response.status == 200
        headers = {"Authorization": f"Bearer {(await response.json())['access_token']}"}
    user = {"slack_id": f"U{uuid4().hex[:16].upper()}", "name": "Ada"}
    async with session.post(f"{TARGET}/api/users", json=user, headers=headers) as response:
        assert response.status == 201
        url = f"{TARGET}{response.headers['Location']}"
    async with session.get(url, headers=headers) as response:
        assert response.status == 200
        seen = {**headers, "If-Match": response.headers["ETag"]}
    async with session.patch(url, json={"location": "London, UK"}, headers=seen) as response:
        assert response.status == 200
        assert (await response.json())["location"] == "London, UK"
    async with session.patch(url, json={"location": "Paris"}, headers=seen) as response:
        assert response.status == 412  # for it has changed since
    async with session.delete(url, headers=headers) as response:
        assert response.status == 204
