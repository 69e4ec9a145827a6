"""A plan's stand-ins, started and stopped together, their stubs addressed from tests by name."""

from __future__ import annotations

import contextlib
import itertools
import ssl
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any
from urllib.parse import urlsplit

from harness import plan
from harness.contract import Contract
from harness.errors import PlanError, UsageError, nearest
from harness.openapi import read
from harness.routes import Route, Routes, place_of
from harness.standins.certificates import Certificates
from harness.standins.journal import Journal
from harness.standins.ledger import Asked, refuse_missing
from harness.standins.server import StandIn
from harness.stub import Stub
from harness.stubfile import parse_stubs, read_stub, refuse_twins, refuse_unreachable

_NONE: Mapping[str, Contract] = MappingProxyType({})


class StandIns:
    """A context manager over stand-ins. Its names of stubs are full: ``weather.current``."""

    def __init__(
        self, standins: Iterable[StandIn], root: Path, contracts: Mapping[str, Contract] = _NONE,
        origins: Mapping[str, str] | None = None, certificates: Certificates | None = None,
    ) -> None:  # fmt: skip
        self._standins = tuple(standins)
        numbers = itertools.count(1)
        for one in self._standins:
            one.numbers = numbers
        self._contracts = contracts
        self._root = root
        self._origins = origins or {}
        self._certificates = certificates or Certificates()
        self._running = contextlib.ExitStack()

    @classmethod
    def of(
        cls, planned: Iterable[plan.StandIn], root: Path, ports: Mapping[str, int] | None = None
    ) -> StandIns:
        """Make the stand-ins of a plan; nothing starts yet. Raises UsageError."""
        certificates, plans = Certificates(), tuple(planned)
        contracts = {one.name: found for one in plans if (found := contract_of(one, root))}
        made = [
            standin_of(
                one, root, port=(ports or {}).get(one.name, 0), contract=contracts.get(one.name),
                certificates=certificates,
            )
            for one in plans
        ]  # fmt: skip
        return cls(made, root, contracts, {one.name: one.origin for one in plans}, certificates)

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

    def routes(self) -> Routes:
        """Return the routes from the stand-ins' origins to where they answer, once started."""
        made = []
        for standin in self._standins:
            if origin := self._origins.get(standin.name):
                host, port = place_of(origin)
                tls = origin.startswith("https:")
                to = standin.tls_port if tls else urlsplit(standin.url).port or 0
                made.append(Route(host, port, to, tls))
        return Routes(made, self._certificates.authority)

    def context_for(self, host: str) -> ssl.SSLContext | None:
        """Return a server's TLS context for any host, by the same authority, if there is one."""
        has_authority = self._certificates.authority()
        return self._certificates.context_for(host) if has_authority else None

    def select(self, names: Iterable[str] | None = None) -> None:
        """Answer with the stubs of these names from now on; None: with every default.

        As the function of that name, which says what a name may be and what is raised.
        """
        select(self._standins, names or ())

    def restart(self) -> None:
        """Answer as after the last selection: counts, sequences and states start again."""
        for one in self._standins:
            one.restart()

    def declare(
        self, standin: str, method: str | None = None, path: str | None = None, *,
        reply: Any, **words: Any,
    ) -> None:  # fmt: skip
        """Answer first with a stub that the caller's line declares, until the next selection.

        In the words of a stub file: `reply` is one, a list of them, or a function that makes one
        of a call; what else a stub or its request has is named as there. It is held to the
        stand-in's document, unless it says why it `contradicts` that. Raises UsageError.
        """
        __tracebackhide__ = True
        answering = self[standin]
        frame = sys._getframe(1)
        file = Path(frame.f_code.co_filename)
        shown = file.relative_to(self._root) if file.is_relative_to(self._root) else file
        where = f"{shown}:{frame.f_lineno}"
        stub = read_stub(where, method, path, reply=reply, **words)
        contract = self._contracts.get(standin)
        answering.declare(contract.checked(stub) if contract else stub)

    def asked(self, name: str) -> Asked:
        """Return what a stand-in, ``weather``, or a stub, ``weather.current``, was asked.

        That is since the selection. Raises UsageError for what there is not.
        """
        for one in self._standins:
            if name == one.name or name.startswith(f"{one.name}."):
                return one.asked(name[len(one.name) + 1 :])
        raise self._unknown(name)

    @property
    def order(self) -> tuple[str, ...]:
        """The stubs that answered since the selection, in the order of the calls to all stand-ins.

        A call that none answered is there by its stand-in's name. Raises HarnessError where
        there were more calls than are kept.
        """
        kept = sorted(
            (one.number, f"{standin.name}.{one.stub}" if one.stub else standin.name)
            for standin in self._standins
            for one in standin.entries()
        )
        refuse_missing(sum(standin.asked().count for standin in self._standins), len(kept))
        return tuple(name for _, name in kept)

    def __getitem__(self, name: str) -> StandIn:
        """Return the stand-in of this name. Raises UsageError where there is none."""
        for one in self._standins:
            if one.name == name:
                return one
        raise self._unknown(name)

    def __iter__(self) -> Iterator[StandIn]:
        return iter(self._standins)

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


def contract_of(planned: plan.StandIn, root: Path) -> Contract | None:
    """Read the document that the stubs of a stand-in are held to. Raises UsageError."""
    return Contract(read(root, planned.openapi), planned.openapi) if planned.openapi else None


def stubs_of(planned: plan.StandIn, root: Path) -> list[Stub]:
    """Read the stub files of a stand-in below `root`.

    Raises PlanError for a file that cannot be read and a stub that two files declare.
    """
    stubs = [
        stub
        for number, name in enumerate(planned.stubs)
        for stub in read_stubs(root, name, f"standins.{planned.name}.stubs[{number}]")
    ]
    refuse_twins(stubs)
    refuse_unreachable(stubs)
    return stubs


def standin_of(
    planned: plan.StandIn, root: Path, *, port: int = 0, contract: Contract | None = None,
    certificates: Certificates | None = None,
) -> StandIn:  # fmt: skip
    """Make the stand-in of a plan, not started, from its stub files below `root`.

    Raises PlanError as `stubs_of` does, for a default that no file declares, and for a stub that
    contradicts the contract.
    """
    key = f"standins.{planned.name}"
    stubs = [contract.checked(one) if contract else one for one in stubs_of(planned, root)]
    try:
        origin = urlsplit(planned.origin)
        certificates = certificates or Certificates()
        tls = certificates.context_for(origin.hostname or "") if origin.scheme == "https" else None
        return StandIn(planned.name, stubs, planned.default, port=port, tls=tls)
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
