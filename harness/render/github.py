"""Lines by which a step in GitHub Actions marks the places at fault: ``::error file=…::…``.

GitHub shows ten errors of a step and hides the others without a word. So there are ten at most:
the verdict, the worst findings, and how many more there are.
"""

from __future__ import annotations

from harness.record import Record
from harness.render import entry
from harness.render.outline import Capped, plural
from harness.render.plain import line
from harness.verdict import Finding, Outcome

FILE_NAME = "annotations.txt"

MOST_ERRORS = 10
_LINES, _WIDTH = 8, 300


def render(record: Record) -> str:
    """Write the lines: an error for whatever is not PASS, a notice for what is only told."""
    findings = entry.worst_first(record)
    shown = findings if len(findings) < MOST_ERRORS else findings[: MOST_ERRORS - 2]
    left_out = len(findings) - len(shown)
    lines = [_verdict(record), *map(_finding, shown)]
    if left_out:
        told = f"and {plural(left_out, 'more finding')} that {_are(left_out)} not PASS"
        lines.append(command("error", {"title": "harness"}, f"{told}; see the report"))
    if waived := entry.waived(record):
        lines.append(_waived(waived))
    return "\n".join(lines) + "\n"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _verdict(record: Record) -> str:
    level = "notice" if record.outcome is Outcome.PASS else "error"
    run = f"run {record.run_id or 'without a name'}"
    told = line(record.headline, _WIDTH) or run
    return command(level, {"title": f"harness: {record.outcome}"}, f"{told} ({line(run)})")


def _finding(finding: Finding) -> str:
    found = entry.place(finding.where)
    where = {}
    if found:
        where = {"file": line(found.path, 1_000)} | (
            {"line": str(found.line)} if found.line else {}
        )
    where["title"] = f"{finding.outcome}: {line(finding.slug)}"
    told = "\n".join(entry.said(finding, _LINES, _WIDTH))
    return command("error", where, told if found else f"{_where(finding)}: {told}")


def _where(finding: Finding) -> str:
    return line(finding.where) or "the run"


def _waived(findings: list[Finding]) -> str:
    first = Capped.of(findings, 5)
    told = [f"{_where(one)} ({line(one.slug)}): {entry.title(one)}" for one in first.shown]
    told += [f"and {first.left_out:,} more"] if first.left_out else []
    heading = f"harness: {plural(len(findings), 'finding')} waived"
    return command("notice", {"title": heading}, "\n".join(told))


def command(name: str, properties: dict[str, str], message: str) -> str:
    r"""Write one workflow command, escaped as GitHub's runner undoes it.

    >>> command("error", {"file": "a,b.py", "line": "3"}, "100 %\nlost")
    '::error file=a%2Cb.py,line=3::100 %25%0Alost'
    """
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {told}::{_data(message)}" if told else f"::{name}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
