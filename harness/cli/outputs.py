"""Where a verdict goes beside the terminal and the run folder: files by option, lines by option.

Nothing is written because of where we run. A variable that a CI sets reaches every process that
it starts, a test's own runs of the harness too, and each would then annotate the same change.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from harness.errors import EvidenceError, UsageError
from harness.record import Record

FORMATS = {
    "junit": "Write JUnit XML there, too.",
    "sarif": "Write SARIF there, too.",
    "markdown": "Write a summary there, too; GitHub's own is added to.",
    "badge": "Write an SVG badge there, too.",
}
"""The reports that an option of that name writes, and what its help says."""

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_KEY = "harness.cli.outputs"


def options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options. Their values are the context's, and not the verb's arguments."""
    lines = click.option(
        "--annotations", is_flag=True, expose_value=False, callback=_keep,
        help="Print GitHub's annotations, too.",
    )  # fmt: skip
    verb = lines(verb)
    for name, told in reversed(FORMATS.items()):
        option = click.option(
            f"--{name}", metavar="FILE", expose_value=False, callback=_keep, help=told
        )
        verb = option(verb)
    return verb


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    context.meta.setdefault(_KEY, {})[parameter.name] = value


def _asked() -> Mapping[str, Any]:
    context = click.get_current_context(silent=True)
    return context.meta.get(_KEY, {}) if context else {}


def files() -> dict[str, str]:
    """Return the files that were asked for, by format."""
    return {name: file for name in FORMATS if (file := _asked().get(name)) is not None}


def refuse(json_file: str | None = None) -> None:
    """Raise UsageError for a file that could not be written, before there is anything to write."""
    known: dict[Path, str] = {}
    for option, name in {"json": json_file, **files()}.items():
        if name is None:
            continue
        path = Path(name)
        place = path if path.exists() else path.parent
        if not name or path.is_dir() or not os.access(place, os.W_OK):
            raise UsageError(
                "evidence/not-writable",
                f"--{option}: {name!r} cannot be written",
                next_step=f"name a file in a folder that exists: --{option} FILE",
            )
        if (other := known.setdefault(path.absolute(), option)) != option:
            raise UsageError(
                "evidence/not-writable",
                f"--{other} and --{option} are both to be written to {name!r}",
                next_step="give each a file of its own",
            )


def annotated(record: Record) -> str:
    """Return the lines to print for GitHub; empty where nobody asked for them."""
    return str(_module("github").render(record)) if _asked().get("annotations") else ""


def write(record: Record, json_file: str | None = None) -> None:
    """Write the files. Raises EvidenceError where one is not written.

    All others are written all the same: one that is not keeps no report from another.
    """
    errors: dict[str, OSError] = {}
    for option, name in {"json": json_file, **files()}.items():
        if name is None:
            continue
        text = record.to_json().decode() if option == "json" else _module(option).render(record)
        try:
            _put(Path(name), text)
        except OSError as error:
            errors[name] = error
    if errors:
        told = "; ".join(f"{name}: {error.strerror}" for name, error in errors.items())
        raise EvidenceError(
            "evidence/not-written",
            f"the verdict is {record.outcome}, and this could not be written: {told}",
            next_step="free some space, then: harness report",
        )


def _put(path: Path, text: str) -> None:
    added_to = str(path) == os.environ.get(SUMMARY_VARIABLE)  # by every command of the step
    with path.open("a" if added_to else "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _module(name: str) -> ModuleType:
    """Import a report's module when it is asked for: most are not."""
    return importlib.import_module(f"harness.render.{name}")
