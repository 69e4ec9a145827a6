from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.repeated import Repeated


def repeated(total: int | None, connections: int | None) -> Repeated:
    return Repeated(method="GET", url="http://localhost/", total=total, connections=connections)


@given(st.integers(1, 10_000), st.integers(1, 300), st.integers(0, 20))
def test_the_shares_of_all_connections_are_the_total_and_differ_by_one_at_most(
    total: int, connections: int, idle: int
) -> None:
    one = repeated(total, connections)
    shares = [one.share(n) or 0 for n in range(connections + idle)]

    assert sum(shares) == total
    assert max(shares[:connections]) - min(shares[:connections]) <= 1
    assert shares[connections:] == [0] * idle


def test_without_a_total_each_connection_goes_on_and_there_are_no_others() -> None:
    assert [repeated(None, 2).share(n) for n in range(4)] == [None, None, 0, 0]


@pytest.mark.parametrize(
    ("total", "connections", "told"),
    [
        (1000, 10, "1,000 requests over 10 connections (100 each)"),
        (1000, 3, "1,000 requests over 3 connections (334 or 333 each)"),
        (1, 1, "1 request over 1 connection"),
        (5, 5, "5 requests over 5 connections (1 each)"),
        (50, None, "50 requests"),
        (None, 4, "requests over 4 connections"),
        (None, None, "requests"),
    ],
)
def test_it_says_how_many_in_all_and_how_many_a_connection(
    total: int | None, connections: int | None, told: str
) -> None:
    assert str(repeated(total, connections)) == told
