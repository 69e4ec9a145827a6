"""Exceptions are found in what was logged, with the project's own line."""

from __future__ import annotations

import traceback
from pathlib import Path

from harness.targets.raised import raised_in

HERE = Path(__file__).parent


def _printed(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _raised() -> ValueError:
    try:
        raise ValueError("no stock")  # here
    except ValueError as error:
        return error


def _line() -> str:
    lines = Path(__file__).read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.endswith("# here"))
    return f"test_raised.py:{number} raised ValueError: no stock"


def test_an_exception_is_found_once() -> None:
    assert raised_in(_printed(_raised()) * 2, HERE) == [_line()]


def test_an_exception_within_groups_is_found() -> None:
    group = ExceptionGroup("tasks", [ExceptionGroup("more tasks", [_raised()])])

    assert raised_in(f"ERROR in app\n{_printed(group)}after it\n", HERE) == [_line()]
