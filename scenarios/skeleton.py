"""Journeys through the skeleton service: a plain Molotov file, which either runner runs.

harness load scenarios/skeleton.py --app "fixtures.jeeves.skeleton.app:create_app()" --rate 20
HARNESS_TARGET=http://localhost:5000 molotov scenarios/skeleton.py -d 10
"""

import random

from molotov import scenario

from harness.scenarios import base_url

TARGET = base_url()


@scenario(weight=40)
async def things(session):
    """Create a thing, look at it, change it and take it away again."""
    thing = {"name": "kettle", "colour": random.choice(["red", "green", "blue"])}
    async with session.post(f"{TARGET}/things", json=thing) as response:
        assert response.status == 201
        created = await response.json()
    url = f"{TARGET}{created['url']}"
    async with session.get(url) as response:
        assert response.status == 200
        assert (await response.json())["colour"] == thing["colour"]
    async with session.put(url, json={**thing, "place": "kitchen/shelf"}) as response:
        assert response.status == 200
        assert (await response.json())["place"] == "kitchen/shelf"
    async with session.delete(url) as response:
        assert response.status == 204


@scenario(weight=30)
async def weather(session):
    """Ask for the weather, which the service asks of somebody else."""
    async with session.get(f"{TARGET}/weather", params={"city": "London, UK"}) as response:
        assert response.status == 200
        told = await response.json()
    assert told["city"] == "London"
    assert -90 < told["celsius"] < 60


@scenario(weight=25)
async def hello(session):
    """Open a page."""
    async with session.get(f"{TARGET}/hello/Ada") as response:
        assert response.status == 200
        assert "Hello, Ada!" in await response.text()


@scenario(weight=5)
async def account(session):
    """Sign in, be known by the cookie, and sign out. Rare: a password's hash takes 50 ms."""
    who = {"user": "ada", "password": "correct horse battery staple"}
    async with session.post(f"{TARGET}/session", json=who) as response:
        assert response.status == 201
    async with session.get(f"{TARGET}/session") as response:
        assert response.status == 200
        assert (await response.json())["user"] == "ada"
    async with session.delete(f"{TARGET}/session") as response:
        assert response.status == 204
