"""The collection over HTTP, and each kind of URL converter."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from quart.testing import QuartClient

CUP = {"name": "cup", "colour": "blue"}


async def test_a_thing_is_created_and_then_found_where_its_location_says(
    client: QuartClient,
) -> None:
    response = await client.post("/things", json={**CUP, "place": "cellar"})
    created = await response.get_json()
    found = await client.get(f"/things/{created['id']}")
    await client.delete(f"/things/{created['id']}")

    assert response.status_code == 201
    assert response.headers["Location"].endswith(f"/things/{created['id']}")
    assert response.headers["Location"] == created["url"]
    assert "://" not in created["url"]
    assert {**CUP, "place": "cellar"}.items() <= created.items()
    assert found.status_code == 200
    assert await found.get_json() == created


async def test_a_thing_without_a_place_is_nowhere(client: QuartClient) -> None:
    created = await (await client.post("/things", json=CUP)).get_json()
    await client.delete(f"/things/{created['id']}")

    assert created["place"] == ""


async def test_the_list_has_every_thing_oldest_first(
    client: QuartClient, thing: dict[str, Any]
) -> None:
    younger = await (await client.post("/things", json=CUP)).get_json()
    listed = (await (await client.get("/things")).get_json())["things"]
    await client.delete(f"/things/{younger['id']}")

    assert [each for each in listed if each in (thing, younger)] == [thing, younger]
    assert thing["id"] < younger["id"]


async def test_a_replaced_thing_keeps_its_id_and_its_key(
    client: QuartClient, thing: dict[str, Any]
) -> None:
    response = await client.put(f"/things/{thing['id']}", json={"name": "pot", "colour": "green"})
    replaced = {**thing, "name": "pot", "colour": "green", "place": ""}

    assert response.status_code == 200
    assert await response.get_json() == replaced
    assert await (await client.get(f"/things/{thing['id']}")).get_json() == replaced


async def test_a_deleted_thing_is_gone_from_every_path(
    client: QuartClient, thing: dict[str, Any]
) -> None:
    response = await client.delete(f"/things/{thing['id']}")

    assert response.status_code == 204
    assert await response.get_data() == b""
    assert (await client.get(f"/things/{thing['id']}")).status_code == 404
    assert (await client.get(f"/things/key/{thing['key']}")).status_code == 404
    assert (await client.delete(f"/things/{thing['id']}")).status_code == 404
    assert (await client.put(f"/things/{thing['id']}", json=CUP)).status_code == 404
    assert thing not in (await (await client.get("/things")).get_json())["things"]


async def test_an_id_is_not_given_twice(client: QuartClient, thing: dict[str, Any]) -> None:
    await client.delete(f"/things/{thing['id']}")
    created = await (await client.post("/things", json=CUP)).get_json()
    await client.delete(f"/things/{created['id']}")

    assert created["id"] > thing["id"]
    assert created["key"] != thing["key"]


async def test_a_thing_is_found_by_its_key_however_it_is_written(
    client: QuartClient, thing: dict[str, Any]
) -> None:
    lower = await client.get(f"/things/key/{thing['key']}")
    upper = await client.get(f"/things/key/{thing['key'].upper()}")

    assert await lower.get_json() == thing
    assert await upper.get_json() == thing


async def test_an_unknown_key_is_not_found_and_the_answer_names_it(client: QuartClient) -> None:
    key = uuid4()
    response = await client.get(f"/things/key/{key}")

    assert response.status_code == 404
    assert str(key) in (await response.get_json())["detail"]


async def test_things_are_listed_by_colour(client: QuartClient, thing: dict[str, Any]) -> None:
    red = await (await client.get("/things/colour/red")).get_json()
    green = await (await client.get("/things/colour/green")).get_json()

    assert thing in red["things"]
    assert thing not in green["things"]
    assert {each["colour"] for each in red["things"]} == {"red"}


@pytest.mark.parametrize(
    ("place", "there"),
    [
        ("kitchen", True),  # a place holds what is in the places within it
        ("kitchen/top-shelf", True),
        ("kitchen/top-shelf/left", False),
        ("kitchen/top", False),  # a beginning of a name is not a place
        ("top-shelf", False),
    ],
)
async def test_things_are_listed_by_place_and_a_place_has_slashes(
    client: QuartClient, thing: dict[str, Any], place: str, there: bool
) -> None:
    response = await client.get(f"/things/place/{place}")

    assert response.status_code == 200
    assert (thing in (await response.get_json())["things"]) is there


@pytest.mark.parametrize(
    "path",
    [
        "/things/one",  # int
        "/things/-1",
        f"/things/{'9' * 5000}",  # more digits than Python turns into a number
        "/things/0",
        "/things/key/not-a-uuid",
        "/things/colour/mauve",  # any
        "/things/place/",  # path
        "/things//1",
    ],
)
async def test_a_path_that_no_converter_takes_is_not_found(client: QuartClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("numeral", "number", "following"),
    [
        ("I", 1, "II"),
        ("III", 3, "IV"),
        ("VIII", 8, "IX"),
        ("XIV", 14, "XV"),
        ("XLVIII", 48, "XLIX"),
        ("LXXXIX", 89, "XC"),
        ("CCCXCIX", 399, "CD"),
        ("MCMXCIX", 1999, "MM"),
        ("MMMDCCCLXXXVIII", 3888, "MMMDCCCLXXXIX"),
    ],
)
async def test_roman_numerals_are_read_and_written(
    client: QuartClient, numeral: str, number: int, following: str
) -> None:
    body = await (await client.get(f"/roman/{numeral}")).get_json()

    assert body["number"] == number
    assert body["next"].endswith(f"/roman/{following}")


async def test_the_largest_numeral_has_no_successor(client: QuartClient) -> None:
    body = await (await client.get("/roman/MMMCMXCIX")).get_json()

    assert body == {"number": 3999, "next": None}


@pytest.mark.parametrize("numeral", ["IIII", "IC", "VX", "MMMM", "xiv", "14", "XIVA"])
async def test_what_is_no_numeral_is_not_found(client: QuartClient, numeral: str) -> None:
    assert (await client.get(f"/roman/{numeral}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "colour"}),
        ({"name": "cup"}, {"colour"}),
        ({**CUP, "name": ""}, {"name"}),
        ({**CUP, "name": "x" * 81}, {"name"}),
        ({**CUP, "name": 5}, {"name"}),
        ({**CUP, "colour": "mauve"}, {"colour"}),
        ({**CUP, "colour": ["red"]}, {"colour"}),
        ({**CUP, "place": None}, {"place"}),
        ({**CUP, "place": "../etc"}, {"place"}),
        ({**CUP, "place": "a//b"}, {"place"}),
        ({**CUP, "place": "a" * 81}, {"place"}),
        ({**CUP, "id": 7}, {"id"}),
        ({"name": None, "shape": "round"}, {"name", "colour", "shape"}),
    ],
)
async def test_each_field_that_breaks_a_rule_is_named(
    client: QuartClient, thing: dict[str, Any], body: dict[str, Any], fields: set[str]
) -> None:
    created = await client.post("/things", json=body)
    replaced = await client.put(f"/things/{thing['id']}", json=body)

    assert (created.status_code, replaced.status_code) == (422, 422)
    assert set((await created.get_json())["fields"]) == fields
    assert set((await replaced.get_json())["fields"]) == fields
    assert await (await client.get(f"/things/{thing['id']}")).get_json() == thing


async def test_the_longest_name_and_place_are_accepted_and_come_back_unchanged(
    client: QuartClient,
) -> None:
    sent = {"name": "ź" * 79 + "\N{TEAPOT}", "colour": "green", "place": "a" * 80}
    response = await client.post("/things", json=sent)
    created = await response.get_json()
    await client.delete(f"/things/{created['id']}")

    assert response.status_code == 201
    assert sent.items() <= created.items()


async def test_a_message_about_a_field_says_what_is_allowed(client: QuartClient) -> None:
    response = await client.post("/things", json={"name": "cup", "colour": "mauve", "size": 1})

    assert (await response.get_json())["fields"] == {
        "colour": "must be one of red, green, blue",
        "size": "is unknown; known: name, colour, place",
    }


async def test_a_full_collection_refuses_more_until_one_thing_is_deleted(
    client: QuartClient,
) -> None:
    created: list[int] = []
    try:
        refused = await filled(client, created)
        await client.delete(f"/things/{created.pop()}")
        after = await client.post("/things", json=CUP)
        created.append((await after.get_json())["id"])
    finally:
        for start in range(0, len(created), 50):
            batch = created[start : start + 50]
            await asyncio.gather(*(client.delete(f"/things/{number}") for number in batch))

    assert after.status_code == 201
    assert len(created) <= 1000
    assert refused == {
        "status": 409,
        "error": "Conflict",
        "detail": "There is no room for another thing; delete one first.",
    }


async def filled(client: QuartClient, created: list[int]) -> object:
    """Create things, fifty at a time and noting their ids, until one is refused."""
    for _ in range(21):
        answers = await asyncio.gather(*(client.post("/things", json=CUP) for _ in range(50)))
        created += [(await each.get_json())["id"] for each in answers if each.status_code == 201]
        for each in answers:
            if each.status_code != 201:
                return await each.get_json()
    return "never full"
