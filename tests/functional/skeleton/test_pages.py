"""The page, and whose address it shows."""

import pytest
from quart.testing import QuartClient


async def test_the_page_greets_by_name(client: QuartClient) -> None:
    response = await client.get("/hello/Ada%20Lovelace")

    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert "<h1>Hello, Ada Lovelace!</h1>" in await response.get_data(as_text=True)


async def test_markup_in_a_name_is_shown_and_not_obeyed(client: QuartClient) -> None:
    page = await (await client.get("/hello/%3Cscript%3E%22%27")).get_data(as_text=True)

    assert "<script>" not in page
    assert "&lt;script&gt;&#34;&#39;" in page


async def test_a_template_in_a_name_is_shown_and_not_evaluated(client: QuartClient) -> None:
    page = await (await client.get("/hello/%7B%7B%207*7%20%7D%7D")).get_data(as_text=True)

    assert "{{ 7*7 }}" in page


@pytest.mark.parametrize(
    ("forwarded", "shown"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.7, 198.51.100.9", "198.51.100.9"),  # only the right end is a proxy's word
        ("203.0.113.7, 127.0.0.1", "203.0.113.7"),  # over our own proxy
    ],
)
async def test_behind_a_trusted_proxy_the_address_is_the_one_that_it_saw(
    client: QuartClient, forwarded: str, shown: str
) -> None:
    response = await client.get("/hello/you", headers={"X-Forwarded-For": forwarded})

    assert f"<code>{shown}</code>" in await response.get_data(as_text=True)


@pytest.mark.parametrize("forwarded", ["", "<b>", "unknown", "203.0.113.7, <b>", "256.0.0.1"])
async def test_a_forwarded_address_that_is_none_changes_nothing(
    client: QuartClient, forwarded: str
) -> None:
    plain = await client.get("/hello/you")
    response = await client.get("/hello/you", headers={"X-Forwarded-For": forwarded})

    assert await response.get_data() == await plain.get_data()
