from __future__ import annotations

import pytest

from harness.demand import load_of
from harness.errors import PlanError, UsageError
from harness.manifest import parse_plan
from harness.pace import parse_pace
from harness.plan import DEFAULT_LIMITS, Plan, gates_of
from harness.target import AppPath

PLAN = """\
allow_hosts = ["staging.example.org"]
rebase = ["http://localhost:5000"]

[services.shop]
app = "shop.app:create_app()"
env = { WEATHER_URL = "{weather.url}", DATABASE_URL = "sqlite:///{run}/data.db" }

[standins.weather]
origin = "https://api.example.org"
stubs = ["weather.toml"]
default = ["current"]

[tests]
paths = ["tests/functional"]
targets = ["inproc", "served"]

[load.mix]
scenarios = "scenarios/mix.py"
service = "shop"
pace = "20/s for 15s"
objectives = ["p99 < 250ms"]

[gates]
paths = ["shop"]
limits = ["complexity.max <= 10"]
"""


def test_a_plan_says_what_a_run_is_asked_to_do() -> None:
    plan = parse_plan(PLAN, "harness.toml")

    assert plan.service.app == AppPath("shop.app", "create_app", is_factory=True)
    assert plan.tests is not None
    assert [str(target) for target in plan.tests.targets] == ["inproc", "served"]
    assert plan.parts == ("functional-inproc", "functional-served", "load-mix", "gates")


def test_unless_it_speaks_of_failures_a_load_tolerates_none() -> None:
    (load,) = parse_plan(PLAN, "harness.toml").loads

    assert [objective.text for objective in load.objectives] == ["failures == 0", "p99 < 250ms"]


def test_a_load_that_speaks_of_failures_is_taken_at_its_word() -> None:
    load = load_of("mix", "mix.py", parse_pace("1/s for 1s"), ("failures <= 5%",))

    assert [objective.text for objective in load.objectives] == ["failures <= 5%"]


def test_a_load_says_what_else_bounds_it_and_ends_it() -> None:
    keys = "visits = 90\nin_flight = 70\nseed = 3\nstop_at_failure = true\nstop_when_lost = true\n"
    (load,) = parse_plan(PLAN.replace("[load.mix]\n", f"[load.mix]\n{keys}"), "harness.toml").loads
    (plain,) = parse_plan(PLAN, "harness.toml").loads

    assert (load.visits, load.in_flight, load.seed) == (90, 70, 3)
    assert (load.stop_at_failure, load.stop_when_lost) == (True, True)
    assert (plain.visits, plain.in_flight, plain.seed) == (None, None, 0)
    assert (plain.stop_at_failure, plain.stop_when_lost) == (False, False)


def test_without_limits_gates_have_documented_ones() -> None:
    assert tuple(limit.text for limit in gates_of(("src",)).limits) == DEFAULT_LIMITS


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("app =", "ap =", 5, "unknown key 'ap' in services.shop"),
        ("[gates]", "[gate]", 23, "unknown key 'gate'"),
        ('app = "shop.app:create_app()"', "", 4, "services.shop needs the key 'app'"),
        ("shop.app:create_app()", "shop app", 5, "cannot read the import string"),
        ("20/s for 15s", "20s", 20, "found '20s'\n    20s\n    ^"),
        (
            "20/s for 15s",
            "ramp 0→20/s for 5s",
            20,
            "found 'for 5s'\n    ramp 0→20/s for 5s\n                ^",
        ),
        ("[load.mix]", "[load.mix]\nprocesses = 0", 18, "processes must be at least 1"),
        ("[load.mix]", "[load.mix]\nvisits = 0", 18, "visits must be at least 1"),
        ("[load.mix]", "[load.mix]\nin_flight = -1", 18, "in_flight must be at least 1"),
        ("p99 <", "p99x <", 21, "expected an indicator; found 'p99x'"),
        ('"inproc"', '"inprc"', 15, "unknown target 'inprc'"),
        ('["inproc", "served"]', "[]", 15, "it would check nothing"),
        ("[tests]", '[tests]\npythons = ["3.11", "312"]', 14, "'312' is no version of Python"),
        ('["tests/functional"]', "[]", 14, "it would check nothing"),
        ("{weather.url}", "{wether.url}", 6, "unknown placeholder {wether.url}"),
        ('["weather.toml"]', '"weather.toml"', 10, "standins.weather.stubs: expected `array`"),
        ("https://api.example.org", "api.example.org", 9, "cannot read the origin"),
        ('["complexity.max <= 10"]', "[]", 25, "it would check nothing"),
        ("[load.mix]", '[load."../mix"]', 17, "'../mix' cannot be a name"),
        ('service = "shop"', 'service = "shpo"', 19, "the plan has no service 'shpo'"),
    ],
)
def test_what_a_plan_cannot_mean_is_named_with_its_line(
    old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN.replace(old, new, 1), "harness.toml")

    assert said in caught.value.message
    assert caught.value.where == f"harness.toml:{line}"
    assert caught.value.exit_code == 64


def test_a_misspelt_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN.replace("objectives", "objectivs"), "harness.toml")

    assert "Did you mean 'objectives'?" in caught.value.next_step


def test_an_empty_plan_is_refused() -> None:
    with pytest.raises(PlanError, match="empty"):
        parse_plan("# nothing\n", "harness.toml")


def test_what_is_not_toml_is_refused() -> None:
    with pytest.raises(PlanError, match="end of a table"):
        parse_plan("[services", "harness.toml")


def test_tests_without_a_service_are_refused() -> None:
    with pytest.raises(PlanError, match=r"no \[services.NAME\]"):
        parse_plan('[tests]\npaths = ["tests"]\n', "harness.toml")


def test_a_plan_without_a_service_says_how_to_name_one() -> None:
    with pytest.raises(UsageError) as caught:
        Plan().service  # noqa: B018 - asking is the test

    assert "--app" in caught.value.next_step


def test_another_application_takes_the_place_of_the_one_under_test() -> None:
    plan = parse_plan(PLAN, "harness.toml").with_app(AppPath.parse("other:app"))

    assert str(plan.service.app) == "other:app"
    assert "WEATHER_URL" in plan.service.env


SYSTEM = """\
[services.front]
app = "front:app"
env = { BACK = "{back.url}/api", WEATHER = "{weather.url}" }

[services.back]
app = "back:app"
env = { STORE = "{store.url}" }

[services.store]
app = "store:app"

[services.alone]
app = "alone:app"

[standins.weather]
origin = "https://weather.example.org"
stubs = ["weather.toml"]
"""


def test_the_first_service_of_several_is_the_one_under_test() -> None:
    assert parse_plan(SYSTEM, "harness.toml").service.name == "front"


def test_a_service_calls_those_whose_addresses_it_is_told_and_they_call_theirs() -> None:
    plan = parse_plan(SYSTEM, "harness.toml")

    assert [one.name for one in plan.called_by(plan.named("front"))] == ["store", "back"]
    assert [one.name for one in plan.called_by(plan.named("alone"))] == []


def test_services_that_call_each_other_are_among_those_that_they_call() -> None:
    circle = SYSTEM.replace('app = "store:app"', 'app = "store:app"\nenv = { F = "{front.url}" }')
    plan = parse_plan(circle, "harness.toml")

    assert {one.name for one in plan.called_by(plan.service)} == {"front", "back", "store"}


def test_a_service_that_is_not_in_the_plan_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        parse_plan(SYSTEM, "harness.toml").named("frnt")

    assert "Did you mean 'front'?" in caught.value.next_step


def test_a_service_and_a_stand_in_cannot_share_a_name() -> None:
    with pytest.raises(PlanError, match="'front' is a service and a stand-in"):
        parse_plan(SYSTEM.replace("weather", "front"), "harness.toml")


def test_services_that_scenarios_could_not_tell_apart_are_refused() -> None:
    with pytest.raises(PlanError, match="would both be HARNESS_TARGET_TWO_B"):
        parse_plan("[services.two-b]\napp='a:a'\n[services.two_b]\napp='b:b'\n", "harness.toml")


def test_an_origin_whose_brackets_do_not_match_is_refused() -> None:
    with pytest.raises(PlanError, match="cannot read the origin"):
        parse_plan(PLAN.replace("https://api.example.org", "http://[::1"), "harness.toml")


def test_a_service_may_be_served_over_https_and_have_its_own_time_to_start() -> None:
    text = (
        '[services.a]\napp = "a:app"\n[services.b]\napp = "b:app"\ntls = true\nstart_within = "90s"'
    )
    a, b = parse_plan(text, "harness.toml").services

    assert (a.tls, a.start_s) == (False, 60.0)
    assert (b.tls, b.start_s) == (True, 90.0)


def test_a_time_to_start_that_cannot_be_read_is_named_with_its_line() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan('[services.a]\napp = "a:app"\nstart_within = "soon"', "harness.toml")

    assert caught.value.slug == "plan/duration"
    assert caught.value.where == "harness.toml:3"


def test_services_come_after_those_that_they_call() -> None:
    plan = parse_plan(
        """
        [services.a]
        app = "a:app"
        env = { B = "{b.url}", C = "{c.url}" }
        [services.b]
        app = "b:app"
        env = { D = "{d.url}" }
        [services.c]
        app = "c:app"
        env = { B = "{b.url}" }
        [services.d]
        app = "d:app"
        """,
        "harness.toml",
    )

    assert [one.name for one in plan.called_by(plan.service)] == ["d", "b", "c"]


def test_two_stand_ins_for_one_place_are_refused() -> None:
    other = PLAN + '\n[standins.twin]\norigin = "https://API.example.org:443/"\nstubs = []\n'
    text = other + '\n[standins.first]\norigin = "https://api.example.org"\nstubs = []\n'

    with pytest.raises(PlanError, match="both stand in for") as caught:
        parse_plan(text, "harness.toml")

    assert caught.value.slug == "plan/origin-twice"


@pytest.mark.parametrize("port", ["99999", "x"])
def test_an_origin_whose_port_is_none_is_refused(port: str) -> None:
    text = PLAN + f'\n[standins.odd]\norigin = "https://api.example.org:{port}"\nstubs = []\n'

    with pytest.raises(PlanError) as caught:
        parse_plan(text, "harness.toml")

    assert caught.value.slug == "plan/origin"


EXCLUDED = """\
[gates]
paths = ["src"]

[[gates.exclude]]
path = "src/vendor/*"
reason = "not ours"
"""


def test_exclusions_of_the_gates_are_read_with_their_line() -> None:
    gates = parse_plan(EXCLUDED, "harness.toml").gates

    assert gates is not None
    ((path, reason, where),) = [(one.path, one.reason, one.where) for one in gates.exclude]
    assert (path, reason, where) == ("src/vendor/*", "not ours", "harness.toml:4")


@pytest.mark.parametrize(
    ("old", "new", "slug"),
    [
        ('"not ours"', '" "', "plan/exclude"),
        ('"src/vendor/*"', '""', "plan/exclude"),
        ('reason = "not ours"', "", "plan/missing-key"),
        ("reason", "reasons", "plan/unknown-key"),
        ("[[gates.exclude]]", "[gates.exclude]", "plan/wrong-type"),
        ('"not ours"', "3", "plan/wrong-type"),
    ],
)
def test_an_exclusion_without_a_path_or_a_reason_is_refused(old: str, new: str, slug: str) -> None:
    with pytest.raises(PlanError) as raised:
        parse_plan(EXCLUDED.replace(old, new, 1), "harness.toml")

    assert raised.value.slug == slug
    assert raised.value.where.startswith("harness.toml:")


def test_windows_that_are_longer_than_their_load_are_refused_with_their_line() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN.replace('"p99 < 250ms"', '"p99 < 250ms in every 10m"'), "harness.toml")

    assert caught.value.slug == "plan/objective"
    assert "a window is longer than the load" in caught.value.message


def test_an_objective_that_cannot_be_read_is_pointed_at_below_its_line() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN.replace('"p99 < 250ms"', '"p99 < 250"'), "harness.toml")

    assert str(caught.value).splitlines()[:3] == [
        "harness.toml:21: expected ms or s; found the end",
        "    p99 < 250",
        "             ^ (plan/objective)",
    ]


def test_a_warm_up_is_a_part_of_a_load_and_leaves_some_of_it() -> None:
    def warming(text: str) -> str:
        return PLAN.replace("[load.mix]", f'[load.mix]\nwarm_up = "{text}"')

    assert parse_plan(warming("5s"), "harness.toml").loads[0].warm_up_s == 5
    assert parse_plan(PLAN, "harness.toml").loads[0].warm_up_s == 0
    with pytest.raises(PlanError, match="leaves nothing of the load") as caught:
        parse_plan(warming("15s"), "harness.toml")
    assert caught.value.slug == "load/warm-up"
    with pytest.raises(PlanError, match="longer than the load, '20/s for 15s' after 10 s"):
        parse_plan(
            warming("10s").replace('"p99 < 250ms"', '"p99 < 250ms in every 6s"'), "harness.toml"
        )
