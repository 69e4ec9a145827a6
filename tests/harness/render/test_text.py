from __future__ import annotations

import unicodedata
from collections.abc import Callable

import msgspec
import pytest

from harness.record import Notice, ProofRow, Record
from harness.render import Renderer, html, text
from harness.verdict import Finding, Outcome, Waived

from .conftest import example, latency

GOLDEN = """\
FAIL: tests/functional/test_things.py::test_a_thing_is_kept [served] (and 2 more)
commit 3ef2289c0f with uncommitted changes, Python 3.11.9, target inproc, served, http://127.0.0.1:41001
run 20261120T093309Z-3f2a9c, took 2 min 14 s

FAIL     tests/functional/test_things.py:41 (functional/failed)
         tests/functional/test_things.py::test_a_thing_is_kept [served]
         assert 500 == 201
          +  where 500 = <Response 500>.status_code

         the service logged: OperationalError: database is locked
         next: harness test 'tests/functional/test_things.py::test_a_thing_is_kept' --target served
         1. POST /things: 500 in 12 ms
           curl -i --data-raw 'a=1' http://127.0.0.1:41001/things/1
         2. POST /things: 500 in 12 ms
           curl -i --data-raw 'a=1' http://127.0.0.1:41001/things/2
         3. POST /things: 500 in 12 ms
           curl -i --data-raw 'a=1' http://127.0.0.1:41001/things/3
         2 more exchanges, see report.html
FAIL     mix (scenarios/mix.py) (load/objective-missed)
         write "POST /api/users" p95 < 80ms
         measured 80.04 ms, limit 80 ms
FAIL     coverage (gates/limit-broken)
         coverage.lines >= 90%
         measured 89.96 %, limit 90 %

UNKNOWN  complexity (gates/limit-undecided)
         complexity.max <= 10
         measured 7, limit 10
UNKNOWN  fixtures/jeeves/new.py:12 (complexity/syntax)
         complexity: not checked: needs Python 3.12
         next: run the gates under Python 3.12

Tests                                tests  passed  failed  errors  skipped  reached    took
  dataservice inproc, Python 3.11.9     41      41       0       0        0       41  3.21 s
  dataservice served, Python 3.11.9     45      40       1       0        4       40  5.90 s

Load mix: 20/s for 15s against http://127.0.0.1:41001
  300 of 300 due visits started in 15 s by 2 processes
                           sent  failed            rate      p50      p95      p99      max
  write (visits)            300       4  19.996 of 20/s  12.3 ms  48.6 ms  92.4 ms   1.25 s
  write "POST /api/users"   300       4            20/s  12.3 ms  48.6 ms  92.4 ms   1.25 s
  write "GET /api/rare"      40       0          2.67/s  0.62 ms  2.43 ms      n/a  62.5 ms
  n/a: p99 needs 100 samples
  write "POST /api/users": assertion, scenarios/mix.py:12, due at 3.20 s, failed after 812 ms (802 ms of it from when it was sent); failures took p50 740 ms
    assert response.status == 201
    curl -i --data-raw 'a=1' http://127.0.0.1:41001/api/users
    500 database is locked

Gates                            measured    limit  files checked  not checked  places
  UNKNOWN complexity.max <= 10          7    <= 10             33            1       0
  PASS    security.high == 0            0     == 0             34            0       0
  FAIL    coverage.lines >= 90%   89.96 %  >= 90 %             34            0       6

Not checked
  tests/functional/test_mail.py::test_sent, tests/functional/test_mail.py::test_kept and 2 more: skipped: needs redis
  tests/functional/test_dates.py::test_today [served]: had no exchange with its target; next: let it use the fixture 'client'
  fixtures/jeeves/new.py (complexity): needs Python 3.12
"""  # noqa: E501 - a terminal is wider than a page of code


def changed(record: Record, **changes: object) -> Record:
    return msgspec.structs.replace(record, **changes)


def test_a_run_is_summarised_on_one_screen(representative: Record) -> None:
    assert text.render(representative) == GOLDEN
    assert len(GOLDEN.splitlines()) <= 58


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("colour", [False, True])
def test_the_first_line_is_the_verdict(empty: Record, outcome: Outcome, colour: bool) -> None:
    shown = text.render(changed(empty, outcome=outcome, headline="because"), colour=colour)
    first = shown.splitlines()[0]
    assert without_colour(first) == f"{outcome}: because"
    assert ("\x1b" in first) is colour


def test_a_verdict_without_a_headline_is_its_word(empty: Record) -> None:
    assert text.render(changed(empty, headline="")).splitlines()[0] == "UNKNOWN"


def test_an_empty_record_names_what_it_lacks(empty: Record) -> None:
    assert text.render(empty).endswith("Not checked\n  not judged here: tests, load, gates\n")


def test_that_nothing_was_left_unchecked_is_said(representative: Record) -> None:
    record = changed(representative, not_checked=[], gates=representative.gates[1:])
    assert text.render(record).endswith("Not checked\n  nothing\n")


def test_failures_stand_before_what_is_unknown_whatever_their_order(
    representative: Record,
) -> None:
    shown = text.render(changed(representative, findings=representative.findings[::-1]))
    words = [row.split()[0] for row in shown.splitlines() if row.startswith(("FAIL  ", "UNKNOWN "))]
    assert words == ["FAIL"] * 3 + ["UNKNOWN"] * 2


def test_hostile_text_does_not_reach_the_terminal(
    hostile: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    shown = without_colour(text.render(with_text_everywhere(hostile), colour=True))
    shown.encode()
    obeyed = [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert set(obeyed) == {"\n"}
    assert shown.startswith("FAIL")
    assert len(shown) < 20_000


def test_a_message_cannot_begin_a_line_of_its_own(representative: Record) -> None:
    forged = Finding(
        slug="a/b", outcome=Outcome.FAIL, where="x\nPASS: all is well",
        message="first\nPASS: all is well\r\nUNKNOWN", next_step="y\nPASS: all is well",
    )  # fmt: skip
    shown = text.render(changed(representative, findings=[forged], headline="x\nPASS"))
    assert not [row for row in shown.splitlines() if row.startswith("PASS")]


def test_colour_adds_nothing_but_colour(representative: Record) -> None:
    assert without_colour(text.render(representative, colour=True)) == text.render(representative)


def test_long_lists_are_cut_and_say_so(huge: Record) -> None:
    shown = text.render(huge)
    assert "and 1,992 more FAIL findings, see report.html" in shown
    assert "and 8 more loads, see report.html" in shown
    assert "and 1,991 more reasons, see report.html" in shown
    assert len(shown.splitlines()) < 160


def test_rows_that_the_generator_spoiled_are_marked(representative: Record) -> None:
    spoiled = [
        msgspec.structs.replace(row, valid=False, invalid_because="its event loop lagged")
        for row in representative.load
    ]
    shown = text.render(changed(representative, load=spoiled))
    assert "  ! write (visits)" in shown
    assert shown.count("  ! not valid: its event loop lagged") == 1


def test_a_closed_pace_says_that_queueing_is_not_visible(representative: Record) -> None:
    closed = [msgspec.structs.replace(run, queueing_visible=False) for run in representative.loads]
    assert "queueing is not visible" in text.render(changed(representative, loads=closed))


def test_requests_that_were_sent_to_the_target_instead_are_named_in_both(
    representative: Record,
) -> None:
    sent = {"http://localhost:5000": 1200, "http://shop.example.org": 1}
    run = msgspec.structs.replace(representative.loads[0], rebased=sent)
    record = changed(representative, loads=[run, *representative.loads[1:]])
    said = (
        "Sent to the target instead: 1,200 requests for http://localhost:5000, "
        "1 request for http://shop.example.org."
    )

    assert said in text.render(record)
    assert said in html.render(record)
    assert "Sent to the target instead" not in text.render(representative)


def test_requests_that_aiohttp_sent_are_named_in_both(representative: Record) -> None:
    sent = {"websocket": 1, "data (FormData)": 1200}
    run = msgspec.structs.replace(representative.loads[0], by_aiohttp=sent)
    record = changed(representative, loads=[run, *representative.loads[1:]])
    said = "1,201 requests sent by aiohttp: 1,200 (data (FormData)), 1 (websocket)."

    assert said in text.render(record)
    assert said in html.render(record)
    assert "sent by aiohttp" not in text.render(representative)


def test_what_passed_once_before_a_load_is_named_in_both(representative: Record) -> None:
    run = msgspec.structs.replace(representative.loads[0], rehearsed={"write": 1, "read": 3})
    record = changed(representative, loads=[run, *representative.loads[1:]])
    said = "Passed once before the load: write, read (at visit 3)."

    assert said in text.render(record)
    assert said in html.render(record)
    assert "before the load" not in text.render(representative)


def test_what_a_waiting_client_would_have_hidden_is_said_in_both(
    representative: Record,
) -> None:
    row = msgspec.structs.replace(
        representative.load[1], response_ms=latency(1000, 10), uncorrected_ms=latency(150, 0.5)
    )
    record = changed(representative, load=[row])
    said = "would have measured 46.2 ms"

    due = "p99 924 ms from when requests were due; a client that waits for each answer"
    assert f'write "POST /api/users": {due} before it sends the next {said}.' in text.render(record)
    assert said in html.render(record)
    assert "would have measured" not in text.render(representative)


def test_times_beyond_an_hour_are_said_to_be_clipped_in_both(representative: Record) -> None:
    beyond = msgspec.structs.replace(latency(1000), clipped=2)
    row = msgspec.structs.replace(representative.load[1], response_ms=beyond)
    record = changed(representative, load=[row])

    for page in (text.render(record), html.render(record)):
        assert "2 response times were longer than one hour: percentiles count it so." in page


def test_the_first_failure_of_each_step_is_told_and_of_many_steps_the_first(
    representative: Record,
) -> None:
    rows = [
        msgspec.structs.replace(representative.load[1], step=f"GET /{n}") for n in range(5)
    ]  # fmt: skip
    shown = text.render(changed(representative, load=rows))

    assert shown.count("assert response.status == 201\n") == 3
    assert "  and 2 more steps that failed, see report.html" in shown


def test_a_visit_that_failed_before_it_asked_for_anything_has_no_exchange(
    representative: Record,
) -> None:
    row = msgspec.structs.replace(representative.load[0], examples=[example(exchange=None)])
    shown = text.render(changed(representative, load=[row]))

    assert "  write (visits): assertion, scenarios/mix.py:12\n    assert response" in shown
    assert "curl" not in shown.partition("Load mix")[2]


def test_rows_of_a_load_that_recorded_no_run_are_shown(representative: Record) -> None:
    shown = text.render(changed(representative, loads=[]))
    assert "Load mix: nothing else recorded\n" in shown
    assert "write (visits)" in shown


def test_expected_failures_have_columns_where_there_are_some(representative: Record) -> None:
    row = msgspec.structs.replace(representative.functional[0], xfailed=3)
    assert "xfailed" not in text.render(representative)
    assert "xfailed" in text.render(changed(representative, functional=[row]))


def test_what_is_waived_and_what_is_noticed_is_listed_in_both_and_counts_as_neither(
    representative: Record,
) -> None:
    waived = Finding(
        slug="watch/tasks", outcome=Outcome.FAIL, where="shop.py:3", message="it goes on",
        waiver=Waived("mended in May", "2026-05-31"),
    )  # fmt: skip
    notice = Notice(slug="watch/error-log", where="shop.py:9", message="ERROR shop: no\ntest: t")
    record = msgspec.structs.replace(
        representative, findings=[*representative.findings, waived], notices=[notice]
    )

    for page in (text.render(record), html.render(record)):
        assert "Waived" in page
        assert "shop.py:3 (watch/tasks): it goes on; until 2026-05-31: mended in May" in page
        assert "shop.py:9 (watch/error-log): ERROR shop: no; test: t" in page
        assert page.count("it goes on") == 1


def test_the_module_is_a_renderer() -> None:
    renderer: Renderer = text
    assert renderer.FILE_NAME == "report.txt"


def without_colour(shown: str) -> str:
    for code in ("\x1b[1;32m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1m", "\x1b[0m"):
        shown = shown.replace(code, "")
    return shown


def test_comments_that_hide_something_and_hotspots_are_told(with_code: Record) -> None:
    summary = text.render(with_code)

    assert "Suppressed\n  shop/run.py:31: nosec (names no rule), hides B602; no reason given\n" in (
        summary
    )
    assert "  shop/app.py:9: no cover; only on Windows\n" in summary
    assert "  shop/app.py: 48 ways (most in create_app.index, line 12: 14), 25 % not run, " in (
        summary
    )
    assert (
        "shop/run.py: 4 ways (most in run, line 3: 4), coverage not known, changed by 1 commit"
        in (summary)
    )
    assert "Maintainability" not in summary


def proof(**changes: object) -> ProofRow:
    told = {
        "proof": "security", "subject": "the gate", "fault": "an eval", "where": "shop/a.py:",
        "against": "security.medium == 0", "expected": "security/B307", "found": "security/B307",
        "outcome": Outcome.PASS, "told": "FAIL: eval",
    }  # fmt: skip
    return ProofRow(**{**told, **changes})  # type: ignore[arg-type]


def test_each_fault_that_was_planted_has_a_line(empty: Record) -> None:
    rows = [proof(), proof(proof="load", subject="load mix", found="", outcome=Outcome.FAIL)]

    said = text.render(msgspec.structs.replace(empty, proofs=rows))

    assert (
        "Proofs\n"
        "  PASS    security: the gate  an eval: security/B307\n"
        "  FAIL    load: load mix      an eval: not found\n"
    ) in said


def test_the_lines_of_proofs_end_and_obey_nobody(empty: Record, hostile: str) -> None:
    rows = [proof(fault=hostile, subject=hostile, found=hostile)] * 300

    said = text.render(msgspec.structs.replace(empty, proofs=rows))

    assert len(said.splitlines()) < 60
    assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in said if char != "\n")
