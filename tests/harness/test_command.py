from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.command import call, calls, lost, steps


def judges(words: Sequence[str]) -> bool:
    return call(words) is not None


@pytest.mark.parametrize(
    ("script", "verbs"),
    [
        ("harness test --target inproc {posargs}", ["test"]),
        ("python -m harness --debug load mix", ["load"]),
        ("uv run --locked harness gates src && harness report", ["gates", "report"]),
        ("coverage run -m harness run", ["run"]),
        (".venv/bin/harness report", ["report"]),
        ("bash -ec 'harness test; harness load'", ["test", "load"]),
        ("CI=1 harness run", ["run"]),
        ("harness doctor", []),
        ("pip install harness", []),
        ("echo 'harness' report", ["report"]),
        ("# harness run", []),
        ("tox -e $(harness run)", []),
        ("echo 'unclosed", []),
        ("", []),
    ],
)
def test_calls_of_the_harness_are_found_through_what_starts_them(
    script: str, verbs: list[str]
) -> None:
    assert [one.verb for one in calls(script)] == verbs


def test_options_and_plain_arguments_of_a_call_are_told_apart() -> None:
    (one,) = calls("harness load mix --target http://a --target=http://b -w 2 users")

    assert one.values("--target") == ["http://a", "http://b"]
    assert one.plain == ["mix", "users"]


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("harness run | tee log", "'| tee log' has the exit code of what stands last"),
        ("harness run |& tee log", "'| tee log' has the exit code of what stands last"),
        ("harness run || true", "'|| true' makes every outcome a success"),
        ("harness run || exit 0", "'|| exit 0' makes every outcome a success"),
        ("harness run || echo no", "'|| echo no' makes every outcome a success"),
        ("harness run; ls", "'ls' after it has the last word"),
        ("harness run\nls", "'ls' after it has the last word"),
        ("harness run &", "'&' leaves it in the background"),
        ("set -e\nset +e\nharness run\nls", "'ls' after it has the last word"),
        ("bash -c 'harness run | tee log'", "'| tee log' has the exit code of what stands last"),
    ],
)
def test_an_outcome_that_is_lost_is_said_how(script: str, how: str) -> None:
    assert lost(script, judges) == how


@pytest.mark.parametrize(
    "script",
    [
        "harness run",
        "harness run && ls",
        "harness run || exit 1",
        "harness run || (cat log; exit 1)",
        "ls | wc; harness run",
        "ls; harness run",
        "set -e\nharness run\nls",
        "set -euo pipefail\nharness run | tee log",
        "bash -eo pipefail -c 'harness run | tee log; ls'",
        "pytest || true",
        "harness run --json $(pwd | tr a b)",
        "don't | harness run",
    ],
)
def test_an_outcome_that_counts_is_not_said_to_be_lost(script: str) -> None:
    assert lost(script, judges) == ""


@pytest.mark.parametrize(("stops", "pipefail"), [(True, False), (True, True)])
def test_a_shell_s_own_options_count(stops: bool, pipefail: bool) -> None:
    assert lost("harness run\nls", judges, stops=stops, pipefail=pipefail) == ""
    assert (lost("harness run | cat", judges, stops=stops, pipefail=pipefail) == "") is pipefail


@given(st.text("harnes run|&;'\"$()`#\n\\-c", max_size=80))
def test_whatever_a_script_holds_it_is_read(script: str) -> None:
    assert all(one.words for one in steps(script))
