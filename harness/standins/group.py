"""A plan's stand-ins, started and stopped together, their stubs addressed from tests by name."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import plan
from harness.errors import PlanError, UsageError, nearest
from harness.standins.journal import Journal
from harness.standins.ledger import Asked
from harness.standins.server import StandIn
from harness.stub import Stub
from harness.stubfile import parse_stubs, read_stub, refuse_twins


class StandIns:
    """A context manager over stand-ins. Its names of stubs are full: ``weather.current``."""

    def __init__(self, standins: Iterable[StandIn], root: Path) -> None:
        self._standins = tuple(standins)
        self._root = root
        self._running = contextlib.ExitStack()

    @classmethod
    def of(
        cls, planned: Iterable[plan.StandIn], root: Path, ports: Mapping[str, int] | None = None
    ) -> StandIns:
        """Make the stand-ins of a plan; nothing starts yet. Raises PlanError."""
        made = (standin_of(one, root, (ports or {}).get(one.name, 0)) for one in planned)
        return cls(made, root)

    def __enter__(self) -> StandIns:
        with contextlib.ExitStack() as starting:
            for standin in self._standins:
                starting.enter_context(standin)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()

    def addresses(self) -> dict[str, str]:
        """Return each address under the placeholder that a plan has for it, ``weather.url``."""
        return {f"{standin.name}.url": standin.url for standin in self._standins}

    def select(self, names: Iterable[str] | None = None) -> None:
        """Answer with the stubs of these names from now on; None: with every default.

        As the function of that name, which says what a name may be and what is raised.
        """
        select(self._standins, names or ())

    def declare(
        self, standin: str, method: str, path: str | None = None, *,
        reply: Any, times: int | str | None = None, **request: Any,
    ) -> None:  # fmt: skip
        """Answer first with a stub that the caller's line declares, until the next selection.

        In the words of a stub file: `reply` is one, a list of them, or a function that makes one
        of a call; what a call must be like beyond method and path is named as in a request.
        Raises UsageError.
        """
        named = {one.name: one for one in self._standins}
        if standin not in named:
            raise self._unknown(standin)
        frame = sys._getframe(1)
        file = Path(frame.f_code.co_filename)
        shown = file.relative_to(self._root) if file.is_relative_to(self._root) else file
        where = f"{shown}:{frame.f_lineno}"
        named[standin].declare(read_stub(where, method, path, reply=reply, times=times, **request))

    def asked(self, name: str) -> Asked:
        """Return what a stand-in, ``weather``, or a stub, ``weather.current``, was asked.

        That is since the selection. Raises UsageError for what there is not.
        """
        for one in self._standins:
            if name == one.name or name.startswith(f"{one.name}."):
                return one.asked(name[len(one.name) + 1 :])
        raise self._unknown(name)

    def _unknown(self, name: str) -> UsageError:
        known = nearest(name, [one.name for one in self._standins])
        return UsageError("stubs/unknown", f"there is no stand-in {name!r}", next_step=known)

    def unused(self) -> dict[str, tuple[Stub, int]]:
        """Return the stubs asked for by name that have answered too few times since, and how often.

        A default that nobody calls is none of them.
        """
        return {
            f"{standin.name}.{name}": found
            for standin in self._standins
            for name, found in standin.unused().items()
        }

    def take_unmatched(self) -> tuple[str, ...]:
        """Return, once, why no stub answered each call since this was last asked."""
        return tuple(told for standin in self._standins for told in standin.take_unmatched())

    def uses(self) -> dict[str, tuple[Stub, int]]:
        """Return every stub, and how often it has answered since the stand-ins were made."""
        return {
            f"{standin.name}.{name}": (standin.stubs[name], calls)
            for standin in self._standins
            for name, calls in standin.uses.items()
        }


def standin_of(planned: plan.StandIn, root: Path, port: int = 0) -> StandIn:
    """Make the stand-in of a plan, not started, from its stub files below `root`.

    Raises PlanError for a file that cannot be read, a stub that two files declare, and a
    default that none does.
    """
    key = f"standins.{planned.name}"
    stubs = [
        stub
        for number, name in enumerate(planned.stubs)
        for stub in read_stubs(root, name, f"{key}.stubs[{number}]")
    ]
    refuse_twins(stubs)
    try:
        return StandIn(planned.name, stubs, planned.default, port=port)
    except UsageError as error:
        raise PlanError(
            error.slug, error.message, where=f"{key}.default", next_step=error.next_step
        ) from None


def read_stubs(root: Path, name: str, key: str) -> tuple[Stub, ...]:
    """Read a stub file below `root` that `key` names. Raises PlanError."""
    try:
        text = (root / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PlanError(
            "stubs/no-file",
            f"cannot read the stub file {name!r}: {reason}",
            where=key,
            next_step=f"name a file of stubs, in TOML; paths are relative to {root}",
        ) from None
    return parse_stubs(text, name)


def select(journals: Sequence[Journal], names: Iterable[str]) -> dict[str, list[str]]:
    """Select stubs by name across stand-ins, and return those of each that a name mentioned.

    A name is ``weather.current``, or ``current`` where only one stand-in has it. A stand-in
    that no name mentions goes back to its defaults. Raises UsageError for a name that none
    or several have, having changed nothing.
    """
    chosen: dict[str, list[str]] = {}
    for name in names:
        journal, stub = _resolve(journals, name)
        chosen.setdefault(journal, []).append(stub)
    for one in journals:
        one.select(chosen.get(one.name))
    return chosen


def _resolve(journals: Sequence[Journal], name: str) -> tuple[str, str]:
    """Return the names of the stand-in and of the stub that `name` means."""
    known: Mapping[str, tuple[str, str]] = {
        f"{journal.name}.{stub}": (journal.name, stub)
        for journal in journals
        for stub in journal.stubs
    }
    if name in known:
        return known[name]
    meant = [full for full, (_, stub) in known.items() if stub == name]
    if len(meant) == 1:
        return known[meant[0]]
    if meant:
        raise UsageError(
            "stubs/ambiguous",
            f"more than one stand-in has a stub {name!r}",
            next_step=f"write one of: {', '.join(meant)}",
        )
    candidates = known if "." in name else {stub for _, stub in known.values()}
    raise UsageError(
        "stubs/unknown", f"no stand-in has a stub {name!r}", next_step=nearest(name, candidates)
    )
