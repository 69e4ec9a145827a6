from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from harness.render.plain import block, line, visible

anything = st.text(st.characters(exclude_categories=()))


@given(anything)
def test_what_is_shown_holds_nothing_that_is_obeyed_and_can_be_written(text: str) -> None:
    shown = visible(text)
    shown.encode()
    obeyed = {"Cc", "Cs", "Zl", "Zp"}
    assert not [c for c in shown if unicodedata.category(c) in obeyed and c != "\n"]


@given(anything, st.integers(10, 200))
def test_a_line_is_one_line_and_no_longer_than_asked(text: str, most: int) -> None:
    shown = line(text, most)
    assert "\n" not in shown
    assert len(shown) <= most


@given(anything, st.integers(1, 9), st.integers(10, 80))
def test_a_block_has_its_lines_and_says_how_many_it_left_out(
    text: str, lines: int, width: int
) -> None:
    shown = block(text, lines, width)
    assert len(shown) <= lines + 1
    assert all(len(one) <= max(width, 24) for one in shown)


def test_text_cannot_be_turned_around() -> None:
    assert visible("\u202egpj.exe\u2066\u200f") == r"\u202egpj.exe\u2066\u200f"


def test_colours_are_dropped_and_other_commands_to_a_terminal_are_shown() -> None:
    assert visible("\x1b[1;31mE\x1b[0m\x1b]0;title\x07\x9b2J") == r"E\x1b]0;title\x07\x9b2J"


def test_half_a_character_is_shown_by_its_number() -> None:
    assert visible("\ud800") == r"\ud800"


def test_a_name_of_10_000_characters_keeps_its_start_and_its_end() -> None:
    assert line("a" * 5000 + "b" * 5000, 20) == "aaaaaaaa ... bbbbbbb"


def test_lines_that_are_left_out_are_counted_however_long_they_are() -> None:
    assert block(("x" * 1_000_000 + "\r\n") * 4, 1, 10) == ["xxxxxx ...", "... 3 more lines"]


def test_a_message_of_blanks_is_no_message() -> None:
    assert block(" \n\n ", 3, 10) == []
