from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.trap import slipped

WORDS = st.text("abcdefghij", min_size=5, max_size=12)


@given(WORDS, st.data())
def test_one_slip_of_the_finger_is_a_slip_in_both_directions(
    word: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(word) - 2))
    other = data.draw(st.sampled_from("xyz"))
    slips = [
        word[:at] + word[at + 1 :],
        word[:at] + other + word[at:],
        word[:at] + other + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    ]
    for slip in slips:
        assume(slip != word)
        assert slipped(slip, word)
        assert slipped(word, slip)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("lint", "link-check"), ("docs", "docs"), ("py310", "py39"), ("doc", "docs"),
     ("alod", "load-mix"), ("deps", "dspe"), ("commands_pre", "commands"), ("dael", "load")],
)  # fmt: skip
def test_anything_else_is_another_word(word: str, meant: str) -> None:
    assert not slipped(word, meant)
