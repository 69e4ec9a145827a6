"""The baseline is read as it was written, and whatever else is there is an error with its line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.baseline import HEADER, file_of, matched, parsed, read, written
from harness.checkup import tolerated
from harness.comparison import Accepted
from harness.errors import UsageError


def entry(
    path: str = "a.py", rule: str = "security/B307", symbol: str = "f", snippet: str = "abc",
    occurrence: int = 1, value: int | None = None, reason: str = "",
) -> Accepted:  # fmt: skip
    return Accepted(
        path=path, rule=rule, symbol=symbol, snippet=snippet, occurrence=occurrence, value=value,
        indicator="security.high", since="2026-01-01", commit="c0ffee", tool="tool 1",
        reason=reason,
    )  # fmt: skip


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
entries = st.builds(
    entry, path=names, rule=st.sampled_from(["security/B307", "complexity/limit"]), symbol=names,
    snippet=st.sampled_from(["", "abc", "def"]), occurrence=st.integers(1, 3),
    value=st.none() | st.integers(0, 99), reason=names,
)  # fmt: skip
distinct = st.lists(
    entries, unique_by=lambda e: (e.path, e.rule, e.symbol, e.snippet, e.occurrence)
)


@given(distinct)
def test_what_is_written_is_read_again_whatever_the_order(found: list[Accepted]) -> None:
    content = written(found)

    assert sorted(parsed(content, "b").entries, key=repr) == sorted(found, key=repr)
    assert written(reversed(found)) == content
    assert content.count(b"\n") == len(found) + 1


@given(distinct, st.data())
def test_no_line_can_be_lost_in_half_doubled_or_moved(
    found: list[Accepted], data: st.DataObject
) -> None:
    lines = written([entry(), *(one for one in found if one.path != "a.py")]).split(b"\n")[:-1]
    at = data.draw(st.integers(0, len(lines) - 1))
    doubled = [*lines[: at + 1], *lines[at:]]
    halved = [*lines[:at], lines[at][: len(lines[at]) // 2], *lines[at + 1 :]]
    damaged = [doubled, halved] + ([list(reversed(lines))] if len(lines) > 1 else [])

    for text in damaged:
        with pytest.raises(UsageError) as caught:
            parsed(b"\n".join(text) + b"\n", "b")
        assert caught.value.slug == "baseline/damaged"


A, B = (written([entry(path=path)]).decode().splitlines()[1] for path in ("a.py", "b.py"))


@pytest.mark.parametrize(
    ("lines", "number", "said"),
    [
        ([], 1, "expected"),
        (["{}"], 1, "expected"),
        ([HEADER.replace("1", "2"), A], 1, "expected"),
        ([HEADER, B, A], 3, "not sorted"),
        ([HEADER, A, A], 3, "twice"),
        ([HEADER, A, A.replace("c0ffee", "decaff")], 3, "twice"),
        ([HEADER, "<<<<<<< HEAD", A, "=======", B, ">>>>>>> other"], 2, "a merge left its mark"),
        ([HEADER, A, "======="], 3, "a merge left its mark"),
        ([HEADER, A, ""], 3, "not a finding"),
        ([HEADER, A[:40]], 2, "not a finding"),
        ([HEADER, "[" * 5000], 2, "not a finding"),
        ([HEADER, A.replace("2026-01-01", "soon")], 2, "not a finding"),
        ([HEADER, A.replace('"value":null', '"value":"9"')], 2, "not a finding"),
        ([HEADER, A.replace('"value":null', '"value":-1')], 2, "at least"),
        ([HEADER, A.replace('"occurrence":1', '"occurrence":0')], 2, "at least"),
        ([HEADER, A.replace('"tool":', '"note":"x","tool":')], 2, "not as it is written"),
        ([HEADER, A.replace('":"', '": "')], 2, "not as it is written"),
    ],
)
def test_a_damaged_baseline_is_an_error_with_its_line(
    lines: list[str], number: int, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parsed("".join(f"{line}\n" for line in lines).encode(), "base.jsonl")

    assert caught.value.where == f"base.jsonl:{number}"
    assert said in caught.value.message
    assert caught.value.exit_code == 64


def test_a_last_line_without_an_end_may_be_cut_short() -> None:
    with pytest.raises(UsageError, match="cut short"):
        parsed(written([entry()])[:-1], "b")


def test_bytes_that_are_not_utf8_are_an_error_too() -> None:
    with pytest.raises(UsageError):
        parsed(written([entry()]).replace(b"c0ffee", b"c\xffffee"), "b")


def test_no_file_is_no_baseline_and_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert read(tmp_path / "none.jsonl", "none.jsonl") is None
    with pytest.raises(UsageError):
        read(tmp_path, "a-folder")


def test_the_doctor_finds_a_damaged_one(tmp_path: Path) -> None:
    file = tmp_path / "harness-baseline.jsonl"
    assert tolerated(file).told == "baseline: nothing tolerated"
    file.write_bytes(written([entry()]))
    assert (tolerated(file).exit_code, tolerated(file).told) == (
        0, "baseline: 1 tolerated"
    )  # fmt: skip
    file.write_text("{}")
    assert tolerated(file).exit_code == 64


def test_it_lies_beside_the_plan_and_each_plan_has_its_own(tmp_path: Path) -> None:
    assert file_of(None, tmp_path) == tmp_path / "harness-baseline.jsonl"
    assert file_of(tmp_path / "of/self.toml", tmp_path) == tmp_path / "of/self-baseline.jsonl"


@pytest.mark.parametrize(
    ("ours", "theirs", "merges"), [("a.py", "z.py", True), ("m1.py", "m2.py", False)]
)
def test_branches_merge_unless_they_touch_the_same_place_and_then_it_is_an_error(
    tmp_path: Path, ours: str, theirs: str, merges: bool
) -> None:
    common = [entry(path) for path in ("f.py", "g.py", "h.py", "p.py", "q.py", "r.py")]
    texts = {
        "base": written(common), "ours": written([*common, entry(ours)]),
        "theirs": written([*common, entry(theirs)]),
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    merge = ["git", "merge-file", "-p", "ours", "base", "theirs"]
    merged = subprocess.run(merge, cwd=tmp_path, capture_output=True, check=False).stdout

    if merges:
        assert {e.path for e in parsed(merged, "b").entries} >= {ours, theirs, "f.py"}
    else:
        with pytest.raises(UsageError, match="a merge left its mark"):
            parsed(merged, "b")


def paired(found: list[Accepted], known: list[Accepted], moved: bool = True) -> dict[int, int]:
    return matched(found, known, lambda entry: moved)


@given(distinct)
def test_every_finding_is_known_again(found: list[Accepted]) -> None:
    known = list(reversed(found))
    pairs = paired(found, known)

    assert len(pairs) == len(set(pairs.values())) == len(found)
    for one, other in pairs.items():
        assert (found[one].path, found[one].symbol) == (known[other].path, known[other].symbol)
        assert found[one].value == known[other].value


@given(distinct, distinct)
def test_an_entry_is_for_one_finding_only(found: list[Accepted], known: list[Accepted]) -> None:
    pairs = paired(found, known)

    assert len(set(pairs.values())) == len(pairs) <= min(len(found), len(known))
    assert all(found[one].rule == known[other].rule for one, other in pairs.items())


def test_two_alike_of_which_one_is_known_leave_one() -> None:
    assert paired([entry(), entry(occurrence=2)], [entry()]) == {0: 0}


def test_a_renamed_file_is_known_again_and_a_copy_is_not() -> None:
    assert paired([entry("new.py")], [entry("old.py")]) == {0: 0}
    assert paired([entry("new.py"), entry("old.py")], [entry("old.py")]) == {1: 0}


def test_what_nobody_looked_at_did_not_move() -> None:
    assert paired([entry("new.py")], [entry("old.py")], moved=False) == {}


def test_a_function_that_was_renamed_keeps_its_findings_but_not_its_complexity() -> None:
    assert paired([entry(symbol="g")], [entry()]) == {0: 0}
    assert paired([entry(symbol="g", value=9)], [entry(value=9)]) == {}


def test_a_changed_function_is_compared_with_itself() -> None:
    assert paired([entry(snippet="new", value=9)], [entry(value=3)]) == {0: 0}
    assert paired([entry(snippet="new")], [entry()]) == {}


def test_of_functions_with_one_name_as_many_as_possible_are_no_worse() -> None:
    was = [entry(value=4), entry(value=9, occurrence=2)]

    assert paired([entry(value=8), entry(value=3, occurrence=2)], was) == {0: 1, 1: 0}
