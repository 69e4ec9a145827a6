"""The report, and the form in which it comes."""

from typing import Any

import pytest
import yaml
from quart.testing import QuartClient


async def test_the_report_counts_the_things_by_colour(client: QuartClient) -> None:
    before = await (await client.get("/report")).get_json()
    created = await (await client.post("/things", json={"name": "n", "colour": "blue"})).get_json()
    after = await (await client.get("/report")).get_json()
    await client.delete(f"/things/{created['id']}")

    assert after["things"] == before["things"] + 1
    assert after["colours"] == {**before["colours"], "blue": before["colours"]["blue"] + 1}


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("application/json", "application/json"),
        ("application/yaml", "application/yaml"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json;q=0.5, application/yaml", "application/yaml"),
        ("text/html, application/yaml;q=0.1", "application/yaml"),
        ("application/json;q=0, */*", "application/yaml"),
    ],
)
async def test_the_report_comes_in_the_form_that_the_caller_prefers(
    client: QuartClient, accept: str, mimetype: str
) -> None:
    response = await client.get("/report", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.mimetype == mimetype
    assert "Accept" in response.headers["Vary"].split(", ")


async def test_both_forms_say_the_same(client: QuartClient, thing: dict[str, Any]) -> None:
    as_json = await client.get("/report", headers={"Accept": "application/json"})
    negotiated = await client.get("/report", headers={"Accept": "application/yaml"})
    by_path = await client.get("/report.yaml", headers={"Accept": "application/json"})

    assert by_path.mimetype == "application/yaml"
    assert await by_path.get_data() == await negotiated.get_data()
    assert yaml.safe_load(await by_path.get_data()) == await as_json.get_json()


async def test_a_form_that_we_do_not_write_is_refused_with_those_that_we_do(
    client: QuartClient,
) -> None:
    response = await client.get("/report", headers={"Accept": "text/csv"})

    assert response.status_code == 406
    assert (await response.get_json())["detail"] == (
        "The report comes as application/json or application/yaml."
    )
