"""Users over HTTP: made, found, changed, forgotten, and never two of one Slack id."""

import asyncio
from typing import Any

import pytest
from quart.testing import QuartClient

from .conftest import Headers, NewUser, slack_id

pytestmark = pytest.mark.service("dataservice")


async def test_a_user_is_created_and_then_found_where_its_location_says(
    client: QuartClient, writer: Headers, reader: Headers
) -> None:
    sent = {
        "slack_id": slack_id(),
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "location": "London, UK",
        "config": {"units": "metric", "alerts": {"monday": True}},
    }
    response = await client.post("/api/users", json=sent, headers=writer)
    created = await response.get_json()
    found = await client.get(response.headers["Location"], headers=reader)
    await client.delete(created["url"], headers=writer)

    assert response.status_code == 201
    assert response.headers["Location"] == created["url"] == f"/api/users/{created['id']}"
    assert sent.items() <= created.items()
    assert found.status_code == 200
    assert found.headers["ETag"] == response.headers["ETag"]
    assert await found.get_json() == created


async def test_what_is_not_said_of_a_user_is_empty(new_user: NewUser) -> None:
    user = await new_user()

    assert (user["email"], user["location"], user["config"]) == ("", "", {})


@pytest.mark.parametrize(
    "name", ["Zoë", "李小龍", "👩‍👩‍👧", "'); DROP TABLE users; --", "{{ 7 * 7 }}", "<b>", "x" * 80]
)
async def test_a_name_is_a_text_and_nothing_more(
    client: QuartClient, reader: Headers, new_user: NewUser, name: str
) -> None:
    user = await new_user(name=name)

    assert (await (await client.get(user["url"], headers=reader)).get_json())["name"] == name


async def test_a_replaced_user_keeps_its_id_and_what_is_not_sent_is_empty(
    client: QuartClient, writer: Headers, user: dict[str, Any]
) -> None:
    sent = {"slack_id": slack_id(), "name": "Grace"}
    response = await client.put(user["url"], json=sent, headers=writer)
    replaced = {**user, **sent, "location": "", "config": {}}

    assert response.status_code == 200
    assert await response.get_json() == replaced
    assert await (await client.get(user["url"], headers=writer)).get_json() == replaced


@pytest.mark.parametrize(
    "sent",
    [{}, {"name": "Grace"}, {"config": {"units": "imperial"}}, {"location": "", "name": "G"}],
)
async def test_an_amended_user_keeps_what_is_not_sent(
    client: QuartClient, writer: Headers, user: dict[str, Any], sent: dict[str, Any]
) -> None:
    response = await client.patch(user["url"], json=sent, headers=writer)

    assert response.status_code == 200
    assert await response.get_json() == {**user, **sent}
    assert await (await client.get(user["url"], headers=writer)).get_json() == {**user, **sent}


async def test_a_deleted_user_is_gone_and_its_id_is_not_given_again(
    client: QuartClient, writer: Headers, user: dict[str, Any], new_user: NewUser
) -> None:
    response = await client.delete(user["url"], headers=writer)

    assert (response.status_code, await response.get_data()) == (204, b"")
    assert (await client.get(user["url"], headers=writer)).status_code == 404
    assert (await client.delete(user["url"], headers=writer)).status_code == 404
    assert (await new_user(slack_id=user["slack_id"]))["id"] > user["id"]


async def test_a_slack_id_is_one_users_only(
    client: QuartClient, writer: Headers, user: dict[str, Any], new_user: NewUser
) -> None:
    other, taken = await new_user(), {"slack_id": user["slack_id"], "name": "Grace"}
    refused = [
        await client.post("/api/users", json=taken, headers=writer),
        await client.put(other["url"], json=taken, headers=writer),
        await client.patch(other["url"], json={"slack_id": user["slack_id"]}, headers=writer),
    ]
    kept = await client.put(user["url"], json=taken, headers=writer)

    assert [response.status_code for response in refused] == [409, 409, 409]
    assert (await refused[0].get_json())["detail"] == "Another user has this Slack id."
    assert await (await client.get(other["url"], headers=writer)).get_json() == other
    assert kept.status_code == 200


async def test_of_many_who_make_the_same_user_at_once_one_does(
    client: QuartClient, writer: Headers
) -> None:
    sent = {"slack_id": slack_id(), "name": "Ada"}
    responses = await asyncio.gather(
        *(client.post("/api/users", json=sent, headers=writer) for _ in range(8))
    )
    for response in responses:
        if "Location" in response.headers:
            await client.delete(response.headers["Location"], headers=writer)

    assert sorted(response.status_code for response in responses) == [201] + 7 * [409]


async def test_changes_of_different_facts_at_once_are_all_kept(
    client: QuartClient, writer: Headers, user: dict[str, Any]
) -> None:
    changes = [{"name": "Grace"}, {"email": "g@example.org"}, {"location": "Paris"}]
    responses = await asyncio.gather(
        *(client.patch(user["url"], json=change, headers=writer) for change in changes)
    )
    after = await (await client.get(user["url"], headers=writer)).get_json()

    assert [response.status_code for response in responses] == [200, 200, 200]
    assert after == {**user, "name": "Grace", "email": "g@example.org", "location": "Paris"}


async def test_the_pages_have_every_user_once_oldest_first(
    client: QuartClient, reader: Headers, new_user: NewUser
) -> None:
    mine = [(await new_user(name=f"number {number}"))["id"] for number in range(5)]
    url, seen, sizes = f"/api/users?limit=2&after={mine[0] - 1}", [], []
    while url:
        page = await (await client.get(url, headers=reader)).get_json()
        seen += [user["id"] for user in page["users"]]
        sizes.append(len(page["users"]))
        url = page["next"]

    assert [each for each in seen if each in mine] == mine
    assert seen == sorted(set(seen))
    assert set(sizes[:-1]) == {2}


async def test_a_user_is_found_by_its_slack_id(
    client: QuartClient, reader: Headers, user: dict[str, Any]
) -> None:
    known = await client.get(f"/api/users?slack_id={user['slack_id']}", headers=reader)
    unknown = await client.get(f"/api/users?slack_id={slack_id()}", headers=reader)

    assert await known.get_json() == {"users": [user], "next": None}
    assert await unknown.get_json() == {"users": [], "next": None}


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "limit must be a whole number of 1 to 100."),
        ("limit=101", "limit must be a whole number of 1 to 100."),
        ("limit=many", "limit must be a whole number of 1 to 100."),
        ("after=-1", "after must be a whole number of 0 to 999999999999999999."),
        ("after=1000000000000000000", "after must be a whole number of 0 to 999999999999999999."),
        ("slack_id=", "slack_id must be U or W and 2 to 20 of A-Z and 0-9."),
        ("slack_id='%20OR%201=1", "slack_id must be U or W and 2 to 20 of A-Z and 0-9."),
        ("slack=U12345", "Unknown: slack; known: limit, after, slack_id."),
    ],
)
async def test_a_query_that_is_not_understood_is_refused(
    client: QuartClient, reader: Headers, query: str, detail: str
) -> None:
    response = await client.get(f"/api/users?{query}", headers=reader)

    assert response.status_code == 400
    assert (await response.get_json())["detail"] == detail


@pytest.mark.parametrize("number", ["0", "9" * 18, "9" * 19, "9" * 5000, "-1", "one", ""])
@pytest.mark.parametrize("method", ["get", "put", "delete"])
async def test_an_id_of_nobody_is_not_found(
    client: QuartClient, writer: Headers, method: str, number: str
) -> None:
    sent = {"json": {"slack_id": slack_id(), "name": "Ada"}} if method == "put" else {}
    response = await getattr(client, method)(f"/api/users/{number}", headers=writer, **sent)

    assert response.status_code == 404
    assert (await response.get_json())["error"] == "Not Found"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"slack_id": "u123"}, "slack_id"),
        ({"slack_id": None}, "slack_id"),
        ({"slack_id": "U123\n"}, "slack_id"),
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": f"a@{'x' * 253}"}, "email"),
        ({"location": "two\nlines"}, "location"),
        ({"location": None}, "location"),
        ({"config": []}, "config"),
        ({"config": {"big": 2**64}}, "config"),
        ({"config": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {}}}}}}}}}}, "config"),
        ({"nickname": "Ada"}, "nickname"),
        ({"id": 7}, "id"),
    ],
)
async def test_facts_that_break_a_rule_are_named_and_nothing_is_changed(
    client: QuartClient, writer: Headers, user: dict[str, Any], facts: Any, field: str
) -> None:
    new = {"slack_id": slack_id(), "name": "Ada", **facts}
    responses = [
        await client.post("/api/users", json=new, headers=writer),
        await client.put(user["url"], json=new, headers=writer),
        await client.patch(user["url"], json=facts, headers=writer),
    ]
    found = await client.get(user["url"], headers=writer)

    assert [response.status_code for response in responses] == [422, 422, 422]
    assert [list((await r.get_json())["fields"]) for r in responses] == [[field]] * 3
    assert await found.get_json() == user
