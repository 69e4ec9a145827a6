"""What no assertion sees of the services that a session's tests talk to, noticed as it happens.

    blocked loops, descriptors, tasks and client sessions left behind, coroutines never awaited,
    secrets in logs and answers, log records of level ERROR

Each is noticed with the handler and the test that ran, and judged later. A request that has
nothing to notice costs a context variable and an entry in a list.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from harness import secret
from harness.facts import Noticed, Watched
from harness.objective import Objective
from harness.plan import Plan, watched
from harness.target import Target, TargetKind
from harness.targets import Asgi, Scope
from harness.targets.call import CALL, Call, Meanwhile, noted
from harness.targets.handler import Handler, handler_of
from harness.targets.leaks import Descriptors, Made, Sessions, left_tasks
from harness.targets.overhear import (
    logging_heard,
    place_of,
    read_along,
    text_of,
    unawaited_heard,
)
from harness.targets.stalls import Stalls

_MOST_TEXT = 300
_ANSWERS = frozenset({"secrets.shown"})


class Watch(contextlib.ExitStack):
    """Watches while it is entered. What it noticed is kept until it is taken."""

    def __init__(self, plan: Plan, root: Path, target: Target) -> None:
        super().__init__()
        self.limits = watched(plan.tests.limits if plan.tests else ())
        self.test = Meanwhile()
        self._stated: tuple[Objective, ...] = plan.tests.limits if plan.tests else ()
        self._strict = bool(plan.tests and plan.tests.error_logs)
        self._root = root
        self._live = target.kind is TargetKind.LIVE
        self._secrets = {v.name for service in plan.services for v in service.variables}
        self._apps: dict[str, Asgi] = {}
        self._served: dict[int, str] = {}
        self._calls: list[Call] = []
        self._noticed: list[Noticed] = []
        self._slowest: dict[tuple[str, str], Noticed] = {}
        self._stalls = Stalls(root, self._stalled)
        self._descriptors = Descriptors()
        self._sessions = Sessions(root, self._unclosed)

    def __enter__(self) -> Watch:
        self.enter_context(logging_heard(self._logged))
        self.enter_context(unawaited_heard(self._unawaited, self._root))
        self.enter_context(self._sessions.heard())
        if Stalls.can_see():
            self._stalls.open()
            self.callback(self._stalls.close)
        return self

    @property
    def begun(self) -> Watched:
        """What is watched for, and what cannot be seen here."""
        blind = {limit.indicator for limit in self.limits} - _ANSWERS if self._live else set()
        why = "a deployment is not in this process"
        if not blind and not Stalls.can_see():
            blind, why = {"blocking.max"}, "this system does not tell what its threads do"
        return Watched(
            limits=tuple(limit.text for limit in self.limits),
            stated=tuple(limit.text for limit in self._stated),
            unseen=tuple(sorted(blind)),
            why=why,
        )

    def over(self, app: Asgi, service: str, through: Asgi | None = None) -> Asgi:
        """Return an application that is watched while it answers, `through` a wrapper if any."""
        self._apps[service] = app
        return noted(app, service, self._begin, through)

    def apart(self, app: Asgi) -> Asgi:
        """Return an application of a test's own, watched. Nobody stops it: it may leave tasks."""
        return noted(app, "", self._begin)

    def answers(self, wire: Asgi, service: str) -> Asgi:
        """Return a wire whose answers are searched for secrets, where there are any."""

        def told(scope: Scope, what: str, names: set[str]) -> None:
            handler = handler_of(self._apps.get(service, _nothing), scope, service, self._root)
            self._shown(names, f"{what} an answer", handler, handler.where or service, self.test)

        return read_along(wire, told) if self._secrets else wire

    def ignore(self, port: int) -> None:
        """Take connections to a port for the tests' own."""
        self._descriptors.ignored_ports.add(port)

    def begin(self, test: str, strict: bool | None = None) -> None:
        """Take what happens from now on for a test's. `strict`: what its mark says, if any."""
        self.test = Meanwhile(test, self._strict if strict is None else strict)

    def end(self) -> None:
        """Take stock after a test, or before services are stopped after the last one."""
        calls, self._calls = self._calls, []
        asked = [call for call in calls if call.is_request]
        requests = Counter(map(self._named, asked))
        if not self._live:
            self._descriptors.count(self.test.name, requests)
        self.test = Meanwhile()

    def before_stop(self) -> None:
        """Look at what is still open while the services run, all tests being over."""
        gc.collect()
        for grown in () if self._live else self._descriptors.growth():
            self._note(
                "leaked.descriptors",
                f"{grown.kind} stay open: {grown.number} more after {len(grown.tests)} tests",
                grown.handler.where or grown.handler.name,
                grown.handler,
                Meanwhile(", ".join(grown.tests[:3])),
                float(grown.number),
            )

    async def after_stop(self) -> None:
        """Look, on the loop that they ran on, at what services have left that have stopped."""
        for call, name, place in await left_tasks(self._root):
            message = f"the task {name} was still running after the service had stopped"
            self._note_call("leaked.tasks", message, place, call)

    def take(self) -> list[Noticed]:
        """Return what was noticed since it was last taken."""
        noticed, self._noticed = self._noticed, []
        slowest, self._slowest = self._slowest, {}
        return [*noticed, *slowest.values()]

    def take_last(self) -> list[Noticed]:
        """Return what was noticed, sessions that nobody closed included: all has stopped."""
        self._sessions.tell_open()
        return self.take()

    def _begin(self, app: Asgi, service: str, scope: Scope) -> Call:
        call = Call(app, service, scope, self.test)
        self._stalls.add()
        if (
            scope["type"] == "lifespan"
            and threading.current_thread() is not threading.main_thread()
        ):
            self._served[threading.get_ident()] = service
        self._calls.append(call)
        return call

    def _named(self, call: Call) -> Handler:
        return handler_of(call.app, call.scope, call.service, self._root)

    def _stalled(self, call: Call, place: str, seconds: float) -> None:
        handler = self._named(call)
        told = f"{handler.name} kept the event loop from every other request at this line"
        found = self._made("blocking.max", told, place, handler, call.test, round(seconds * 1e3, 1))
        key = (place, handler.name)
        if key not in self._slowest or self._slowest[key].measured < found.measured:
            self._slowest[key] = found

    def _unclosed(self, made: Made, number: int) -> None:
        many = (
            f"{number} client sessions of aiohttp" if number > 1 else "a client session of aiohttp"
        )
        message = f"{many}, made here, never closed"
        self._note_call("leaked.sessions", message, made.place, made.call, float(number))

    def _unawaited(self, name: str, file: str, place: str) -> None:
        call = CALL.get()
        mocked = file.endswith(("unittest/mock.py", "asyncio/coroutines.py"))
        if not place or (call is None and (mocked or not self.test.name)):
            return
        message = f"the coroutine {name} was never awaited, so it never ran"
        if call is None:
            self._note("coroutines.unawaited", message, place, None, self.test)
        else:
            self._note_call("coroutines.unawaited", message, place, call)

    def _logged(self, record: logging.LogRecord) -> None:
        call = CALL.get()
        service = self._served.get(threading.get_ident(), "")
        if call is None and not service:
            return
        handler = self._named(call) if call else None
        test = call.test if call and call.test.name else self.test
        place = place_of(record, self._root) or (handler.where if handler else "") or service
        if self._secrets:
            self._shown(secret.shown(text_of(record)), "a log record", handler, place, test)
        if record.levelno >= logging.ERROR:
            raised = record.exc_info[1] if record.exc_info else None
            cause = f": {type(raised).__name__}: {raised}" if raised else ""
            message = secret.redacted(
                f"{record.levelname} {record.name}: {record.getMessage()}{cause}"
            )
            self._note(
                "log.errors", message[:_MOST_TEXT], place or record.name, handler, test,
                strict=test.strict,
            )  # fmt: skip

    def _shown(
        self, names: Iterable[str], what: str, handler: Handler | None, place: str, test: Meanwhile
    ) -> None:
        for name in sorted(self._secrets.intersection(names)):
            message = f"{what} has the value of {{env.{name}}} in it"
            self._note("secrets.shown", message, place, handler, test)

    def _note_call(
        self, indicator: str, message: str, place: str, call: Call, measured: float = 1.0
    ) -> None:
        handler = self._named(call)
        self._note(indicator, message, place or handler.where, handler, call.test, measured)

    def _note(
        self, indicator: str, message: str, place: str, handler: Handler | None, test: Meanwhile,
        measured: float = 1.0, *, strict: bool = False,
    ) -> None:  # fmt: skip
        found = self._made(indicator, message, place, handler, test, measured, strict=strict)
        if found not in self._noticed:
            self._noticed.append(found)

    def _made(
        self, indicator: str, message: str, place: str, handler: Handler | None, test: Meanwhile,
        measured: float, *, strict: bool = False,
    ) -> Noticed:  # fmt: skip
        return Noticed(
            indicator=indicator, message=message, where=place or str(handler or "the services"),
            handler=str(handler or ""), route=handler.route if handler else "",
            test=test.name, measured=measured, strict=strict,
        )  # fmt: skip


async def _nothing(scope: object, receive: object, send: object) -> None:
    """Stand where an application would be, of a deployment."""
