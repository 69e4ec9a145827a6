"""The block of a load of one request: its figures, and that it fits on a terminal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.histogram import Histogram
from harness.judge.series import latency as described
from harness.record import Latency, LoadRow, LoadRun, Record, RepeatedRun
from harness.render import repeated, text
from harness.snapshot import HistogramFact
from tests.harness.render.conftest import load_row, load_run

_MS = 1_000_000


def asked(**changes: Any) -> RepeatedRun:
    whole: dict[str, Any] = {
        "method": "GET", "url": "http://127.0.0.1:8080/things?full=yes", "total": 1000,
        "connections": 10, "server": "hypercorn-h11", "least_bytes": 68, "most_bytes": 68,
    }  # fmt: skip
    return RepeatedRun(**{**whole, **changes})


def run(**changes: Any) -> LoadRun:
    whole: dict[str, Any] = {
        "pace": "1,000 requests over 10 connections (100 each)", "duration_s": 2.0, "processes": 1,
        "visits_due": 1000, "visits_started": 1000, "queueing_visible": False, "repeated": asked(),
    }  # fmt: skip
    return load_run(**{**whole, **changes})


def times(*each_ms: float) -> Histogram:
    found = Histogram()
    for one_ms in each_ms:
        found.record(round(one_ms * _MS))
    return found


def row(measured: Histogram, **changes: Any) -> LoadRow:
    whole: dict[str, Any] = {
        "scenario": "request", "step": "GET /things", "sent": measured.count, "ok": measured.count,
        "failed": 0, "failures": {}, "statuses": {"200": measured.count}, "asked_rate": None,
        "bytes_in": 68 * measured.count, "achieved_rate": measured.count / 2,
        "histogram": HistogramFact.of(measured), "response_ms": described(measured),
    }  # fmt: skip
    return load_row(**{**whole, **changes})


def block(one: LoadRow, **changes: Any) -> str:
    made = run(**changes)
    assert made.repeated is not None
    return "\n".join(repeated.block(made, made.repeated, [one]))


THOUSAND = times(*[n / 10 for n in range(1, 1001)])


def test_the_first_line_states_the_total_and_the_request() -> None:
    first = block(row(THOUSAND)).splitlines()[0]

    assert first == (
        "1,000 requests over 10 connections (100 each): GET http://127.0.0.1:8080/things?full=yes"
    )


@pytest.mark.parametrize(
    "told",
    [
        "Server software   hypercorn-h11 ",
        "Document path     /things ",
        "Document length   68 bytes ",
        "Concurrency level 10 ",
        "Time taken        2 s ",
        "Complete requests 1,000 of 1,000 ",
        "Failed requests   0 ",
        "Non-2xx responses   0\n",
        "Requests per second 500\n",
        "  per minute        30,000\n",
        "Time per request    20 ms\n",  # of each connection: 10 x 2 s / 1,000
        "  across all        2 ms\n",
        "Bodies received     66.4 KiB\n",
        "Transfer rate       33.2 KiB/s\n",
        "Statuses          200: 1,000\n",
        "       min      mean        sd    median       max\n",
        "  Response time      0.10 ms   50.0 ms   28.9 ms   50.0 ms    100 ms\n",
        "  66 %    66.0 ms ",
        "  95 %    95.0 ms ",
        "99.9 %    99.9 ms ",
        " 100 %     100 ms ",
    ],
)
def test_a_thousand_answers_have_every_figure(told: str) -> None:
    assert told in block(row(THOUSAND))


class Later(LoadRow, frozen=True, kw_only=True):
    """A row of a record that tells when first bytes came."""

    first_byte_ms: Latency | None = None


def test_where_the_record_has_first_bytes_they_stand_above_the_whole_answers() -> None:
    measured = row(THOUSAND)
    fields = {name: getattr(measured, name) for name in measured.__struct_fields__}
    first = described(times(*[n / 20 for n in range(1, 1001)]))
    shown = block(Later(**{**fields, "first_byte_ms": first})).splitlines()

    (number,) = (n for n, told in enumerate(shown) if told.startswith("  Response time"))
    assert shown[number - 1] == (
        "  First byte                   25.0 ms             25.0 ms     50 ms"
    )


def test_it_fits_on_a_terminal() -> None:
    shown = block(
        row(THOUSAND, statuses={"200": 990, "404": 6, "503": 4}, failures={"timeout": 7})
    ).splitlines()

    assert len(shown) <= 24
    assert max(map(len, shown[1:])) <= 80


def test_what_too_few_answers_support_is_not_told() -> None:
    shown = block(row(times(1, 2, 3, 4, 5, 6, 7)))

    assert "  75 %    6.00 ms" in shown
    assert "  90 %        n/a" in shown
    assert " 100 %       7 ms" in shown
    assert "n/a: too few samples; 90 % needs 10, 99.9 % needs 1,000" in shown


def test_where_nothing_was_answered_no_figure_is_made_up() -> None:
    measured = row(Histogram(), sent=3, failed=3, failures={"timeout": 3}, statuses={},
                   achieved_rate=1.5)  # fmt: skip
    shown = block(
        measured, repeated=asked(server=None, least_bytes=None, most_bytes=None),
        visits_due=3,
    )  # fmt: skip

    assert "Server software   n/a" in shown
    assert "Document length   n/a" in shown
    assert "Complete requests 0 of 3" in shown
    assert "Failures          timeout: 3" in shown
    assert "Response time          n/a       n/a       n/a       n/a       n/a" in shown
    assert "up to" not in shown


def test_without_any_request_it_says_so() -> None:
    made = run()
    assert made.repeated is not None

    assert repeated.block(made, made.repeated, [])[1:] == ["  nothing was measured"]


def test_of_a_rate_there_is_no_concurrency_to_tell() -> None:
    shown = block(row(THOUSAND), repeated=asked(connections=None))

    assert "Concurrency level n/a" in shown
    assert "Time per request    n/a" in shown


def test_bodies_of_several_lengths_are_told_as_a_range() -> None:
    shown = block(row(THOUSAND), repeated=asked(least_bytes=0, most_bytes=1234))

    assert "Document length   0 to 1,234 bytes" in shown


@given(st.lists(st.floats(0, 5_000), min_size=2, max_size=300))
def test_the_bars_count_every_answer_once(each_ms: list[float]) -> None:
    measured = times(*each_ms)
    shown = block(row(measured)).splitlines()
    start = next(n for n, told in enumerate(shown) if "up to" in told) + 1
    counted = [told.split()[-1] for told in shown[start : start + 10]]

    assert sum(int(number.replace(",", "")) for number in counted) == measured.count


def test_a_block_stands_where_other_loads_have_a_table(representative: Record) -> None:
    record = msgspec.structs.replace(representative, loads=[run()], load=[row(THOUSAND)])
    shown = text.render(record)

    assert "Served within" in shown
    assert "Closed pace: a request is due when it is sent" in shown


def test_hostile_headers_and_addresses_do_not_reach_the_terminal() -> None:
    shown = block(
        row(THOUSAND, statuses={"2\x1b[2J": 1}),
        repeated=asked(server="\x1b]0;owned\x07", url="http://a/\x1b[2J\r\n"),
    )

    assert "\x1b" not in shown
    assert "\r" not in shown


def test_a_rate_faster_than_its_answers_is_told_by_the_time_that_they_took() -> None:
    five = row(times(1, 1, 1, 1, 1), achieved_rate=1e9)
    told = block(five, duration_s=5e-9, repeated=asked(took_s=0.01))

    assert "Time taken        0.010 s " in told
    assert "Requests per second 500\n" in told
    assert "across all        2 ms\n" in told
    assert "33.2 KiB/s" in told
