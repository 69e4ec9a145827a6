from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.record import Record
from harness.render import github
from harness.verdict import Finding, Outcome, Waived


def undone(line: str) -> tuple[str, dict[str, str], str]:
    """Read a command as GitHub's runner does: split first, then each escape undone, % last."""
    found = re.fullmatch(r"::(\w+) ?([^\n]*?)::([^\n]*)", line)
    assert found is not None, line

    def plain(text: str, *escapes: tuple[str, str]) -> str:
        for escape, character in (("%0D", "\r"), ("%0A", "\n"), *escapes, ("%25", "%")):
            text = text.replace(escape, character)
        return text

    pairs = [pair.split("=", 1) for pair in found[2].split(",") if pair]
    properties = {key: plain(value, ("%3A", ":"), ("%2C", ",")) for key, value in pairs}
    return found[1], properties, plain(found[3])


def failed(number: int) -> Finding:
    return Finding(slug="a/b", outcome=Outcome.FAIL, where=f"a.py:{number + 1}", message="bad")


def test_each_finding_is_at_its_line_and_the_verdict_comes_first(representative: Record) -> None:
    told = [undone(line) for line in github.render(representative).splitlines()]

    assert told[0][0] == "error"
    assert told[0][1] == {"title": "harness: FAIL"}
    assert told[1][1] == {
        "file": "tests/functional/test_things.py", "line": "41", "title": "FAIL: functional/failed"
    }  # fmt: skip
    assert "assert 500 == 201" in told[1][2]
    assert told[3][2] == "coverage: coverage.lines >= 90%\nmeasured 89.96 %, limit 90 %"


@given(
    name=st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), min_size=1),
    message=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_what_is_escaped_is_undone_by_github(name: str, message: str) -> None:
    line = github.command("error", {"title": name}, message)

    assert "\n" not in line
    assert "\r" not in line
    assert undone(line) == ("error", {"title": name}, message)


@pytest.mark.parametrize(
    ("findings", "said"),
    [(0, None), (9, None), (10, "and 2 more findings that are not PASS; see the report"),
     (10_000, "and 9,992 more findings that are not PASS; see the report")],
)  # fmt: skip
def test_github_shows_all_of_the_errors_and_the_last_counts_the_others(
    representative: Record, findings: int, said: str | None
) -> None:
    unsure = Finding(slug="c/d", outcome=Outcome.UNKNOWN, where="b.py:1", message="unsure")
    found = [unsure, *map(failed, range(findings))][:findings]
    record = msgspec.structs.replace(representative, findings=found)
    told = [undone(line) for line in github.render(record).splitlines()]

    assert len(told) <= github.MOST_ERRORS
    assert (told[-1][2] == said) == (said is not None)
    if findings > 1:
        assert told[1][1]["title"] == "FAIL: a/b"


def test_what_is_waived_is_a_notice(representative: Record) -> None:
    waived = [
        Finding(slug="a/b", outcome=Outcome.FAIL, where=f"a.py:{n}", message="bad",
                waiver=Waived("known", "2026-12-31"))
        for n in range(8)
    ]  # fmt: skip
    record = msgspec.structs.replace(representative, findings=waived, outcome=Outcome.PASS)
    verdict, notice = map(undone, github.render(record).splitlines())

    assert (verdict[0], verdict[1]["title"]) == ("notice", "harness: PASS")
    assert (notice[0], notice[1]["title"]) == ("notice", "harness: 8 findings waived")
    assert notice[2].endswith("\na.py:4 (a/b): bad\nand 3 more")


def test_a_name_gives_no_command_of_its_own(
    hostile: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    for text in (hostile, f"x\n::set-env name=PATH::{hostile}", "x::stop-commands::y"):
        shown = github.render(with_text_everywhere(text))
        shown.encode()
        told = [undone(line) for line in shown.splitlines()]
        assert {name for name, _, _ in told} == {"error"}
        assert len(told) <= github.MOST_ERRORS
