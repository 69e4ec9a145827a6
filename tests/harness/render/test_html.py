from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest

from harness.record import ProofRow, Record
from harness.render import Renderer, html
from harness.verdict import Finding, Outcome

VOID = {"meta", "br", "hr", "img", "input", "link"}
KNOWN = """
html head meta title style body a header div h1 h2 h3 p span strong code pre nav ul li main section
article details summary table caption thead tbody tr th td figure figcaption svg desc path text dl
dt dd
"""


class Page(HTMLParser):
    """A page read strictly: every tag known, closed, and in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in KNOWN.split(), tag
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def changed(record: Record, **changes: object) -> Record:
    return msgspec.structs.replace(record, **changes)


def test_the_page_begins_with_the_verdict_and_what_it_is_about(representative: Record) -> None:
    said = Page(html.render(representative)).text
    start = said.index("Skip to the findings")
    assert said[start:].startswith(
        "Skip to the findings ✗ FAIL : tests/functional/test_things.py::test_a_thing_is_kept "
        "[served] (and 2 more) Commit 3ef2289c0f with uncommitted changes , Python 3.11.9 , "
        "target inproc, served, http://127.0.0.1:41001 . Run 20261120T093309Z-3f2a9c , started "
        "2026-11-20 09:33 UTC, took 2 min 14 s"
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_a_word_beside_a_glyph(empty: Record, outcome: Outcome) -> None:
    said = Page(html.render(changed(empty, outcome=outcome))).text
    assert re.search(rf"[✓✗?] {outcome} : nothing was asked for", said)


def test_an_empty_record_is_a_page_that_names_what_it_lacks(empty: Record) -> None:
    said = Page(html.render(empty)).text
    assert "Not checked Not judged here: tests, load, gates." in said
    assert "nothing failed" not in said


def test_that_nothing_was_left_unchecked_is_said(representative: Record) -> None:
    record = changed(representative, not_checked=[], gates=representative.gates[1:])
    assert "Nothing that was asked for was left unchecked." in Page(html.render(record)).text


def test_the_sections_come_in_the_order_of_the_decision(representative: Record) -> None:
    ids = [a.get("id") for a in Page(html.render(representative)).all("section")]
    assert [i for i in ids if i] == [
        "not-checked", "findings", "limits", "tests", "load", "provenance",
    ]  # fmt: skip


def test_hostile_text_stays_text(
    hostile: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    source = html.render(with_text_everywhere(hostile))
    assert len(source.encode()) < html.MOST_BYTES
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", source)
    page = Page(source)
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    assert all((link["href"] or "").startswith("#") for link in page.all("a"))


def test_a_name_is_shown_as_it_is_written(with_text_everywhere: Callable[[str], Record]) -> None:
    name = "<b>&amp; {{ 7 * 7 }} \"'"
    assert name in Page(html.render(with_text_everywhere(name))).text


def test_nothing_is_loaded_and_nothing_runs(representative: Record) -> None:
    source = html.render(representative)
    assert not re.search(r"<script|<link|<img|<iframe|url\(|@import|src=|style=|\son\w+=", source)
    policy = Page(source).all("meta")[1]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_a_huge_run_stays_a_page_and_says_what_is_left_out(huge: Record) -> None:
    source = html.render(huge)
    assert len(source.encode()) < html.MOST_BYTES
    said = Page(source).text
    assert re.search(
        r"and 1,9\d\d more FAIL findings, left out here: all are in record\.json", said
    )
    assert re.search(r"and \d+ more loads, left out here", said)
    assert "Each point joins" in said


def test_nothing_makes_the_page_too_long(
    huge: Record, with_text_everywhere: Callable[[str], Record]
) -> None:
    worst = with_text_everywhere("\U000e0001" * 10_000)
    record = changed(
        worst, findings=worst.findings * 100, not_checked=worst.not_checked * 100,
        load=worst.load * 100, loads=huge.loads, functional=worst.functional * 100,
        gates=worst.gates * 100,
    )  # fmt: skip
    assert len(html.render(record).encode()) < html.MOST_BYTES


def test_a_usual_page_leaves_nothing_out(representative: Record) -> None:
    source = html.render(representative)
    assert "left out here" not in source.replace("everything that is left out here", "")
    assert len(source.encode()) < 40_000


def test_tables_can_be_read_aloud(representative: Record) -> None:
    page = Page(html.render(representative))
    assert len(page.all("caption")) == len(page.all("table")) == 6
    assert all(header.get("scope") in ("col", "row") for header in page.all("th"))
    regions = [a for a in page.all("div") if a.get("role") == "region"]
    assert all(region["aria-label"] and region["tabindex"] == "0" for region in regions)


def test_every_id_is_its_own_and_every_reference_is_to_one(representative: Record) -> None:
    twice = changed(
        representative,
        loads=[representative.loads[0], msgspec.structs.replace(representative.loads[0], load="b")],
    )
    page = Page(html.render(twice))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] or "" for _, a in page.tags if "aria-labelledby" in a]
    links = [(a["href"] or "")[1:] for a in page.all("a")]
    assert {name for one in named for name in one.split()} | set(links) <= set(ids)


def test_a_chart_is_an_image_with_a_name_and_the_same_numbers_as_a_table(
    representative: Record,
) -> None:
    source = html.render(representative)
    chart = ElementTree.fromstring(source[source.index("<svg") : source.index("</svg>") + 6])
    assert chart.get("role") == "img"
    assert chart[0].text == "Latency and failures of mix over time"
    said = Page(source).text
    assert "The chart as a table" in said
    assert "3 s 40 0 14.99 ms" not in said
    assert re.search(r"3 s 40 0 15\.0 ms n/a 4 s", said)


def test_a_p99_of_few_answers_is_said_to_be_their_maximum(representative: Record) -> None:
    few = "An interval of fewer than 100 answers has its maximum as p99."
    assert few in html.render(representative)
    many = [msgspec.structs.replace(second, sent=500) for second in representative.loads[0].series]
    run = msgspec.structs.replace(representative.loads[0], series=many)
    assert few not in html.render(changed(representative, loads=[run]))


def test_numbers_stay_on_their_side_of_the_limit(representative: Record) -> None:
    said = Page(html.render(representative)).text
    assert "Measured 89.96 % , limit 90 %" in said
    assert "80.04 ms 80 ms" in said
    assert "19.996 of 20/s" in said


def test_an_objective_that_was_met_is_in_the_table(representative: Record) -> None:
    assert "✓ PASS p99 < 250ms 92.4 ms 250 ms" in Page(html.render(representative)).text


def test_places_beyond_a_gates_limit_are_findings_and_not_objectives(
    representative: Record,
) -> None:
    place = Finding(
        slug="complexity/limit", outcome=Outcome.FAIL, where="a.py:1", message="f is too complex",
        measured=14, limit=10, unit="",
    )  # fmt: skip
    said = Page(html.render(changed(representative, findings=[place]))).text
    assert said.count("f is too complex") == 1


def test_rows_that_the_generator_spoiled_are_marked(representative: Record) -> None:
    row = msgspec.structs.replace(
        representative.load[0], valid=False, invalid_because="its event loop lagged"
    )
    said = Page(html.render(changed(representative, load=[row]))).text
    assert "write (visits) not valid" in said
    assert "Not valid: its event loop lagged" in said
    assert "300 visits, 4 failed, not valid" in said


def test_a_closed_pace_says_that_queueing_is_not_visible(representative: Record) -> None:
    closed = [msgspec.structs.replace(run, queueing_visible=False) for run in representative.loads]
    assert "queueing is not visible" in html.render(changed(representative, loads=closed))


def test_percentiles_without_enough_samples_are_said_to_lack_them(representative: Record) -> None:
    said = Page(html.render(representative)).text
    assert "n/a, needs 100 samples n/a, needs 1,000 samples" in said
    assert "n/a: p99 needs 100 samples, p99.9 needs 1,000 samples" in said


def test_every_exchange_that_was_kept_is_one_click_away(representative: Record) -> None:
    page = html.render(representative)
    said = Page(page).text

    assert "POST /api/users&#34;: 1 assertion, the 1 slowest</summary>" in page
    assert "assertion, scenarios/mix.py:12, due at 3.20 s, failed after 812 ms" in said
    assert "slow, scenarios/mix.py:12, due at 3.20 s, took 812 ms" in said
    assert said.count("answer 500 content-type: text/plain | database is locked") == 2


def test_words_can_be_read_in_both_colour_schemes_and_on_paper(empty: Record) -> None:
    source = html.render(empty)
    schemes = re.findall(r":root \{(.*?)\}", source, re.DOTALL)
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): #(\w{6})", scheme))
        for words in ("ink", "quiet", "fail", "unknown", "pass", "link", "p50", "p99"):
            for ground in ("paper", "raised"):
                assert contrast(colours[words], colours[ground]) >= 4.5, (words, ground)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2 between two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_record_that_was_saved_draws_the_same_page(representative: Record) -> None:
    again = Record.from_json(representative.to_json(), "record.json")
    assert html.render(again) == html.render(representative)


def test_the_module_is_a_renderer() -> None:
    renderer: Renderer = html
    assert renderer.FILE_NAME == "report.html"


def test_the_page_has_what_gates_show_beside_their_limits(with_code: Record) -> None:
    page = html.render(with_code)

    for part in (
        '<h2 id="suppressed-title">', '<h2 id="hotspots-title">', '<h2 id="maintainability-title">',
        "shop/debug.py: no operator to go by", "shop/app.py: 41.5 (A)", '<h2 id="inspected-title">',
        "complexity: radon 6.0.1 on Python 3.11.9, 33 of 34 files", "content 1571",
    ):  # fmt: skip
        assert part in page


def test_planted_faults_are_a_table_that_obeys_nobody(empty: Record, hostile: str) -> None:
    row = ProofRow(
        proof=hostile, subject=hostile, fault=hostile, against=hostile, where=hostile,
        expected=hostile, found="", outcome=Outcome.UNKNOWN, told=hostile,
    )  # fmt: skip

    page = Page(html.render(msgspec.structs.replace(empty, proofs=[row] * 300)))

    assert "Faults that were planted in a copy" in page.words
    assert "not found" in page.words
