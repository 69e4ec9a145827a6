from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.matrix import expanded, read
from tests.harness.project import clean

INI = """\
[tox]
env_list =
    lint
    py3{11,12}-{unit,load}
[testenv]
commands =
    unit: pytest
    load: harness load
    py312-load,other: harness gates
    !lint: echo {posargs}
pass_env = CI
[testenv:lint]
commands = {[common]lint}
[testenv:more-{a,b}]
base = testenv:lint
pass_env =
    {[testenv]pass_env}
    HARNESS_RUN
[common]
lint =
    ruff check
    mypy
"""
TOML = """\
env_list = ["lint", "py3.12"]
[env_run_base]
commands = [["harness", "load", "a b"]]
pass_env = ["CI"]
[env.lint]
commands = [
  ["ruff", "check"],
]
ignore_outcome = true
"""


def commands(root: Path, name: str) -> list[str]:
    found = read(root)
    assert found is not None
    return [line.text for line in found.value(name, "commands")]


def test_an_ini_is_read_as_tox_reads_it(tmp_path: Path) -> None:
    (tmp_path / "tox.ini").write_text(INI)
    found = read(tmp_path)

    assert found is not None
    assert found.listed == ("lint", "py311-unit", "py311-load", "py312-unit", "py312-load")
    assert found.names[-2:] == ["more-a", "more-b"]
    assert commands(tmp_path, "lint") == ["ruff check", "mypy"]
    assert commands(tmp_path, "py311-unit") == ["pytest", "echo {posargs}"]
    assert commands(tmp_path, "py312-load") == [
        "harness load", "harness gates", "echo {posargs}"
    ]  # fmt: skip
    assert commands(tmp_path, "more-a") == ["ruff check", "mypy"]
    assert [one.text for one in found.value("more-b", "pass_env")] == ["CI", "HARNESS_RUN"]
    assert found.place("py311-load", "commands") == "tox.ini:6"
    assert found.own_place("lint") == "tox.ini:12"
    assert found.own_place("py311-load") == "tox.ini:2"


def test_toml_is_read_and_its_colons_are_no_conditions(tmp_path: Path) -> None:
    (tmp_path / "tox.toml").write_text(TOML.replace("harness", "lint: harness"))
    found = read(tmp_path)

    assert found is not None
    assert found.listed == ("lint", "py3.12")
    assert commands(tmp_path, "py3.12") == ["'lint: harness' load 'a b'"]
    assert found.place("lint", "ignore_outcome") == "tox.toml:9"
    assert found.own_place("py3.12") == "tox.toml:1"


def test_pyproject_has_either_kind(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\nname = 'a'\n")
    assert read(tmp_path) is None

    path.write_text(f"[project]\nname = 'a'\n[tool.tox]\nlegacy_tox_ini = '''\n{INI}'''\n")
    found = read(tmp_path)
    assert found is not None
    assert found.place("py311-load", "commands") == "pyproject.toml:10"

    path.write_text(
        "[tool.tox]\nenv_list = ['a', { product = [['b'], ['c']] }]\n"
        "[tool.tox.env.a]\ncommands = [{ replace = 'ref', of = ['x'] }]\n"
    )
    found = read(tmp_path)
    assert found is not None
    assert found.listed == ("a",)
    assert len(commands(tmp_path, "a")) == 1


def test_the_first_file_that_tox_would_take_is_read(tmp_path: Path) -> None:
    (tmp_path / "tox.toml").write_text(TOML)
    (tmp_path / "tox.ini").write_text("[other]\na = 1\n")
    found = read(tmp_path)
    assert found is not None
    assert found.file == "tox.toml"

    (tmp_path / "tox.ini").write_text(INI)
    found = read(tmp_path)
    assert found is not None
    assert found.file == "tox.ini"


@pytest.mark.parametrize("content", [b"env_list = [", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tox.toml").write_bytes(content)

    with pytest.raises(HarnessError) as caught:
        read(tmp_path)

    assert (caught.value.slug, caught.value.where) == ("tox/unreadable", "tox.toml")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("py{310-312}-a", ["py310-a", "py311-a", "py312-a"]),
        ("{py311,py312}{,-cov}", ["py311", "py311-cov", "py312", "py312-cov"]),
        ("a , b,\tc", ["a", "b", "c"]),
        ("py-django-4-2", ["py-django-4-2"]),
        ("{", []),
        ("", []),
    ],
)
def test_braces_are_expanded(text: str, names: list[str]) -> None:
    assert expanded(text) == names


def test_a_section_that_is_its_own_base_or_refers_to_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "tox.ini").write_text(
        "[tox]\nenv_list = a\n[testenv:a]\nbase = testenv:a\ncommands = {[testenv:a]commands}\n"
    )

    assert commands(tmp_path, "a") == ["{[testenv:a]commands}"]


def test_tox_itself_reads_the_same(tmp_path: Path) -> None:
    names = ("lint", "py311-unit", "py312-load", "more-a")
    (tmp_path / "tox.ini").write_text(INI.replace("{posargs}", "end"))
    done = subprocess.run(
        [sys.executable, "-m", "tox", "config", "--format", "json", "-k", "commands", "-e",
         ",".join(names)],
        cwd=tmp_path, env=clean(), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    told = json.loads(done.stdout)["env"]

    for name in names:
        ours = [line.split() for line in commands(tmp_path, name)]
        theirs = told[name]["commands"]
        assert [one.split() if isinstance(one, str) else one for one in theirs] == ours
