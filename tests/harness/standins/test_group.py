from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from harness import plan
from harness.errors import HarnessError, PlanError, UsageError
from harness.standins.group import StandIns, standin_of
from harness.standins.ledger import MAX_CALLS
from harness.standins.server import StandIn
from harness.stub import Call
from harness.stubfile import parse_stubs


def text_of(*names: str, path: str = "/{name}") -> str:
    return "\n".join(
        f"""[[stub]]
name = "{name}"
request = {{ method = "GET", path = "{path.format(name=name)}" }}
reply = {{ text = "{name}" }}"""
        for name in names
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "weather.toml").write_text(text_of("current", "troubled"))
    (tmp_path / "more.toml").write_text(text_of("later"))
    (tmp_path / "clock.toml").write_text(text_of("now", "troubled"))
    return tmp_path


def planned(name: str, *files: str, default: tuple[str, ...] = ()) -> plan.StandIn:
    return plan.StandIn(name, "https://api.example.invalid", files, default)


WEATHER = planned("weather", "weather.toml", "more.toml", default=("current",))
CLOCK = planned("clock", "clock.toml", default=("now", "troubled"))


def get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.headers['X-Harness']}"


def selected(group: StandIns) -> dict[str, tuple[str, ...]]:
    return {standin.name: standin.selected for standin in group._standins}


def test_a_plans_stand_ins_answer_at_their_addresses(root: Path) -> None:
    with StandIns.of([WEATHER, CLOCK], root) as group:
        addresses = group.addresses()
        assert list(addresses) == ["weather.url", "clock.url"]
        assert get(addresses["weather.url"] + "/current") == "current"
        assert get(addresses["weather.url"] + "/later") == "501 no-stub"
        assert get(addresses["clock.url"] + "/troubled") == "troubled"
        group.select(["later"])
        assert get(addresses["weather.url"] + "/later") == "later"
        (told,) = group.take_unmatched()
        assert told.startswith("no stub answers GET /later")
        assert group.take_unmatched() == ()
        uses = group.uses()
    assert {name: calls for name, (_, calls) in uses.items()} == {
        "weather.current": 1, "weather.troubled": 0, "weather.later": 1,
        "clock.now": 0, "clock.troubled": 1,
    }  # fmt: skip
    assert uses["weather.later"][0].where == "more.toml:1"


def test_stand_ins_that_no_name_mentions_keep_their_defaults(root: Path) -> None:
    group = StandIns.of([WEATHER, CLOCK], root)
    group.select(["weather.troubled", "later"])
    assert selected(group) == {"weather": ("troubled", "later"), "clock": ("now", "troubled")}
    group.select(["now"])
    assert selected(group) == {"weather": ("current",), "clock": ("now",)}
    group.select(["later"])
    group.select()
    assert selected(group) == {"weather": ("current",), "clock": ("now", "troubled")}
    group.select(["later"])
    group.select([])
    assert selected(group) == {"weather": ("current",), "clock": ("now", "troubled")}


def test_only_what_was_selected_by_name_can_be_unused(root: Path) -> None:
    with StandIns.of([WEATHER, CLOCK], root) as group:
        assert group.unused() == {}
        group.select(["later", "weather.current"])
        assert list(group.unused()) == ["weather.later", "weather.current"]
        get(group.addresses()["weather.url"] + "/current")
        assert {name: stub.where for name, (stub, _) in group.unused().items()} == {
            "weather.later": "more.toml:1"
        }
        group.select()
        assert group.unused() == {}


@pytest.mark.parametrize(
    ("name", "slug", "next_step"),
    [
        ("troubled", "stubs/ambiguous", "write one of: weather.troubled, clock.troubled"),
        ("curent", "stubs/unknown", "Did you mean 'current'? Known: current, later, now, trou"),
        ("weather.curent", "stubs/unknown", "Did you mean 'weather.current'?"),
        ("clock.current", "stubs/unknown", "Did you mean"),
        ("", "stubs/unknown", "Known: current"),
    ],
)
def test_a_name_that_means_nothing_changes_nothing(
    root: Path, name: str, slug: str, next_step: str
) -> None:
    group = StandIns.of([WEATHER, CLOCK], root)
    group.select(["later"])
    before = selected(group)
    with pytest.raises(UsageError) as raised:
        group.select(["now", name])
    assert raised.value.slug == slug
    assert next_step in raised.value.next_step
    assert selected(group) == before
    assert list(group.unused()) == ["weather.later"]


@pytest.mark.parametrize(
    ("standin", "slug", "where", "says"),
    [
        (
            planned("w", "weather.toml", "no.toml"),
            "stubs/no-file",
            "standins.w.stubs[1]",
            "No such",
        ),
        (planned("w", "."), "stubs/no-file", "standins.w.stubs[0]", "directory"),
        (planned("w", "latin.toml"), "stubs/no-file", "standins.w.stubs[0]", "not UTF-8"),
        (planned("w", "bad.toml"), "plan/missing-key", "bad.toml:1", "request"),
        (
            planned("w", "weather.toml", "clock.toml"),
            "stubs/twice",
            "clock.toml:5",
            "first at weather.toml:5",
        ),
        (
            planned("w", "weather.toml", default=("curent",)),
            "stubs/unknown",
            "standins.w.default",
            "Did you mean 'current'? Known: current, troubled.",
        ),
        (planned("w", default=("current",)), "stubs/unknown", "standins.w.default", "none"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    root: Path, standin: plan.StandIn, slug: str, where: str, says: str
) -> None:
    (root / "latin.toml").write_bytes(b"# \xe9")
    (root / "bad.toml").write_text("[[stub]]\nname = 'x'")
    with pytest.raises(PlanError) as raised:
        standin_of(standin, root)
    assert (raised.value.slug, raised.value.where) == (slug, where)
    assert says in str(raised.value)


def test_no_stand_ins_are_fine(tmp_path: Path) -> None:
    with StandIns.of([], tmp_path) as group:
        group.select()
        assert (group.addresses(), group.uses(), group.unused()) == ({}, {}, {})


def test_where_one_does_not_start_none_is_left_running() -> None:
    before = threading.enumerate()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        second = StandIn("b", [], port=taken.getsockname()[1])
        with pytest.raises(HarnessError) as raised, StandIns([StandIn("a", []), second], Path()):
            pass
    assert raised.value.slug == "standins/not-started"
    assert threading.enumerate() == before


def test_a_stub_that_answered_too_few_times_is_unused_and_one_that_may_rest_is_not(
    root: Path,
) -> None:
    (root / "t.toml").write_text(
        "".join(
            f"""
[[stub]]
name = "{name}"
request = {{ method = "GET", path = "/{name}" }}
reply = {{}}
times = {times}
"""
            for name, times in (("twice", "2"), ("maybe", "'0..'"))
        )
    )
    with StandIns.of([planned("t", "t.toml")], root) as group:
        group.select(["twice", "maybe"])
        for used in (0, 1):
            ((name, (_, calls)),) = group.unused().items()
            assert (name, calls) == ("t.twice", used)
            get(group.addresses()["t.url"] + "/twice")
        assert group.unused() == {}
        assert get(group.addresses()["t.url"] + "/twice") == "501 no-stub"
    (told,) = group.take_unmatched()
    assert "\n  twice (t.toml:2): used up: answered 2 of 2" in told


def test_the_order_of_calls_is_over_all_stand_ins(tmp_path: Path) -> None:
    standins = [
        StandIn(name, parse_stubs(text_of("a", "b"), "s.toml"), ["a", "b"])
        for name in ("one", "two")
    ]
    group = StandIns(standins, tmp_path)
    one, two = standins
    for standin, path in ((two, "/a"), (one, "/b"), (two, "/b"), (one, "/none"), (two, "/a")):
        standin.answer(Call("GET", path, "", {}, b""))

    assert group.order == ("two.a", "one.b", "two.b", "one", "two.a")
    group.select(["one.a"])
    assert group.order == ()


def test_an_order_of_which_a_part_is_not_kept_is_not_told(tmp_path: Path) -> None:
    standin = StandIn("one", parse_stubs(text_of("a"), "s.toml"), ["a"])
    for _ in range(MAX_CALLS + 1):
        standin.answer(Call("GET", "/a", "", {}, b""))

    with pytest.raises(HarnessError, match=f"of {MAX_CALLS + 1} calls the last {MAX_CALLS} are"):
        _ = StandIns([standin], tmp_path).order


def test_a_stub_that_waits_for_what_never_comes_is_not_understood(root: Path) -> None:
    (root / "wait.toml").write_text(text_of("pay") + '\nafter = "curent"\n')

    with pytest.raises(PlanError) as raised:
        standin_of(planned("weather", "weather.toml", "wait.toml"), root)

    assert raised.value.slug == "stubs/unreachable"
    assert raised.value.where == "wait.toml:1"
    assert "Did you mean 'current'?" in raised.value.next_step


def test_stubs_that_wait_for_each_other_are_not_understood(root: Path) -> None:
    after = {"login": None, "a": "b", "b": "c", "c": "b"}
    (root / "s.toml").write_text(
        "".join(
            text_of(one) + "\n" + (f"after = '{two}'\n" if two else "")
            for one, two in after.items()
        )
    )

    with pytest.raises(PlanError, match="'b' comes after itself: b after c after b") as raised:
        standin_of(planned("weather", "s.toml"), root)

    assert raised.value.slug == "stubs/unreachable"


@pytest.mark.parametrize(
    ("needs", "says"),
    [
        ('{ page = "2" }', ""),
        ('{ page = "started" }', ""),
        ('{ page = "3" }', "needs page to be '3', to which no stub sets it"),
        ('{ pge = "2" }', "Did you mean 'page'?"),
    ],
)
def test_a_state_must_be_one_that_some_stub_sets(root: Path, needs: str, says: str) -> None:
    text = f"{text_of('a')}\nneeds = {needs}\n{text_of('b')}\nsets = {{ page = '2' }}\n"
    (root / "s.toml").write_text(text)

    if says:
        with pytest.raises(PlanError, match=says.replace("?", r"\?")):
            standin_of(planned("weather", "s.toml"), root)
    else:
        assert set(standin_of(planned("weather", "s.toml"), root).stubs) == {"a", "b"}
