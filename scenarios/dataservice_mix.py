"""What the other services ask of the dataservice, as often as they do. A plain Molotov file.

HARNESS_TARGET=http://localhost:5000 HARNESS_TARGET_TOKENDEALER=http://localhost:5001 \
    molotov scenarios/dataservice_mix.py -d 10

It makes its own users before the load and takes them away after it.
"""

import asyncio
import json
import os
import random
import time
from contextlib import suppress
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

from molotov import global_setup, global_teardown, scenario

TARGET = os.environ.get("HARNESS_TARGET", "http://localhost:5000").rstrip("/")
DEALER = os.environ.get("HARNESS_TARGET_TOKENDEALER", "http://localhost:5001").rstrip("/")
WRITER = {
    "grant_type": "client_credentials",
    "client_id": "dataservice-writer",
    "client_secret": os.environ.get(
        "DATASERVICE_WRITER_SECRET", "dataservice-writer-secret-for-tests"
    ),
    "audience": "dataservice",
}
HOW_MANY = 20


class Own:
    """What this process has: a token, renewed before it expires, users, and tags seen of them."""

    token = ""
    until = 0.0
    turn = asyncio.Lock()
    users: list = []  # noqa: RUF012
    tags: dict = {}  # noqa: RUF012

    @classmethod
    def keep(cls, granted):
        """Remember a token for half of its life."""
        cls.token = granted["access_token"]
        cls.until = time.monotonic() + granted["expires_in"] / 2


def call(method, url, data=None, kind="application/json"):
    """One request, before and after the load, when no loop runs."""
    headers = {"Content-Type": kind}
    if Own.token:
        headers["Authorization"] = f"Bearer {Own.token}"
    with urlopen(Request(url, data, headers, method=method), timeout=10) as reply:  # noqa: S310
        return json.loads(reply.read() or b"null")


def new_user():
    """Somebody whom nobody knows."""
    config = {"units": random.choice(["metric", "imperial"]), "alerts": {"monday": True}}
    slack_id = f"U{uuid4().hex[:16].upper()}"
    return {"slack_id": slack_id, "name": "Ada", "location": "London, UK", "config": config}


def log_in():
    """A token, before and after the load."""
    Own.token = ""
    form = urlencode(WRITER).encode()
    Own.keep(call("POST", f"{DEALER}/oauth/token", form, "application/x-www-form-urlencoded"))


@global_setup()
def make_users(args):
    """Users to read and to change."""
    log_in()
    for _ in range(HOW_MANY):
        body = json.dumps(new_user()).encode()
        Own.users.append(call("POST", f"{TARGET}/api/users", body))


@global_teardown()
def remove_users():
    """Leave nothing behind."""
    log_in()
    for user in Own.users:
        with suppress(OSError):
            call("DELETE", f"{TARGET}{user['url']}")


async def bearer(session):
    """The header with a token that has not expired."""
    async with Own.turn:
        if time.monotonic() > Own.until:
            async with session.post(f"{DEALER}/oauth/token", data=WRITER) as response:
                assert response.status == 200
                Own.keep(await response.json())
    return {"Authorization": f"Bearer {Own.token}"}


@scenario(weight=50)
async def who_is_it(session):
    """A message comes from Slack: whose it is, and where they are."""
    user = random.choice(Own.users)
    params, headers = {"slack_id": user["slack_id"]}, await bearer(session)
    async with session.get(f"{TARGET}/api/users", params=params, headers=headers) as response:
        assert response.status == 200
        assert (await response.json())["users"][0]["id"] == user["id"]


@scenario(weight=30)
async def same_as_before(session):
    """Somebody who was seen already: mostly a 304."""
    url = random.choice(Own.users)["url"]
    headers = {**await bearer(session), "If-None-Match": Own.tags.get(url, '"none"')}
    async with session.get(f"{TARGET}{url}", headers=headers) as response:
        assert response.status in (200, 304)
        Own.tags[url] = response.headers["ETag"]


@scenario(weight=10)
async def change_a_setting(session):
    """Read, change, write back; who was overtaken by another visit looks again."""
    url, headers = f"{TARGET}{random.choice(Own.users)['url']}", await bearer(session)
    for _ in range(10):
        async with session.get(url, headers=headers) as response:
            assert response.status == 200
            user, tag = await response.json(), response.headers["ETag"]
        config = {**user["config"], "units": random.choice(["metric", "imperial"])}
        headers["If-Match"] = tag
        async with session.patch(url, json={"config": config}, headers=headers) as response:
            assert response.status in (200, 412)
            if response.status == 200:
                return
    raise AssertionError("overtaken ten times")


@scenario(weight=7)
async def everybody(session):
    """The scheduler's walk over the users, two pages of it."""
    path, headers = "/api/users?limit=10", {**await bearer(session), "Accept-Encoding": "gzip"}
    for _ in range(2):
        async with session.get(f"{TARGET}{path}", headers=headers) as response:
            assert response.status == 200
            path = (await response.json())["next"]
        if path is None:
            return


@scenario(weight=3)
async def come_and_go(session):
    """Somebody new, who does not stay."""
    headers = await bearer(session)
    async with session.post(f"{TARGET}/api/users", json=new_user(), headers=headers) as response:
        assert response.status == 201
        url = response.headers["Location"]
    async with session.delete(f"{TARGET}{url}", headers=headers) as response:
        assert response.status == 204
