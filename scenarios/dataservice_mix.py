"""What the other services ask of the dataservice, as often as they do. A plain Molotov file.

HARNESS_TARGET=http://localhost:5000 HARNESS_TARGET_TOKENDEALER=http://localhost:5001 \
    molotov scenarios/dataservice_mix.py -d 10

It makes its own users before the load and takes them away after it.
"""

import json
import os
import random
from pathlib import Path
from uuid import uuid4

from molotov import global_setup, global_teardown, json_request, request, scenario

from harness.scenarios import Rows, Token, base_url

TARGET = base_url()
WRITER = Token(
    f"{base_url('tokendealer')}/oauth/token",
    client_id="dataservice-writer",
    client_secret=os.environ.get(
        "DATASERVICE_WRITER_SECRET", "dataservice-writer-secret-for-tests"
    ),
    audience="dataservice",
)
PEOPLE = Rows(Path(__file__).with_name("people.csv"))
HOW_MANY = 20

users: list = []
tags: dict = {}


def new_user():
    """Somebody whom nobody knows."""
    person = next(PEOPLE)
    config = {"units": person["units"], "alerts": {"monday": True}}
    slack_id = f"U{uuid4().hex[:16].upper()}"
    return {"slack_id": slack_id, "name": person["name"], "location": person["location"],
            "config": config}  # fmt: skip


def log_in():
    """The header with a token, before and after the load."""
    granted = json_request(WRITER.url, "POST", data=WRITER.form)["content"]
    return {"Authorization": f"Bearer {granted['access_token']}"}


@global_setup()
def make_users(args):
    """Users to read and to change."""
    headers = {**log_in(), "Content-Type": "application/json"}
    for _ in range(HOW_MANY):
        body = json.dumps(new_user())
        made = json_request(f"{TARGET}/api/users", "POST", data=body, headers=headers)
        assert made["status"] == 201, made
        users.append(made["content"])


@global_teardown()
def remove_users():
    """Leave nothing behind."""
    headers = log_in()
    for user in users:
        request(f"{TARGET}{user['url']}", "DELETE", headers=headers)


@scenario(weight=50)
async def who_is_it(session):
    """A message comes from Slack: whose it is, and where they are."""
    user = random.choice(users)
    params, headers = {"slack_id": user["slack_id"]}, await WRITER.header(session)
    async with session.get(f"{TARGET}/api/users", params=params, headers=headers) as response:
        assert response.status == 200
        assert (await response.json())["users"][0]["id"] == user["id"]


@scenario(weight=30)
async def same_as_before(session):
    """Somebody who was seen already: mostly a 304."""
    url = random.choice(users)["url"]
    headers = {**await WRITER.header(session), "If-None-Match": tags.get(url, '"none"')}
    async with session.get(f"{TARGET}{url}", headers=headers) as response:
        assert response.status in (200, 304)
        tags[url] = response.headers["ETag"]


@scenario(weight=10)
async def change_a_setting(session):
    """Read, change, write back; who was overtaken by another visit looks again."""
    url, headers = f"{TARGET}{random.choice(users)['url']}", await WRITER.header(session)
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
    headers = {**await WRITER.header(session), "Accept-Encoding": "gzip"}
    path = "/api/users?limit=10"
    for _ in range(2):
        async with session.get(f"{TARGET}{path}", headers=headers) as response:
            assert response.status == 200
            path = (await response.json())["next"]
        if path is None:
            return


@scenario(weight=3)
async def come_and_go(session):
    """Somebody new, who does not stay."""
    headers = await WRITER.header(session)
    async with session.post(f"{TARGET}/api/users", json=new_user(), headers=headers) as response:
        assert response.status == 201
        url = response.headers["Location"]
    async with session.delete(f"{TARGET}{url}", headers=headers) as response:
        assert response.status == 204
