from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.reply import Reply
from harness.standins import journal as module
from harness.standins.journal import Answer, Journal
from harness.stub import Call, Request, Stub


def stub(name: str, path: str, *replies: Reply) -> Stub:
    return Stub(name, Request("GET", path), replies or (Reply(text=name),), f"s.toml:{name}")


def call(path: str) -> Call:
    return Call("GET", path, "", {}, b"")


@pytest.fixture
def journal() -> Journal:
    sequence = stub("sequence", "/s", Reply(201), Reply(202))
    return Journal("j", [stub("a", "/a"), stub("b", "/b"), stub("c", "/a"), sequence], ["a", "b"])


def text(answer: Answer | str) -> str | None:
    return answer.reply.text if isinstance(answer, Answer) else answer


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
        assert [a.reply.status for a in answers if isinstance(a, Answer)] == [201, 202, 202]


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


def test_states_change_with_answers_and_start_anew_with_a_selection() -> None:
    full = replace(stub("full", "/cart"), needs={"cart": "full"})
    empty = replace(stub("empty", "/cart"), needs={"cart": "started"})
    add = replace(stub("add", "/add"), sets={"cart": "full"})
    journal = Journal("j", [full, empty, add], ["full", "empty", "add"])

    for _ in range(2):
        asked = [text(journal.answer(call(path))) for path in ("/cart", "/add", "/cart")]
        assert asked == ["empty", "add", "full"]
        told = journal.answer(call("/none"))
        assert isinstance(told, str)
        journal.select()


def test_a_state_that_hinders_is_told_as_it_is() -> None:
    empty = replace(stub("empty", "/cart"), needs={"cart": "started"})
    add = replace(stub("add", "/add"), sets={"cart": "full"})
    journal = Journal("j", [empty, add], ["empty", "add"])
    journal.answer(call("/add"))

    told = journal.answer(call("/cart"))

    assert isinstance(told, str)
    assert told.splitlines()[1].endswith("state cart: wanted 'started', is 'full'")


def test_a_stub_comes_after_another_of_the_same_selection() -> None:
    pay = replace(stub("pay", "/pay"), after="login")
    journal = Journal("j", [pay, stub("login", "/login")], ["pay", "login"])

    for _ in range(2):
        told = journal.answer(call("/pay"))
        assert isinstance(told, str)
        assert "after: wanted 'login' first, which has not answered" in told
        journal.answer(call("/login"))
        assert text(journal.answer(call("/pay"))) == "pay"
        journal.restart()


def test_a_restart_keeps_the_selection_and_forgets_what_was_declared(journal: Journal) -> None:
    journal.select(["a"])
    journal.declare(stub("mine", "/a"))
    assert text(journal.answer(call("/a"))) == "mine"

    journal.restart()

    assert journal.selected == ("a",)
    assert list(journal.unused()) == ["a"]
    assert journal.asked().count == 0
    journal.select()
    journal.restart()
    assert journal.selected == ("a", "b")
    assert journal.unused() == {}


def chances(journal: Journal, path: str, times: int = 5) -> list[float]:
    answers = [journal.answer(call(path)) for _ in range(times)]
    return [one.chance for one in answers if isinstance(one, Answer)]


def test_one_seed_gives_one_sequence_of_chances_whatever_else_is_asked() -> None:
    def made(seed: int) -> Journal:
        return Journal("j", [stub("a", "/a"), stub("b", "/b")], ["a", "b"], seed=seed)

    first = chances(made(1), "/a")
    mixed = made(1)
    chances(mixed, "/b", 3)

    assert len(set(first)) == 5
    assert chances(mixed, "/a") == first
    assert chances(made(2), "/a") != first
    mixed.select()
    assert chances(mixed, "/a") == first


def test_reasons_since_the_selection_are_told_as_often_as_asked(journal: Journal) -> None:
    for number in range(30):
        journal.answer(call(f"/{number}"))

    unmatched, reasons = journal.told()
    assert (unmatched, len(reasons)) == (30, module.MAX_RECENT)
    assert reasons[-1].startswith("no stub answers GET /29\n")
    assert journal.told() == (unmatched, reasons)
    journal.select()
    assert journal.told() == (0, ())
