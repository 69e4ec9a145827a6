from __future__ import annotations

from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.candidate import explain
from harness.errors import PlanError
from harness.latency import Even
from harness.reply import Reply
from harness.stub import Call, Request, Stub, Times, difference
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
        (Request("GET", path_prefix="/w"), call(path="/w/x"), None),
        (Request("GET", path_prefix="/w/"), call(), "path: wanted /w/…, got /w"),
        (Request("GET", path_pattern="/u/{id}/{n}.js"), call(path="/u/a b/é.js"), None),
        (
            Request("GET", path_pattern="/u/{id}"),
            call(path="/u/1/2"),
            "path: wanted /u/{id}, got /u/1/2",
        ),
        (Request("GET", path_pattern="/u/{id}"), call(path="/u/"), "path: wanted /u/{id}, got /u/"),
        (Request("GET", path_pattern="/a.b"), call(path="/axb"), "path: wanted /a.b, got /axb"),
        (Request("GET", "/w", {"q": "1"}, query_exact=True), call(query="q=1"), None),
        (
            Request("GET", "/w", {"q": "1"}, query_exact=True),
            call(query="q=1&x=2"),
            "query x: wanted nothing, got '2'",
        ),
        (Request("GET", "/w", {"q": {"any": "integer"}}), call(query="q=-12"), None),
        (
            Request("GET", "/w", {"q": {"any": "integer"}}),
            call(query="q=1.5"),
            "query q: wanted {'any': 'integer'}, got '1.5'",
        ),
        (Request("GET", "/w", {"q": {"pattern": "^L"}}), call(query="q=London"), None),
        (
            Request("GET", "/w", headers={"A": {"pattern": "^Bearer ."}}),
            call(headers={"a": "Basic x"}),
            "header A: wanted {'pattern': '^Bearer .'}, got 'Basic x'",
        ),
        (Request("GET", "/w", body="a\nb"), call(body=b"a\nb"), None),
        (Request("GET", "/w", body=""), call(body=b"\xff"), "body: wanted '', got '\\udcff'"),
        (Request("GET", "/w", form={"a": "b c"}), call(body=b"x=1&a=b+c"), None),
        (
            Request("GET", "/w", form={"a": "b"}),
            call(body=b"\xff"),
            "form a: wanted 'b', got nothing",
        ),
        (
            Request("GET", "/w", json_includes={"a": {}}),
            call(body=b'{"a": {"b": 1}, "c": 2}'),
            None,
        ),
        (Request("GET", "/w", json_includes=[{}]), call(body=b'[{"b": 1}]'), None),
        (
            Request("GET", "/w", json_includes={"a": 1}),
            call(body=b"{}"),
            "json_includes: wanted {'a': 1}, got {}",
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
    assert first.reply(0).latency == Even(0.05, 0.05)
    assert (second.name, second.where) == ("troubled", "w.toml:7")
    assert second.request.json == {"a": True}
    assert [reply.status for reply in second.replies] == [503, 200]
    assert second.request.headers == {}
    assert first.request.json is msgspec.UNSET


HEAD = '[[stub]]\nname = "s"\nrequest = { method = "GET", path = "/" }\n'


def asking(more: str, path: str = 'path = "/", ') -> str:
    return f'[[stub]]\nname = "s"\nrequest = {{ method = "GET", {path}{more} }}\nreply = {{}}'


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
        ("[[stub]]\nname = 'a'\nreply = {}", "plan/missing-key", "s.toml:1", "only the fault"),
        (HEAD + "reply = { fault = 'refused' }", "stubs/fault", "s.toml:4", "leave 'request' out"),
        (
            "[[stub]]\nname = 'a'\ntimes = 2\nreply = { fault = 'refused' }",
            "stubs/fault",
            "s.toml:1",
            "gives more than the fault 'refused'",
        ),
        (
            "[[stub]]\nname = 'a'\nreply = { fault = 'refused', delay = '1s' }",
            "stubs/fault",
            "s.toml:1",
            "gives more than the fault 'refused'",
        ),
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
        (HEAD.replace(', path = "/"', "") + "reply = {}", "stubs/path", "s.toml:3", "needs one of"),
        (asking("path_prefix = '/a'"), "stubs/path", "s.toml:3", "needs one of"),
        (asking("path_pattern = '/{a'", ""), "stubs/path", "s.toml:3", "as {name}"),
        (asking("path_prefix = 'a'", ""), "stubs/path", "s.toml:3", "begin it with '/'"),
        (asking("json = {}, body = ''"), "stubs/request", "s.toml:3", "both 'json' and 'body'"),
        (asking("query = { q = { any = 'int' } }"), "stubs/request", "s.toml:3", "integer"),
        (asking("query = { q = { any = 'array' } }"), "stubs/request", "s.toml:3", "knows no"),
        (asking("headers = { A = { b = 'c' } }"), "stubs/request", "s.toml:3", "neither text nor"),
        (asking("json = [{ a = { pattern = '(' } }]"), "stubs/request", "s.toml:3", "regular"),
        (asking("form = { a = 1 }"), "plan/wrong-type", "s.toml:3", "form"),
        *(
            (f"{HEAD}reply = {{}}\ntimes = {times}", "stubs/times", "s.toml:5", "write how often")
            for times in ("0", "-1", "'3..2'", "'..2'", "'0..0'", "''", "'often'")
        ),
        (HEAD + "reply = {}\ntimes = 1.5", "plan/wrong-type", "s.toml:5", "times"),
        (f"{HEAD}reply = {{}}\n" * 2, "stubs/twice", "s.toml:5", "first at s.toml:1"),
    ],
)
def test_a_bad_file_is_named_with_its_line(text: str, slug: str, where: str, says: str) -> None:
    with pytest.raises(PlanError) as raised:
        parse_stubs(text, "s.toml")
    assert (raised.value.slug, raised.value.where) == (slug, where)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "times"),
    [(2, (2, 2)), ("2", (2, 2)), ("1..", (1, None)), ("0..3", (0, 3)), ("0..", (0, None))],
)
def test_how_often_is_a_number_or_a_range(text: int | str, times: tuple[int, int | None]) -> None:
    assert Times.parse(text) == times
    assert Times.parse(str(Times(*times))) == times


names = st.sampled_from(["a", "b"])
values = st.sampled_from(["", "1", "2"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)


@given(json_values, json_values)
def test_a_json_body_matches_what_is_written_as_it(one: object, other: object) -> None:
    body = msgspec.json.encode(one)
    assert difference(Request("POST", "/w", json=one), call("POST", body=body)) is None
    matches = difference(Request("POST", "/w", json=other), call("POST", body=body)) is None
    swapped = Request("POST", "/w", json=one), call("POST", body=msgspec.json.encode(other))
    assert matches is (difference(*swapped) is None)


texts = st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=4)
fields = st.dictionaries(texts, texts, min_size=1, max_size=2)
paths = st.text(st.sampled_from("ab/é %"), max_size=5).map("/{}".format)
bodies = st.one_of(
    st.builds(lambda value: {"json": value}, json_values),
    st.builds(lambda value: {"json_includes": value}, json_values),
    st.builds(lambda value: {"form": value}, fields),
    st.builds(lambda value: {"body": value}, texts),
)
samples = st.builds(
    lambda path, query, exact, headers, body: Request(
        "POST", query=query, query_exact=exact, headers=headers, **path, **body
    ),
    st.builds(
        lambda key, path: {key: path},
        st.sampled_from(["path", "path_prefix", "path_pattern"]),
        paths,
    ),
    fields,
    st.booleans(),
    st.dictionaries(st.sampled_from(["x-a", "x-b"]), values, min_size=1),
    bodies,
)


def example(request: Request) -> Call:
    """The call that a request describes word for word."""
    path = request.path or request.path_prefix or request.path_pattern or ""
    if request.form is not None:
        body = urlencode(request.form).encode()
    elif request.body is not None:
        body = request.body.encode()
    else:
        wanted = request.json_includes if request.json is msgspec.UNSET else request.json
        body = msgspec.json.encode(wanted)
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    return Call(request.method, path, urlencode(request.query), headers, body)


@given(samples)
def test_a_call_made_from_what_a_stub_asks_for_matches(request: Request) -> None:
    assert request.defect() is None
    assert difference(request, example(request)) is None


@given(samples, st.sampled_from(["method", "path", "query", "header", "body"]))
def test_one_field_that_is_changed_never_matches_and_is_named(request: Request, field: str) -> None:
    asked = example(request)
    (given_body,) = request.bodies
    changes: dict[str, dict[str, object]] = {
        "method": {"method": "PUT"},
        "path": {"path": f"+{asked.path}"},
        "query": {"query": ""},
        "header": {"headers": dict.fromkeys(asked.headers, "changed")},
        "body": {"body": b"changed\n"},
    }
    told = explain([stub("s", request)], msgspec.structs.replace(asked, **changes[field]))
    named = given_body if field == "body" else field
    assert told.splitlines()[1].startswith(f"  s (s.toml:s): {named}")
