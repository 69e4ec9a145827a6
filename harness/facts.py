"""What measuring wrote down: the typed lines of a run folder. Judging reads nothing else.

Each part of a run (``functional-inproc-py312``, ``load-mix``, ``gates``, …) appends its facts to a
file of its own. A fact says what happened and never what it is worth.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.comparison import Baseline, Before, Changed, Site
from harness.inspection import (
    Block,
    Churn,
    Covered,
    GatesBegun,
    Inspected,
    Maintained,
    Suppression,
    Weakness,
)
from harness.planted import Planted, ProvingBegun, Unharmed
from harness.snapshot import Snapshot

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


class RequestBegun(msgspec.Struct, frozen=True, kw_only=True):
    """The one request of a load without a scenario file. None: as many as time, or a rate, asks."""

    method: str
    url: str
    total: int | None
    connections: int | None


class LoadBegun(msgspec.Struct, tag="load", frozen=True, kw_only=True):
    """What a load was asked to do. `asked_rate` in visits per second; None: a closed pace.

    `visits` is how many are due in all, None where only time bounds them. `stop_at_failure`: the
    load was to end at its first failed visit. What is due in the first `warm_up_s` is counted
    under names of its own: see `tally.WARM_UP`.
    `in_flight`: how many visits of one process may be under way at once, where the pace is open.
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
    warm_up_s: float = 0.0
    in_flight: int | None = None
    request: RequestBegun | None = None


class Answered(msgspec.Struct, tag="answered", frozen=True, kw_only=True):
    """What the answers to it looked like to one process: their `Server`, their bodies' length."""

    process: int
    server: str
    least_bytes: int
    most_bytes: int


class LoadStopped(msgspec.Struct, tag="stopped", frozen=True, kw_only=True):
    """A load was ended early, since an objective of its could not be met any more.

    `objective` is its text; `at_s` when the facts that told were written, from the load's start.
    """

    objective: str
    at_s: float


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a load and its answer, without secrets.

    `curl` is a line that asks it again, `wanted` what is to be filled in before. `status` is None
    before an answer; `headers` are its headers, ``Name: value``; `body` begins as it did, as far as
    the client had it. `due_s` counts from the load's start; the times are to the last byte, or to
    the failure: from due, and from sent.
    """

    curl: str
    wanted: tuple[str, ...]
    status: int | None
    headers: tuple[str, ...]
    body: str
    due_s: float
    response_ms: float
    service_ms: float


class Failed(msgspec.Struct, tag="failed", frozen=True, kw_only=True):
    """One of a step's first failures of its kind, with the scenario's line that it came from.

    `step` is what failed, or what was asked last before the scenario raised; None: nothing was.
    """

    process: int
    scenario: str
    kind: str
    message: str
    where: str
    step: str | None = None
    exchange: Exchanged | None = None


class Slow(msgspec.Struct, tag="slow", frozen=True, kw_only=True):
    """A success that was among a step's slowest so far, with the scenario's line."""

    process: int
    scenario: str
    step: str
    where: str
    exchange: Exchanged


class Rehearsed(msgspec.Struct, tag="rehearsed", frozen=True, kw_only=True):
    """What came of a scenario's visits before the load, which count nowhere else.

    One of `visits` passed; or all failed, the last one by `kind`; or it is undecided and `message`
    says why.
    """

    scenario: str
    visits: int
    outcome: Literal["passed", "failed", "undecided"]
    kind: str = ""
    message: str = ""
    where: str = ""


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
    | LoadStopped
    | Failed
    | Rehearsed
    | Slow
    | Answered
    | StockRan
    | GatesBegun
    | Inspected
    | Block
    | Maintained
    | Weakness
    | Suppression
    | Churn
    | Covered
    | Site
    | Baseline
    | Changed
    | Before
    | ProvingBegun
    | Unharmed
    | Planted
)
