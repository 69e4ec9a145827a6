"""Each line is given to a real shell: what curl would be given is what the exchange was."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import secret
from harness.curl import SHOWN_BYTES, Asked, curl
from harness.targets.client import Client
from harness.targets.exchange import Exchange, Exchanges
from harness.targets.served import Served
from tests.harness.project import clean

BASH = shutil.which("bash") or pytest.skip("there is no bash here", allow_module_level=True)
BY_NAME = """
curl() {
    printf '%s\\0' "$@"
    for one in "$@"; do if [ "$one" = @- ]; then cat; fi; done
}
"""


def exchange(body: bytes = b"", url: str = "http://localhost", **changes: Any) -> Asked:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], **changes}
    one = Exchange(scope, url)
    one.heard({"type": "http.request", "body": body})
    return one.asked


def line_of(*arguments: Any, **changes: Any) -> str:
    return curl(exchange(*arguments, **changes))[0]


def read_by_a_shell(line: str) -> tuple[list[bytes], bytes]:
    """Return the arguments of curl, and what it reads where it reads its input."""
    assert "\n" not in line
    done = subprocess.run(
        [BASH, "-c", BY_NAME + line], stdin=subprocess.DEVNULL, capture_output=True, check=True,
        env={},
    )  # fmt: skip
    parts = done.stdout.split(b"\0")
    if b"@-" not in parts:
        return parts[:-1], b""
    end = parts.index(b"@-") + 2  # after which there is the URL
    return parts[:end], b"\0".join(parts[end:])


def rebuilt(arguments: list[bytes], piped: bytes) -> dict[str, Any]:
    """Make the request of curl's arguments, as curl does."""
    found: dict[str, Any] = {"headers": [], "body": b"", "url": arguments[-1], "method": ""}
    left = iter(arguments[:-1])
    for one in left:
        if one == b"-X":
            found["method"] = next(left).decode()
        elif one == b"-H":
            name, colon, value = next(left).partition(b":")
            found["headers"] += [(name, value.lstrip(b" "))] if colon else [(name[:-1], b"")]
        elif one in (b"--data-raw", b"--data-binary"):
            data = next(left)
            found["body"] = piped if one == b"--data-binary" else data
        else:
            assert one in (b"-i", b"-I", b"-g", b"--path-as-is"), one
    implied = "HEAD" if b"-I" in arguments else "POST" if found["body"] else "GET"
    found["method"] = found["method"] or implied
    return found


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NAMES = st.text("abcdefgh-", min_size=1, max_size=5).map(lambda name: f"x-{name}")
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n")).map(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    body=st.one_of(st.binary(max_size=60), TEXT.map(str.encode)),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=3),
    path=st.binary(max_size=8), query=st.binary(max_size=8),
)  # fmt: skip
def test_a_shell_reads_from_the_line_what_was_sent(
    body: bytes, method: str, headers: list[tuple[str, str]], path: bytes, query: bytes
) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers]
    one = exchange(
        body, method=method, headers=sent, raw_path=b"/" + path.replace(b"?", b""),
        query_string=query,
    )  # fmt: skip

    found = rebuilt(*read_by_a_shell(curl(one)[0]))

    assert (found["method"], found["body"]) == (method, body)
    named = [(name, value) for name, value in found["headers"] if name.startswith(b"x-")]
    assert named == [(name, value.strip(b" ")) for name, value in sent]
    url = found["url"].decode("ascii")
    assert url.isprintable()
    assert " " not in url


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(NAMES, st.text(st.characters(categories=["L", "N", "P"]), min_size=1)))
def test_shlex_reads_it_too_where_all_can_be_printed(headers: dict[str, str]) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    line = line_of(b'{"a": "it\'s $HOME"}', headers=sent)

    words = shlex.split(line)

    assert words[:2] == ["curl", "-i"]
    assert [f"{name}: {value}" for name, value in headers.items()] == [
        words[n + 1] for n, word in enumerate(words) if word == "-H" and words[n + 1][:2] == "x-"
    ]
    assert words[words.index("--data-raw") + 1] == '{"a": "it\'s $HOME"}'


def test_what_curl_says_by_itself_is_left_out() -> None:
    usual = [(b"user-agent", b"Quart"), (b"host", b"localhost"), (b"accept", b"*/*"),
             (b"content-length", b"3"), (b"content-type", b"text/plain"),
             (b"traceparent", b"00-1-2-01")]  # fmt: skip

    assert line_of(b"a=1", method="POST", headers=usual) == (
        "curl -i -H 'content-type: text/plain' -H 'traceparent: 00-1-2-01' "
        "--data-raw a=1 http://localhost/"
    )


@pytest.mark.parametrize("host", [b"shop.example", b"localhost:81"])
def test_a_host_of_its_own_is_said(host: bytes) -> None:
    assert f"-H 'host: {host.decode()}'" in line_of(headers=[(b"host", host)])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "curl -i -H"),
        ({"method": "HEAD"}, "curl -I -H"),
        ({"method": "DELETE"}, "curl -i -X DELETE "),
        ({"method": "POST"}, "curl -i -X POST "),
        ({"query_string": b"a[]={1}"}, "curl -i -g "),
        ({"raw_path": b"/a/../b"}, "curl -i --path-as-is "),
        ({"headers": [(b"x-empty", b"")]}, " -H 'x-empty;' "),
        ({"body": b"{}"}, " -H Content-Type: --data-raw "),
        ({"body": b"@file", "method": "POST"}, "--data-raw @file"),
        ({"raw_path": b"/%2F%20#\xff "}, "http://localhost/%2F%20%23%FF%20"),
    ],
)
def test_only_what_is_needed_is_said(changes: dict[str, Any], told: str) -> None:
    assert told in line_of(**changes)


def test_a_body_that_is_too_long_or_encoded_is_a_file_to_be_filled_in() -> None:
    for one in (exchange(b"x" * (SHOWN_BYTES + 1)),
                exchange(b"x", headers=[(b"content-encoding", b"gzip")])):  # fmt: skip
        line, wanted = curl(one)

        assert "--data-binary @BODY" in line
        assert wanted == [f"BODY, a file with the {one.length:,} bytes that were sent"]


CREDENTIALS = [
    (b"Authorization", b"Bearer abc.def"), (b"Cookie", b"session=abc.def; a-b=abc.def"),
    (b"X-Api-Key", b"abc.def"), (b"Proxy-Authorization", b"abc.def"), (b"x-token", b"abc.def"),
]  # fmt: skip


def test_credentials_are_variables_and_a_shell_says_which_are_missing() -> None:
    line, wanted = curl(exchange(headers=CREDENTIALS))

    assert "abc.def" not in line
    assert """-H 'Authorization: Bearer '"${AUTHORIZATION:?}" """ in line
    assert """'Cookie: session='"${COOKIE_SESSION:?}"'; a-b='"${COOKIE_A_B:?}" """ in line
    names = "AUTHORIZATION, COOKIE_SESSION, COOKIE_A_B, X_API_KEY, PROXY_AUTHORIZATION, X_TOKEN"
    assert wanted == [f"{names}, which are not shown"]
    done = subprocess.run([BASH, "-c", line], env={}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "AUTHORIZATION" in done.stderr


def test_a_secret_is_the_variable_that_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_SECRET_PIN", "o'pen\0sesame".replace("\0", " "))
    secret.keep([])
    try:
        line, wanted = curl(exchange(b"pin=o'pen+sesame&\0", query_string=b"pin=o%27pen%20sesame"))
    finally:
        monkeypatch.undo()
        secret.keep([])

    assert "pen" not in line.replace("${PIN:?}", "")
    assert """'http://localhost/?pin='"${PIN:?}\"""" in line
    assert line.startswith("""printf 'pin=%s&\\000' "${PIN:?}" | curl """)
    assert wanted == ["PIN, which is not shown"]


async def test_the_pasted_line_is_the_same_request_for_the_server() -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    seen: list[Any] = []
    of_curl = (b"user-agent", b"accept")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name: value for name, value in scope["headers"] if name not in of_curl}
        seen.append((scope["raw_path"], scope["query_string"], headers, scope["method"], body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    exchanges = Exchanges()
    async with Served(app, "shop") as service:
        client = Client(service, exchanges)
        for body in (b"it's\n\xff two", b"nul \0 %s -", b""):
            await client.open("/a%20b/[c]?q=1&q={2}", method="PUT", data=body or None,
                              headers={"X-Empty": "", "X-A": "é'\"$HOME `id`"})  # fmt: skip
        for one in exchanges.take():
            await _pasted(curl(one.asked)[0])

    assert seen[:3] == seen[3:]
    assert len({body for *_, body in seen}) == 3


async def _pasted(line: str) -> None:
    assert BASH
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        BASH, "-c", line, env=clean(), stdout=nowhere, stderr=nowhere
    )
    assert await process.wait() == 0, line


@pytest.mark.parametrize(
    ("target", "told", "wanted"),
    [
        (b"/a?token=abc&q=1", """'http://localhost/a?token='"${TOKEN:?}"'&q=1'""", ["TOKEN"]),
        (
            b"/a?q=1&api_key=a%26b",
            """'http://localhost/a?q=1&api_key='"${API_KEY:?}\"""",
            ["API_KEY"],
        ),
        (b"/a?token=&q=token", "'http://localhost/a?token=&q=token'", []),
        (b"/token=abc", "http://localhost/token=abc", []),
    ],
)
def test_a_credential_in_a_query_is_to_be_filled_in(
    target: bytes, told: str, wanted: list[str]
) -> None:
    line, missing = curl(Asked("GET", "http://localhost", target, []))

    assert line == f"curl -i {told}"
    assert [one.partition(",")[0] for one in missing] == wanted
