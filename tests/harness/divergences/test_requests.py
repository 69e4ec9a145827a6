"""What an application sees of a request: the same in process and over a wire."""

from __future__ import annotations

import ast
import ipaddress
import string
from io import BytesIO
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quart.datastructures import FileStorage
from werkzeug.datastructures import Headers

from harness.errors import TargetError
from harness.targets import Running
from harness.targets.client import Client, Exchanges
from harness.targets.inproc import Inproc
from harness.targets.served import Served


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what came, as no framework has read it yet."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    seen = {key: value for key, value in scope.items() if not key.startswith("_")}
    seen["client"], seen["body"] = scope["client"][0], body
    seen["headers"] = sorted(pair for pair in scope["headers"] if pair[0] != b"traceparent")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr(seen).encode()})


def application() -> Any:
    """What the tests of this module ask."""
    return _echo


async def _seen(response: Any) -> dict[str, Any]:
    assert response.status_code == 200
    return dict(ast.literal_eval((await response.get_data()).decode()))


def _headers(seen: dict[str, Any]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in seen["headers"]}


async def test_13_a_body_has_its_length(client: Client) -> None:
    with_body = _headers(await _seen(await client.post("/", json={"a": 1})))
    without = _headers(await _seen(await client.put("/")))
    got = _headers(await _seen(await client.get("/")))

    assert with_body["content-length"] == "8"
    assert without["content-length"] == "0"
    assert "content-length" not in got


async def test_14_the_caller_has_an_address(client: Client) -> None:
    seen = await _seen(await client.get("/"))

    assert ipaddress.ip_address(seen["client"]).is_loopback
    assert seen["server"][0] == "127.0.0.1"


async def test_15_the_host_is_the_address_with_its_port(client: Client, running: Running) -> None:
    seen = await _seen(await client.get("/"))

    assert f"http://{_headers(seen)['host']}" == running.url
    assert running.url == f"http://{seen['server'][0]}:{seen['server'][1]}"


async def test_15_a_host_of_the_tests_own_is_sent(client: Client) -> None:
    for host in ("shop.example", "localhost"):
        seen = await _seen(await client.get("/", headers={"Host": host}))
        assert _headers(seen)["host"] == host


async def test_16_a_server_name_is_the_host(running: Running) -> None:
    client = Client(running, Exchanges())
    client.app.config["SERVER_NAME"] = "shop.example"

    seen = await _seen(await client.get("/"))
    below = await _seen(await client.get("/", subdomain="api"))

    assert (_headers(seen)["host"], _headers(below)["host"]) == ("shop.example", "api.shop.example")


@pytest.mark.parametrize(
    ("path", "raw", "decoded"),
    [
        ("/a%2Fb", b"/a%2Fb", "/a/b"),
        ("/%e9", b"/%e9", "/\ufffd"),
        ("/café au lait", b"/caf%C3%A9%20au%20lait", "/café au lait"),
        ("/100%", b"/100%", "/100%"),
        ("/a/../b//c", b"/a/../b//c", "/a/../b//c"),
        ("//x", b"//x", "//x"),
        ("x", b"/x", "/x"),
        ("", b"/", "/"),
        ("/x#part", b"/x", "/x"),
    ],
)
async def test_17_a_path_arrives_as_it_was_written(
    client: Client, path: str, raw: bytes, decoded: str
) -> None:
    seen = await _seen(await client.get(path))

    assert (seen["raw_path"], seen["path"]) == (raw, decoded)


@pytest.mark.parametrize(
    ("path", "query", "sent"),
    [
        ("/?q=é x", None, b"q=%C3%A9%20x"),
        ("/?a=%2F&a=1+1", None, b"a=%2F&a=1+1"),
        ("/", {"a": ["1", "é&"]}, b"a=1&a=%C3%A9%26"),
        ("/?", None, b""),
    ],
)
async def test_19_a_query_arrives_whatever_is_in_it(
    client: Client, path: str, query: dict[str, Any] | None, sent: bytes
) -> None:
    assert (await _seen(await client.get(path, query_string=query)))["query_string"] == sent


async def test_19_two_queries_are_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="Query string"):
        await client.get("/?a=1", query_string={"b": "2"})


async def test_20_a_head_that_no_server_reads_is_a_431(client: Client) -> None:
    fits = await client.get("/", headers={"x-long": "x" * 12_000})
    too_long = await client.get("/", headers={"x-long": "x" * 100_000})

    assert (fits.status_code, too_long.status_code) == (200, 431)
    assert (await client.get("/?" + "x" * 100_000)).status_code == 431


async def test_21_of_two_hosts_one_is_sent(client: Client) -> None:
    twice = Headers([("Host", "one.example"), ("Host", "other.example")])

    assert _headers(await _seen(await client.get("/", headers=twice)))["host"] == "other.example"


async def test_21_a_body_in_parts_is_chunked(client: Client) -> None:
    async with client.request("/", method="POST") as connection:
        for part in (b"one ", b"two"):
            await connection.send(part)
        await connection.send_complete()
    seen = await _seen(await connection.as_response())

    assert seen["body"] == b"one two"
    assert _headers(seen)["transfer-encoding"] == "chunked"
    assert "content-length" not in _headers(seen)


async def test_22_a_form_sends_each_value_of_a_list(client: Client) -> None:
    seen = await _seen(await client.post("/", form={"a": ["1", "2"], "n": 3, "é": "&"}))

    assert seen["body"] == b"a=1&a=2&n=3&%C3%A9=%26"


async def test_22_a_form_with_files_sends_each_value_of_a_list(client: Client) -> None:
    def file(name: str) -> FileStorage:
        return FileStorage(BytesIO(b"text of " + name.encode()), filename=name)

    files = {"f": [file("one.txt"), file("two.txt")]}
    seen = await _seen(await client.post("/", files=files, form={"a": ["1", "2"]}))

    assert [seen["body"].count(part) for part in (b'name="a"', b"text of one.txt")] == [2, 1]
    assert seen["body"].count(b'name="f"') == 2
    assert _headers(seen)["content-length"] == str(len(seen["body"]))


@pytest.mark.parametrize("wrong", [{"data": b"", "json": {}}, {"form": {}, "json": {}}])
async def test_22_bodies_that_exclude_each_other_are_refused(
    client: Client, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="mutually exclusive"):
        await client.post("/", **wrong)


@pytest.mark.parametrize(
    "changed",
    [{"scheme": "https"}, {"http_version": "2"}, {"root_path": "/x"}, {"scope_base": {"x": 1}}],
)
async def test_23_what_a_server_sets_is_set_in_process_only(
    client: Client, running: Running, changed: dict[str, Any]
) -> None:
    if isinstance(running, Inproc):
        seen = await _seen(await client.get("/", **changed))
        wanted = changed.get("scope_base", changed)
        assert {key: seen[key] for key in wanted} == wanted
    else:
        with pytest.raises(TargetError, match="its server does") as caught:
            await client.get("/", **changed)
        assert caught.value.slug == "target/scope"


async def test_35_the_address_of_another_service_is_refused(
    client: Client, running: Running
) -> None:
    own = await _seen(await client.get(f"{running.url}/x?y=1"))

    assert (own["raw_path"], own["query_string"]) == (b"/x", b"y=1")
    with pytest.raises(TargetError, match="leads away") as caught:
        await client.get("http://elsewhere.example/x")
    assert caught.value.slug == "target/elsewhere"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both() -> Any:
    async with Served(_echo, "shop") as served:
        inproc = Inproc(_echo, "shop", url=served.url)
        async with inproc:
            yield inproc, served


_NAMES = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12).map(
    lambda name: f"x-{name}"
)
_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x24F, exclude_categories=["Cc"]))
_PATHS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="?#"))
_REQUESTS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "post", "PUT", "PATCH", "DELETE", "OPTIONS", "SHOP"]),
        "path": st.text(
            st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="?#")
        ).map(lambda path: f"/{path}"),
        "headers": st.dictionaries(_NAMES, _VALUES, max_size=4),
    },
    optional={
        "query_string": st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _VALUES),
        "data": st.binary(max_size=100),
    },
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(asked=_REQUESTS)
async def test_any_request_is_the_same_in_both(
    both: tuple[Running, Running], asked: dict[str, Any]
) -> None:
    """The headline: the application cannot tell the targets apart."""
    here, there = [
        await _seen(await Client(running, Exchanges()).open(**asked)) for running in both
    ]

    assert here == there
