"""A load of one request, without a scenario file: what its target sees, and what is kept of it."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from harness.demand import Load
from harness.errors import UsageError
from harness.evidence import Facts, Part
from harness.facts import Answered, Problem
from harness.load.board import Board
from harness.load.book import Book
from harness.load.drive import drive, pace_text
from harness.load.generator import Generator
from harness.load.job import Job
from harness.load.molotov import Scenarios
from harness.load.repeat import GIVE_UP, scenarios_of
from harness.pace import UNTIMED_S, Pace, Rate, Workers
from harness.repeated import Repeated
from harness.snapshot import Snapshot
from harness.tally import merged

from .conftest import Script, Service


class Outcome:
    """What the processes of one load wrote down."""

    def __init__(self, folder: Path, answers: list[object]) -> None:
        self.facts = [fact for facts in Facts.read(folder).by_part.values() for fact in facts]
        self.answers = [one for one in answers if isinstance(one, Answered)]
        self.problems = [fact for fact in self.facts if isinstance(fact, Problem)]
        tallies = merged(
            tally.tally()
            for fact in self.facts
            if isinstance(fact, Snapshot)
            for tally in fact.tallies
        )
        (self.requests,) = (tally for tally in tallies.values() if tally.step is not None)


async def ran(
    folder: Path, url: str, *, pace: Pace | None = None, processes: int = 1, **options: Any
) -> Outcome:
    """Run the generators of a load one after the other, as its processes would be at once."""
    origin = "/".join(url.split("/")[:3])
    repeated = Repeated(**{"method": "GET", "url": url, **options})
    workers = Workers(-(-(repeated.connections or 1) // processes), UNTIMED_S)
    load = Load("request", "", pace or workers, (), processes, repeated=repeated)
    job = Job.of(load, target=origin, root=folder, folder=folder)
    answers: list[object] = []
    for process in range(processes):
        found = scenarios_of(repeated, folder)
        await generated(job, process, found)
        assert found.told is not None
        answers.append(found.told(process))
    return Outcome(folder, answers)


async def generated(job: Job, process: int, found: Scenarios) -> None:
    board = Board(1 + process)
    book = Book(process, found.places, board)
    with Part(Path(job.folder), f"load-request.{process}") as part:
        generator = Generator(job, process, found, Namespace(), board=board, book=book, part=part)
        board.start(time.monotonic_ns())
        await generator.run()


@pytest.mark.parametrize(
    ("total", "connections", "processes"), [(20, 3, 1), (3, 10, 1), (11, 4, 2), (1, 1, 1)]
)
async def test_the_target_sees_exactly_the_total(
    tmp_path: Path, service: Service, total: int, connections: int, processes: int
) -> None:
    url = f"{service.url}/things/1?full=yes"
    outcome = await ran(
        tmp_path, url, total=total, connections=connections, processes=processes
    )  # fmt: skip

    assert Counter(service.paths) == {"/things/1?full=yes": total}
    assert outcome.requests.ok == total
    assert outcome.requests.statuses == {"200": total}


async def test_a_rate_sends_exactly_the_total_too(tmp_path: Path, service: Service) -> None:
    pace = Rate(Fraction(70), Fraction(21, 70))
    outcome = await ran(tmp_path, service.url, pace=pace, total=21)

    assert len(service.paths) == outcome.requests.ok == 21


async def test_a_redirect_is_an_answer(tmp_path: Path, service: Service) -> None:
    outcome = await ran(tmp_path, f"{service.url}/redirect?to=/status/302", total=4)

    assert Counter(service.paths) == {"/redirect?to=/status/302": 4}
    assert outcome.requests.statuses == {"302": 4}


async def test_where_redirects_are_followed_each_is_counted_once(
    tmp_path: Path, service: Service
) -> None:
    url = f"{service.url}/redirect?to=/status/302"
    outcome = await ran(tmp_path, url, total=4, follows=True)

    assert Counter(service.paths) == {"/redirect?to=/status/302": 4, "/status/302": 4}
    assert outcome.requests.sent == 4


async def test_a_status_is_counted_and_is_no_failure_of_the_request(
    tmp_path: Path, service: Service
) -> None:
    outcome = await ran(tmp_path, f"{service.url}/status/404", total=12)

    assert outcome.requests.statuses == {"404": 12}
    assert outcome.requests.failed == 0
    assert outcome.problems == []


def replying(answers: list[bytes], heard: list[bytes]) -> Script:
    """Answer the requests of a connection in turn, and keep them."""

    def talk(connection: socket.socket) -> None:
        for answer in answers:
            heard.append(connection.recv(65536))
            connection.sendall(answer)

    return talk


def answer(body: bytes, *lines: str) -> bytes:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


async def test_what_answers_looked_like_is_kept(
    tmp_path: Path, misbehaving: Callable[[Script], str]
) -> None:
    bodies = [b"four", b"", b"sixsix"]
    url = misbehaving(replying([answer(one, "Server: tiny/1") for one in bodies], []))
    outcome = await ran(tmp_path, url, total=3)

    assert outcome.answers == [Answered(process=0, server="tiny/1", least_bytes=0, most_bytes=6)]


async def test_requests_are_alike_and_as_they_were_asked_for(
    tmp_path: Path, misbehaving: Callable[[Script], str]
) -> None:
    heard: list[bytes] = []
    (tmp_path / "body.json").write_bytes(b'{"a":\n1}')
    url = misbehaving(replying([answer(b"", "Set-Cookie: seen=yes")] * 2, heard))
    await ran(
        tmp_path, url, total=2, method="PUT", file="body.json",
        headers=(("Content-Type", "application/json"), ("X-Tries", "1"), ("X-Tries", "2")),
    )  # fmt: skip

    assert heard[0] == heard[1]
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT / HTTP/1.1\r\n")
    assert body == b'{"a":\n1}'
    lines = head.lower().split(b"\r\n")
    for line in (b"content-type: application/json", b"x-tries: 1", b"x-tries: 2"):
        assert lines.count(line) == 1
    assert b"cookie" not in head.lower()


async def test_credentials_do_not_follow_a_redirect_to_another_origin(
    tmp_path: Path, misbehaving: Callable[[Script], str]
) -> None:
    first: list[bytes] = []
    second: list[bytes] = []
    other = misbehaving(replying([answer(b"")], second))
    url = misbehaving(replying([f"HTTP/1.1 302 Found\r\nLocation: {other}/\r\n"
                                "Content-Length: 0\r\n\r\n".encode()], first))  # fmt: skip
    headers = (("Authorization", "Basic abc"), ("X-Kept", "yes"))
    await ran(tmp_path, url, total=1, follows=True, headers=headers)

    assert b"Authorization: Basic abc" in first[0]
    assert b"Authorization" not in second[0]
    assert b"X-Kept: yes" in second[0]


async def test_a_target_that_never_answers_is_given_up_early(
    tmp_path: Path, misbehaving: Callable[[Script], str]
) -> None:
    url = misbehaving(lambda connection: None)
    outcome = await ran(tmp_path, url, total=500, connections=2)

    assert {one.slug for one in outcome.problems} == {"target/dead"}
    assert f"not one of {GIVE_UP} requests" in outcome.problems[0].message
    assert GIVE_UP <= outcome.requests.failed <= GIVE_UP + 2
    assert outcome.answers == []


async def test_a_target_that_takes_too_long_to_answer_anything_is_given_up(
    tmp_path: Path, misbehaving: Callable[[Script], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.load.repeat.GIVE_UP_S", 0.0)
    outcome = await ran(tmp_path, misbehaving(lambda connection: None), total=5)

    assert "not one of 1 requests" in outcome.problems[0].message
    assert outcome.requests.failed == 1


async def test_a_target_that_answered_once_is_not_given_up(
    tmp_path: Path, misbehaving: Callable[[Script], str]
) -> None:
    scripts = iter([replying([answer(b"")], []), *[lambda connection: None] * 40])
    url = misbehaving(lambda connection: next(scripts)(connection))
    outcome = await ran(tmp_path, url, total=30)

    assert outcome.problems == []
    assert (outcome.requests.ok, outcome.requests.failed) == (1, 29)


async def test_an_answer_that_does_not_come_in_time_is_a_failure(
    tmp_path: Path, service: Service
) -> None:
    service.gate.clear()
    outcome = await asyncio.wait_for(ran(tmp_path, service.url, total=2, timeout_s=0.05), 30)

    assert outcome.requests.failures == {"timeout": 2}


def test_a_body_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    repeated = Repeated(method="POST", url="http://127.0.0.1/", file=".")

    with pytest.raises(UsageError, match=r"cannot be read: Is a directory \(load/body\)"):
        scenarios_of(repeated, tmp_path)


@pytest.mark.parametrize(
    ("pace", "total", "connections", "told"),
    [
        (Workers(3, UNTIMED_S), 9, 3, "9 requests over 3 connections (3 each)"),
        (Workers(3, Fraction(5)), None, 3, "requests over 3 connections for 5s"),
        (Workers(1, Fraction(5)), 9, 1, "9 requests over 1 connection for at most 5s"),
        (Rate(Fraction(3), Fraction(3)), 9, None, "9 requests, 3/s for 3s"),
    ],
)
def test_a_load_of_one_request_says_its_total(
    pace: Pace, total: int | None, connections: int | None, told: str
) -> None:
    repeated = Repeated(method="GET", url="http://a/", total=total, connections=connections)

    assert pace_text(Load("request", "", pace, (), repeated=repeated)) == told


def test_progress_tells_how_far_the_total_is_and_guesses_what_is_left(
    tmp_path: Path, service: Service
) -> None:
    repeated = Repeated(method="GET", url=service.url, total=30)
    pace = Rate(Fraction(20), Fraction(3, 2))
    told: list[str] = []
    drive(
        Load("request", "GET /", pace, (), repeated=repeated), target=service.url,
        folder=tmp_path, root=tmp_path, env=os.environ, progress=told.append,
    )  # fmt: skip

    assert len(service.paths) == 30
    assert told
    assert re.fullmatch(
        r"load request: (setting up|about \d s left, \d+ of 30 requests, 0 failed)", told[-1]
    )
