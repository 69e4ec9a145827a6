"""A finding is known again after its line has moved, and told from one that is not the same."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fingerprint import Anatomy, Place

CODE = """
import os

@os.register
def create(name, *, shell=True):
    if name:
        os.system(
            name,
        )
    try:
        return os.popen("a b")
    except OSError as error:
        pass
    class Inner:
        def call(self): return eval("1")
"""


def at(source: str, text: str) -> Place:
    line = next(n for n, one in enumerate(source.splitlines(), 1) if text in one)
    return Anatomy.of(ast.parse(source)).at(line)


def known(source: str, text: str) -> tuple[str, str]:
    place = at(source, text)
    return place.symbol, place.snippet


TEXTS = ["import os", "def create", "if name", "os.system", "except", "eval"]


@pytest.mark.parametrize("text", TEXTS)
@given(above=st.lists(st.sampled_from(["", "# more", "x = 1", "def other(): pass"]), max_size=6))
def test_lines_that_come_before_change_nothing(text: str, above: list[str]) -> None:
    assert known("\n".join([*above, CODE]), text) == known(CODE, text)


@given(
    names=st.lists(st.sampled_from(["a", "b", "eval", "f"]), min_size=1, max_size=5),
    gap=st.sampled_from(["", " ", "  ", "\n   ", "  # why\n  "]),
)
def test_blank_space_comments_and_quotes_change_nothing(names: list[str], gap: str) -> None:
    plain = f"call({', '.join(names)}, 'x')"
    laid_out = f'call({gap}{f",{gap}".join(names)},{gap}"x"{gap})'

    assert known(laid_out, "call") == known(plain, "call")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("eval(a)", "eval(b)"),
        ("eval(1)", "eval('1')"),
        ("eval(1)", "eval(1.0)"),
        ("eval(a, b)", "eval(a)(b)"),
        ("eval(a, b)", "eval(a, *b)"),
        ("eval([a], b)", "eval([a, b])"),
        ("x = eval(None)", "x = eval()"),
        ("def eval(a, b): pass", "def eval(a, /, b): pass"),
        ("async def eval(): pass", "def eval(): pass"),
        ("eval(f'{a}')", "eval(f'{a!r}')"),
    ],
)
def test_other_code_is_told_apart(one: str, other: str) -> None:
    assert known(one, "eval")[1] != known(other, "eval")[1]


def test_a_compound_statement_is_known_by_its_head() -> None:
    changed = CODE.replace("        pass", "        raise RuntimeError")

    assert known(changed, "except") == known(CODE, "except")
    assert known(changed.replace("as error", ""), "except") != known(CODE, "except")


def test_names_are_those_of_all_around() -> None:
    assert at(CODE, "import os").symbol == "<module>"
    assert at(CODE, "@os.register").symbol == "create"
    assert at(CODE, "eval").symbol == "create.Inner.call"


def test_a_statement_has_all_of_its_lines_and_a_head_only_its_own() -> None:
    assert (at(CODE, "os.system").first, at(CODE, "os.system").last) == (7, 9)
    assert (at(CODE, "@os.register").first, at(CODE, "def create").last) == (4, 5)
    assert (at(CODE, "except").first, at(CODE, "except").last) == (12, 12)


def test_where_no_statement_is_only_the_name_is_known() -> None:
    source = "def f():\n    a = 1\n    # eval\n    return a\n"

    assert at(source, "# eval") == Place("f", "", 3, 3)


def test_a_file_is_known_by_the_names_in_it_and_without_any_by_none() -> None:
    def names(source: str) -> str:
        return Anatomy.of(ast.parse(source)).names

    assert (
        names(CODE) == names(CODE.replace("  name,", "  'other',")) != names("def create(): pass")
    )
    assert names("a = 1") == ""


@given(st.sets(st.integers(1, CODE.count("\n")), min_size=1))
def test_looking_at_some_lines_finds_what_looking_at_all_does(lines: set[int]) -> None:
    tree = ast.parse(CODE)
    some, everything = Anatomy.of(tree, lines), Anatomy.of(tree)

    assert {line: some.at(line) for line in lines} == {line: everything.at(line) for line in lines}


def test_code_that_runs_deep_is_no_recursion() -> None:
    source = "x = " + "+".join(["a"] * 900)

    assert Anatomy.of(ast.parse(source)).at(1).snippet
