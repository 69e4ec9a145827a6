"""The dataservice and the tokendealer as aioresponses plays them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession
from aioresponses import aioresponses
from werkzeug.exceptions import ServiceUnavailable

from fixtures.jeeves.actions.people import People
from fixtures.jeeves.tokens import Tokens

DEALER = "http://dealer.example/oauth/token"
USERS = "http://data.example/api/users"
ADA = f"{USERS}?slack_id=U123"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def people() -> AsyncIterator[People]:
    async with ClientSession() as session:
        tokens = Tokens(DEALER, "actions", "secret", "dataservice", session=session)
        yield People(tokens, "http://data.example/")


def granted(token: str) -> dict[str, Any]:
    return {"payload": {"access_token": token, "expires_in": 900}}


@pytest.mark.parametrize(
    ("users", "location"),
    [([{"location": "London, UK"}], "London, UK"), ([{"location": ""}], ""), ([], "")],
)
async def test_where_somebody_is(
    people: People, users: list[dict[str, str]], location: str
) -> None:
    with aioresponses() as m:
        m.post(DEALER, **granted("a"))
        m.get(ADA, payload={"users": users})

        assert await people.location("U123", TRACE) == location
        m.assert_called_with(
            USERS,
            params={"slack_id": "U123"},
            headers={"traceparent": TRACE, "Authorization": "Bearer a"},
        )


async def test_one_token_serves_many_questions_until_it_is_refused(people: People) -> None:
    with aioresponses() as m:
        m.post(DEALER, **granted("a"))
        m.get(ADA, payload={"users": []})
        m.get(ADA, payload={"users": []})
        m.get(ADA, status=401)
        m.post(DEALER, **granted("b"))
        m.get(ADA, payload={"users": [{"location": "London"}]})
        told = [await people.location("U123", TRACE) for _ in range(3)]
        bearers = [
            call.kwargs["headers"]["Authorization"]
            for (_, url), calls in m.requests.items()
            if url.path == "/api/users"
            for call in calls
        ]

    assert told == ["", "", "London"]
    assert bearers == ["Bearer a", "Bearer a", "Bearer a", "Bearer b"]


@pytest.mark.parametrize(
    ("dealer", "data"),
    [
        ({"status": 401, "payload": {"error": "invalid_client"}}, {}),
        ({"exception": ClientConnectionError("gone")}, {}),
        (granted("a"), {"status": 500}),
        (granted("a"), {"status": 403}),
        (granted("a"), {"payload": {"users": "everybody"}}),
        (granted("a"), {"body": "{"}),
        (granted("a"), {"exception": ClientConnectionError("gone")}),
        (granted("a"), {"exception": TimeoutError()}),
    ],
)
async def test_where_nobody_can_be_asked_the_caller_may_try_again(
    people: People, dealer: dict[str, Any], data: dict[str, Any]
) -> None:
    with aioresponses() as m:
        m.post(DEALER, **dealer)
        m.get(ADA, **data)
        with pytest.raises(ServiceUnavailable) as caught:
            await people.location("U123", TRACE)

    assert ("Retry-After", "2") in caught.value.get_headers()
