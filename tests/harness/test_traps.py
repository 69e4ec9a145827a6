"""The traps of ``docs/traps.md``: green elsewhere without a look, and not here.

Each is set in a small tree and inspected in this process. Traps that a test of a module sets are
there, and the page names it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.evidence import RunFolder
from harness.objective import Family, parse_objective
from harness.plan import DEFAULT_LIMITS, Plan, gates_of
from harness.record import Record
from harness.run import Run, judge
from harness.verdict import Outcome

ROOT = Path(__file__).parents[2]
EVAL = "def run(text):\n    return eval(text)\n"
WEAK = "security.medium == 0"


def branchy(name: str, branches: int, indent: str = "") -> str:
    """Write a function of so many branches and one."""
    ifs = "".join(
        f"{indent}    if n == {one}:\n{indent}        n += 1\n" for one in range(branches)
    )
    return f"{indent}def {name}(n):\n{ifs}{indent}    return n\n"


@dataclass(frozen=True, slots=True)
class Told:
    """What `harness gates` says of a tree."""

    record: Record
    slugs: frozenset[str]

    @property
    def outcome(self) -> Outcome:
        return self.record.outcome


Look = Callable[..., Told]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def looked(
        files: Mapping[str, str | bytes], *limits: str, paths: tuple[str, ...] = (".",),
        under: str = "project",
    ) -> Told:  # fmt: skip
        root = tmp_path / under
        root.mkdir(parents=True)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        gates = gates_of(paths, limits or DEFAULT_LIMITS)
        run = Run.begin(
            Plan(gates=gates), root, tmp_path / "reports", ("gates",),
            lambda line: None, lambda line: None,
        )  # fmt: skip
        run.gates(gates)
        record = judge(RunFolder(run.folder.path))
        bad = (one.slug for one in record.findings if one.outcome is not Outcome.PASS)
        return Told(record, frozenset(bad))

    return looked


def test_limits_hold_although_nobody_asked_for_one(look: Look) -> None:
    told = look({"app.py": branchy("f", 20)})

    assert (told.outcome, "complexity/limit" in told.slugs) == (Outcome.FAIL, True)


@pytest.mark.parametrize(
    "content",
    [
        b"class Box[T, **P, *Ts]: pass\ntype X = = 1\n", b"def broken(:\n", b"x = 1\0\n",
        b"x = 'caf\xe9'\n", b"# -*- coding: no-such-codec -*-\n",
        b"x = " + b"(" * 3000 + b")" * 3000 + b"\n",
    ],
    ids=["syntax of no Python", "syntax", "nul", "latin-1", "codec", "deep"],
)  # fmt: skip
@pytest.mark.parametrize("limit", ["complexity.max <= 10", WEAK])
def test_a_file_that_cannot_be_parsed_is_no_evidence(
    look: Look, content: bytes, limit: str
) -> None:
    told = look({"app.py": "x = 1\n", "other.py": content}, limit)

    assert told.outcome is Outcome.UNKNOWN
    assert "gates/not-parsed" in told.slugs
    assert told.record.gates[0].checked == 1


@pytest.mark.parametrize(
    "start", [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\nx = 'caf\xe9'\n"], ids=["bom", "cookie"]
)
def test_a_file_that_python_reads_is_read(look: Look, start: bytes) -> None:
    told = look({"app.py": start + branchy("f", 20).encode() + EVAL.encode()})

    assert {"complexity/limit", "security/B307"} <= told.slugs


def test_a_path_that_is_not_there_cannot_be_asked_for(look: Look) -> None:
    with pytest.raises(UsageError, match="there is no 'srv' to check"):
        look({"src/app.py": ""}, paths=("srv",))


@pytest.mark.parametrize("limit", ["complexity.max <= 10", WEAK, "coverage.lines >= 0%"])
def test_a_path_without_code_is_no_evidence(look: Look, limit: str) -> None:
    assert look({"src/notes.txt": ""}, limit, paths=("src",)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("name", [".hidden/app.py", ".github/scripts/app.py", "CVSImport/a.py"])
def test_no_name_of_a_folder_takes_its_code_out(look: Look, name: str) -> None:
    told = look({name: branchy("f", 20) + EVAL})

    assert {"complexity/limit", "security/B307"} <= told.slugs


def test_a_path_with_git_in_its_name_is_scanned(look: Look) -> None:
    assert "security/B307" in look({"app.py": EVAL}, under="my.github.io/app").slugs


def test_a_script_without_an_ending_is_code(look: Look) -> None:
    assert "security/B307" in look({"bin/serve": f"#!/usr/bin/env python3\n{EVAL}"}).slugs


CLOSURE = "def create_app():\n" + branchy("index", 20, "    ") + "    return index\n"
METHOD = "def make():\n    class View:\n" + branchy("get", 20, "        ") + "    return View\n"
DEEP = (
    "class Router:\n    def match(self):\n        try:\n            with self:\n"
    + branchy("_match", 20, "                ")
    + "        finally:\n            pass\n"
)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (CLOSURE, "create_app.index"), (METHOD, "make.View.get"), (DEEP, "Router.match._match"),
        ("import sys\n" + "".join(f"if sys.argv == {n}:\n    pass\n" for n in range(20)),
         "<module>"),
    ],
    ids=["a closure", "a method of a class in a function", "deep in a method", "a module"],
)  # fmt: skip
def test_complexity_counts_wherever_it_is(look: Look, code: str, name: str) -> None:
    told = look({"app.py": code}, "complexity.max <= 10")

    (place,) = [one for one in told.record.findings if one.slug == "complexity/limit"]
    assert (told.outcome, place.measured) == (Outcome.FAIL, 21)
    assert place.message.startswith(name)


def test_handlers_of_groups_are_ways(look: Look) -> None:
    handlers = "".join(f"    except* E{n}:\n        pass\n" for n in range(10))

    told = look({"app.py": f"def f():\n    try:\n        g()\n{handlers}"}, "complexity.max <= 10")

    assert told.outcome is Outcome.FAIL


def test_guards_of_cases_are_ways(look: Look) -> None:
    cases = "".join(f"        case _ if n > {n}:\n            pass\n" for n in range(10))

    told = look({"app.py": f"def f(n):\n    match n:\n{cases}"}, "complexity.max <= 10")

    assert told.outcome is Outcome.FAIL


@pytest.mark.parametrize("text", ["mi >= A", "mi >= 20", "maintainability >= A"])
def test_no_letter_stands_for_maintainability(text: str) -> None:
    with pytest.raises(UsageError, match="an indicator"):
        parse_objective(text, Family.GATE)


def test_an_average_over_a_class_hides_no_method(look: Look) -> None:
    easy = "".join(branchy(f"easy_{n}", 0, "    ") for n in range(30))

    told = look({"app.py": f"class Order:\n{easy}{branchy('hard', 20, '    ')}"})

    assert "complexity/limit" in told.slugs


def test_configuration_of_the_tools_takes_nothing_out(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    radon = "[radon]\nexclude = *\ncc_min = F\n"
    (tmp_path / ".radon.cfg").write_text(radon)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RADONCFG", str(tmp_path / ".radon.cfg"))

    told = look({
        "app.py": branchy("f", 20) + EVAL, "radon.cfg": radon, "setup.cfg": radon,
        "pyproject.toml": "[tool.radon]\nexclude = '*'\n[tool.bandit]\nexclude_dirs = ['.']\n",
        ".bandit": "[bandit]\nskips = B307\nexclude = .\n",
        "vendor/.bandit": "[bandit]\nskips = B307\n",
    })  # fmt: skip

    assert {"complexity/limit", "security/B307"} <= told.slugs


COMMENTS = ["# nosec", "# nosec B999", "# nosec because trusted", "# nosecurity is great"]


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_comment_that_names_no_rule_suppresses_no_issue_quietly(look: Look, comment: str) -> None:
    assert look({"app.py": EVAL.rstrip() + f"  {comment}\n"}, WEAK).outcome is not Outcome.PASS


@pytest.mark.parametrize("comment", [*COMMENTS, "# nosec B307 - a constant"])
def test_what_a_comment_suppresses_is_told_with_its_place(look: Look, comment: str) -> None:
    with warnings.catch_warnings(action="ignore"):
        told = look({"app.py": EVAL.rstrip() + f"  {comment}\n"}, WEAK)

    assert "app.py:2" in str(told.record.to_json())


def test_a_second_issue_like_the_first_is_one_more(look: Look) -> None:
    told = look({"app.py": EVAL + "\n\n" + EVAL.replace("run", "again")}, "security.medium <= 1")

    assert (told.outcome, told.record.gates[0].measured) == (Outcome.FAIL, 2)


def test_the_record_says_what_was_asked_of_a_gate_and_on_how_many_files(look: Look) -> None:
    (row,) = look({"app.py": EVAL}, "security.high == 0").record.gates

    assert (row.name, row.checked, row.tool.split()[0]) == ("security.high == 0", 1, "bandit")


def test_coverage_that_no_test_of_this_run_measured_is_no_evidence(look: Look) -> None:
    told = look(
        {"app.py": EVAL, ".coverage": "old", "coverage.xml": "<old/>"}, "coverage.lines >= 0%"
    )

    assert told.outcome is Outcome.UNKNOWN
    assert "coverage/no-data" in told.slugs


PAGE = (ROOT / "docs/traps.md").read_text()
ROWS = re.findall(r"^\| ([A-Z]\d+) \|(.*)\|(.*)\|(.*)\|$", PAGE, re.MULTILINE)
TRAPS = [
    *(f"{family}{number}"
      for family, most in (("R", 13), ("B", 11), ("C", 14), ("D", 2), ("P", 2), ("M", 3), ("T", 9),
                           ("A", 1), ("G", 7))
      for number in range(1, most + 1))
]  # fmt: skip


def test_the_page_has_each_trap_once_and_in_order() -> None:
    assert [row[0] for row in ROWS] == TRAPS


@pytest.mark.parametrize(("trap", "told"), [(row[0], row[3]) for row in ROWS])
def test_a_row_names_a_test_that_there_is_or_says_why_there_can_be_none(
    trap: str, told: str
) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", told)

    assert named or told.strip().startswith("None: "), trap
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests/harness" / file).read_text(), test
