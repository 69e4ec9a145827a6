"""What a plan takes from the environment, and its profiles. The rest is in `test_plan`."""

from __future__ import annotations

import pytest

from harness.errors import PlanError, UsageError
from harness.manifest import parse_plan
from harness.plan import Plan

PLAN = """\
allow_hosts = ["api.example.org"]

[services.shop]
app = "shop:app"
openapi = "shop.yaml"
env = { KEY = "{env.SHOP_KEY}", DB = "pg://{env.SHOP_USER}:{env.SHOP_KEY}@db" }

[services.stock]
app = "stock:app"

[tests]
paths = ["tests"]

[load.mix]
scenarios = "mix.py"
pace = "1/s for 1s"

[load.counts]
service = "stock"
scenarios = "mix.py"
pace = "1/s for 1s"

[profiles.local]

[profiles.staging]
allow_hosts = ["staging.example.org"]

[profiles.staging.targets]
shop = "{env.STAGING}/shop"
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING", "https://staging.example.org")


def plan() -> Plan:
    return parse_plan(PLAN, "harness.toml")


def test_a_plan_names_its_variables_and_has_no_value_of_them() -> None:
    shop = plan().service

    assert [(one.name, one.key, one.where) for one in shop.variables] == [
        ("SHOP_KEY", "services.shop.env.KEY", "harness.toml:6"),
        ("SHOP_USER", "services.shop.env.DB", "harness.toml:6"),
        ("SHOP_KEY", "services.shop.env.DB", "harness.toml:6"),
    ]
    assert shop.env["KEY"] == "{env.SHOP_KEY}"
    assert {one.name for one in plan().variables} == {"SHOP_KEY", "SHOP_USER", "STAGING"}
    assert "https://staging.example.org" not in repr(plan())


def test_a_profile_without_targets_is_the_plan() -> None:
    assert plan().in_profile("local") == plan()


def test_in_a_profile_tests_and_loads_go_to_its_addresses() -> None:
    staging = plan().in_profile("staging")

    assert staging.tests is not None
    assert [target.urls for target in staging.tests.targets] == [
        (("shop", "https://staging.example.org/shop"),)
    ]
    assert staging.parts == ("functional-live", "load-mix", "load-counts")
    assert staging.allow_hosts == ("api.example.org", "staging.example.org")
    assert staging.address_of(staging.loads[0]) == "https://staging.example.org/shop"


def test_a_load_of_a_service_without_an_address_is_refused() -> None:
    staging = plan().in_profile("staging")

    with pytest.raises(UsageError, match="counts is for stock, of which the profile has no"):
        staging.address_of(staging.loads[1])


def test_without_a_profile_no_load_has_an_address() -> None:
    assert [plan().address_of(load) for load in plan().loads] == [None, None]


def test_an_unknown_profile_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        plan().in_profile("stagin")

    assert "Did you mean 'staging'? Known: local, staging." in caught.value.next_step


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        ("", "plan/variable"),
        ("staging.example.org", "target/url"),
        ("https://user:pass@staging.example.org", "target/url"),
        ("https://production.example.org", "target/foreign-host"),
    ],
)
def test_an_address_from_the_environment_is_read_as_strictly(
    monkeypatch: pytest.MonkeyPatch, value: str, slug: str
) -> None:
    monkeypatch.setenv("STAGING", value)

    with pytest.raises(UsageError) as caught:
        plan().in_profile("staging")

    assert caught.value.slug == slug
    assert caught.value.where in ("harness.toml:28", "harness.toml:29")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("{env.STAGING}/shop", "", 29, "cannot read the address ''"),
        ("{env.STAGING}/shop", "staging.example.org", 29, "cannot read the address"),
        ("{env.STAGING}/shop", "{evn.STAGING}/shop", 29, "unknown placeholder {evn.STAGING}"),
        ("{env.STAGING}/shop", "{stock.url}", 29, "unknown placeholder {stock.url}"),
        ("{env.SHOP_KEY}", "{env.2}", 6, "unknown placeholder {env.2}"),
        ("{env.SHOP_KEY}", "{env.}", 6, "unknown placeholder {env.}"),
        ("shop =", "shpo =", 29, "the plan has no service 'shpo'"),
        ("[profiles.local]", "[profiles.local]\ntarget = {}", 24, "unknown key 'target'"),
        ("[profiles.local]", '[profiles."a b"]', 23, "'a b' cannot be a name"),
        ("[services.stock]", "[services.env]", 8, "'env' cannot be a name"),
        ('openapi = "shop.yaml"', "openapi = 3", 5, "services.shop.openapi: expected `str`"),
    ],
)
def test_what_a_profile_or_a_variable_cannot_mean_is_named_with_its_line(
    old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN.replace(old, new, 1), "harness.toml")

    assert said in caught.value.message
    assert caught.value.where == f"harness.toml:{line}"


@pytest.mark.parametrize(
    ("keys", "provider", "document"),
    [
        ('openapi = "shop.yaml"', "shop", "shop.yaml"),
        ('provider = "shop"', "shop", "shop.yaml"),
        ('provider = "shop"\nopenapi = "own.yaml"', "shop", "own.yaml"),
        ('openapi = "own.yaml"', "", "own.yaml"),
        ("", "", ""),
    ],
)
def test_a_stand_in_for_a_service_of_the_plan_has_its_document(
    keys: str, provider: str, document: str
) -> None:
    plan = parse_plan(
        '[services.shop]\napp = "shop:app"\nopenapi = "shop.yaml"\n'
        f'[standins.s]\norigin = "https://s.example.org"\nstubs = []\n{keys}\nmax_age = "2d"',
        "harness.toml",
    )

    (standin,) = plan.standins
    assert (standin.provider, standin.openapi) == (provider, document)
    assert standin.max_age_s == 172_800


def test_routes_that_name_a_loads_steps_are_read_and_a_wrong_one_is_named_with_its_line() -> None:
    pace = 'pace = "1/s for 1s"\n'
    plan = parse_plan(PLAN.replace(pace, pace + 'steps = ["/users/{id}"]\n', 1), "p")

    assert plan.loads[0].steps == ("/users/{id}",)
    assert plan.loads[1].steps == ()
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN.replace(pace, pace + 'steps = ["users"]\n', 1), "p")
    assert caught.value.slug == "load/step-template"
    line = PLAN[: PLAN.index(pace)].count("\n") + 2
    assert caught.value.where.startswith(f"p:{line}")
