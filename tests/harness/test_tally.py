from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.sample import FailureKind, Sample
from harness.tally import MOST_PENDING, MOST_STEPS, OTHER_STEPS, Tallies, Tally, beyond, merged

samples = st.builds(
    Sample,
    scenario=st.sampled_from(["read", "write"]),
    step=st.sampled_from([None, "GET /", "POST /users"]),
    due_ns=st.just(10**9) | st.integers(0, 10**9),
    sent_ns=st.just(10**9) | st.integers(10**9, 2 * 10**9),
    done_ns=st.integers(2 * 10**9, 3 * 10**9),
    status=st.sampled_from([None, 200, 404, 500]),
    failure=st.sampled_from([None, *FailureKind]),
    bytes_in=st.integers(0, 1000),
    answered_ns=st.just(0) | st.integers(2 * 10**9, 3 * 10**9),
    alone=st.booleans(),
)


def folded(stream: list[Sample]) -> list[Tally]:
    tallies = Tallies()
    for sample in stream:
        tallies.add(sample)
    return tallies.taken()


@given(st.lists(samples), st.lists(samples))
def test_merging_the_tallies_of_two_processes_equals_the_tallies_of_one(
    one: list[Sample], other: list[Sample]
) -> None:
    assert merged(folded(one) + folded(other)) == merged(folded(one + other))


@given(st.lists(samples))
def test_folding_a_stream_is_adding_each_of_its_samples(stream: list[Sample]) -> None:
    alone = [Tally(sample.scenario, sample.step) for sample in stream]
    for tally, sample in zip(alone, stream, strict=True):
        tally.add(sample)

    assert merged(folded(stream)) == merged(alone)


@given(st.lists(samples))
def test_every_sample_is_counted_once_as_a_success_or_a_failure(stream: list[Sample]) -> None:
    tallies = folded(stream)

    assert sum(t.sent for t in tallies) == len(stream)
    assert all(t.sent == t.ok + t.failed == t.ok + sum(t.failures.values()) for t in tallies)


def test_failures_never_mix_into_the_latencies_of_successes() -> None:
    tally = Tally("read", "GET /")
    tally.add(Sample("read", "GET /", 0, 1, 2, failure=FailureKind.REFUSED, alone=True))

    assert tally.response.count == tally.service.count == 0
    assert tally.first_byte.count == tally.uncorrected.count == 0
    assert tally.lag.count == tally.failed_response.count == 1


@given(st.lists(samples))
def test_each_success_and_each_failure_has_its_time_in_its_own_histogram(
    stream: list[Sample],
) -> None:
    for tally in folded(stream):
        own = [s for s in stream if (s.scenario, s.step) == (tally.scenario, tally.step)]
        good = [s for s in own if s.failure is None]

        assert tally.response.total_ns == sum(s.response_ns for s in good)
        assert tally.failed_response.count == tally.failed == len(own) - len(good)
        assert tally.first_byte.count == sum(s.answered_ns > 0 for s in good)
        assert tally.uncorrected.count == sum(s.alone for s in good)


@given(st.lists(samples), st.lists(samples))
def test_what_is_taken_twice_adds_up_to_what_is_taken_once(
    one: list[Sample], other: list[Sample]
) -> None:
    tallies, taken = Tallies(), []
    for stream in (one, other):
        for sample in stream:
            tallies.add(sample)
        taken += tallies.taken()

    assert merged(taken) == merged(folded(one + other))


def test_more_successes_than_are_noted_at_once_are_all_folded_in() -> None:
    stream = [Sample("read", "GET /", 0, 0, n) for n in range(3 * MOST_PENDING + 7)]

    (tally,) = folded(stream)

    assert tally.ok == tally.sent == tally.response.count == len(stream)


def test_response_time_counts_from_due_and_service_time_from_sent() -> None:
    sample = Sample("read", None, due_ns=100, sent_ns=150, done_ns=400)

    assert (sample.response_ns, sample.service_ns, sample.lag_ns) == (300, 250, 50)


def test_steps_beyond_the_bound_are_counted_together() -> None:
    stream = [Sample("read", f"GET /{n}", 0, 0, 1) for n in range(MOST_STEPS + 50)]

    tallies = folded(stream)

    assert len(tallies) == MOST_STEPS + 1
    assert next(t.sent for t in tallies if t.step == OTHER_STEPS) == 50


def test_over_all_processes_the_steps_with_the_fewest_requests_are_beyond_the_bound() -> None:
    busy = [Tally("read", f"GET /{n}", sent=9) for n in range(MOST_STEPS - 1)]
    rare = [Tally("read", f"PUT /{n}", sent=n) for n in (3, 5, 4)]
    others = [Tally("read", None, sent=1), Tally("read", OTHER_STEPS, sent=1)]

    assert beyond([*rare, *busy, *others]) == {("read", "PUT /3"), ("read", "PUT /4")}
    assert not beyond([*busy, *others])
