from __future__ import annotations

import threading

import pytest

from harness.errors import UsageError
from harness.reply import Reply
from harness.standins import journal as module
from harness.standins.journal import Journal
from harness.stub import Call, Request, Stub


def stub(name: str, path: str, *replies: Reply) -> Stub:
    return Stub(name, Request("GET", path), replies or (Reply(text=name),), f"s.toml:{name}")


def call(path: str) -> Call:
    return Call("GET", path, "", {}, b"")


@pytest.fixture
def journal() -> Journal:
    sequence = stub("sequence", "/s", Reply(201), Reply(202))
    return Journal("j", [stub("a", "/a"), stub("b", "/b"), stub("c", "/a"), sequence], ["a", "b"])


def text(answer: Reply | str) -> str | None:
    return answer.text if isinstance(answer, Reply) else answer


def test_the_defaults_are_selected_at_first(journal: Journal) -> None:
    assert journal.selected == ("a", "b")
    assert text(journal.answer(call("/a"))) == "a"


def test_the_first_selected_that_matches_answers(journal: Journal) -> None:
    journal.select(["c", "a", "c"])
    assert journal.selected == ("c", "a")
    assert text(journal.answer(call("/a"))) == "c"
    journal.select()
    assert journal.selected == ("a", "b")


def test_nothing_selected_answers_nothing(journal: Journal) -> None:
    journal.select([])
    assert journal.answer(call("/zzz")) == "no stub answers GET /zzz: none is selected"


def test_uses_are_counted_for_ever_and_since_the_selection(journal: Journal) -> None:
    journal.select(["a", "b"])
    journal.answer(call("/a"))
    journal.answer(call("/a"))
    assert journal.uses_since_select == {"a": 2, "b": 0}
    assert journal.unused() == {"b": (journal.stubs["b"], 0)}
    journal.select(["a"])
    assert journal.uses_since_select == {"a": 0}
    assert list(journal.unused()) == ["a"]
    journal.answer(call("/a"))
    assert journal.unused() == {}
    assert journal.uses == {"a": 3, "b": 0, "c": 0, "sequence": 0}


def test_a_sequence_starts_again_with_each_selection(journal: Journal) -> None:
    for _ in range(2):
        journal.select(["sequence"])
        answers = [journal.answer(call("/s")) for _ in range(3)]
        assert [a.status for a in answers if isinstance(a, Reply)] == [201, 202, 202]


def test_an_unknown_name_changes_nothing(journal: Journal) -> None:
    journal.answer(call("/a"))
    with pytest.raises(UsageError) as raised:
        journal.select(["b", "sequenze"])
    assert raised.value.slug == "stubs/unknown"
    assert raised.value.next_step.startswith("Did you mean 'sequence'? Known: a, b, c, seq")
    assert journal.uses_since_select == {"a": 1, "b": 0}
    with pytest.raises(UsageError):
        Journal("j", [], ["a"])


def test_what_is_not_answered_is_explained_once(journal: Journal) -> None:
    told = journal.answer(call("/zzz"))
    assert isinstance(told, str)
    assert told.startswith("no stub answers GET /zzz\n  a (s.toml:a): path: wanted /a, got /zzz")
    assert journal.unmatched == 1
    assert journal.take_unmatched() == (told,)
    assert journal.take_unmatched() == ()
    assert journal.unmatched == 1


def test_a_stub_that_only_needed_selecting_is_named(journal: Journal) -> None:
    told = journal.answer(call("/s"))
    assert isinstance(told, str)
    assert told.endswith("\n  j.sequence (s.toml:sequence) would, but is not selected")


def test_a_selection_forgets_no_unmatched_call(journal: Journal) -> None:
    journal.answer(call("/zzz"))
    journal.select()
    assert len(journal.take_unmatched()) == 1


def test_explanations_are_bounded_in_number_and_length(journal: Journal) -> None:
    for number in range(module.MAX_EXPLANATIONS + 5):
        journal.answer(call(f"/{number}"))
    taken = journal.take_unmatched()
    assert len(taken) == module.MAX_EXPLANATIONS + 1
    assert taken[-1] == "and 5 more calls that no stub answers"
    assert journal.unmatched == module.MAX_EXPLANATIONS + 5
    journal.answer(call("/" + "x" * 10**6))
    (long,) = journal.take_unmatched()
    assert len(long) < module.MAX_EXPLANATION_CHARS + 10


def test_every_thread_is_counted(journal: Journal) -> None:
    def ask() -> None:
        for _ in range(500):
            journal.answer(call("/a"))
            journal.answer(call("/zzz"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.uses["a"] == journal.unmatched == 2000
