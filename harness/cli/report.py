"""``harness report``: judge a run folder again."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import VERBS
from harness.cli.request import json_option, refuse_unwritable, reports_option, show
from harness.evidence import RunFolder
from harness.run import judge, newest


@click.command(help=f"{VERBS['report']} FOLDER; without it, the newest run.")
@click.argument("folder", required=False)
@reports_option
@json_option
def verb(folder: str | None, reports: str, json_file: str | None) -> int:
    """Judge a run again."""
    refuse_unwritable(json_file)
    found = RunFolder(Path(folder)) if folder else newest(Path(reports))
    return show(found, judge(found), json_file, publishing=True)
