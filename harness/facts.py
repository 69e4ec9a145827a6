"""What measuring wrote down: the typed lines of a run folder. Judging reads nothing else.

Each part of a run (``functional-inproc-py312``, ``load-mix``, ``gates``, …) appends its facts to a
file of its own. A fact says what happened and never what it is worth.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.errors import EvidenceError
from harness.histogram import Histogram
from harness.inspection import (
    Block as Block,
)
from harness.inspection import (
    Churn as Churn,
)
from harness.inspection import (
    Covered as Covered,
)
from harness.inspection import (
    Exclusion as Exclusion,
)
from harness.inspection import (
    GatesBegun as GatesBegun,
)
from harness.inspection import (
    Inspected as Inspected,
)
from harness.inspection import (
    Maintained as Maintained,
)
from harness.inspection import (
    NotChecked as NotChecked,
)
from harness.inspection import (
    Suppression as Suppression,
)
from harness.inspection import (
    Weakness as Weakness,
)
from harness.tally import Tally

TestOutcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]


class Begun(msgspec.Struct, tag="begun", frozen=True, kw_only=True):
    """A part began. `python` is the interpreter's version, `at` ISO 8601 in UTC.

    `run` and `tree` are the run that it is evidence of and the hash of that run's code; empty
    where the folder is none of a run.
    """

    part: str
    at: str
    python: str
    pid: int
    run: str = ""
    tree: str = ""


class Ended(msgspec.Struct, tag="ended", frozen=True, kw_only=True):
    """A part ended by itself. Its absence means that the part was killed or is still running."""

    part: str
    at: str


class Problem(msgspec.Struct, tag="problem", frozen=True, kw_only=True):
    """An error that kept a part from its evidence. `exit_code` as in `errors`: 2 or 64."""

    slug: str
    message: str
    where: str = ""
    next_step: str = ""
    exit_code: int = 2


class Surprise(msgspec.Struct, tag="surprise", frozen=True, kw_only=True):
    """Bad evidence outside any test: a call that no stub answers, a refused outside call."""

    slug: str
    message: str
    where: str


class Tested(msgspec.Struct, tag="tested", frozen=True, kw_only=True):
    """One functional test. `exchanges` counts the answers that it had from its target.

    `apart` counts those of applications that it called in process by itself. `asks` tells that
    it has a client of the harness's. `evidence` tells, where it failed, of its exchanges.
    """

    nodeid: str
    where: str
    outcome: TestOutcome
    duration_s: float
    exchanges: int
    apart: int = 0
    asks: bool = False
    message: str = ""
    service: str = ""
    target: str = ""
    evidence: tuple[str, ...] = ()


class Watched(msgspec.Struct, tag="watched", frozen=True, kw_only=True):
    """What the services were watched for beside the tests' assertions: the limits' texts.

    `stated` are those that the plan has itself, `unseen` the indicators that could not be
    measured here, and `why`.
    """

    limits: tuple[str, ...]
    stated: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    why: str = ""


class Noticed(msgspec.Struct, tag="noticed", frozen=True, kw_only=True):
    """Something that no assertion saw. `indicator` is the limit's that it counts for.

    `where` is the place at fault, `handler` what was running and `test` the test meanwhile.
    `measured` is in the indicator's unit. `strict`: it is bad evidence whatever the limits.
    """

    indicator: str
    message: str
    where: str
    handler: str
    route: str
    test: str
    measured: float = 1.0
    strict: bool = False


class PytestEnded(msgspec.Struct, tag="pytest", frozen=True, kw_only=True):
    """How pytest itself ended: its exit status, and what it collected."""

    exit_status: int
    collected: int
    deselected: int


class StubUse(msgspec.Struct, tag="stub", frozen=True, kw_only=True):
    """How often a stub of a file answered, over one part."""

    stub: str
    where: str
    calls: int


class LoadBegun(msgspec.Struct, tag="load", frozen=True, kw_only=True):
    """What a load was asked to do. `asked_rate` in visits per second; None: a closed pace.

    `visits` is how many are due in all, None where only time bounds them. `stop_at_failure`: the
    load was to end at its first failed visit.
    """

    load: str
    scenarios: str
    target: str
    pace: str
    duration_s: float
    processes: int
    asked_rate: float | None
    visits: int | None
    objectives: tuple[str, ...]
    stop_at_failure: bool = False


class HistogramFact(msgspec.Struct, frozen=True, array_like=True):
    """A histogram on one line: the exact figures, then bucket numbers and counts in turn."""

    count: int
    total_ns: int
    min_ns: int
    max_ns: int
    clipped: int
    buckets: list[int]

    @classmethod
    def of(cls, h: Histogram) -> HistogramFact:
        """Take down a histogram."""
        flat = [number for pair in sorted(h.buckets.items()) for number in pair]
        return cls(h.count, h.total_ns, h.min_ns, h.max_ns, h.clipped, flat)

    def histogram(self) -> Histogram:
        """Return the histogram that was taken down. Raises EvidenceError for a damaged one."""
        if len(self.buckets) % 2:
            raise EvidenceError("evidence/unreadable", "a histogram's buckets are not pairs")
        buckets = dict(zip(self.buckets[::2], self.buckets[1::2], strict=True))
        return Histogram(buckets, self.count, self.total_ns, self.min_ns, self.max_ns, self.clipped)


class TallyFact(msgspec.Struct, frozen=True, kw_only=True):
    """A tally on one line."""

    scenario: str
    step: str | None
    sent: int
    ok: int
    failures: dict[str, int]
    statuses: dict[str, int]
    bytes_in: int
    response: HistogramFact
    service: HistogramFact
    lag: HistogramFact

    @classmethod
    def of(cls, t: Tally) -> TallyFact:
        """Take down a tally as it stands."""
        return cls(
            scenario=t.scenario, step=t.step, sent=t.sent, ok=t.ok, failures=dict(t.failures),
            statuses=dict(t.statuses), bytes_in=t.bytes_in, response=HistogramFact.of(t.response),
            service=HistogramFact.of(t.service), lag=HistogramFact.of(t.lag),
        )  # fmt: skip

    def tally(self) -> Tally:
        """Return the tally that was taken down."""
        return Tally(
            self.scenario, self.step, self.sent, self.ok, self.failures, self.statuses,
            self.bytes_in, self.response.histogram(), self.service.histogram(),
            self.lag.histogram(),
        )  # fmt: skip


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The generator's own state: processor time used, and how late its event loop ran.

    `blocked` is the lag without the time in which other processes had the processor; None: where
    it is not known.
    """

    cpu_s: float
    loop_lag: HistogramFact
    blocked: HistogramFact | None = None


class Snapshot(msgspec.Struct, tag="snapshot", frozen=True, kw_only=True):
    """What one generator process counted since its snapshot before: increments, which add up.

    Numbered from 1, so that a lost one shows. `at_s`, `started` (visits) and the processor time
    count from the start. `final` is set on the last one, after the drain. `rebased` counts, by
    their origin, requests that were sent to the target instead, `by_aiohttp` by the reason those
    that the load's own client does not send.
    """

    process: int
    number: int
    at_s: float
    started: int
    final: bool
    tallies: list[TallyFact]
    health: Health
    rebased: dict[str, int] = {}
    by_aiohttp: dict[str, int] = {}


class Failed(msgspec.Struct, tag="failed", frozen=True, kw_only=True):
    """One of the first failures of its kind, with the scenario's line that it came from."""

    process: int
    scenario: str
    kind: str
    message: str
    where: str


class StockRan(msgspec.Struct, tag="stock", frozen=True, kw_only=True):
    """What the stock `molotov` command counted on a scenario file: visits."""

    scenarios: str
    target: str
    command: str
    successes: int
    failures: int


Fact = (
    Begun
    | Ended
    | Problem
    | Surprise
    | Tested
    | Watched
    | Noticed
    | PytestEnded
    | StubUse
    | LoadBegun
    | Snapshot
    | Failed
    | StockRan
    | GatesBegun
    | Inspected
    | Block
    | Maintained
    | Weakness
    | Suppression
    | Churn
    | Covered
)
