from __future__ import annotations

import msgspec

from harness.facts import Answered, LoadBegun, RequestBegun
from harness.histogram import Histogram
from harness.judge.repeated import told
from harness.record import Latency, LoadRun
from harness.snapshot import Health, HistogramFact, Snapshot

NONE = Latency(count=0, mean=None, p50=None, p90=None, p95=None, p99=None, p99_9=None, max=None)
RUN = LoadRun(
    load="request", scenarios="GET /", target="http://a", pace="2 requests", duration_s=1.0,
    processes=2, queueing_visible=False, visits_due=2, visits_started=2, generator_cpu=0.1,
    loop_lag_ms=NONE, series=[],
)  # fmt: skip
BEGUN = LoadBegun(
    load="request", scenarios="GET /", target="http://a", pace="2 requests", duration_s=1.0,
    processes=2, asked_rate=None, visits=2, objectives=(),
    request=RequestBegun(method="GET", url="http://a/", total=2, connections=1),
)  # fmt: skip

HEALTH = Health(cpu_s=0.1, loop_lag=HistogramFact.of(Histogram()))


def answered(process: int, server: str, least: int, most: int) -> Answered:
    return Answered(process=process, server=server, least_bytes=least, most_bytes=most)


def test_what_all_processes_saw_of_the_answers_is_told_together() -> None:
    found = told(RUN, [BEGUN], [answered(1, "b/1", 4, 4), answered(0, "a/1", 5, 9)]).repeated

    assert found is not None
    assert (found.method, found.url, found.total, found.connections) == ("GET", "http://a/", 2, 1)
    assert (found.server, found.least_bytes, found.most_bytes) == ("a/1, b/1", 4, 9)


def test_servers_that_say_the_same_or_nothing_are_told_once() -> None:
    found = told(RUN, [BEGUN], [answered(0, "a/1", 4, 4), answered(1, "a/1", 4, 4)]).repeated
    silent = told(RUN, [BEGUN], [answered(0, "", 4, 4)]).repeated

    assert found is not None
    assert silent is not None
    assert (found.server, silent.server) == ("a/1", "")


def test_without_an_answer_nothing_is_told_of_it() -> None:
    found = told(RUN, [BEGUN], []).repeated

    assert found is not None
    assert (found.server, found.least_bytes, found.most_bytes) == (None, None, None)


def test_it_took_until_the_last_answer_of_the_slowest_process() -> None:
    ended = [
        Snapshot(process=n, number=1, at_s=at_s, final=True, started=1, tallies=[], health=HEALTH)
        for n, at_s in enumerate([1.25, 1.5])
    ]
    found = told(RUN, [BEGUN], ended).repeated

    assert found is not None
    assert found.took_s == 1.5  # of a load of one second


def test_a_load_of_a_scenario_file_repeats_no_request() -> None:
    begun = msgspec.structs.replace(BEGUN, request=None)

    assert told(RUN, [begun], []).repeated is None
