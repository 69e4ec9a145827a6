"""What people ask Jeeves for, as often as they do. A plain Molotov file.

HARNESS_TARGET=http://localhost:5000 HARNESS_TARGET_DATASERVICE=http://localhost:5002 \
    HARNESS_TARGET_TOKENDEALER=http://localhost:5001 molotov scenarios/actions.py -d 10

It makes a user before the load and takes her away after it.
"""

import json
import os
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

from molotov import global_setup, global_teardown, scenario

from harness.scenarios import base_url

TARGET = base_url()
DATA = base_url("dataservice")
DEALER = base_url("tokendealer")
WRITER = {
    "grant_type": "client_credentials",
    "client_id": "dataservice-writer",
    "client_secret": os.environ.get(
        "DATASERVICE_WRITER_SECRET", "dataservice-writer-secret-for-tests"
    ),
    "audience": "dataservice",
}
ADA = {"slack_id": f"U{uuid4().hex[:16].upper()}", "name": "Ada", "location": "London, UK"}


def call(method, url, data=None, **headers):
    """One request, before or after the load, when no loop runs."""
    with urlopen(Request(url, data, headers, method=method), timeout=10) as reply:  # noqa: S310
        return json.loads(reply.read() or b"null")


def bearer():
    """The header with a token."""
    granted = call("POST", f"{DEALER}/oauth/token", urlencode(WRITER).encode())
    return {"Authorization": f"Bearer {granted['access_token']}"}


@global_setup()
def make_ada(args):
    """Somebody who is somewhere."""
    headers = {**bearer(), "Content-Type": "application/json"}
    ADA.update(call("POST", f"{DATA}/api/users", json.dumps(ADA).encode(), **headers))


@global_teardown()
def remove_ada():
    """Leave nothing behind."""
    call("DELETE", f"{DATA}{ADA['url']}", **bearer())


async def ask(session, text):
    """Send a message; the answer must be London's weather."""
    message = {"text": text, "sender": ADA["slack_id"]}
    async with session.post(f"{TARGET}/actions/weather", json=message) as response:
        assert response.status == 200
        assert (await response.json())["text"].startswith("London:")


@scenario(weight=70)
async def weather_where_i_am(session):
    """Two services and the outside take part in it."""
    await ask(session, "weather")


@scenario(weight=30)
async def weather_elsewhere(session):
    """Only the outside is asked."""
    await ask(session, "weather in London, UK")
