"""Radon's numbers, for every function wherever it stands."""

import os
import platform
from collections import Counter
from pathlib import Path

import pytest
from radon.complexity import cc_visit

from harness.evidence import tree_hash
from harness.gates.complexity import MODULE, Complexity

TWENTY_BRANCHES = "".join(f"            if a == {n}:\n                a += 1\n" for n in range(20))


@pytest.fixture
def blocks(tree, inspect):
    """Return the blocks of one file of code as a dict by name."""

    def found(code):
        account, facts = inspect(Complexity(), tree({"app.py": code}))
        assert account.checked == ("app.py",)
        assert {fact.path for fact in facts} == {"app.py"}
        assert len({(fact.line, fact.name, fact.is_class) for fact in facts}) == len(facts)
        return {fact.name: fact.complexity for fact in facts if not fact.is_class}

    return found


def test_a_closure_of_twenty_branches_is_seen_with_its_complexity(blocks):
    code = (
        "def create_app():\n    app = 1\n    if app:\n        async def index(a):\n"
        + TWENTY_BRANCHES
        + "    return app\n"
    )
    assert blocks(code) == {MODULE: 1, "create_app": 2, "create_app.index": 21}


def test_methods_of_classes_in_functions_are_seen(blocks):
    code = (
        "def make():\n    class View:\n        def get(self, a):\n"
        + TWENTY_BRANCHES
        + "    return View\n"
    )
    assert blocks(code) == {MODULE: 1, "make": 1, "make.View.get": 21}


def test_functions_in_any_statement_are_seen(blocks):
    code = (
        "try:\n    def a(): pass\nexcept E:\n    def b(): pass\nelse:\n    def c(): pass\n"
        "with x:\n    def d(): pass\nmatch x:\n    case 1:\n        def e(): pass\n"
        "for i in x:\n    def f(): pass\nelse:\n    def g(): pass\n"
    )
    assert set(blocks(code)) == {MODULE, *"abcdefg"}


def test_code_of_a_module_is_a_block(blocks):
    assert blocks("".join(f"if {n}:\n    x = {n}\n" for n in range(60))) == {MODULE: 61}


def test_code_of_a_class_is_a_block_where_it_decides_something(blocks):
    code = "class Plain:\n    x = 1\nclass Odd:\n    if 1:\n        x = 1\n    def f(self): pass\n"
    assert blocks(code) == {MODULE: 1, "Odd.<body>": 2, "Odd.f": 1}


def test_functions_of_the_same_name_are_blocks_of_their_own(tree, inspect):
    code = "if 1:\n    def f(): pass\nelse:\n    def f(a): return 1 if a else 2\n"
    _, facts = inspect(Complexity(), tree({"app.py": code}))
    assert [(f.line, f.name, f.complexity) for f in facts[1:]] == [(2, "f", 1), (4, "f", 2)]


def test_byte_order_marks_and_coding_cookies_are_read_as_python_does(tree, inspect):
    root = tree(
        {
            "bom.py": b"\xef\xbb\xbfdef f(): pass\n",
            "latin.py": b"# -*- coding: latin-1 -*-\ndef g(): return '\xe9'\n",
        }
    )
    account, facts = inspect(Complexity(), root)
    assert account.checked == ("bom.py", "latin.py")
    assert {fact.name for fact in facts} == {MODULE, "f", "g"}


def test_what_cannot_be_parsed_is_not_checked_and_says_why(tree, inspect, not_parsed):
    account, facts = inspect(Complexity(), tree({**not_parsed, "fine.py": "x = 1\n"}))
    assert account.inventory == len(not_parsed) + 1
    assert account.checked == ("fine.py",)
    assert {entry.path for entry in account.not_checked} == set(not_parsed)
    assert {entry.slug for entry in account.not_checked} == {"gates/not-parsed"}
    assert all("(Python 3." in entry.reason for entry in account.not_checked)
    assert [fact.path for fact in facts] == ["fine.py"]


def test_an_expression_too_deep_for_radon_is_not_checked(tree, inspect):
    account, facts = inspect(Complexity(), tree({"deep.py": "x = a" + ".b()" * 900 + "\n"}))
    assert account.checked == ()
    assert account.not_checked[0].slug == "gates/not-parsed"
    assert "too deeply" in account.not_checked[0].reason
    assert facts == []


def test_a_file_that_cannot_be_read_is_not_checked(tree, inspect):
    root = tree({})
    (root / "app.py").symlink_to("nowhere.py")
    account, _ = inspect(Complexity(), root)
    assert [entry.slug for entry in account.not_checked] == ["gates/unreadable"]


def test_a_pipe_is_not_waited_for_and_a_device_is_not_read(tree, inspect):
    root = tree({"fine.py": "x = 1\n"})
    os.mkfifo(root / "pipe.py")
    (root / "device.py").symlink_to("/dev/zero")
    account, _ = inspect(Complexity(), root)
    assert account.checked == ("fine.py",)
    assert {entry.slug for entry in account.not_checked} == {"gates/unreadable"}
    assert {entry.reason for entry in account.not_checked} == {"not a regular file"}


def test_warnings_as_errors_do_not_keep_a_file_from_being_parsed(tree, inspect):
    account, _ = inspect(Complexity(), tree({"app.py": "x = '\\d'\ny = 1 is 1\n"}))
    assert account.checked == ("app.py",)


def test_an_empty_inventory_is_accounted_for_as_such(tree, inspect):
    account, facts = inspect(Complexity(), tree({"readme.md": "x"}))
    assert (account.inventory, account.checked, facts) == (0, (), [])
    assert account.tool.startswith("radon 6.")


@pytest.mark.parametrize("package", ["quart", "radon", "coverage", "json", "asyncio"])
def test_radons_numbers_are_reproduced_and_each_difference_is_explained(package, inspect):
    root = Path(__import__(package).__file__).parent
    account, facts = inspect(Complexity(), root)
    assert not account.not_checked
    ours = Counter(
        (f.path, f.line, f.name.rpartition(".")[2], f.is_class, f.radon)
        for f in facts
        if f.radon is not None
    )
    theirs = Counter(
        (path, block.lineno, block.name, block.letter == "C", block.complexity)
        for path in account.checked
        for block in cc_visit((root / path).read_bytes())
    )
    assert ours == theirs
    assert len(theirs) > 20
    assert all(f.complexity == f.radon or f.because for f in facts if not f.name.endswith(">"))
    assert all(f.because for f in facts if f.complexity != f.radon and f.radon is not None)


STARS = """
def f():
    try:
        g()
    except* A:
        pass
    except* B:
        pass
    else:
        pass
"""


@pytest.mark.parametrize(
    ("code", "complexity", "radon", "because"),
    [
        (STARS, 4, 1, "it leaves out 3 for except*"),
        ("def f(a):\n match a:\n  case 1: x = 1\n  case _: x = 2\n", 2, 2, ""),
        ("def f(a):\n match a:\n  case 1 if a: x = 1\n  case _: x = 2\n", 3, 2,
         "it leaves out 1 for guards of cases"),
        ("def f(a):\n match a:\n  case b if b: x = 1\n  case 1: x = 2\n", 3, 2,
         "it leaves out 1 for guards of cases"),
        ("def f(a):\n match a:\n  case b if b and a: x = 1\n", 3, 2,
         "it leaves out 1 for guards of cases"),
        ("def f(a):\n for x in a:\n  match x:\n   case 1 if a: x = 1\n", 4, 3,
         "it leaves out 1 for guards of cases"),
    ],
)  # fmt: skip
def test_what_radon_leaves_out_is_counted_and_said(tree, inspect, code, complexity, radon, because):
    _, facts = inspect(Complexity(), tree({"app.py": code}))
    (found,) = (fact for fact in facts if fact.name == "f")
    assert (found.complexity, found.radon, found.because) == (complexity, radon, because)
    assert max(block.complexity for block in cc_visit(code)) == radon


def test_what_radon_does_not_list_has_no_number_of_its_own(tree, inspect):
    code = (
        "def make():\n    def inner(): pass\n    class View:\n        def get(self): pass\n"
        "class Out:\n    class In:\n        def deep(self): pass\n    def flat(self): pass\n"
    )
    _, facts = inspect(Complexity(), tree({"app.py": code}))
    listed = {(f.name, f.is_class) for f in facts if f.radon is not None}
    assert listed == {("make", False), ("Out", True), ("Out.flat", False)}
    assert {f.name for f in facts if "not listed" in f.because} == {
        "make.inner", "make.View.get", "Out.In.deep",
    }  # fmt: skip


def test_a_gate_says_what_ran_and_on_what(tree, inspect):
    root = tree({"app.py": "x = 1\n", "bad.py": "x ="})
    account, _ = inspect(Complexity(), root)
    again, _ = inspect(Complexity(), root)
    assert account.python == platform.python_version()
    assert account.configuration
    assert account.content == again.content == tree_hash(root, ["app.py"])
    (root / "app.py").write_text("x = 2\n")
    assert inspect(Complexity(), root)[0].content != account.content
