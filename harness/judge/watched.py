"""Judging what no assertion sees: what was noticed of the services, against the limits of tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from harness.facts import Fact, Noticed, Watched
from harness.judge import Judgement
from harness.objective import Family, Objective, parse_objective
from harness.record import Notice, Omission
from harness.verdict import Finding, Outcome

ERROR_LOG = "log.errors"
"""What a record of level ERROR is noticed as. It has no limit: the plan or a mark asks."""

_SLUGS = {
    "blocking.max": "watch/blocking",
    "leaked.descriptors": "watch/descriptors",
    "leaked.tasks": "watch/tasks",
    "leaked.sessions": "watch/sessions",
    "coroutines.unawaited": "watch/unawaited",
    "secrets.shown": "watch/secret",
    ERROR_LOG: "watch/error-log",
}
_NEXT = {
    "blocking.max": "await it, or run it in a thread: await asyncio.to_thread(…)",
    "leaked.descriptors": "close what the handler opens: async with, with, or finally",
    "leaked.tasks": "await it, cancel it at shut-down, or use app.add_background_task",
    "leaked.sessions": "close it: async with aiohttp.ClientSession() as session",
    "coroutines.unawaited": "write await before the call, or make a task of it",
    "secrets.shown": "leave it out of logs and answers",
    ERROR_LOG: "mend it, or mark a test that means it: @pytest.mark.error_logs('list')",
}
_MOST_TESTS = 3


def judge(part: str, facts: Sequence[Fact]) -> Judgement:
    """Judge what one part noticed. Of the same thing in several tests there is one finding."""
    judgement = Judgement()
    noticed = [fact for fact in facts if isinstance(fact, Noticed)]
    watches = list(dict.fromkeys(fact for fact in facts if isinstance(fact, Watched)))
    texts = dict.fromkeys(text for watch in watches for text in watch.limits)
    for limit in [parse_objective(text, Family.TEST) for text in texts]:
        judgement.findings.extend(_beyond(part, limit, noticed))
    judgement.findings.extend(_findings(part, [fact for fact in noticed if fact.strict], None))
    judgement.notices.extend(
        Notice(slug=_SLUGS[ERROR_LOG], where=same[0].where, message=_message(part, same))
        for same in _alike([f for f in noticed if f.indicator == ERROR_LOG and not f.strict])
    )
    judgement.not_checked.extend(_unseen(part, watches))
    return judgement


def _beyond(part: str, limit: Objective, noticed: Sequence[Noticed]) -> Iterator[Finding]:
    """Find what lies beyond a limit: of a worst case each place, of a count all that make it."""
    own = [fact for fact in noticed if fact.indicator == limit.indicator and _covers(limit, fact)]
    if limit.indicator == "blocking.max":
        own = [fact for fact in own if not limit.holds(Fraction(fact.measured))]
    elif limit.holds(sum((Fraction(fact.measured) for fact in own), Fraction())):
        own = []
    yield from _findings(part, own, limit)


def _covers(limit: Objective, fact: Noticed) -> bool:
    """A pattern that begins with a slash is for routes, any other for the place's file."""
    of_routes = limit.pattern is not None and limit.pattern.startswith("/")
    return limit.covers(fact.route if of_routes else fact.where.rpartition(":")[0] or fact.where)


def _findings(part: str, noticed: Sequence[Noticed], limit: Objective | None) -> Iterator[Finding]:
    for same in _alike(noticed):
        first = same[0]
        yield Finding(
            slug=_SLUGS[first.indicator],
            outcome=Outcome.FAIL,
            where=first.where,
            message=_message(part, same),
            measured=max(fact.measured for fact in same) if limit else None,
            limit=float(limit.limit) if limit else None,
            unit=limit.unit if limit else None,
            next_step=_NEXT[first.indicator],
        )


def _alike(noticed: Sequence[Noticed]) -> list[list[Noticed]]:
    """Gather what was noticed of one thing at one place, in whatever test."""
    same: dict[tuple[str, str, str, str], list[Noticed]] = {}
    for fact in noticed:
        key = (fact.indicator, fact.where, fact.handler, fact.message)
        same.setdefault(key, []).append(fact)
    return list(same.values())


def _message(part: str, same: Sequence[Noticed]) -> str:
    first = same[0]
    target = f" [{part.split('-')[1]}]" if "-" in part else ""
    tests = list(dict.fromkeys(fact.test for fact in same if fact.test))
    more = f" and {len(tests) - _MOST_TESTS} more" if len(tests) > _MOST_TESTS else ""
    lines = [first.message]
    lines += [f"handler: {first.handler}"] if first.handler else []
    lines += [f"test: {', '.join(tests[:_MOST_TESTS])}{more}{target}"] if tests else []
    return "\n".join(lines)


def _unseen(part: str, watches: Sequence[Watched]) -> Iterator[Omission]:
    """List the limits that the plan states and that could not be measured here."""
    for watch in watches:
        for text in watch.stated:
            if parse_objective(text, Family.TEST).indicator in watch.unseen:
                yield Omission(what=f"{text} in {part}", why=watch.why)
