from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.record import Notice, Record
from harness.render import markdown
from harness.render.plain import line
from harness.verdict import Finding, Outcome, Waived

OURS = {
    "heading_open", "heading_close", "inline", "paragraph_open", "paragraph_close", "fence",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close",
    "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close", "bullet_list_open",
    "bullet_list_close", "list_item_open", "list_item_close", "text", "code_inline", "strong_open",
    "strong_close", "softbreak",
}  # fmt: skip


def tokens(page: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        yield token
        yield from token.children or ()


def changed(record: Record, **changes: object) -> Record:
    return msgspec.structs.replace(record, **changes)


def test_the_verdict_is_the_first_heading_and_all_parts_follow(representative: Record) -> None:
    page = markdown.render(representative)
    headings = [line for line in page.splitlines() if line.startswith("#")]

    assert headings[0].startswith("## \u274c FAIL: `tests/functional/test_things.py::")
    assert headings[1:] == ["### Tests", "### Load", "### Gates", "### Not checked"]
    assert "| `coverage.lines >= 90%` | \u274c FAIL | `89.96 %` | `>= 90 %` | 34 | 0 |" in page
    assert "measured 80.04 ms, limit 80 ms" in page
    assert "`skipped: needs redis`" in page


def test_what_is_not_a_part_of_the_run_is_said(empty: Record) -> None:
    assert markdown.render(empty).endswith("- not judged here: tests, load, gates\n")


def test_what_is_waived_and_noticed_is_listed(representative: Record) -> None:
    waived = Finding(
        slug="a/b", outcome=Outcome.FAIL, where="a.py:1", message="bad",
        waiver=Waived("known", "2026-12-31"),
    )  # fmt: skip
    notice = Notice(slug="watch/error-logs", where="b.py:2", message="it logged")
    page = markdown.render(changed(representative, findings=[waived], notices=[notice]))

    assert "### Waived\n\n- `a.py:1 (a/b): bad; until 2026-12-31: known`" in page
    assert "### Noticed\n\n- `b.py:2 (watch/error-logs): it logged`" in page


MARKUP = [
    "![x](http://a.example/b.png)", "<img src=x>", "a | b", "```\n# heading\n```", "@team",
    "[a](javascript:x)", "www.example.org", "`` ` ``", "~~~\n- x", "    code", "\\",
]  # fmt: skip


@pytest.mark.parametrize("text", MARKUP)
def test_markup_in_a_name_is_shown_and_not_obeyed(
    text: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    page = markdown.render(with_text_everywhere(text))
    found = list(tokens(page))

    assert {token.type for token in found} <= OURS
    assert len([token for token in found if token.type == "heading_open"]) == 6
    rows = [token for token in found if token.type == "tr_open"]
    assert len(rows) == 3 + 2 + 3 + 3  # tests, load and gates, each with its head
    shown = [token.type for token in found if token.type in ("code_inline", "fence")]
    harmless = [token.type for token in tokens(markdown.render(with_text_everywhere("x")))]
    assert len(shown) == harmless.count("code_inline") + harmless.count("fence") > 20
    plain = "".join(token.content for token in found if token.type == "text")
    assert text not in plain


def test_hostile_text_is_harmless(
    hostile: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    page = markdown.render(with_text_everywhere(hostile))
    page.encode()

    assert {token.type for token in tokens(page)} <= OURS
    assert page.startswith("## \u274c FAIL")


@given(st.text(min_size=1))
def test_a_code_span_shows_its_text_and_nothing_else(text: str) -> None:
    found = [token for token in tokens(markdown.code(text)) if token.type != "inline"]
    spans = [token.content for token in found if token.type == "code_inline"]

    assert [token.type for token in found] == ["paragraph_open", "code_inline", "paragraph_close"]
    assert spans[0].strip() == line(text).strip()


def test_a_huge_record_is_cut_far_below_what_github_drops_and_says_so(huge: Record) -> None:
    page = markdown.render(huge)

    assert len(page.encode()) < markdown.MOST_BYTES
    assert "more findings that are not PASS**, cut here; `report.html` has them" in page
    assert page.count("cut here") >= 3
    assert page.rstrip().endswith("cut here; `report.html` has them")
