"""SARIF as its standard has it.

No package carries the official schema, and nothing fetched is committed. So `SCHEMA` is the part
of it that we use, written by the standard's text: what is required, the types, the closed lists
of words, and no property that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import msgspec
import pytest

from harness.record import Record
from harness.render import sarif
from harness.verdict import Finding, Outcome, Waived


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": required.split(),
        "additionalProperties": False,
    }  # fmt: skip


def _list(of: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least}


TEXT = {"type": "string"}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
MESSAGE = _object("text", text=TEXT, markdown=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATION = _object(
    physicalLocation=_object(
        "artifactLocation",
        artifactLocation=_object("uri", uri=TEXT, uriBaseId=TEXT),
        region=_object("startLine", startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations=_list(_object(fullyQualifiedName=TEXT)),
)
NOTIFICATION = _object(
    "message", message=MESSAGE, level=LEVEL, associatedRule=_object("id", id=TEXT),
    locations=_list(LOCATION),
)  # fmt: skip
INVOCATION = _object(
    "executionSuccessful", executionSuccessful={"type": "boolean"}, exitCode={"type": "integer"},
    exitCodeDescription=TEXT, startTimeUtc=MOMENT, endTimeUtc=MOMENT,
    toolExecutionNotifications=_list(NOTIFICATION),
)  # fmt: skip
RESULT = _object(
    "message ruleId", ruleId=TEXT, ruleIndex={"type": "integer", "minimum": 0}, message=MESSAGE,
    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
    level=LEVEL, locations=_list(LOCATION, 1),
    partialFingerprints={"type": "object", "additionalProperties": TEXT, "minProperties": 1},
    suppressions=_list(
        _object("kind", kind={"enum": ["inSource", "external"]},
                status={"enum": ["accepted", "underReview", "rejected"]}, justification=TEXT)
    ),
)  # fmt: skip
RULE = _object("id", id=TEXT, shortDescription=MESSAGE, help=MESSAGE)
RUN = _object(
    "tool results",
    tool=_object("driver", driver=_object("name", name=TEXT, version=TEXT, rules=_list(RULE))),
    invocations=_list(INVOCATION), automationDetails=_object(id=TEXT), results=_list(RESULT),
    originalUriBaseIds={"type": "object"}, properties={"type": "object"},
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
)  # fmt: skip
SCHEMA = _object(
    "version runs", **{"$schema": TEXT}, version={"const": "2.1.0"}, runs=_list(RUN)
)  # fmt: skip


def run_of(record: Record) -> dict[str, Any]:
    log = json.loads(sarif.render(record))
    jsonschema.validate(log, SCHEMA)
    (run,) = log["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == len(set(ids))
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert (result["kind"] == "fail") == (result["level"] != "none")
    return dict(run)


def only(record: Record, *findings: Finding, **changes: Any) -> Record:
    return msgspec.structs.replace(record, findings=list(findings), **changes)


def failed(where: str, message: str = "it failed", slug: str = "functional/failed") -> Finding:
    return Finding(slug=slug, outcome=Outcome.FAIL, where=where, message=message)


def test_it_is_valid_with_a_rule_for_each_slug(representative: Record) -> None:
    run = run_of(representative)

    assert [(one["kind"], one["ruleId"]) for one in run["results"]] == [
        ("fail", "functional/failed"),
        ("fail", "load/objective-missed"),
        ("fail", "gates/limit-broken"),
        ("open", "gates/limit-undecided"),
        ("open", "complexity/syntax"),
    ]
    rule = run["tool"]["driver"]["rules"][0]
    assert rule["shortDescription"]["text"] == "A test failed"
    assert rule["help"]["text"].endswith("\n\nharness doctor functional/failed")


def test_an_empty_record_is_valid_and_no_successful_execution(empty: Record) -> None:
    run = run_of(empty)

    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["toolExecutionNotifications"] == [
        {"level": "error", "message": {"text": "nothing was asked for"}}
    ]


def test_whatever_a_name_holds_it_is_valid(
    hostile: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    run_of(with_text_everywhere(hostile))


@pytest.mark.parametrize(
    ("where", "location"),
    [
        ("shop/a b.py:3", ({"uri": "shop/a%20b.py", "uriBaseId": "SRCROOT"}, 3, None)),
        ("/elsewhere/app.py:3", ({"uri": "file:///elsewhere/app.py"}, 3, None)),
        ("shop/app.py", ({"uri": "shop/app.py", "uriBaseId": "SRCROOT"}, 1, None)),
        ("coverage", ({"uri": "harness.toml", "uriBaseId": "SRCROOT"}, None, "coverage")),
        ("", ({"uri": "harness.toml", "uriBaseId": "SRCROOT"}, None, "the run")),
    ],
)
def test_a_result_has_a_file_that_code_scanning_can_show(
    representative: Record, where: str, location: tuple[dict[str, str], int | None, str | None]
) -> None:
    (result,) = run_of(only(representative, failed(where)))["results"]
    (found,) = result["locations"]
    physical = found["physicalLocation"]
    logical = found.get("logicalLocations", [{}])[0].get("fullyQualifiedName")

    line = physical.get("region", {}).get("startLine")
    assert (physical["artifactLocation"], line, logical) == location


def test_fingerprints_outlive_a_change_of_line_and_tell_the_alike_apart(
    representative: Record,
) -> None:
    def prints(*findings: Finding) -> list[str]:
        results = run_of(only(representative, *findings))["results"]
        return [one["partialFingerprints"]["harnessFinding/v1"] for one in results]

    first, second = prints(failed("a.py:3", "took 12 ms"), failed("a.py:9", "took 12 ms"))
    assert first != second
    assert prints(failed("a.py:4", "took 15 ms"), failed("a.py:10", "took 9 ms")) == [first, second]
    assert prints(failed("b.py:3", "took 12 ms")) != [first]


def test_a_waived_finding_is_suppressed_with_its_reason(representative: Record) -> None:
    waived = msgspec.structs.replace(representative, not_checked=[], gates=[])
    finding = Finding(
        slug="security/B311", outcome=Outcome.FAIL, where="a.py:1", message="random",
        waiver=Waived("jitter", "2027-03-31"),
    )  # fmt: skip
    run = run_of(only(waived, finding, outcome=Outcome.PASS))

    (result,) = run["results"]
    assert result["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "jitter (until 2027-03-31)"}
    ]
    assert "Bandit" in run["tool"]["driver"]["rules"][0]["help"]["text"]
    assert run["invocations"][0] == {
        "executionSuccessful": True, "exitCode": 0, "exitCodeDescription": "PASS",
        "startTimeUtc": "2026-11-20T09:33:09.120Z", "endTimeUtc": "2026-11-20T09:35:23.320Z",
    }  # fmt: skip


def test_a_limit_that_was_broken_though_a_file_was_not_checked_is_no_whole_execution(
    representative: Record,
) -> None:
    broken = only(representative, failed("a.py:1"))

    assert run_of(broken)["invocations"][0]["executionSuccessful"] is False
    whole = msgspec.structs.replace(broken, gates=representative.gates[1:])
    assert run_of(whole)["invocations"][0]["executionSuccessful"] is True


def test_ten_thousand_findings_are_cut_to_what_github_shows_the_worst_first(
    representative: Record,
) -> None:
    unsure = Finding(slug="a/b", outcome=Outcome.UNKNOWN, where="x.py:1", message="unsure")
    many = [unsure, *(failed(f"a{n}.py:1", "m\n" * 99) for n in range(9_999))]
    run = run_of(only(representative, *many))

    assert len(run["results"]) == sarif.MOST_RESULTS
    assert {one["kind"] for one in run["results"]} == {"fail"}
    told = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert told[0] == "unsure"
    assert told[-1] == "and 5,000 more findings that have no result"
    assert len(sarif.render(only(representative, *many))) < 10_000_000
