"""How far the stubs of a stand-in are from what they stand for: what a check lists. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from harness.contract import Contract
from harness.plan import StandIn
from harness.stub import Stub

_DAY_S = 86_400
_MOST = 10


@dataclass
class Drift:
    """What is `wrong` with the stubs of a stand-in, and what is worth a look. `basis` says by what.

    Without a basis nothing was checked.
    """

    basis: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def drift_of(
    planned: StandIn, stubs: Sequence[Stub], contract: Contract | None,
    calls: Mapping[str, int] | None, today: date,
) -> Drift:  # fmt: skip
    """Hold stubs to their document, their age and their use.

    `calls` is how often each answered in the newest run, by its full name; None: there is no run.
    """
    drift = Drift()
    if contract is not None and stubs:
        drift.basis.append(contract.source)
        _hold(drift, stubs, contract)
        drift.notes += [f"no stub for {one}" for one in _first(_uncovered(stubs, contract))]
    if planned.max_age_s is not None and stubs:
        drift.basis.append(f"checked in the last {planned.max_age_s / _DAY_S:.0f} days")
        for stub in stubs:
            if told := _age(stub, planned.max_age_s, today):
                drift.wrong.append(f"{_named(stub)} {told}")
    if calls is None:
        drift.notes.append("which stubs tests use is not known: there is no run with any")
    else:
        unused = [stub for stub in stubs if not calls.get(f"{planned.name}.{stub.name}")]
        drift.notes += [f"{_named(stub)} was not used in the newest run" for stub in unused]
    return drift


def _hold(drift: Drift, stubs: Sequence[Stub], contract: Contract) -> None:
    for stub in stubs:
        found = contract.contradictions(stub)
        if not stub.contradicts:
            drift.wrong += [f"{_named(stub)} contradicts it: {one}" for one in found]
        elif found:
            drift.notes.append(f"{_named(stub)} contradicts it on purpose: {stub.contradicts}")
        else:
            told = "says that it contradicts it, and does not: leave out 'contradicts'"
            drift.notes.append(f"{_named(stub)} {told}")


def _uncovered(stubs: Sequence[Stub], contract: Contract) -> list[str]:
    """Return each operation with its statuses that no stub answers with."""
    covered = {
        (one.method, one.path, one.status_key(reply.status))
        for stub in stubs
        if not stub.contradicts
        for one in contract.meant(stub.request)
        for reply in stub.replies
        if not reply.fault
    }
    told = {}
    for one in contract.operations:
        left = [key for key in one.statuses if (one.method, one.path, key) not in covered]
        named = [key for key in left if key != "default"] or left
        if len(left) == len(one.statuses):
            told[one.method, one.path] = f"{one}"
        elif named != ["default"] and named:
            told[one.method, one.path] = f"{one}: {', '.join(named)}"
    return list(told.values())


def _age(stub: Stub, limit_s: float, today: date) -> str:
    """Say what is wrong with the day on which a stub was checked; empty: nothing."""
    if stub.checked is None:
        return f"has no day on which it was checked: checked = {today}"
    days = (today - stub.checked).days
    if days < -1:  # the next day has begun elsewhere
        return f"was checked on {stub.checked}, which is to come"
    return f"was checked {days} days ago" if days * _DAY_S > limit_s else ""


def _named(stub: Stub) -> str:
    return f"{stub.name} ({stub.where})"


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST
    return lines if more <= 0 else [*lines[:_MOST], f"{more} more operations"]
