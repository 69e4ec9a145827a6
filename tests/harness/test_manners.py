"""How tests behave towards a deployment: where they write, and how often they ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.bench import Bench
from harness.errors import UsageError
from harness.manners import Manners, parse_host, parse_rate
from harness.plan import Plan
from harness.target import Target, TargetKind
from harness.verdict import Outcome
from tests.harness.suite import Suite


@pytest.mark.parametrize(
    ("writable", "host", "may"),
    [
        (("localhost",), "127.0.0.1:5000", True),
        (("localhost",), "[::1]", True),
        (("localhost",), "shop.localhost", True),
        (("localhost",), "staging.example.org", False),
        ((), "127.0.0.1", False),
        ((), "localhost", False),
        (("Staging.Example.org",), "STAGING.example.org.:8443", True),
        (("staging.example.org",), "127.0.0.1", False),
        (("staging.example.org",), "staging.example.org.evil.example", False),
        (("example.org",), "staging.example.org", False),
        (("[2001:db8::1]",), "[2001:db8::1]:80", True),
    ],
)
def test_what_is_named_may_be_written_to_and_nothing_else(
    writable: tuple[str, ...], host: str, may: bool
) -> None:
    assert Manners(writable=writable).lets_write(f"http://{host}/shop") is may


def test_hosts_are_added_to_those_that_may_be_written_to() -> None:
    manners = Manners().with_writable(["staging.example.org"])

    assert manners.lets_write("https://staging.example.org")
    assert manners.lets_write("http://127.0.0.1:5000")


@pytest.mark.parametrize(
    "text", ["https://staging.example.org", "staging.example.org/shop", "a@b", "", "host:80", " "]
)
def test_what_could_never_be_equal_to_a_host_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the name of a host"):
        parse_host(text)


@pytest.mark.parametrize("text", ["staging.example.org", "10.0.0.7", "::1", "[2001:db8::1]", "db"])
def test_names_and_addresses_are_hosts(text: str) -> None:
    assert parse_host(text) == text


@pytest.mark.parametrize("text", ["", "20", "0/s", "-1/s", "20/m", "20/s for 15s", "fast"])
def test_a_rate_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read the rate"):
        parse_rate(text)


def test_a_rate_is_requests_per_second() -> None:
    assert (parse_rate("20/s"), parse_rate(" 0.5 / s ")) == (20, 0.5)


# In a pytest of its own, against a deployment


class Deployment(ThreadingHTTPServer):
    """Answers as its path says, gives tokens, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Deployment
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = self.headers.get("Authorization", "") or body.decode()
        self.server.asked.append((self.command, self.path, told))
        granted = b'{"access_token": "t0ken-of-the-dealer", "expires_in": 900}'
        self.send_response(429 if self.path == "/busy" else 200)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(granted)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else granted)

    do_GET = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815 - http.server's names


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    with Deployment() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


PLAN = """
[services.app]
app = "app:app"

[services.dealer]
app = "app:app"

[tests]
paths = ["."]
rate = "1/s"

[tests.tokens.reader]
url = "{dealer.url}/oauth/token"
form = { client_id = "wrong" }

[profiles.careful]
rate = "10/s"
writable = []

[profiles.careful.tokens.reader]
url = "{dealer.url}/oauth/token"
form = { client_id = "reader", client_secret = "{env.DEALER_SECRET}" }
"""

TESTS = """
import asyncio
import time

import pytest


async def test_reads(client, token):
    headers = await token("reader")
    assert (await client.get("/", headers=headers)).status_code == 200
    assert (await client.head("/", headers=await token("reader"))).status_code == 200


def test_reads_synchronously(webtest, token):
    assert webtest.get("/sync", headers=token("reader")).status_code == 200
    with pytest.raises(Exception, match="no token 'raeder'"):
        token("raeder")


async def test_busy(client):
    began = time.monotonic()
    assert (await client.get("/busy")).status_code == 429
    answers = await asyncio.gather(*(client.get("/at-once") for _ in range(5)))
    assert len(answers) == 5
    assert time.monotonic() - began >= 0.5


async def test_waits(client, eventually):
    async def thrice():
        answers.append(await client.get("/later"))
        assert len(answers) == 3
        return answers[-1]

    answers = []
    assert (await eventually(thrice, within="30s", every="1ms")).status_code == 200


def test_waits_synchronously(webtest, eventually):
    assert eventually(lambda: webtest.get("/later").status_code == 200)


async def test_forgets_to_wait(client, eventually):
    eventually(lambda: client.get("/never"))


async def test_tells_a_token(client, token):
    assert (await token("reader"))["Authorization"] == "another"


async def test_writes(client):
    await client.post("/written")


def test_writes_synchronously(webtest):
    webtest.delete("/written")


@pytest.mark.writes
async def test_is_marked(client):
    await client.post("/written")


@pytest.mark.writes("dealer")
async def test_is_marked_for_another(client):
    await client.post("/written")


async def test_undoes(client, undo):
    undo(client.delete, "/written")
"""


def test_a_deployment_is_asked_no_more_than_the_plan_says_and_sent_nothing_that_writes(
    tmp_path: Path, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEALER_SECRET", "s3cret-of-the-reader")
    suite = Suite(tmp_path)
    suite.write("harness.toml", PLAN)
    suite.write("test_it.py", TESTS)

    judged = suite.judged(
        "--harness-plan=harness.toml", "--harness-profile=careful",
        f"--harness-url=dealer={deployment.url}", target=deployment.url,
    )  # fmt: skip

    assert judged.outcomes == {
        "test_reads": "passed", "test_reads_synchronously": "passed", "test_busy": "passed",
        "test_waits": "passed", "test_waits_synchronously": "passed",
        "test_forgets_to_wait": "error", "test_tells_a_token": "failed", "test_writes": "failed",
        "test_writes_synchronously": "failed", "test_is_marked": "skipped",
        "test_is_marked_for_another": "skipped", "test_undoes": "skipped",
    }  # fmt: skip
    paths = [f"{method} {path}" for method, path, _ in deployment.asked]
    assert sorted(paths) == sorted(
        ["POST /oauth/token", "GET /", "HEAD /", "GET /sync", "GET /busy", *["GET /at-once"] * 5,
         *["GET /later"] * 4]
    )  # fmt: skip
    assert "checks nothing without 'await'" in judged.said
    assert "client_secret=s3cret-of-the-reader" in deployment.asked[0][2]
    assert deployment.asked[1][2] == "Bearer t0ken-of-the-dealer"
    assert "POST /written was not sent: 127.0.0.1 is not writable" in judged.said
    assert "next: mark the test, @pytest.mark.writes" in judged.said
    skipped = {name.split()[0]: why for name, why in judged.not_checked.items()}
    assert skipped["test_undoes"] == "skipped: writes, and 127.0.0.1 is not writable"
    assert "Bearer {token.reader}" in judged.said
    assert "t0ken" not in judged.said
    assert judged.outcome is Outcome.FAIL


def test_workers_share_what_a_deployment_may_be_asked(tmp_path: Path) -> None:
    plan = Plan(manners=Manners(Fraction(20)))
    live = Target(TargetKind.LIVE, (("shop", "http://127.0.0.1:9"), ("bank", "http://[::1]:9")))
    bench = Bench(plan, tmp_path, live, processes=4)

    assert bench.gap_s == 0.2
    assert bench.turns_at("http://127.0.0.1:10/below") is bench.turns_at("http://127.0.0.1:9")
    assert bench.turns_at("http://127.0.0.1:9") is not bench.turns_at("http://[::1]:9")
    assert bench.turns_at("http://example.org") is None  # no target: nobody said how often
    assert Bench(plan, tmp_path, Target(TargetKind.SERVED)).gap_s == 0
