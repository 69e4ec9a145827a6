"""``harness doctor``: what would keep a run from its evidence, and what to type next."""

from __future__ import annotations

from pathlib import Path

import click

from harness import secret
from harness.checkup import Check, Mark, of_plan, orchestrated, surroundings
from harness.cli import VERBS
from harness.cli.request import PLAN, plan_option, profile_option, read_plan, reports_option
from harness.errors import UsageError, nearest
from harness.messages import section_of, sections

BEGIN = f"""\
there is no {PLAN} here. One that tests an application in both ways:

  [services.app]
  app = "module:attribute"            # or "module:factory()"

  [tests]
  paths = ["tests"]
  targets = ["inproc", "served"]
"""


@click.command(help=VERBS["doctor"])
@click.argument("slug", required=False)
@plan_option
@profile_option
@reports_option
def verb(slug: str | None, plan_file: str | None, profile: str | None, reports: str) -> int:
    """Check, or explain."""
    if slug is not None:
        click.echo(_explained(slug))
        return 0
    code = _show(*surroundings(Path.cwd(), Path(reports)))
    plan, path = read_plan(plan_file, profile)
    code = max(code, _show(*orchestrated(Path.cwd(), plan)))
    if path is None:
        click.echo(f"\n{BEGIN}\nnext: harness test PATH --app module:attr")
        return UsageError.exit_code
    _show(Check(Mark.OK, f"{path}: {', '.join(plan.parts) or 'services only'}"))
    for check in of_plan(plan, Path.cwd()):
        code = max(code, _show(check))
    chosen = [
        f" --plan {plan_file}" if plan_file else "",
        f" --profile {profile}" if profile else "",
    ]
    verb = ("run" if plan.parts else "up") if code == 0 else "doctor"
    told = "" if code == 0 else "solve the problems above, then: "
    click.echo(f"\nnext: {told}harness {verb}{''.join(chosen)}")
    return code


def _show(*checks: Check) -> int:
    """Print checks, without secrets, and return the worst of their exit codes."""
    for check in checks:
        told = check.told + (f"\n  next: {check.next_step}" if check.next_step else "")
        indented = secret.redacted(told).replace("\n", "\n" + " " * 9)
        click.echo(f"{check.mark:7}  {indented}")
    return max((check.exit_code for check in checks), default=0)


def _explained(slug: str) -> str:
    """Return what the page of messages says of a slug. Raises UsageError."""
    told = sections()
    heading = section_of(slug)
    if heading not in told:
        family = slug.partition("/")[0]
        known = [name for name in told if name.startswith(f"{family}/")]
        raise UsageError(
            "usage", f"no message has the slug {slug!r}", next_step=nearest(slug, known or told)
        )
    return f"{slug}\n\n{told[heading]}"
