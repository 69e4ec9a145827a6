"""Radon's index, where there is something to go by."""

import pytest
from radon.metrics import mi_visit

from harness.gates.maintainability import Maintainability

COUNTED = "def f(a, b):\n    # adds\n" + "    if a > b:\n        return a + b * 2\n" * 9


def test_the_index_is_radons(tree, inspect):
    _, (found,) = inspect(Maintainability(), tree({"app.py": COUNTED}))
    assert found.index == pytest.approx(mi_visit(COUNTED, True))
    assert 0 < found.index < 100


def test_a_file_without_an_operator_has_no_index_where_radon_says_100(tree, inspect):
    code = "async def f(a):\n" + "    await a.b(1)\n" * 600
    account, (found,) = inspect(Maintainability(), tree({"app.py": code}))
    assert mi_visit(code, True) == 100
    assert found.index is None
    assert account.checked == ("app.py",)


def test_cookies_and_byte_order_marks_are_read_as_python_does(tree, inspect):
    root = tree(
        {
            "bom.py": b"\xef\xbb\xbf" + COUNTED.encode(),
            "latin.py": b"# -*- coding: latin-1 -*-\nx = '\xe9' + 'b'\n",
        }
    )
    account, _ = inspect(Maintainability(), root)
    assert account.checked == ("bom.py", "latin.py")


def test_files_that_cannot_be_parsed_are_not_checked(tree, inspect, not_parsed):
    account, facts = inspect(Maintainability(), tree({**not_parsed, "fine.py": COUNTED}))
    assert account.checked == ("fine.py",)
    assert {entry.path for entry in account.not_checked} == set(not_parsed)
    assert [fact.path for fact in facts] == ["fine.py"]
