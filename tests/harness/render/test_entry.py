from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.render.entry import Place, place, said
from harness.verdict import Finding, Outcome


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("tests/test_a.py:41", Place("tests/test_a.py", 41)),
        ("./harness.toml:4", Place("harness.toml", 4)),
        ("tests/test_a.py::test_b[c]", Place("tests/test_a.py")),
        ("scenarios/mix.py", Place("scenarios/mix.py")),
        ("mix (scenarios/mix.py)", Place("scenarios/mix.py")),
        ("a folder/with (brackets).py:7", Place("a folder/with (brackets).py", 7)),
        ("http://127.0.0.1:41001", None),
        ("localhost:8080", None),
        ("api.example.io:443", None),
        ("GET https://example.org/app.py:80", None),
        ("src/*.py", None),
        ("functional-inproc-py311", None),
        ("a.py and 12 more", None),
        ("", None),
    ],
)
def test_a_place_is_a_file_and_never_an_address(where: str, found: Place | None) -> None:
    assert place(where) == found


@given(st.text(max_size=200))
def test_any_text_is_a_place_or_is_not(where: str) -> None:
    found = place(where)

    assert found is None or (found.path in where and "\n" not in found.path)


def test_a_very_long_name_is_no_place_and_costs_no_time() -> None:
    assert place("a/" * 500_000 + ".py:1") is None


def test_all_that_a_reader_needs_is_said() -> None:
    finding = Finding(
        slug="load/objective-missed", outcome=Outcome.FAIL, where="mix", message="p99 < 80ms\nmore",
        measured=80.04, limit=80.0, unit="ms", next_step="look at\nthe database",
    )  # fmt: skip

    assert list(said(finding, 1)) == [
        "p99 < 80ms",
        "... 1 more line",
        "measured 80.04 ms, limit 80 ms",
        "next: look at the database",
    ]
