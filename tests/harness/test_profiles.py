"""Profiles and values from the environment, as a user has them: processes, records, pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.evidence import functional_part
from harness.standins.server import StandIn
from harness.stubfile import parse_stubs
from tests.harness.project import Project

TOKEN = 's3cret/"token"'

DEPLOYED = """
[[stub]]
name = "index"
request = { method = "GET", path = "/" }
reply = { json = { hello = "world" } }

[[stub]]
name = "weather"
request = { method = "GET", path = "/weather" }
reply = { json = { celsius = 15 } }
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.change(
        "harness.toml", '"{weather.url}" }', '"{weather.url}", TOKEN = "{env.SHOP_TOKEN}" }'
    )
    made.change(
        "harness.toml", "[gates]", '[profiles.staging.targets]\nshop = "{env.STAGING}"\n\n[gates]'
    )
    made.change("harness.toml", ', "coverage.lines >= 90%"', "")
    return made


def _written(project: Project) -> dict[str, str]:
    """Return what the harness itself wrote about the run."""
    (folder,) = (project.root / "reports").iterdir()
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_a_value_from_the_environment_reaches_the_service_and_no_report(project: Project) -> None:
    project.change(
        "shop.py", "    return app",
        "    @app.get('/token')\n    async def token():\n"
        "        return {'token': os.environ['TOKEN']}\n    return app",
    )  # fmt: skip
    project.change(
        "tests/test_shop.py", "async def test_the_weather",
        "async def test_the_token(client):\n"
        "    token = (await (await client.get('/token')).get_json())['token']\n"
        "    assert token == 'another', f'got {token}'\n\n\nasync def test_the_weather",
    )  # fmt: skip
    project.change(
        "mix.py", '"/weather") as response:\n        ',
        '"/token") as response:\n        raise ValueError(await response.text())\n        ',
    )  # fmt: skip

    code, output = project.harness("run", SHOP_TOKEN=TOKEN)

    assert code == 1, output
    assert "got {env.SHOP_TOKEN}" in output
    written = _written(project)
    for name in ("record.json", "report.html", "report.txt", f"{functional_part('served')}.jsonl"):
        assert "{env.SHOP_TOKEN}" in written[name]
    assert "ValueError" in written["load-mix.0.jsonl"]
    assert [name for name, text in written.items() if "s3cret" in text] == []
    assert "s3cret" not in output


def test_a_value_that_a_start_up_raises_is_not_told(project: Project) -> None:
    project.change("shop.py", "    return app", "    raise OSError(os.environ['TOKEN'])")

    for arguments in (["test", "--target", "inproc"], ["load"]):
        code, output = project.harness(*arguments, SHOP_TOKEN=TOKEN)
        assert code == 2, output
        assert "raised OSError: {env.SHOP_TOKEN}" in output.replace("\n", " ")


@pytest.mark.parametrize(
    ("verb", "env"),
    [("run", {}), ("test", {"SHOP_TOKEN": ""}), ("load", {"SHOP_TOKEN": ""}), ("up", {})],
)
def test_a_variable_that_is_not_set_stops_everything_before_it_starts(
    project: Project, verb: str, env: dict[str, str]
) -> None:
    code, output = project.harness(verb, **env)

    assert code == 64, output
    assert "harness.toml:4: services.shop.env.TOKEN takes its value from SHOP_TOKEN" in output
    assert not (project.root / "reports").exists()


def test_gates_need_no_value(project: Project) -> None:
    assert project.harness("gates")[0] == 0


def test_a_whole_run_in_a_profile_is_about_the_deployment(project: Project) -> None:
    with StandIn("shop", parse_stubs(DEPLOYED, "shop.toml"), ["index", "weather"]) as shop:
        code, output = project.harness("run", "--profile", "staging", STAGING=shop.url)

    assert code == 0, output  # and the value that the service alone needs is not needed
    record = project.record()
    assert [row["target"] for row in record["functional"]] == ["shop={env.STAGING}"]
    assert record["functional"][0]["reached"] == 2
    assert sum(shop.uses.values()) == 2 + 40 + 2  # each scenario passes once before the load
    assert shop.url not in "".join(_written(project).values())


def test_tests_without_tests_in_the_plan_go_to_the_profiles_target_too(project: Project) -> None:
    project.drop("tests")

    with StandIn("shop", parse_stubs(DEPLOYED, "shop.toml"), ["index", "weather"]) as shop:
        code, output = project.harness("test", "tests", "--profile", "staging", STAGING=shop.url)

    assert code == 0, output
    assert sum(shop.uses.values()) == 2


def test_live_tests_measure_no_coverage_so_a_limit_on_it_is_unknown_and_not_broken(
    project: Project,
) -> None:
    project.change("harness.toml", "security.medium == 0", "coverage.lines >= 90%")

    with StandIn("shop", parse_stubs(DEPLOYED, "shop.toml"), ["index", "weather"]) as shop:
        code, output = project.harness("run", "--profile", "staging", STAGING=shop.url)

    assert code == 2, output
    assert "coverage/no-data" in output


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["run", "--profile", "stagin"], {}, "Did you mean 'staging'?"),
        (["run", "--profile", ""], {}, "the plan has no profile ''"),
        (["test", "--profile", "staging"], {"STAGING": ""}, "STAGING, which is empty"),
        (["load", "--profile", "staging"], {"STAGING": "http://192.0.2.1"}, "192.0.2.1 is not on"),
        (["up", "--profile", "staging"], {"STAGING": "http://127.0.0.1:9"}, "none to start"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(
    project: Project, arguments: list[str], env: dict[str, str], said: str
) -> None:
    code, output = project.harness(*arguments, **env)

    assert code == 64, output
    assert said in output


def test_a_profile_needs_a_plan(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "harness.toml").unlink()

    code, output = project.harness("test", "tests", "--profile", "staging")

    assert code == 64
    assert "there is no plan" in output


def test_a_document_that_is_none_stops_a_run_before_it_starts(project: Project) -> None:
    project.change("harness.toml", "env = {", 'openapi = "shop.yaml"\nenv = {')
    (project.root / "shop.yaml").write_text("swagger: '2.0'")

    code, output = project.harness("run", SHOP_TOKEN=TOKEN)

    assert code == 64, output
    assert "shop.yaml: the document is no OpenAPI 3 document" in output
    assert not (project.root / "reports").exists()
