from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.candidate import choose, explain
from harness.reply import Reply
from harness.stub import STARTED, Call, Request, Stub, Times, difference


def call(method: str = "GET", path: str = "/w", query: str = "") -> Call:
    return Call(method, path, query, {}, b"")


def stub(name: str, request: Request) -> Stub:
    return Stub(name, request, (Reply(),), f"s.toml:{name}")


def names_of(told: str) -> list[str]:
    return [line.split()[0] for line in told.splitlines()[1:]]


def test_an_explanation_lists_every_candidate_closest_first() -> None:
    stubs = [
        stub("method", Request("POST", "/w")),
        stub("path", Request("GET", "/other")),
        stub("query", Request("GET", "/w", {"q": "1"})),
        stub("json", Request("GET", "/w", json=1)),
        stub("header", Request("GET", "/w", headers={"A": "b"})),
    ]
    lines = explain(stubs, call(query="x=y")).splitlines()
    assert lines[0] == "no stub answers GET /w?x=y"
    assert [line.split()[0] for line in lines[1:]] == ["json", "header", "query", "method", "path"]
    assert lines[3] == "  query (s.toml:query): query q: wanted '1', got nothing"


def test_a_stub_that_is_used_up_answers_no_more_and_is_explained_last() -> None:
    asked = Request("GET", "/w")
    twice = Stub("twice", asked, (Reply(),), "s.toml:1", Times(1, 2))
    other = stub("other", Request("POST", "/w"))
    assert choose([twice, other], call(), {"twice": 1}) is twice
    assert choose([twice, other], call(), {"twice": 2}) is None
    assert explain([twice, other], call(), {"twice": 2}).splitlines()[1:] == [
        "  other (s.toml:other): method: wanted POST, got GET",
        "  twice (s.toml:1): used up: answered 2 of 2",
    ]


def test_an_explanation_without_candidates_says_so() -> None:
    assert explain([], call()) == "no stub answers GET /w: none is selected"


def test_the_first_stub_that_matches_is_chosen() -> None:
    special, general = (
        stub("special", Request("GET", "/w", {"q": "1"})),
        stub("g", Request("GET", "/w")),
    )
    assert choose([special, general], call(query="q=1")) is special
    assert choose([special, general], call()) is general
    assert choose([special], call()) is None


def test_of_other_paths_the_most_alike_is_closest() -> None:
    paths = {"far": "/orders/open", "near": "/wether", "further": "/leather"}
    stubs = [stub(name, Request("GET", path)) for name, path in paths.items()]

    assert names_of(explain(stubs, call(path="/weather"))) == ["near", "further", "far"]


def test_what_is_used_up_comes_last_whatever_else_differs() -> None:
    spent = replace(stub("spent", Request("GET", "/w", {"q": "1"})), times=Times(1, 1))
    other = stub("other", Request("POST", "/elsewhere"))

    lines = explain([spent, other], call(), {"spent": 1, "other": 0}).splitlines()

    assert names_of("\n".join(lines)) == ["other", "spent"]
    assert lines[2] == (
        "  spent (s.toml:spent): used up: answered 1 of 1; query q: wanted '1', got nothing"
    )


def test_a_stub_that_comes_after_another_answers_once_that_has() -> None:
    pay = replace(stub("pay", Request("GET", "/w")), after="login")

    assert choose([pay], call(), {"pay": 0, "login": 1}) is pay
    assert choose([pay], call(), {"pay": 0, "login": 0}) is None
    assert explain([pay], call(), {"pay": 0, "login": 0}).endswith(
        "after: wanted 'login' first, which has not answered"
    )
    assert explain([pay], call(), {"pay": 0}).endswith(
        "after: wanted 'login' first, which is not selected"
    )


def test_a_stub_answers_where_states_are_as_it_needs_them() -> None:
    full = replace(stub("full", Request("GET", "/w")), needs={"cart": "full"})
    fresh = replace(stub("fresh", Request("GET", "/w")), needs={"cart": STARTED})

    assert choose([full, fresh], call()) is fresh
    assert choose([full, fresh], call(), {}, {"cart": "full"}) is full
    told = explain([full], call(), {}, {"cart": "empty"})
    assert told.endswith("full (s.toml:full): state cart: wanted 'full', is 'empty'")


names = st.sampled_from(["a", "b"])
values = st.sampled_from(["", "1", "2"])
bodies = st.none() | st.booleans() | st.integers(-2, 2)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/", "/w", "/wx"]),
    query=st.dictionaries(names, values | st.lists(values, max_size=2), max_size=2),
    headers=st.dictionaries(names, values, max_size=1),
    json=st.just(msgspec.UNSET) | bodies,
)
states = st.dictionaries(names, st.sampled_from([STARTED, "1"]), max_size=2)
stubs_of_any_kind = st.lists(
    st.builds(
        Stub,
        name=st.sampled_from("stuvwxyz"),
        request=requests,
        replies=st.just((Reply(),)),
        where=st.just("s.toml:1"),
        times=st.sampled_from([Times(), Times(1, 1), Times(0, 2)]),
        after=st.none() | st.just("login"),
        needs=states,
    ),
    max_size=6,
    unique_by=lambda one: one.name,
)
calls = st.builds(
    Call,
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/", "/w"]),
    query=st.lists(st.builds("{}={}".format, names, values), max_size=3).map("&".join)
    | st.text(max_size=8),
    headers=st.dictionaries(names, values, max_size=2),
    body=bodies.map(msgspec.json.encode) | st.binary(max_size=8),
)
CLOSEST_FIRST = ["after", "state", "json", "header", "query", "method", "path", "method"]


@settings(max_examples=50)
@given(stubs_of_any_kind, calls, st.integers(0, 2), st.booleans(), states)
def test_what_is_chosen_and_what_is_explained_are_the_same_story(
    stubs: list[Stub], asked: Call, times: int, logged_in: bool, before: dict[str, str]
) -> None:
    used = {one.name: times for one in stubs} | {"login": int(logged_in)}

    def is_due(one: Stub) -> bool:
        return (
            difference(one.request, asked) is None
            and not one.is_used_up(times)
            and (one.after is None or logged_in)
            and all(before.get(name, STARTED) == value for name, value in one.needs.items())
        )

    due = [one for one in stubs if is_due(one)]
    assert choose(stubs, asked, used, before) is (due[0] if due else None)

    others = [one for one in stubs if one not in due]
    told = explain(others, asked, used, before)
    assert sorted(names_of(told)) == sorted(one.name for one in others)


@settings(max_examples=50)
@given(stubs_of_any_kind, calls, st.integers(0, 2), states)
def test_an_explanation_is_ordered(
    stubs: list[Stub], asked: Call, times: int, before: dict[str, str]
) -> None:
    used = {one.name: times for one in stubs}
    waiting = [one for one in stubs if choose([one], asked, used, before) is None]
    lines = explain(waiting, asked, used, before).splitlines()[1:] if waiting else []
    told = [line.partition("): ")[2] for line in lines]
    spent = [line.startswith("used up") for line in told]
    open_ = [line for line in told if not line.startswith("used up")]

    assert spent == sorted(spent)
    place = 0
    for line in open_:
        field = line.split(":")[0].split(" ")[0]
        assert field in CLOSEST_FIRST[place:], open_  # and so never back
        place = CLOSEST_FIRST.index(field, place)
