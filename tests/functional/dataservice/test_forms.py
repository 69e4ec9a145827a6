"""Bodies in both directions: JSON or MessagePack, plain or in gzip, and never too much."""

import gzip
import json
from typing import Any

import msgspec
import pytest
from quart.testing import QuartClient

from .conftest import Headers, NewUser, slack_id

pytestmark = pytest.mark.service("dataservice")

AS_JSON = {"Content-Type": "application/json"}
AS_MSGPACK = {"Content-Type": "application/msgpack"}
IN_GZIP = {"Content-Encoding": "gzip"}
PACKED = gzip.compress(b"{}", mtime=0)  # a time would be part of the names of its tests
LIMIT = 65_536


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("application/json", "application/json"),
        ("application/msgpack", "application/msgpack"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json;q=0.5, application/msgpack", "application/msgpack"),
        ("text/html, application/msgpack;q=0.1", "application/msgpack"),
        ("application/json;q=0, */*", "application/msgpack"),
        ("", "application/json"),
    ],
)
async def test_a_user_comes_in_the_form_that_the_caller_prefers(
    client: QuartClient, reader: Headers, user: dict[str, Any], accept: str, mimetype: str
) -> None:
    response = await client.get(user["url"], headers={**reader, "Accept": accept})
    data = await response.get_data()
    read = json.loads if mimetype == "application/json" else msgspec.msgpack.decode

    assert (response.status_code, response.mimetype) == (200, mimetype)
    assert "Accept" in response.headers["Vary"]
    assert read(data) == user


async def test_a_form_that_we_do_not_write_is_refused_before_anything_is_done(
    client: QuartClient, writer: Headers, user: dict[str, Any]
) -> None:
    headers = {**writer, "Accept": "text/csv"}
    responses = [
        await client.get(user["url"], headers=headers),
        await client.patch(user["url"], json={"name": "Grace"}, headers=headers),
        await client.delete(user["url"], headers=headers),
    ]

    assert [response.status_code for response in responses] == [406, 406, 406]
    assert (await responses[0].get_json())["detail"] == (
        "Answers come as application/json or application/msgpack."
    )
    assert await (await client.get(user["url"], headers=writer)).get_json() == user


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", [AS_JSON, AS_MSGPACK])
async def test_a_body_is_read_in_either_form_plain_or_in_gzip(
    client: QuartClient, writer: Headers, user: dict[str, Any], form: Headers, packed: bool
) -> None:
    sent = {"config": {"π": 3.14, "all": [None, True, -(2**63), 2**64 - 1, "", {}]}}
    body = json.dumps(sent).encode() if form is AS_JSON else msgspec.msgpack.encode(sent)
    headers = {**writer, **form, **(IN_GZIP if packed else {})}
    data = gzip.compress(body) if packed else body
    response = await client.patch(user["url"], data=data, headers=headers)

    assert response.status_code == 200
    assert await response.get_json() == {**user, **sent}


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        (
            {"Content-Type": "text/plain"},
            "The body must be application/json or application/msgpack.",
        ),
        ({}, "The body must be application/json or application/msgpack."),
        ({**AS_JSON, "Content-Encoding": "br"}, "The body must come as it is, or in gzip."),
        ({**AS_JSON, "Content-Encoding": "gzip, gzip"}, "The body must come as it is, or in gzip."),
    ],
)
async def test_a_body_of_another_kind_is_unsupported(
    client: QuartClient, writer: Headers, headers: Headers, detail: str
) -> None:
    response = await client.post("/api/users", data="{}", headers={**writer, **headers})

    assert response.status_code == 415
    assert (await response.get_json())["detail"] == detail


@pytest.mark.parametrize(
    ("headers", "body", "detail"),
    [
        (AS_JSON, b"", "The body is not application/json."),
        (AS_JSON, b"{", "The body is not application/json."),
        (AS_JSON, b"\xff", "The body is not application/json."),
        (AS_JSON, b'{"name": "\\ud800"}', "The body is not application/json."),
        (AS_JSON, b'{"name": NaN}', "The body is not application/json."),
        pytest.param(AS_JSON, b"[" * 50_000, "The body is not application/json.", id="deep"),
        pytest.param(AS_JSON, b"1" * 50_000, "The body is not application/json.", id="long"),
        (AS_JSON, b"[]", "The body must be an object with texts as keys."),
        (AS_MSGPACK, b"", "The body is not application/msgpack."),
        (AS_MSGPACK, b"\xc1", "The body is not application/msgpack."),
        (AS_MSGPACK, b"\xdf\xff\xff\xff\xff", "The body is not application/msgpack."),
        pytest.param(
            AS_MSGPACK, b"\x91" * 50_000, "The body is not application/msgpack.", id="deep-msgpack"
        ),
        (AS_MSGPACK, b"\x81\x80\x01", "The body is not application/msgpack."),
        (AS_MSGPACK, b"\x81\x01\x02", "The body must be an object with texts as keys."),
        ({**AS_JSON, **IN_GZIP}, b"{}", "The body is not gzip."),
        ({**AS_JSON, **IN_GZIP}, PACKED[:-1], "The body is not gzip."),
        ({**AS_JSON, **IN_GZIP}, PACKED + b"more", "The body is not gzip."),
        ({**AS_JSON, **IN_GZIP}, b"", "The body is not application/json."),
    ],
)
async def test_a_body_that_is_not_what_it_says_is_a_bad_request(
    client: QuartClient, writer: Headers, headers: Headers, body: bytes, detail: str
) -> None:
    response = await client.post("/api/users", data=body, headers={**writer, **headers})

    assert response.status_code == 400
    assert (await response.get_json())["detail"] == detail


@pytest.mark.parametrize("value", [b"bytes", float("nan"), {1: 2}, msgspec.msgpack.Ext(5, b"x")])
async def test_what_only_messagepack_can_say_is_refused(
    client: QuartClient, writer: Headers, user: dict[str, Any], value: object
) -> None:
    data = msgspec.msgpack.encode({"config": {"value": value}})
    response = await client.patch(user["url"], data=data, headers={**writer, **AS_MSGPACK})

    assert response.status_code == 422
    assert list((await response.get_json())["fields"]) == ["config"]


@pytest.mark.parametrize(
    ("size", "packed", "status"),
    [(LIMIT, False, 422), (LIMIT + 1, False, 413), (LIMIT, True, 422), (LIMIT + 1, True, 413)],
)
async def test_a_body_may_have_64_kib_packed_or_not_and_no_byte_more(
    client: QuartClient, writer: Headers, size: int, packed: bool, status: int
) -> None:
    body = b'{"name": "%s"}' % (b"x" * (size - 12))
    data, coding = (gzip.compress(body), IN_GZIP) if packed else (body, {})
    response = await client.post("/api/users", data=data, headers={**writer, **AS_JSON, **coding})

    assert len(body) == size
    assert response.status_code == status
    assert (await response.get_json())["status"] == status


async def test_a_bomb_does_not_go_off(client: QuartClient, writer: Headers) -> None:
    bomb = gzip.compress(bytes(32 * 1024 * 1024))
    headers = {**writer, **AS_JSON, **IN_GZIP}
    response = await client.post("/api/users", data=bomb, headers=headers)

    assert len(bomb) < LIMIT
    assert response.status_code == 413
    assert (await response.get_json())["detail"] == "The body unpacks to more than 65536 bytes."


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.1", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.5, identity", False),
    ],
)
async def test_a_long_answer_comes_in_gzip_to_those_who_take_it(
    client: QuartClient, reader: Headers, new_user: NewUser, accepted: str, packed: bool
) -> None:
    user = await new_user(config={"note": "long enough " * 100})
    response = await client.get(user["url"], headers={**reader, "Accept-Encoding": accepted})
    data = await response.get_data()

    assert response.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert "Accept-Encoding" in response.headers["Vary"]
    assert int(response.headers["Content-Length"]) == len(data)
    assert json.loads(gzip.decompress(data) if packed else data) == user


async def test_a_short_answer_is_not_worth_packing(
    client: QuartClient, reader: Headers, user: dict[str, Any]
) -> None:
    response = await client.get(user["url"], headers={**reader, "Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in response.headers
    assert "Accept-Encoding" in response.headers["Vary"]


async def test_a_content_type_may_name_its_charset(client: QuartClient, writer: Headers) -> None:
    headers = {**writer, "Content-Type": "application/json; charset=utf-8"}
    sent = json.dumps({"slack_id": slack_id()})

    assert (await client.post("/api/users", data=sent, headers=headers)).status_code == 422
