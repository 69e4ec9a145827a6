from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.shape import Shape

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3)
    ),
    max_leaves=8,
)


def told(wanted: Any, found: Any) -> list[str]:
    return [f"{one.at}: {one.told}" for one in Shape.of(wanted).differences(Shape.of(found))]


@settings(max_examples=50)
@given(JSON)
def test_a_value_has_its_own_shape(value: Any) -> None:
    assert told(value, value) == []


@settings(max_examples=50)
@given(st.lists(JSON, max_size=4), st.randoms())
def test_the_order_of_items_and_keys_is_no_part_of_a_shape(items: list[Any], random: Any) -> None:
    others = random.sample(items, len(items))

    assert told(items, others) == told(others, items) == []
    keys = {str(number): one for number, one in enumerate(items)}
    assert told(keys, dict(reversed(list(keys.items())))) == []


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3), JSON)
def test_a_key_that_is_added_or_missing_is_told_at_its_pointer(table: Any, new: Any) -> None:
    more = {**table, "new/key": new}

    (extra,) = Shape.of({"a": [table]}).differences(Shape.of({"a": [more]}))
    (missing,) = Shape.of({"a": [more]}).differences(Shape.of({"a": [table]}))

    assert extra.at == missing.at == "/a/*/new~1key"
    assert extra.is_extra
    assert not missing.is_extra


@pytest.mark.parametrize(
    ("wanted", "found", "difference"),
    [
        ({"a": 1}, {"a": "1"}, ["/a: expected number, found string"]),
        ({"a": 1}, {"a": 1.5}, []),
        ({"a": True}, {"a": 1}, ["/a: expected boolean, found number"]),
        ({"a": None}, {"a": {}}, ["/a: expected null, found object"]),
        ({}, [], [": expected object, found array"]),
        ([1, "a"], ["b", 2, 3], []),
        ([1], [], []),
        ([1, "a"], [1], ["/*: expected number or string, found number"]),
        ([{"a": 1}], [{"a": 1, "b": 1}, {"a": 1}], []),
        ([{"a": 1, "b": 1}], [{"a": 1}, {"b": 1}], []),
    ],
)
def test_types_are_compared_and_values_are_not(
    wanted: Any, found: Any, difference: list[str]
) -> None:
    assert told(wanted, found) == difference
