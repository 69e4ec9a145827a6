"""Comments that hide something: found as the tools find them, with what they say."""

import pytest

from harness.gates.suppressions import Suppressions


@pytest.fixture
def comments(tree, inspect):
    def found(code):
        account, facts = inspect(Suppressions(), tree({"app.py": code}))
        assert account.not_checked == ()
        return facts

    return found


@pytest.mark.parametrize(
    ("comment", "rules", "blanket", "reason"),
    [
        ("# nosec B307", ("B307",), False, ""),
        ("# nosec: B307, B101 - read by us alone", ("B101", "B307"), False, "read by us alone"),
        ("# nosec B307 # a constant", ("B307",), False, "a constant"),
        ("# noqa: S307  # nosec B307", ("B307",), False, ""),
        ("# nosec eval", ("B307",), False, ""),
        ("# nosec", (), True, ""),
        ("#nosec:", (), True, ""),
        ("# nosec B999", (), True, ""),
        ("# nosec because trusted", (), True, "because trusted"),
        ("# nosecurity is great", (), True, "urity is great"),
        # Of ids that no space parts, Bandit reads the last.
        ("# nosec B101,B307", ("B307",), False, ""),
    ],
)
def test_a_nosec_is_read_as_bandit_reads_it(comments, comment, rules, blanket, reason):
    (found,) = comments(f"x = 1\ny = eval(x)  {comment}\n")
    assert (found.line, found.kind, found.rules) == (2, "nosec", rules)
    assert (found.blanket, found.reason) == (blanket, reason)


@pytest.mark.parametrize(
    ("comment", "kind", "reason"),
    [
        ("# pragma: no cover", "no cover", ""),
        ("# pragma: no cover - only on Windows", "no cover", "only on Windows"),
        ("# PRAGMA NO COVER", "no cover", ""),
        ("# pragma: no branch (for ever)", "no branch", "for ever"),
        ("# only on Windows # pragma: no cover", "no cover", "only on Windows"),
        ("# type: ignore[attr-defined] # pragma: no cover", "no cover", ""),
    ],
)
def test_what_keeps_lines_from_coverage_is_found(comments, comment, kind, reason):
    (found,) = comments(f"if 1:  {comment}\n    pass\n")
    assert (found.line, found.kind, found.reason) == (1, kind, reason)


def test_a_comment_on_a_line_of_its_own_above_is_a_reason_and_code_above_is_none(comments):
    alone, beside = comments(
        "# not on this system\nx = 1  # pragma: no cover\ny = 1  # two\nz = 1  # pragma: no cover\n"
    )
    assert (alone.reason, beside.reason) == ("not on this system", "")


def test_marks_in_strings_and_for_linters_hide_nothing(comments):
    code = 'x = "# nosec"\n"""# pragma: no cover"""\nimport os  # noqa: F401\ny = "pragma nosec"\n'
    assert comments(code) == []


def test_files_that_cannot_be_parsed_are_not_checked(tree, inspect, not_parsed):
    account, facts = inspect(Suppressions(), tree({**not_parsed, "fine.py": "x = 1  # nosec\n"}))
    assert account.checked == ("fine.py",)
    assert {entry.path for entry in account.not_checked} == set(not_parsed)
    assert [fact.path for fact in facts] == ["fine.py"]
