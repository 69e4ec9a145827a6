"""SARIF 2.1.0, for code scanning and for editors: a result for each finding that is not PASS.

FAIL is a result that fails, at level error; UNKNOWN is one that is ``open``, as the standard
calls what could not be decided. `executionSuccessful` is true only where nothing was UNKNOWN, so
that no results can be taken for a clean run that was none; notifications say what was missed.

Section numbers are those of the OASIS standard "SARIF Version 2.1.0".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from harness.messages import section_of, sections
from harness.record import Record
from harness.render import entry, outline
from harness.render.outline import Capped, Gap, plural
from harness.render.plain import line, visible
from harness.verdict import Finding, Outcome

FILE_NAME = "report.sarif"

MOST_RESULTS = 5_000
"""GitHub shows so many of a run, and takes no file with more than 25,000."""
MOST_NOTIFICATIONS = 500
_IN_FULL, _LINES, _FEWER_LINES = 100, 40, 5
_ROOT = "SRCROOT"


def render(record: Record) -> str:
    """Write `record` as one SARIF log of one run. What is waived is there, and suppressed."""
    findings = Capped.of([*entry.worst_first(record), *entry.waived(record)], MOST_RESULTS)
    slugs = dict.fromkeys(_identifier(finding) for finding in findings.shown)
    rules = {slug: index for index, slug in enumerate(slugs)}
    prints = entry.Fingerprints()
    results = [
        _result(
            finding,
            rules[_identifier(finding)],
            record.plan_source,
            prints.of(finding),
            _LINES if number < _IN_FULL else _FEWER_LINES,
        )
        for number, finding in enumerate(findings.shown)
    ]
    log = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
        "sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(record, rules)},
                "invocations": [_invocation(record, findings.left_out)],
                "automationDetails": _details(record),
                "originalUriBaseIds": {
                    _ROOT: {"description": {"text": "The folder that the harness ran in."}}
                },
                "columnKind": "unicodeCodePoints",
                "results": results,
                "properties": {
                    "outcome": record.outcome.value,
                    "headline": line(record.headline, 400),
                    "commit": outline.commit(record),
                },
            }
        ],
    }
    return json.dumps(log, indent=1) + "\n"


def is_complete(record: Record) -> bool:
    """Tell whether everything was checked that the verdict rests on (§3.20.14)."""
    unsure = outline.of_outcome(record, Outcome.UNKNOWN)
    missed = any(gate.not_checked for gate in record.gates)
    return record.outcome is not Outcome.UNKNOWN and not unsure and not missed


def _identifier(finding: Finding) -> str:
    return line(finding.slug) or "unnamed"


def _driver(record: Record, rules: Iterable[str]) -> dict[str, Any]:
    told = sections()
    version = line(record.environment.packages.get("quart-harness", ""))
    return {
        "name": "quart-harness",
        **({"version": version} if version else {}),
        "rules": [_rule(slug, told.get(section_of(slug), "")) for slug in rules],
    }


_OUTCOMES = re.compile(r"\A(?:PASS|FAIL|UNKNOWN|Not understood)\b[^.:]*[.:]\s+")


def _rule(slug: str, about: str) -> dict[str, Any]:
    text = about or "The page of messages does not explain this slug."
    first = _OUTCOMES.sub("", text).partition(". ")[0]
    return {
        "id": slug,
        "shortDescription": {"text": line(first, 200) or slug},
        "help": {
            "text": f"{text}\n\nharness doctor {slug}",
            "markdown": f"{text}\n\n`harness doctor {slug}`",
        },
    }


def _invocation(record: Record, left_out: int) -> dict[str, Any]:
    began = _moment(record.started_at)
    told: dict[str, Any] = {
        "executionSuccessful": is_complete(record),
        "exitCode": record.outcome.exit_code,
        "exitCodeDescription": record.outcome.value,
    }
    if began is not None:
        told["startTimeUtc"] = _written(began)
        told["endTimeUtc"] = _written(began + timedelta(seconds=max(0.0, record.duration_s)))
    notifications = _notifications(record, left_out)
    return told | ({"toolExecutionNotifications": notifications} if notifications else {})


def _notifications(record: Record, left_out: int) -> list[dict[str, Any]]:
    """Tell of what was UNKNOWN (§3.58.6: error), and of what was not checked (warning)."""
    unsure = Capped.of(outline.of_outcome(record, Outcome.UNKNOWN), MOST_NOTIFICATIONS)
    gaps = Capped.of(outline.gaps(record), MOST_NOTIFICATIONS)
    told = [_unsure(finding, record.plan_source) for finding in unsure.shown]
    if record.outcome is Outcome.UNKNOWN and not unsure.total:
        told.append(_notification("error", line(record.headline, 400) or "UNKNOWN"))
    told += [_notification("warning", _gap(gap)) for gap in gaps.shown]
    more = (
        (unsure.left_out, "more finding that is UNKNOWN", "more findings that are UNKNOWN"),
        (gaps.left_out, "more reason for which something was not checked", ""),
        (left_out, "more finding that has no result here", "more findings that have no result"),
    )
    told += [
        _notification("warning", f"and {plural(number, one, several)}")
        for number, one, several in more
        if number
    ]
    return told


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}


def _unsure(finding: Finding, plan: str) -> dict[str, Any]:
    slug = _identifier(finding)
    told = _notification("error", _text(finding))
    return told | {"associatedRule": {"id": slug}, "locations": _locations(finding, plan)}


def _gap(gap: Gap) -> str:
    names = Capped.of(gap.what, 5)
    more = f" and {names.left_out:,} more" if names.left_out else ""
    step = f"; next: {line(gap.next_step)}" if gap.next_step else ""
    what = ", ".join(line(name, 200) for name in names.shown)
    return f"not checked: {what}{more}: {line(gap.why, 400)}{step}"


def _result(finding: Finding, rule: int, plan: str, fingerprint: str, lines: int) -> dict[str, Any]:
    failed = finding.outcome is Outcome.FAIL
    told: dict[str, Any] = {
        "ruleId": _identifier(finding),
        "ruleIndex": rule,
        "kind": "fail" if failed else "open",  # §3.27.9
        "level": "error" if failed else "none",
        "message": {"text": _text(finding, lines)},
        "locations": _locations(finding, plan),
        "partialFingerprints": {"harnessFinding/v1": fingerprint},
    }
    if finding.waiver is not None:
        reason = f"{line(finding.waiver.reason, 400)} ({entry.through(finding.waiver)})"
        told["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return told


def _text(finding: Finding, lines: int = _FEWER_LINES) -> str:
    return "\n".join(entry.said(finding, lines))


def _locations(finding: Finding, plan: str) -> list[dict[str, Any]]:
    """Name a file, for code scanning takes no result without: that of the finding, or the plan.

    Where a finding is of no file, such as a part of the run, its name is a logical location.
    """
    found = entry.place(finding.where)
    file = found.path if found else plan
    location: dict[str, Any] = {}
    if file:
        physical: dict[str, Any] = {"artifactLocation": _artifact(file)}
        if found:
            physical["region"] = {"startLine": found.line or 1}
        location["physicalLocation"] = physical
    if not found:
        name = line(finding.where, 400) or "the run"
        location["logicalLocations"] = [{"fullyQualifiedName": name}]
    return [location]


def _artifact(path: str) -> dict[str, str]:
    if path.startswith("/"):
        return {"uri": f"file://{quote(visible(path))}"}
    return {"uri": quote(visible(path)), "uriBaseId": _ROOT}


def _details(record: Record) -> dict[str, Any]:
    """Say that later runs are of the same kind: what stands before the last slash (§3.17.3)."""
    return {"id": f"harness/{quote(visible(record.run_id), safe='')}"}


def _moment(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
