"""``harness report``: judge a run folder again."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import VERBS, outputs
from harness.cli.request import json_option, reports_option, show
from harness.errors import UsageError
from harness.evidence import RunFolder
from harness.export import interval_log
from harness.run import judge, newest


@click.command(help=f"{VERBS['report']} FOLDER; without it, the newest run.")
@click.argument("folder", required=False)
@reports_option
@json_option
@click.option("--hdr", metavar="FILE", help="Write loads' times as an HdrHistogram interval log.")
def verb(folder: str | None, reports: str, json_file: str | None, hdr: str | None) -> int:
    """Judge a run again."""
    outputs.refuse(json_file)
    found = RunFolder(Path(folder)) if folder else newest(Path(reports))
    if hdr is not None:
        _export(found, hdr)
    return show(found, judge(found), json_file, publishing=True)


def _export(folder: RunFolder, file: str) -> None:
    log = interval_log(folder.facts())
    try:
        Path(file).write_text(log, "utf-8")
    except OSError as error:
        raise UsageError(
            "evidence/not-writable",
            f"cannot write the interval log to {file!r}: {error.strerror}",
            next_step="name a file in a folder that exists: --hdr load.hlog",
        ) from None
