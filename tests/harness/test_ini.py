from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.ini import Line, parse

TEXT = """\
# a comment
[tox]
env_list = lint, load   # those

[testenv:load]
Commands =
    harness load \\
        mix  # here
    # not this
    harness gates

    echo end
deps: one
  two
"""


def test_values_know_their_lines() -> None:
    sections = parse(TEXT)

    assert sections["tox"].values == {"env_list": [Line("lint, load", 3)]}
    load = sections["testenv:load"]
    assert load.number == 5
    assert load.keys == {"commands": 6, "deps": 13}
    assert load.values["commands"] == [
        Line("harness load mix", 7),
        Line("harness gates", 10),
        Line("echo end", 12),
    ]
    assert load.values["deps"] == [Line("one", 13), Line("two", 14)]


def test_a_text_inside_another_file_has_that_file_s_lines() -> None:
    assert parse("[tox]\nenv_list = a", 40)["tox"].keys == {"env_list": 41}


def test_a_key_may_be_empty_and_a_section_named_twice() -> None:
    sections = parse("[a]\nx =\n[b]\ny = 1\n[a]\nz = 2\n")

    assert sections["a"].values == {"x": [], "z": [Line("2", 6)]}


@given(st.text("[]=:# \n\\ab\t;", max_size=60))
def test_whatever_the_text_it_is_read(text: str) -> None:
    for section in parse(text).values():
        assert set(section.values) == set(section.keys)
