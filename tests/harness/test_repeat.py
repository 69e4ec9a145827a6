"""``harness load URL`` as it is typed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import click
import pytest

from harness.cli import main
from harness.cli.load import verb
from harness.cli.repeat import DEFAULT_TOTAL, is_address, load_of_url
from harness.demand import Load
from harness.pace import UNTIMED_S, Rate, Workers
from tests.harness.project import Project

URL = "http://127.0.0.1:8080/x"


class Counting(ThreadingHTTPServer):
    """Counts what it answers, with the status at the end of the path."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.paths: list[str] = []
        self.url = f"http://localhost:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counting

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(int(self.path[-3:]))
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def counting() -> Iterator[Counting]:
    server = Counting()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    (tmp_path / "harness.toml").unlink()
    return made


def test_the_target_sees_the_total_and_the_first_line_states_it(
    project: Project, counting: Counting
) -> None:
    url = f"{counting.url}/things?full=yes&status=200"
    code, output = project.harness(
        "load", url, "-n", "101", "-c", "7", "-p", "2", "--json", "out.json"
    )

    assert code == 0, output
    assert counting.paths == ["/things?full=yes&status=200"] * 101
    assert output.startswith(
        f"101 requests over 7 connections (15 or 14 each), 2 processes: GET {url}\n"
        "PASS: 101 requests under load\n"
    )
    assert "Complete requests 101 of 101" in output
    record = json.loads((project.root / "out.json").read_text())
    (run,) = record["loads"]
    assert run["visits_due"] == run["visits_started"] == 101
    assert run["repeated"].pop("took_s") > 0
    assert run["repeated"] | {"server": ""} == {
        "method": "GET", "url": url, "total": 101, "connections": 7, "server": "",
        "least_bytes": 5, "most_bytes": 5,
    }  # fmt: skip


def test_answers_of_404_alone_do_not_pass(project: Project, counting: Counting) -> None:
    code, output = project.harness("load", f"{counting.url}/404", "-n", "3", "-q")

    assert code == 1, output
    assert output.startswith("FAIL: 4xx == 0: measured 3\n")
    assert "Non-2xx responses   3" in output


def test_a_port_that_nobody_listens_on_is_unknown_and_nothing_is_sent(project: Project) -> None:
    code, output = project.harness("load", "http://127.0.0.1:1/", "-n", "1000")

    assert code == 2, output
    assert "UNKNOWN: nothing answers at http://127.0.0.1:1" in output
    assert "--target" not in output


@pytest.mark.parametrize(
    ("text", "means"),
    [
        (URL, True),
        ("HTTPS://example.org", True),
        ("http://[::1]:8080/", True),
        ("localhost:8080/x", True),
        (":8080", True),
        ("127.0.0.1:8080?q=1", True),
        ("[::1]:8080", True),
        ("URL", True),
        ("mix.py", False),
        ("scenarios/mix.py", False),
        ("package.module", False),
        ("smoke", False),
        ("-c", False),
        ("10", False),
    ],
)
def test_an_address_is_told_from_a_file_and_from_a_load_of_the_plan(text: str, means: bool) -> None:
    assert is_address(text) is means


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["mix.py", "--target", URL, "-c"], "load"),
        (["--rebase", URL, "mix.py"], "load"),
        (["-c", "mix.py"], "load"),
        ([], "load"),
        ([URL], "load URL"),
        (["-n", "5", URL], "load URL"),
        (["-c", "5", URL], "load URL"),
        (["-q", URL], "load URL"),
    ],
)
def test_c_is_a_count_only_where_an_address_is_given(arguments: list[str], path: str) -> None:
    with verb.make_context("load", list(arguments)) as context:
        assert context.info_name == path
        assert context.params.get("console", False) == ("-c" in arguments and path == "load")
        assert isinstance(context.params.get("connections", 10), int | None)


def load_of(*arguments: str) -> Load:
    with verb.make_context("load", [URL, *arguments]) as context:
        return load_of_url(URL, context.params)


def test_without_a_count_or_a_time_there_are_200_requests_over_10_connections() -> None:
    load = load_of()

    assert load.pace == Workers(10, UNTIMED_S)
    assert load.repeated is not None
    assert (load.repeated.total, load.repeated.connections) == (DEFAULT_TOTAL, 10)
    assert DEFAULT_TOTAL == 200


@pytest.mark.parametrize(
    ("arguments", "total", "connections", "processes", "pace"),
    [
        ("-n 7", 7, 7, 1, Workers(7, UNTIMED_S)),
        ("-n 7 -c 20", 7, 7, 1, Workers(7, UNTIMED_S)),
        ("-n 101 -c 7 -p 2", 101, 7, 2, Workers(4, UNTIMED_S)),
        ("-n 9 -c 1 -p 4", 9, 1, 1, Workers(1, UNTIMED_S)),
        ("--requests 5", 50, 10, 1, Workers(10, UNTIMED_S)),
        ("--requests 5 -c 3", 15, 3, 1, Workers(3, UNTIMED_S)),
        ("-d 2", None, 10, 1, Workers(10, Fraction(2))),
        ("-n 30 -d 2.5", 30, 10, 1, Workers(10, Fraction(5, 2))),
        ("--rate 0.3 -n 3", 3, None, 1, Rate(Fraction(3, 10), Fraction(10))),
        ("--rate 50 -d 2", None, None, 1, Rate(Fraction(50), Fraction(2))),
        ("--rate 50 -d 2 -n 20", 20, None, 1, Rate(Fraction(50), Fraction(2, 5))),
        ("--rate 50", 200, None, 1, Rate(Fraction(50), Fraction(4))),
        ("--rate 50 -n 1 -p 3", 1, None, 1, Rate(Fraction(50), Fraction(1, 50))),
    ],
)  # fmt: skip
def test_counts_are_split_over_connections_and_processes(
    arguments: str, total: int | None, connections: int | None, processes: int, pace: object
) -> None:
    load = load_of(*arguments.split())

    assert load.repeated is not None
    assert (load.repeated.total, load.repeated.connections) == (total, connections)
    assert (load.processes, load.pace) == (processes, pace)
    if isinstance(load.pace, Rate) and total:
        assert math.ceil(load.pace.per_second * load.pace.duration_s) == total


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], {"failures == 0", "4xx == 0", "5xx == 0"}),
        (["--objective", "4xx <= 100%"], {"failures == 0", "4xx <= 100%", "5xx == 0"}),
        (["--objective", "failures < 3", "--objective", "p99 < 1s"],
         {"failures < 3", "p99 < 1s", "4xx == 0", "5xx == 0"}),
    ],
)  # fmt: skip
def test_no_request_may_fail_and_no_answer_be_4xx_or_5xx_unless_an_objective_speaks_of_them(
    arguments: list[str], told: set[str]
) -> None:
    assert {objective.text for objective in load_of(*arguments).objectives} == told


def test_a_body_makes_it_a_post_of_a_form_unless_something_else_is_said() -> None:
    form = load_of("--data", "a=1").repeated
    other = load_of("--data", "{}", "-m", "put", "-H", "content-type: application/json").repeated

    assert form is not None
    assert other is not None
    assert (form.method, form.data) == ("POST", "a=1")
    assert form.headers == (("Content-Type", "application/x-www-form-urlencoded"),)
    assert other.method == "PUT"
    assert other.headers == (("content-type", "application/json"),)


def test_a_name_and_a_password_are_sent_as_basic_authentication() -> None:
    found = load_of("-a", "Aladdin:open sesame").repeated  # RFC 7617, 2

    assert found is not None
    assert found.headers == (("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["localhost:8080/x"], "harness load http://localhost:8080/x"),
        ([":8080/x"], "harness load http://localhost:8080/x"),
        ([URL, "-n", "5", "--requests", "2"], "give one of them"),
        ([URL, "--rate", "5", "-c", "2"], "does not go with -c"),
        ([URL, "--rate", "5", "--requests", "2"], "does not go with -c or --requests"),
        ([URL, "-H", "Authorization Bearer abc"], "expected 'NAME: VALUE'"),
        ([URL, "-H", "a: b\r\nc: d"], "expected 'NAME: VALUE'"),
        ([URL, "-a", "secret"], "-a USER:PASSWORD"),
        ([URL, "-m", "GET /"], "no method"),
        ([URL, "-m", "connect"], "no method"),
        ([URL, "--data", "@nothing.json"], "there is no 'nothing.json'"),
        ([URL, "--data", "x" * 40_000], "--data @FILE"),
        ([URL, "-c", "0"], "not in the range"),
        ([URL, "-w", "2"], "harness load URL --help"),
        ([URL, "http://127.0.0.1/other"], "unexpected extra argument"),
        ([URL, "--objective", "p98 < x"], "plan/objective"),
        (["http://example.org/"], "--allow-host example.org"),
        (["http://user:secret@127.0.0.1/"], "-a USER:PASSWORD"),
        (["http://127.0.0.1:99999/"], "http://HOST:PORT/PATH"),
        (["http:///x"], "http://HOST:PORT/PATH"),
        (["http://127.0.0.1/a b"], "%20"),
        (["URL"], "cannot read the address 'URL'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main.main(["load", *arguments])

    error = capsys.readouterr().err
    assert ended.value.code == 64
    assert told in error
    assert "secret" not in error
    assert "abc" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "origin", "url"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ("HTTP://localhost?q=a@b#c", "HTTP://localhost", "HTTP://localhost/?q=a@b"),
        ("http://[::1]:81/a/?q", "http://[::1]:81", "http://[::1]:81/a/?q"),
    ],
)
def test_an_address_is_an_origin_and_the_rest(
    typed: str, origin: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def load(run: object, one: Load, target: str) -> None:
        seen.append((target, one.repeated and one.repeated.url))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.run.Run.load", load)
    monkeypatch.setattr("harness.cli.repeat.finish", _performed)
    with pytest.raises(SystemExit):
        main.main(["load", typed])

    assert seen == [(origin, url)]


def _performed(run: object, perform: Callable[[], None], *others: object) -> int:
    perform()
    return 0


def test_the_help_of_an_address_is_its_own() -> None:
    context = click.Context(verb, info_name="load")

    assert "harness load URL --help" in verb.get_help(context)
