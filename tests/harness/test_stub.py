from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.reply import Reply
from harness.stub import Call, Request, Stub, choose, difference, explain
from harness.stubfile import parse_stubs


def call(
    method: str = "GET",
    path: str = "/w",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Call:
    return Call(method, path, query, headers or {}, body)


def stub(name: str, request: Request, *replies: Reply) -> Stub:
    return Stub(name, request, replies or (Reply(),), f"s.toml:{name}")


@pytest.mark.parametrize(
    ("request_", "asked", "told"),
    [
        (Request("GET", "/w"), call(), None),
        (Request("get", "/w"), call(), None),
        (Request("POST", "/w"), call(), "method: wanted POST, got GET"),
        (Request("GET", "/W"), call(), "path: wanted /W, got /w"),
        (Request("GET", "/w/"), call(), "path: wanted /w/, got /w"),
        # what the stub does not name may be there
        (Request("GET", "/w"), call(query="q=1", headers={"a": "b"}, body=b"x"), None),
        (Request("GET", "/w", {"q": "London, UK"}), call(query="q=London%2C+UK"), None),
        (Request("GET", "/w", {"q": "London, UK"}), call(query="q=London,%20UK"), None),
        (Request("GET", "/w", {"q": "a"}), call(query="q=b"), "query q: wanted 'a', got 'b'"),
        (Request("GET", "/w", {"q": "a"}), call(), "query q: wanted 'a', got nothing"),
        (Request("GET", "/w", {"q": ""}), call(query="q="), None),
        (Request("GET", "/w", {"q": ""}), call(query="q"), None),
        (Request("GET", "/w", {"q": ""}), call(), "query q: wanted '', got nothing"),
        (Request("GET", "/w", {"q": ["a", "b"]}), call(query="q=a&x=1&q=b"), None),
        (
            Request("GET", "/w", {"q": ["a", "b"]}),
            call(query="q=b&q=a"),
            "query q: wanted ['a', 'b'], got 'b', 'a'",
        ),
        (
            Request("GET", "/w", {"q": "a"}),
            call(query="q=a&q=a"),
            "query q: wanted 'a', got 'a', 'a'",
        ),
        (Request("GET", "/w", {"q": []}), call(query="p=1"), None),
        (Request("GET", "/w", {"q": []}), call(query="q="), "query q: wanted [], got ''"),
        (Request("GET", "/w", headers={"X-Key": "k"}), call(headers={"x-key": "k"}), None),
        (
            Request("GET", "/w", headers={"X-Key": "k"}),
            call(headers={"x-key": "K"}),
            "header X-Key: wanted 'k', got 'K'",
        ),
        (
            Request("GET", "/w", headers={"X-Key": "k"}),
            call(),
            "header X-Key: wanted 'k', got None",
        ),
    ],
)
def test_the_first_difference_is_told(request_: Request, asked: Call, told: str | None) -> None:
    assert difference(request_, asked) == told


@pytest.mark.parametrize(
    ("wanted", "body", "matches"),
    [
        ({"a": 1, "b": [1, 2]}, b'{"b": [1, 2], "a": 1}', True),
        ({"a": 1}, b'{"a": 1, "b": 2}', False),
        ({"a": 1}, b"{}", False),
        ([1, 2], b"[2, 1]", False),
        ([1], b"[1, 1]", False),
        (1, b"1.0", True),
        (1, b"true", False),
        ({"a": [True]}, b'{"a": [1]}', False),
        (False, b"0", False),
        (True, b"true", True),
        ("1", b"1", False),
        ("", b'""', True),
        ({}, b"[]", False),
        ({}, b"", False),
        ("é", '"é"'.encode(), True),
    ],
)
def test_json_matches_as_a_whole(wanted: object, body: bytes, matches: bool) -> None:
    assert (difference(Request("POST", "/w", json=wanted), call("POST", body=body)) is None) is (
        matches
    )


@pytest.mark.parametrize("body", [b"", b"{", b'"\xff"', b"[" * 100_000, b"NaN", b"1e999", b"a=1"])
def test_a_body_that_is_not_json_is_a_difference(body: bytes) -> None:
    told = difference(Request("POST", "/w", json={}), call("POST", body=body))
    assert told == "json: wanted {}, got a body that is not JSON"


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
    assert [line.split()[0] for line in lines[1:]] == ["json", "header", "query", "path", "method"]
    assert lines[3] == "  query (s.toml:query): query q: wanted '1', got nothing"


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


def test_replies_are_given_in_order_and_the_last_for_ever() -> None:
    one = stub("s", Request("GET", "/w"), Reply(201), Reply(202), Reply(203))
    assert [one.reply(used).status for used in range(5)] == [201, 202, 203, 203, 203]


@pytest.mark.parametrize(
    ("reply", "headers", "body"),
    [
        (Reply(), {}, b""),
        (Reply(text=""), {}, b""),
        (Reply(text="é"), {"Content-Type": "text/plain; charset=utf-8"}, "é".encode()),
        (Reply(json={"a": 1}), {"Content-Type": "application/json"}, b'{"a":1}'),
        (Reply(json=None), {"Content-Type": "application/json"}, b"null"),
        (Reply(headers={"content-type": "a/b"}, json=[]), {"content-type": "a/b"}, b"[]"),
        (Reply(headers={"Content-Type": "a/b"}), {"Content-Type": "a/b"}, b""),
    ],
)
def test_content_has_the_type_that_it_needs(
    reply: Reply, headers: dict[str, str], body: bytes
) -> None:
    assert reply.content() == (headers, body)


def test_a_file_of_stubs() -> None:
    first, second = parse_stubs(
        """
[[stub]]
name = "current"
request = { method = "GET", path = "/w", query = { q = "London", tag = ["a", "b"] } }
reply = { json = { temp = 288.15 }, delay = "50ms" }

[[stub]]
name = "troubled"
[stub.request]
method = "POST"
path = "/w"
json = { a = true }
[[stub.replies]]
status = 503
headers = { Retry-After = "1" }
[[stub.replies]]
text = "fine"
""",
        "w.toml",
    )
    assert (first.name, first.where) == ("current", "w.toml:2")
    assert first.request.query == {"q": "London", "tag": ["a", "b"]}
    assert first.reply(0).delay_s == 0.05
    assert (second.name, second.where) == ("troubled", "w.toml:7")
    assert second.request.json == {"a": True}
    assert [reply.status for reply in second.replies] == [503, 200]
    assert second.request.headers == {}
    assert first.request.json is msgspec.UNSET


HEAD = '[[stub]]\nname = "s"\nrequest = { method = "GET", path = "/" }\n'


@pytest.mark.parametrize(
    ("text", "slug", "where", "says"),
    [
        ("", "stubs/none", "s.toml", "no [[stub]]"),
        ("stub = 1", "stubs/none", "s.toml", "no [[stub]]"),
        ("[stub]\nname = 's'", "stubs/none", "s.toml", "no [[stub]]"),
        ("stub = [", "plan/not-toml", "s.toml", ""),
        ("[[stubs]]", "plan/unknown-key", "s.toml:1", "Did you mean 'stub'?"),
        ("stub = [1]", "plan/wrong-type", "s.toml:1", "got `int`"),
        ("[[stub]]\nname = 's'", "plan/missing-key", "s.toml:1", "'request'"),
        (HEAD, "stubs/reply", "s.toml:1", "either 'reply' or 'replies'"),
        (HEAD + "reply = {}\nreplies = [{}]", "stubs/reply", "s.toml:1", "either"),
        (HEAD + "replies = []", "stubs/reply", "s.toml:1", "either"),
        (HEAD + "reply = { json = 1, text = '' }", "stubs/reply", "s.toml:4", "both"),
        (HEAD + "reply = { status = 204, text = 'x' }", "stubs/reply", "s.toml:4", "a 204 never"),
        (HEAD + "reply = { jsn = 1 }", "plan/unknown-key", "s.toml:4", "Did you mean 'json'?"),
        (HEAD + "replies = [{}, { txt = '' }]", "plan/unknown-key", "s.toml:4", "'text'?"),
        (HEAD + "reply = { status = '200' }", "plan/wrong-type", "s.toml:4", "expected `int`"),
        (HEAD + "reply = { status = 99 }", "plan/wrong-type", "s.toml:4", ">= 200"),
        (HEAD + "reply = { status = 600 }", "plan/wrong-type", "s.toml:4", "<= 599"),
        (HEAD + "reply = { headers = { A = 1 } }", "plan/wrong-type", "s.toml:4", "expected `str`"),
        (HEAD + "reply = { delay = '2' }", "plan/duration", "s.toml:4", "'2'"),
        (
            HEAD + "[[stub.replies]]\n[[stub.replies]]\nstatus = 200\ndelay = '2 sec'",
            "plan/duration",
            "s.toml:7",
            "500ms",
        ),
        (
            HEAD + "[stub.reply]\n[stub.reply.headers]\nContent-Length = '3'",
            "stubs/header",
            "s.toml:6",
            "stand-in's own",
        ),
        (
            HEAD + r'reply = { headers = { A = "b\r\nC: d" } }',
            "stubs/header",
            "s.toml:4",
            "one line",
        ),
        (HEAD + "reply = { headers = { 'A B' = '' } }", "stubs/header", "s.toml:4", "'A B'"),
        (HEAD + "reply = { fault = 'rest' }", "stubs/fault", "s.toml:4", "Did you mean 'reset'?"),
        (HEAD + "reply = { fault = 'reset', text = 'x' }", "stubs/fault", "s.toml:4", "'text'"),
        (HEAD + "reply = { fault = 'timeout', json = 0 }", "stubs/fault", "s.toml:4", "'json'"),
        (
            HEAD + "reply = { fault = 'closed', status = 500 }",
            "stubs/fault",
            "s.toml:4",
            "'status'",
        ),
        (HEAD + "replies = [{}, { fault = 'truncated' }]", "stubs/fault", "s.toml:4", "no body"),
        (HEAD + "[stub.reply]\ntext = ''\ndrip = '1s'", "stubs/fault", "s.toml:6", "no body"),
        (HEAD + "reply = { text = 'x', drip = '1' }", "plan/duration", "s.toml:4", "'1'"),
        (
            HEAD.replace("GET", "HEAD") + "[stub.reply]\nfault = 'truncated'\ntext = 'x'",
            "stubs/fault",
            "s.toml:5",
            "no body",
        ),
        (HEAD.replace("/", "x") + "reply = {}", "stubs/path", "s.toml:3", "begin it with '/'"),
        (HEAD.replace("/", "/a?b=1") + "reply = {}", "stubs/path", "s.toml:3", "query = {"),
        (HEAD.replace("path", "pth") + "reply = {}", "plan/unknown-key", "s.toml:3", "'path'?"),
        (f"{HEAD}reply = {{}}\n" * 2, "stubs/twice", "s.toml:5", "first at s.toml:1"),
    ],
)
def test_a_bad_file_is_named_with_its_line(text: str, slug: str, where: str, says: str) -> None:
    with pytest.raises(PlanError) as raised:
        parse_stubs(text, "s.toml")
    assert (raised.value.slug, raised.value.where) == (slug, where)
    assert says in str(raised.value)


names = st.sampled_from(["a", "b"])
values = st.sampled_from(["", "1", "2"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/", "/w"]),
    query=st.dictionaries(names, values | st.lists(values, max_size=2), max_size=2),
    headers=st.dictionaries(names, values, max_size=1),
    json=st.just(msgspec.UNSET) | json_values,
)
calls = st.builds(
    Call,
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/", "/w"]),
    query=st.lists(st.builds("{}={}".format, names, values), max_size=3).map("&".join)
    | st.text(max_size=8),
    headers=st.dictionaries(names, values, max_size=2),
    body=json_values.map(msgspec.json.encode) | st.binary(max_size=8),
)


@given(st.lists(requests, max_size=4), calls)
def test_what_is_chosen_and_what_is_explained_are_the_same_story(
    asked_for: list[Request], asked: Call
) -> None:
    stubs = [stub(f"s{number}", request) for number, request in enumerate(asked_for)]
    matching = [one for one in stubs if difference(one.request, asked) is None]
    assert choose(stubs, asked) is (matching[0] if matching else None)
    told = explain(stubs, asked)
    for one in stubs:
        assert (f"  {one.name} ({one.where})" in told) is (one not in matching)


@given(json_values, json_values)
def test_a_json_body_matches_what_is_written_as_it(one: object, other: object) -> None:
    body = msgspec.json.encode(one)
    assert difference(Request("POST", "/w", json=one), call("POST", body=body)) is None
    matches = difference(Request("POST", "/w", json=other), call("POST", body=body)) is None
    swapped = Request("POST", "/w", json=one), call("POST", body=msgspec.json.encode(other))
    assert matches is (difference(*swapped) is None)
