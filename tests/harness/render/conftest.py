"""Records to draw: a representative one, an empty one, and one in which all text is hostile."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.evidence import Environment
from harness.facts import Exchanged
from harness.inspection import NotChecked
from harness.record import (
    Code,
    Example,
    FunctionalRow,
    GateRow,
    Hotspot,
    InspectionRow,
    Latency,
    LoadRow,
    LoadRun,
    MaintainabilityRow,
    Omission,
    Record,
    Second,
    SuppressionRow,
)
from harness.snapshot import HistogramFact
from harness.verdict import Finding, Outcome

NO_HISTOGRAM = HistogramFact(0, 0, 0, 0, 0, [])


def latency(count: int, scale: float = 1.0) -> Latency:
    values = {"p50": (2, 12.34), "p90": (10, 31.2), "p95": (20, 48.61), "p99": (100, 92.4),
              "p99_9": (1000, 180.0)}  # fmt: skip
    shown = {name: v * scale if count >= need else None for name, (need, v) in values.items()}
    return Latency(count=count, mean=15.1 * scale if count else None,
                   max=1250.4 * scale if count else None, **shown)  # fmt: skip


def series(seconds: int) -> list[Second]:
    return [
        Second(
            t_s=float(t),
            sent=40,
            failed=2 if t in (7, 8) else 0,
            p50_ms=12 + 3 * math.sin(t / 2),
            p99_ms=None if t == 3 else 60 + 35 * math.cos(t / 3),
        )
        for t in range(1, seconds + 1)
    ]


def load_row(**changes: Any) -> LoadRow:
    whole: dict[str, Any] = {
        "load": "mix", "scenario": "write", "step": None, "sent": 300, "ok": 296, "failed": 4,
        "failures": {"assertion": 4}, "statuses": {}, "bytes_in": 120_000, "asked_rate": 20.0,
        "achieved_rate": 19.996, "valid": True, "invalid_because": "",
        "response_ms": latency(296), "service_ms": latency(296, 0.9), "lag_ms": latency(296, 0.01),
        "series": [], "histogram": NO_HISTOGRAM,
    }  # fmt: skip
    return LoadRow(**{**whole, **changes})


def example(**changes: Any) -> Example:
    exchange = Exchanged(
        curl="curl -i --data-raw 'a=1' http://127.0.0.1:41001/api/users", wanted=(), status=500,
        headers=("content-type: text/plain",), body="database is locked", due_s=3.2,
        response_ms=812.0, service_ms=801.5,
    )  # fmt: skip
    whole: dict[str, Any] = {
        "failure": "assertion", "message": "assert response.status == 201", "process": 1,
        "where": "scenarios/mix.py:12", "exchange": exchange,
    }  # fmt: skip
    return Example(**{**whole, **changes})


def load_run(**changes: Any) -> LoadRun:
    whole: dict[str, Any] = {
        "load": "mix", "scenarios": "scenarios/mix.py", "target": "http://127.0.0.1:41001",
        "pace": "20/s for 15s", "duration_s": 15.0, "processes": 2, "queueing_visible": True,
        "visits_due": 300, "visits_started": 300, "generator_cpu": 0.34,
        "loop_lag_ms": latency(1500, 0.02), "series": series(15),
    }  # fmt: skip
    return LoadRun(**{**whole, **changes})


def environment() -> Environment:
    return Environment(
        python="3.11.9",
        platform="Linux-6.1.0-x86_64-with-glibc2.36",
        cpu_count=4,
        packages={"quart-harness": "0.1.0", "quart": "0.20.0", "hypercorn": "0.17.3",
                  "molotov": "2.6", "radon": "6.0.1", "bandit": "1.8.6"},
        commit="3ef2289c0ffee0000000000000000000000000ab",
        dirty=True,
        tree="9a41c1f0e2b35577",
    )  # fmt: skip


@pytest.fixture
def representative() -> Record:
    """A run as a developer has it: two failed tests, a missed objective, a gate unsure."""
    return Record(
        run_id="20261120T093309Z-3f2a9c",
        started_at="2026-11-20T09:33:09.120+00:00",
        duration_s=134.2,
        environment=environment(),
        plan_source="harness.toml",
        outcome=Outcome.FAIL,
        headline="tests/functional/test_things.py::test_a_thing_is_kept [served] (and 2 more)",
        findings=[
            Finding(
                slug="functional/passed", outcome=Outcome.PASS, where="functional-inproc",
                message="41 of 41 tests passed",
            ),
            Finding(
                slug="gates/limit-undecided", outcome=Outcome.UNKNOWN, where="complexity",
                message="complexity.max <= 10", measured=7.0, limit=10.0, unit="",
            ),
            Finding(
                slug="complexity/syntax", outcome=Outcome.UNKNOWN,
                where="fixtures/jeeves/new.py:12",
                message="complexity: not checked: needs Python 3.12",
                next_step="run the gates under Python 3.12",
            ),
            Finding(
                slug="functional/failed", outcome=Outcome.FAIL,
                where="tests/functional/test_things.py:41",
                message="tests/functional/test_things.py::test_a_thing_is_kept [served]\n"
                "assert 500 == 201\n +  where 500 = <Response 500>.status_code\n\n"
                "the service logged: OperationalError: database is locked",
                next_step="harness test 'tests/functional/test_things.py::test_a_thing_is_kept' "
                "--target served",
                evidence=tuple(
                    f"{n}. POST /things: 500 in 12 ms\n"
                    f"curl -i --data-raw 'a=1' http://127.0.0.1:41001/things/{n}\n"
                    "answer 500\n  content-type: text/plain"
                    for n in range(1, 6)
                ),
            ),
            Finding(
                slug="load/objective-missed", outcome=Outcome.FAIL, where="mix (scenarios/mix.py)",
                message='write "POST /api/users" p95 < 80ms', measured=80.04, limit=80.0,
                unit="ms",
            ),
            Finding(
                slug="gates/limit-broken", outcome=Outcome.FAIL, where="coverage",
                message="coverage.lines >= 90%", measured=89.96, limit=90.0, unit="%",
            ),
            Finding(
                slug="load/objective-met", outcome=Outcome.PASS, where="mix (scenarios/mix.py)",
                message="p99 < 250ms", measured=92.4, limit=250.0, unit="ms",
            ),
        ],
        not_checked=[
            Omission(what="tests/functional/test_mail.py::test_sent", why="skipped: needs redis"),
            Omission(what="tests/functional/test_mail.py::test_kept", why="skipped: needs redis"),
            Omission(what="tests/functional/test_mail.py::test_read", why="skipped: needs redis"),
            Omission(what="tests/functional/test_mail.py::test_gone", why="skipped: needs redis"),
            Omission(
                what="tests/functional/test_dates.py::test_today [served]",
                why="had no exchange with its target",
                next_step="let it use the fixture 'client'",
            ),
        ],
        functional=[
            FunctionalRow(
                service="dataservice", target="inproc", python="3.11.9", tests=41, passed=41,
                failed=0, errors=0, skipped=0, xfailed=0, xpassed=0, reached=41, exchanges=120,
                duration_s=3.21,
            ),
            FunctionalRow(
                service="dataservice", target="served", python="3.11.9", tests=45, passed=40,
                failed=1, errors=0, skipped=4, xfailed=0, xpassed=0, reached=40, exchanges=118,
                duration_s=5.9,
            ),
        ],
        load=[
            load_row(),
            load_row(step="POST /api/users", sent=300, statuses={"201": 296, "500": 4},
                     asked_rate=None, achieved_rate=20.0, first_byte_ms=latency(296, 0.8),
                     failed_ms=latency(4, 60), uncorrected_ms=latency(150, 1.0),
                     examples=[example(), example(failure=None, message="")]),
            load_row(step="GET /api/rare", sent=40, ok=40, failed=0, failures={}, asked_rate=None,
                     statuses={"200": 40}, achieved_rate=2.67, response_ms=latency(40, 0.05),
                     service_ms=latency(40, 0.04)),
        ],
        loads=[load_run()],
        gates=[
            GateRow(
                name="complexity.max <= 10", gate="complexity", tool="radon 6.0.1",
                outcome=Outcome.UNKNOWN, measured=7.0, limit=10.0, op="<=", unit="", checked=33,
                not_checked=[NotChecked(path="fixtures/jeeves/new.py", slug="complexity/syntax",
                                        reason="needs Python 3.12")],
                findings=0,
            ),
            GateRow(
                name="security.high == 0", gate="security", tool="bandit 1.8.6",
                outcome=Outcome.PASS, measured=0.0, limit=0.0, op="==", unit="", checked=34,
                not_checked=[], findings=0,
            ),
            GateRow(
                name="coverage.lines >= 90%", gate="coverage", tool="coverage 7.10.7",
                outcome=Outcome.FAIL, measured=89.96, limit=90.0, op=">=", unit="%", checked=34,
                not_checked=[], findings=6,
            ),
        ],
    )  # fmt: skip


@pytest.fixture
def with_code(representative: Record) -> Record:
    """The representative run, with all that gates show beside their limits."""
    code = Code(
        inspections=[
            InspectionRow(
                gate="complexity", tool="radon 6.0.1", python="3.11.9", configuration="8e6c",
                content="1571", inventory=34, checked=33, not_checked=1, duration_s=0.42,
            ),
        ],
        suppressions=[
            SuppressionRow(kind="no cover", where="shop/app.py:9", rules=[], hides=[],
                           blanket=False, reason="only on Windows"),
            SuppressionRow(kind="nosec", where="shop/run.py:31", rules=[], hides=["B602"],
                           blanket=True, reason=""),
            SuppressionRow(kind="exclude", where="harness.toml:60", rules=["vendor/*"],
                           hides=[], blanket=False, reason="not ours", files=12),
        ],
        maintainability=[
            MaintainabilityRow(path="shop/app.py", index=41.53, letter="A"),
            MaintainabilityRow(path="shop/debug.py", index=None, letter=""),
        ],
        hotspots=[
            Hotspot(path="shop/app.py", worst="create_app.index, line 12: 14", complexity=48,
                    uncovered=0.25, commits=12, days=365, score=144.0),
            Hotspot(path="shop/run.py", worst="run, line 3: 4", complexity=4,
                    uncovered=None, commits=1, days=365, score=4.0),
        ],
    )  # fmt: skip
    return msgspec.structs.replace(representative, code=code)


@pytest.fixture
def empty() -> Record:
    """A run of which nothing is known."""
    return Record(
        run_id="", started_at="", duration_s=0.0,
        environment=Environment(python="3.11.9", platform="", cpu_count=1, packages={}, commit="",
                                dirty=False, tree=""),
        plan_source="", outcome=Outcome.UNKNOWN, headline="nothing was asked for", findings=[],
        not_checked=[], functional=[], load=[], loads=[], gates=[],
    )  # fmt: skip


@pytest.fixture
def with_text_everywhere(with_code: Record) -> Callable[[str], Record]:
    """Put one text in the place of every text of the representative record."""

    def walk(value: Any, text: str) -> Any:
        if isinstance(value, dict):
            named = {"quart": text, "201": text, "assertion": text}
            return {
                named.get(key, key): part if key == "outcome" else walk(part, text)
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [walk(part, text) for part in value]
        return text if isinstance(value, str) else value

    def put(text: str) -> Record:
        return msgspec.convert(walk(msgspec.to_builtins(with_code), text), Record)

    return put


@pytest.fixture
def huge(representative: Record) -> Record:
    """2,000 failed tests with long messages, and 40 steps over 600 seconds."""
    failed = Finding(
        slug="functional/failed", outcome=Outcome.FAIL, where="tests/functional/test_things.py:41",
        message="\n".join('assert "<&>" == ' + "x" * 150 for _ in range(200)),
        next_step="harness test " + "tests/functional/" + "y" * 300,
        evidence=("1. GET /: 500\ncurl -i http://localhost/\n" + "<z>" * 5000,) * 11,
    )  # fmt: skip
    return msgspec.structs.replace(
        representative,
        findings=[failed] * 2000,
        not_checked=[Omission(what=f"test {n}" * 50, why=f"reason {n}") for n in range(2000)],
        loads=[load_run(load=f"load {n}", series=series(600)) for n in range(12)],
        load=[
            load_row(load=f"load {n % 12}", step=f"GET /{n}", series=series(600),
                     failures={f"kind {k}": k for k in range(50)})
            for n in range(480)
        ],
    )  # fmt: skip


@pytest.fixture(
    params=[
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "]]></style></svg></pre></title></textarea><!--",
        "\"'><a href=\"javascript:alert(1)\">{{ 7 * 7 }}{% raw %}&lt;&#60;",
        "\x1b[31mred\x1b[2J\x1b]0;title\x07\x9b1m\x00\x08\r\x7f",
        "\u202eevil\u2066\u200f\u061c\ufeff\u2028\u2029",
        "\ud800 half a character",
        "ملف عربي שלום",
        "n" * 10_000,
        "<" * 10_000,
        "\n" * 10_000,
        "a\nb\r\nc\td",
        "",
    ],
    ids=["script", "ends", "quotes", "ansi", "turning", "surrogate", "rtl", "long", "long markup",
         "line ends", "lines", "nothing"],
)  # fmt: skip
def hostile(request: pytest.FixtureRequest) -> str:
    """A text that tries to be more than text."""
    return str(request.param)
