from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from harness.load.response import loaded

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def outcome(loads: Callable[[str], Any], text: str) -> str:
    """What came of it, in a form in which NaN equals itself and 1 is not 1.0."""
    try:
        return repr(loads(text))
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"


@given(VALUES.map(json.dumps) | st.text() | st.text(alphabet='[]{}:,"\\1-.eNa \n\t'))
@example('{"a": 1, "a": 2}')
@example("[NaN, -Infinity, 1e999, 1" + "0" * 400 + "]")
@example("\ufeff{}")
@example(' {"a": 1}')
@example('{"a": 1} ')
@example('{"a": 1}}')
@example('{"a": 1')
@example("")
@example("1" * 5_000)
def test_a_body_means_what_json_loads_says(text: str) -> None:
    assert outcome(loaded, text) == outcome(json.loads, text)
