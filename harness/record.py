"""Everything that a run established, as versioned JSON. Reports are drawn from nothing else.

Numbers have their unit in their name or in a ``unit`` beside them. A percentile that has too
few samples is null. Keys may be added in later versions; those here keep name and meaning.
"""

from __future__ import annotations

import msgspec

from harness.errors import EvidenceError
from harness.evidence import UNREADABLE, Environment
from harness.facts import Exchanged, TestOutcome
from harness.inspection import NotChecked
from harness.snapshot import HistogramFact
from harness.verdict import Finding, Outcome

SCHEMA = 1


class Omission(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was not checked, why, and what would check it."""

    what: str
    why: str
    next_step: str = ""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a reader should see and that the verdict does not rest on."""

    slug: str
    where: str
    message: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One functional test. Why it failed is a finding, why it was skipped is under not checked."""

    nodeid: str
    outcome: TestOutcome
    duration_s: float


class FunctionalRow(msgspec.Struct, frozen=True, kw_only=True):
    """The functional tests of one target. `reached` counts tests that had an exchange with it.

    `cases` are the tests themselves; of an older record there are none.
    """

    service: str
    target: str
    python: str
    tests: int
    passed: int
    failed: int
    errors: int
    skipped: int
    xfailed: int
    xpassed: int
    reached: int
    exchanges: int
    duration_s: float
    cases: list[Case] = []


class Latency(msgspec.Struct, frozen=True, kw_only=True, rename={"p99_9": "p99.9"}):
    """A distribution in milliseconds. A percentile is null below the samples that it needs.

    `clipped` values were beyond one hour, or below zero: they count as that. `mean` and `max` are
    exact all the same.
    """

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None
    max: float | None
    clipped: int = 0


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """One interval of a load: what ended in it. `t_s` is its end, in seconds from the start."""

    t_s: float
    sent: int
    failed: int
    p50_ms: float | None
    p99_ms: float | None


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange of a load that was kept, and the line of the scenario that it came from.

    One of a step's first failures of a kind, or, with `failure` null, of its slowest successes.
    `exchange` is null where a visit failed before it asked for anything.
    """

    failure: str | None
    message: str
    where: str
    process: int
    exchange: Exchanged | None


class LoadRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a scenario under load; with `step` null, the scenario's visits.

    Rates are per second, of visits or of requests. `valid` is false where the generator,
    not the target, may have set the figures; `invalid_because` says how.

    `response_ms` (from due), `service_ms` (from sent), `first_byte_ms` (from sent to the answer's
    head) and `histogram` are of successes, `failed_ms` (from due) of failures, `lag_ms` (from due
    to sent) of all. `uncorrected_ms` is what a client would have measured who waits for each
    answer before sending the next request; null for a closed pace, and for visits.
    """

    load: str
    scenario: str
    step: str | None
    sent: int
    ok: int
    failed: int
    failures: dict[str, int]
    statuses: dict[str, int]
    bytes_in: int
    asked_rate: float | None
    achieved_rate: float
    valid: bool
    invalid_because: str
    response_ms: Latency
    service_ms: Latency
    lag_ms: Latency
    series: list[Second]
    histogram: HistogramFact
    first_byte_ms: Latency | None = None
    failed_ms: Latency | None = None
    uncorrected_ms: Latency | None = None
    examples: list[Example] = []


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that lets a load's other figures be believed. `measured` null: not known.

    Where it is not `within` its limit, `helps` says what would bring it there.
    """

    what: str
    measured: float | None
    op: str
    limit: float
    unit: str
    within: bool
    helps: str


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the machine's processors were at work, for whom, while a load lasted.

    `target` null: no process of it was found on this machine; it may be among the others.
    `starved` is how long the target was ready and others had the processors, in shares of one.
    """

    processors: int
    generator: float
    target: float | None
    others: float
    starved: float | None = None


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a load's figures can be believed, and who used the machine (null: not known).

    `cpus` is each generator process's share of a processor, `in_flight` the mean number of
    visits under way at once, `most_in_flight` the most of one process.
    """

    checks: list[Check]
    cpus: list[float]
    in_flight: float | None
    most_in_flight: int | None
    machine: Shares | None


class RepeatedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The one request of a load without a scenario file, and what its answers looked like.

    `total` and `connections` are what was asked for; null: what time, or a rate, asks. `server`
    is the answers' header of that name, the lengths are of their bodies; null: nothing answered.
    `took_s` is until the last answer, which of a rate comes after its time; null: not known.
    """

    method: str
    url: str
    total: int | None
    connections: int | None
    server: str | None
    least_bytes: int | None
    most_bytes: int | None
    took_s: float | None = None


class LoadRun(msgspec.Struct, frozen=True, kw_only=True):
    """One load as a whole. `queueing_visible` is false for a closed pace, where due is sent.

    `rebased` counts the requests for another origin that were sent to the target, by origin;
    `by_aiohttp` those that aiohttp sent instead of the load's own client, by the reason why.
    `rehearsed` has the scenarios that passed once before the load, and how many visits that took.
    `blocked_ms` is how long visits that were due waited for room, of those that did (None: none
    did), `turned_away` how many were due and never started, `stopped_by` names the objective that
    was lost, where that ended the load early. `repeated` is null where a scenario file says what
    is sent.
    """

    load: str
    scenarios: str
    target: str
    pace: str
    duration_s: float
    processes: int
    queueing_visible: bool
    visits_due: int | None
    visits_started: int
    generator_cpu: float
    loop_lag_ms: Latency
    series: list[Second]
    rebased: dict[str, int] = {}
    by_aiohttp: dict[str, int] = {}
    validity: Validity | None = None
    rehearsed: dict[str, int] = {}
    blocked_ms: Latency | None = None
    turned_away: int = 0
    stopped_by: str = ""
    repeated: RepeatedRun | None = None


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a gate. `checked` counts files; `findings` those beyond the limit.

    `accepted` counts those beyond it that the baseline tolerates; they are none of `findings`.
    The limit was judged without the files that were `waived`, or `excluded` by the plan. `remark`
    tells what the tool itself would say of `measured`, where that is something else.
    """

    name: str
    gate: str
    tool: str
    outcome: Outcome
    measured: float | None
    limit: float
    op: str
    unit: str
    checked: int
    not_checked: list[NotChecked]
    findings: int
    accepted: int = 0
    waived: int = 0
    excluded: int = 0
    remark: str = ""


class InspectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate did, and how many files it was given and `checked`.

    `configuration` is the hash of what its tool was told, `content` of the names and bytes of the
    files that it checked.
    """

    gate: str
    tool: str
    python: str
    configuration: str
    content: str
    inventory: int
    checked: int
    not_checked: int
    duration_s: float


class SuppressionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A comment that hides something, or an exclusion of the plan, with its place.

    `kind` is ``nosec``, ``no cover``, ``no branch`` or ``exclude``; `rules` what it names and
    `hides` what a ``nosec`` does hide now; `files` how many an exclusion takes out.
    """

    kind: str
    where: str
    rules: list[str]
    hides: list[str]
    blanket: bool
    reason: str
    files: int = 1


class MaintainabilityRow(msgspec.Struct, frozen=True, kw_only=True):
    """Radon's index of one file, 0 to 100, and its letter; null where it has nothing to go by."""

    path: str
    index: float | None
    letter: str


class Hotspot(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is complex, not run by tests and often changed: the product is `score`.

    `complexity` is that of all its functions together and `worst` the most complex one's place;
    `uncovered` the share of its statements that no functional test ran, null where that is not
    known, as 1; `commits` how many changed it in the last `days`.
    """

    path: str
    worst: str
    complexity: int
    uncovered: float | None
    commits: int
    days: int
    score: float


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates show beside their limits. `hotspots` is null where there is no history."""

    inspections: list[InspectionRow]
    suppressions: list[SuppressionRow]
    maintainability: list[MaintainabilityRow]
    hotspots: list[Hotspot] | None


class ProofRow(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that `harness prove` planted in a copy. PASS: it was found, as was expected.

    `where` is its place in the copy, `expected` the slug that should tell of it, `found` the one
    that did; empty: none.
    """

    proof: str
    subject: str
    fault: str
    against: str
    where: str
    expected: str
    found: str
    outcome: Outcome
    told: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of a run."""

    schema: int = SCHEMA
    run_id: str
    started_at: str
    duration_s: float
    environment: Environment
    plan_source: str
    outcome: Outcome
    headline: str
    findings: list[Finding]
    not_checked: list[Omission]
    functional: list[FunctionalRow]
    load: list[LoadRow]
    loads: list[LoadRun]
    gates: list[GateRow]
    notices: list[Notice] = []
    code: Code | None = None
    proofs: list[ProofRow] = []

    def to_json(self) -> bytes:
        """Write the record as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, content: bytes, source: str) -> Record:
        """Read a record. Raises EvidenceError where `content` is not one, or of a later schema."""
        try:
            version = msgspec.json.decode(content, type=_Versioned).schema
            if version > SCHEMA:
                raise msgspec.ValidationError(f"schema {version} is newer than {SCHEMA}")
            return msgspec.json.decode(content, type=cls)
        except UNREADABLE as error:
            raise EvidenceError(
                "evidence/no-record", f"this is not a record: {error}", where=source
            ) from None


class _Versioned(msgspec.Struct, frozen=True):
    schema: int
