"""Faults as code: each is what it says, and one that breaks nothing is known as such."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import plants
from harness.facts import Block, Weakness
from harness.gates.complexity import Complexity
from harness.gates.security import Security
from harness.objective import Family, parse_objective
from harness.plants import Place


def limit(text: str) -> plants.Objective:
    return parse_objective(text, Family.GATE)


@pytest.mark.parametrize("text", ["", "x = 1", "def f():\n    return 1\n\n\n\n"])
@pytest.mark.parametrize("most", [1, 10, 70])
def test_a_closure_has_the_complexity_and_the_place_that_it_says(
    tmp_path: Path, text: str, most: int
) -> None:
    plant = plants.closure(limit(f"complexity.max <= {most}"), Place("a.py", text), 3)
    (tmp_path / "a.py").write_text(plant.changes["a.py"])

    found = [one for one in Complexity().inspect(tmp_path, ["."], ["a.py"])
             if isinstance(one, Block) and one.complexity > most]  # fmt: skip

    assert [(f"{one.path}:{one.line}", one.complexity) for one in found] == [(plant.at, most + 1)]


@pytest.mark.parametrize("severity", ["high", "medium", "low"])
def test_a_weakness_is_one_of_its_severity_as_often_as_it_takes(
    tmp_path: Path, severity: str
) -> None:
    plant = plants.weakness(limit(f"security.{severity} <= 2"), Place("a.py"))
    (tmp_path / "a.py").write_text(plant.changes["a.py"])

    found = [one for one in Security().inspect(tmp_path, ["."], ["a.py"])
             if isinstance(one, Weakness) and (one.severity, one.confidence) == (severity, "high")
             and (f"security/{one.rule}",) == plant.slugs]  # fmt: skip

    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "breakable"),
    [
        ("complexity.max >= 1", False), ("complexity.max > 1", False),
        ("complexity.max == 3", True), ("security.low >= 0", False),
        ("coverage.lines >= 1%", False), ("coverage.lines >= 2%", True),
        ("coverage.branches >= 0%", False), ("coverage.branches == 100%", True),
        ("coverage.lines < 5%", False),
    ],
)  # fmt: skip
def test_a_limit_that_nothing_added_can_break_is_known(text: str, breakable: bool) -> None:
    one = limit(text)
    gate = one.indicator.partition(".")[0]
    plant = {
        "complexity": lambda: plants.closure(one, Place("a.py"), 1),
        "security": lambda: plants.weakness(one, Place("a.py")),
        "coverage": lambda: plants.uncovered(one, "a.py"),
    }[gate]()

    assert (plant.obstacle == "") is breakable


@given(st.text(alphabet="abc\n #", max_size=40))
def test_code_that_is_added_leaves_what_was_there(text: str) -> None:
    changes, before = Place("a.py", text).changed("def f():\n    return 1\n")

    lines = changes["a.py"].splitlines()
    assert lines[before] == "def f():"
    assert changes["a.py"].startswith(text.rstrip() if text.strip() else "def")


@pytest.mark.parametrize(
    "text",
    [
        plants.MODULE, plants.healthy_test(("a b.py", "it's.py")), plants.faulty_test(()),
        plants.mute_test(), plants.slow_application("shop.app", "create_app", True, 0.5),
        plants.scenario("from __future__ import annotations", deadly=True),
        plants.scenario("", deadly=False),
    ],
)  # fmt: skip
def test_what_is_planted_is_python(text: str) -> None:
    ast.parse(text)


def test_what_does_not_parse_does_not() -> None:
    with pytest.raises(SyntaxError):
        ast.parse(plants.unparsable(Place("a.py", "x = 1")).changes["a.py"])
