"""Entity tags: nothing is sent twice, and nobody's change is lost."""

import asyncio
from typing import Any

import pytest
from quart import Response
from quart.testing import QuartClient

from .conftest import Headers

pytestmark = pytest.mark.service("dataservice")

FORMS = [
    {"Accept": "application/json"},
    {"Accept": "application/msgpack"},
    {"Accept": "application/json", "Accept-Encoding": "gzip"},
    {"Accept": "application/msgpack", "Accept-Encoding": "gzip"},
]
LONG = {"config": {"note": "long enough for gzip " * 50}}


async def tag_of(client: QuartClient, path: str, headers: Headers) -> str:
    return str((await client.get(path, headers=headers)).headers["ETag"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["get", "head"])
async def test_who_has_a_user_already_is_told_so_and_no_more(
    client: QuartClient, reader: Headers, user: dict[str, Any], form: Headers, method: str
) -> None:
    tag = await tag_of(client, user["url"], {**reader, **form})
    headers = {**reader, **form, "If-None-Match": f'"other", {tag}'}
    response: Response = await getattr(client, method)(user["url"], headers=headers)

    assert response.status_code == 304
    assert await response.get_data() == b""
    assert response.headers["ETag"] == tag
    assert {"Accept", "Accept-Encoding"} <= set(response.headers["Vary"].split(", "))
    assert "Content-Encoding" not in response.headers


async def test_each_form_has_a_tag_of_its_own_for_they_are_strong(
    client: QuartClient, writer: Headers, user: dict[str, Any]
) -> None:
    await client.patch(user["url"], json=LONG, headers=writer)
    tags = [await tag_of(client, user["url"], {**writer, **form}) for form in FORMS]
    crossed = await client.get(
        user["url"], headers={**writer, **FORMS[0], "If-None-Match": tags[1]}
    )

    assert len(set(tags)) == 4
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
    assert crossed.status_code == 200


async def test_a_change_changes_the_tag_and_the_answer_to_it_has_the_new_one(
    client: QuartClient, writer: Headers, user: dict[str, Any]
) -> None:
    before = await tag_of(client, user["url"], writer)
    changed = await client.patch(user["url"], json={"name": "Grace"}, headers=writer)
    fresh = await client.get(user["url"], headers={**writer, "If-None-Match": before})

    assert changed.headers["ETag"] == fresh.headers["ETag"] != before
    assert fresh.status_code == 200


async def test_a_page_has_a_tag_too(
    client: QuartClient, writer: Headers, user: dict[str, Any]
) -> None:
    path = f"/api/users?slack_id={user['slack_id']}"
    tag = await tag_of(client, path, writer)
    headers = {**writer, "If-None-Match": tag}
    same = await client.get(path, headers=headers)
    await client.patch(user["url"], json={"name": "Grace"}, headers=writer)

    assert same.status_code == 304
    assert (await client.get(path, headers=headers)).status_code == 200


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
async def test_who_saw_the_newest_in_whatever_form_may_change_it(
    client: QuartClient, writer: Headers, user: dict[str, Any], form: Headers, method: str
) -> None:
    await client.patch(user["url"], json=LONG, headers=writer)
    tag = await tag_of(client, user["url"], {**writer, **form})
    response = await write(client, method, user, {**writer, "If-Match": tag})

    assert response.status_code == (204 if method == "delete" else 200)


@pytest.mark.parametrize("given", ["*", '"other", {tag}'])
async def test_a_match_may_be_any_or_one_of_several(
    client: QuartClient, writer: Headers, user: dict[str, Any], given: str
) -> None:
    tag = await tag_of(client, user["url"], writer)
    headers = {**writer, "If-Match": given.format(tag=tag)}

    assert (await write(client, "put", user, headers)).status_code == 200


@pytest.mark.parametrize(
    "given", ["{old}", "W/{new}", '"other"', f'"{"9" * 18}-json"', f'"{"9" * 30}-json"', '""', ""]
)
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
async def test_who_did_not_see_the_newest_changes_nothing(
    client: QuartClient, writer: Headers, user: dict[str, Any], method: str, given: str
) -> None:
    old = await tag_of(client, user["url"], writer)
    changed = await client.patch(user["url"], json={"name": "Grace"}, headers=writer)
    tags = given.format(old=old, new=changed.headers["ETag"])
    response = await write(client, method, user, {**writer, "If-Match": tags})
    after = await client.get(user["url"], headers=writer)

    assert response.status_code == 412
    assert (await response.get_json())["detail"] == f"{user['url']} has changed since; look again."
    assert await after.get_json() == await changed.get_json()


async def test_of_many_who_saw_the_same_one_changes_it(
    client: QuartClient, writer: Headers, user: dict[str, Any]
) -> None:
    headers = {**writer, "If-Match": await tag_of(client, user["url"], writer)}
    responses = await asyncio.gather(
        *(client.patch(user["url"], json={"name": f"n{n}"}, headers=headers) for n in range(8))
    )
    (won,) = [response for response in responses if response.status_code == 200]
    after = await (await client.get(user["url"], headers=writer)).get_json()

    assert sorted(response.status_code for response in responses) == [200] + 7 * [412]
    assert after == await won.get_json()


async def write(
    client: QuartClient, method: str, user: dict[str, Any], headers: Headers
) -> Response:
    facts = {"slack_id": user["slack_id"], "name": "Changed"}
    sent = {} if method == "delete" else {"json": facts}
    response: Response = await getattr(client, method)(user["url"], headers=headers, **sent)
    return response
