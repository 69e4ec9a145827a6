"""``harness report``: judge a run folder again."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import VERBS, outputs
from harness.cli.request import json_option, reports_option, show
from harness.evidence import RunFolder
from harness.run import judge, newest


@click.command(help=f"{VERBS['report']} FOLDER; without it, the newest run.")
@click.argument("folder", required=False)
@reports_option
@json_option
def verb(folder: str | None, reports: str, json_file: str | None) -> int:
    """Judge a run again."""
    outputs.refuse(json_file)
    found = RunFolder(Path(folder)) if folder else newest(Path(reports))
    return show(found, judge(found), json_file, publishing=True)
