from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.mix import Mix
from harness.load.molotov import Scenario


async def nothing(session: Any) -> None: ...


def mix(weights: list[float], seed: int = 0) -> Mix:
    each = [
        Scenario.of({"name": str(n), "weight": weight, "delay": 0.0, "func": nothing,
                     "args": (), "kw": {}})
        for n, weight in enumerate(weights)
    ]  # fmt: skip
    return Mix(each, seed)


def made(weights: list[float], seed: int, arrivals: int) -> list[str]:
    chosen = mix(weights, seed)
    return [chosen.of(arrival).name for arrival in range(arrivals)]


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=5), st.integers(), st.integers(0))
def test_an_arrival_makes_one_scenario_whoever_asks_and_whatever_was_asked_before(
    weights: list[float], seed: int, arrival: int
) -> None:
    asked_before = mix(weights, seed)
    for other in range(3):
        asked_before.of(other)

    assert asked_before.of(arrival).name == mix(weights, seed).of(arrival).name


@pytest.mark.parametrize("seed", [0, 1, -7])
def test_scenarios_are_made_as_often_as_they_weigh(seed: int) -> None:
    weights = [5.0, 3.0, 1.5, 0.5]
    counts = Counter(made(weights, seed, 10_000))

    chi_squared = sum(
        (counts[str(n)] - 1000 * weight) ** 2 / (1000 * weight) for n, weight in enumerate(weights)
    )
    assert chi_squared < 16.3  # of 3 degrees of freedom, for a chance of 0.1 %


def test_which_scenario_comes_next_says_nothing_of_the_one_after() -> None:
    names = made([1.0, 1.0], 3, 10_000)
    pairs = Counter(itertools.pairwise(names))

    assert max(abs(count - 2500) for count in pairs.values()) < 250


def test_another_seed_makes_another_mix() -> None:
    assert made([1.0, 1.0], 1, 64) != made([1.0, 1.0], 2, 64)
