"""Every error is JSON of one shape, whatever was wrong."""

import pytest
from quart.testing import QuartClient

AS_JSON = {"Content-Type": "application/json"}


async def test_an_unknown_path_is_a_json_404(client: QuartClient) -> None:
    response = await client.get("/nowhere")
    body = await response.get_json()

    assert response.status_code == 404
    assert response.content_type == "application/json"
    assert set(body) == {"status", "error", "detail"}
    assert (body["status"], body["error"]) == (404, "Not Found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/things", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/things/1", {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}),
        ("/session", {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}),
        ("/weather", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_a_method_that_is_not_allowed_is_answered_with_those_that_are(
    client: QuartClient, path: str, allowed: set[str]
) -> None:
    refused = await client.patch(path)
    asked = await client.options(path)

    assert refused.status_code == 405
    assert (await refused.get_json())["error"] == "Method Not Allowed"
    assert set(refused.headers["Allow"].split(", ")) == allowed
    assert asked.status_code == 200
    assert set(asked.headers["Allow"].split(", ")) == allowed


async def test_head_answers_as_get_would(client: QuartClient) -> None:
    assert (await client.head("/things")).status_code == 200
    assert (await client.head("/things/0")).status_code == 404


@pytest.mark.parametrize("path", ["/things", "/session"])
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", "The body is not JSON."),
        ("{", "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
        ("[" * 50_000, "The body is not JSON."),  # deeper than Python reads
        ("1" * 5_000, "The body is not JSON."),  # more digits than Python reads
        ("[]", "The body must be a JSON object."),
        ('"name"', "The body must be a JSON object."),
        ("null", "The body must be a JSON object."),
    ],
)
async def test_a_body_that_is_no_json_object_is_a_bad_request(
    client: QuartClient, path: str, body: str | bytes, detail: str
) -> None:
    response = await client.post(path, data=body, headers=AS_JSON)

    assert response.status_code == 400
    assert (await response.get_json())["detail"] == detail


@pytest.mark.parametrize("path", ["/things", "/session"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_says_it_is_something_else_is_unsupported(
    client: QuartClient, path: str, kind: str
) -> None:
    response = await client.post(path, data="{}", headers={"Content-Type": kind})

    assert response.status_code == 415
    assert (await response.get_json())["detail"] == "The body must be application/json."


async def test_a_content_type_may_name_its_charset(client: QuartClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}

    assert (await client.post("/things", data="{}", headers=headers)).status_code == 422


@pytest.mark.parametrize(("size", "status"), [(65_536, 422), (65_537, 413)])
async def test_a_body_may_have_64_kib_and_no_byte_more(
    client: QuartClient, size: int, status: int
) -> None:
    body = '{"name": "%s"}' % ("x" * (size - 12))
    response = await client.post("/things", data=body, headers=AS_JSON)

    assert len(body) == size
    assert response.status_code == status
    assert (await response.get_json())["status"] == status
