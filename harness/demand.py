"""What a load is asked to do: its pace, its objectives, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from harness.errors import UsageError
from harness.objective import DEFAULT_OBJECTIVE, Family, Objective, parse_objective
from harness.pace import Pace
from harness.repeated import Repeated

MOST_IN_FLIGHT = 500
"""Visits at once in one process of an open load. Above it arrivals wait, and their wait counts.

Each may need a connection, and 1,024 open files is what most systems allow a process.
"""


@dataclass(frozen=True, slots=True)
class Load:
    """A scenario file, its pace and its objectives, and the service it is for (empty: the first).

    The rest are Molotov's options, under its command line's meanings: `max_runs` visits per
    worker, `single` the one scenario to run, `single_run` each scenario once per worker,
    `delay_s` a pause after each visit, `ramp_up_s` over which the workers start, `extensions`
    files or modules to import first. `env` is added to what the scenarios find. `steps` are
    templates that name requests (`template`), before the harness's own rule does.
    No objective speaks of what is due in the first `warm_up_s`.
    `visits` bounds the load in all; of an open one, `in_flight` visits at most are under way in a
    process at once; `stop_when_lost`: it ends once one of its objectives cannot be met any more.
    `repeated` is sent in place of a scenario file, which `scenarios` only names then.
    """

    name: str
    scenarios: str
    pace: Pace
    objectives: tuple[Objective, ...]
    processes: int = 1
    service: str = ""
    max_runs: int | None = None
    single: str | None = None
    single_run: bool = False
    stop_at_failure: bool = False
    delay_s: float = 0.0
    ramp_up_s: float = 0.0
    warm_up_s: float = 0.0
    seed: int = 0
    visits: int | None = None
    in_flight: int | None = None
    stop_when_lost: bool = False
    extensions: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    verbose: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    repeated: Repeated | None = None


def load_of(
    name: str, scenarios: str, pace: Pace, objectives: tuple[str, ...], processes: int = 1
) -> Load:
    """Make a load. Unless an objective speaks of failures, none is tolerated.

    Raises UsageError for an objective in windows that are longer than the load.
    """
    parsed = tuple(parse_objective(text, Family.LOAD) for text in objectives)
    _refuse_long_windows(parsed, pace, Fraction(0))
    if not any(objective.indicator in ("failures", "completed") for objective in parsed):
        parsed = (parse_objective(DEFAULT_OBJECTIVE, Family.LOAD), *parsed)
    return Load(name, scenarios, pace, parsed, processes)


def warmed(load: Load, warm_up_s: Fraction) -> Load:
    """Return a load with a warm-up. Raises UsageError where it leaves nothing to be judged."""
    if warm_up_s >= load.pace.duration_s:
        raise UsageError(
            "load/warm-up",
            f"a warm-up of {float(warm_up_s):g} s leaves nothing of the load, '{load.pace}'",
            next_step="make it shorter, or the load longer",
        )
    _refuse_long_windows(load.objectives, load.pace, warm_up_s)
    return replace(load, warm_up_s=float(warm_up_s))


def _refuse_long_windows(objectives: Iterable[Objective], pace: Pace, warm_up_s: Fraction) -> None:
    for objective in objectives:
        if (objective.window_s or 0) > pace.duration_s - warm_up_s:
            after = f" after {float(warm_up_s):g} s of warm-up" if warm_up_s else ""
            raise UsageError(
                "plan/objective",
                f"{objective.text!r}: a window is longer than the load, '{pace}'{after}",
                next_step="make the load longer, or the windows shorter",
            )
