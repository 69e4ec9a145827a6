"""A service that names no stand-in, in functional tests of a project."""

from __future__ import annotations

from pathlib import Path

from tests.harness.project import Project

TESTS = """
import requests


async def test_the_weather_is_asked_at_its_own_address(client):
    assert await (await client.get("/weather")).get_json() == {"celsius": 15}


def test_a_client_of_the_tests_own():
    assert requests.get("https://weather.example.org/now").json() == {"celsius": 15}


def test_a_stranger():
    try:
        requests.post("https://other.example.org/orders?key=k", json={})
    except requests.ConnectionError:
        pass
"""


def test_calls_to_an_origin_reach_its_standin_and_others_are_named_with_their_test(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    project.drop("gates")
    project.change("shop.py", 'os.environ["WEATHER_URL"]', '"https://weather.example.org"')
    project.change("harness.toml", 'env = { WEATHER_URL = "{weather.url}" }\n', "")
    (tmp_path / "tests" / "test_shop.py").write_text(TESTS)

    code, output = project.harness(
        "test", "--target", "inproc", "--target", "served", HTTPS_PROXY="http://127.0.0.1:9"
    )

    assert code == 1, output
    told = "outside call to other.example.org:443 (POST /orders): it is not on loopback"
    for row in project.record()["functional"]:
        assert (row["tests"], row["failed"]) == (3, 1)
    failed = [one for one in project.record()["findings"] if told in one["message"]]
    assert len(failed) == 2
    assert all("test_shop.py" in one["where"] for one in failed)
    assert all("test_a_stranger" in one["message"] for one in failed)
