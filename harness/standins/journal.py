"""The stubs of one stand-in, which of them are selected, and what the stand-in was asked.

Every method may be called from any thread: a test selects while a server answers. Of calls the
last are kept, all are counted; of those that no stub answers, a bounded number is explained.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from harness.candidate import choose, explain
from harness.errors import UsageError, nearest
from harness.reply import REFUSED, Reply
from harness.secret import redacted
from harness.standins.ledger import Asked, Entry, Ledger
from harness.stub import Call, Stub

MAX_EXPLANATIONS = 1000
MAX_EXPLANATION_CHARS = 8000
MAX_RECENT = 20


class Answer(NamedTuple):
    """The reply to a call, and the chance by which its delay is drawn, from 0 to 1."""

    reply: Reply
    chance: float


class Journal:
    """The stubs of the stand-in `name`. `default` names those that are selected at first.

    With one `seed`, the calls of a stub have the same chances after each selection. Raises
    UsageError for a default that is none of the stubs.
    """

    def __init__(
        self, name: str, stubs: Iterable[Stub], default: Sequence[str] = (), *, seed: int = 0
    ) -> None:
        self.name = name
        self.numbers: Iterator[int] = itertools.count(1)
        """Of calls; a group's stand-ins share theirs."""
        self._seed = seed
        self.stubs = MappingProxyType({stub.name: stub for stub in stubs})
        self.default = tuple(default)
        self._lock = threading.Lock()
        self._uses = dict.fromkeys(self.stubs, 0)
        self._unmatched = 0
        self._explanations: list[str] = []
        self._untold = 0
        self.select()

    def select(self, names: Iterable[str] | None = None) -> None:
        """Answer with these stubs from now on, the first that matches; None: with the defaults.

        Their sequences of replies, states and counts start again. Raises UsageError, having
        changed nothing.
        """
        chosen = dict.fromkeys(self.default if names is None else names)
        for name in chosen:
            if name not in self.stubs:
                raise UsageError(
                    "stubs/unknown",
                    f"the stand-in {self.name!r} has no stub {name!r}",
                    next_step=nearest(name, self.stubs),
                )
        with self._lock:
            self._last = None if names is None else tuple(chosen)
            self._selected = tuple(self.stubs[name] for name in chosen)
            self._asked = set() if names is None else set(chosen)
            self._used = dict.fromkeys(chosen, 0)
            self._states: dict[str, str] = {}
            self._draws = {name: self._draw(name) for name in chosen}
            self._ledger = Ledger()
            self._recent: deque[str] = deque(maxlen=MAX_RECENT)
            for stub in self._selected:
                self._count_refusal(stub)
        self.changed()

    def changed(self) -> None:
        """Hear that other stubs are selected."""

    @property
    def barrier(self) -> str | None:
        """The fault that connections are to meet now; None: they are answered."""
        faults = [stub.replies[0].fault for stub in self._selected if stub.refuses]
        return REFUSED if REFUSED in faults else next(iter(faults), None)

    def _count_refusal(self, stub: Stub) -> None:
        """Take a selection for a use: of a connection that is refused nobody hears."""
        if stub.refuses:
            self._used[stub.name] += 1
            if stub.name in self._uses:
                self._uses[stub.name] += 1

    def _draw(self, stub: str) -> Callable[[], float]:
        return random.Random(f"{self._seed} {stub}").random  # noqa: S311 - a delay is no secret

    def restart(self) -> None:
        """Select what was selected last, without what was declared since."""
        self.select(self._last)

    def declare(self, stub: Stub) -> None:
        """Answer with this stub first, until the next selection. It is asked for by name.

        Where a selected one has its name, it gets a number.
        """
        with self._lock:
            name, number = stub.name, 1
            while name in self._used:
                number += 1
                name = f"{stub.name} #{number}"
            self._selected = (replace(stub, name=name), *self._selected)
            self._asked.add(name)
            self._used[name] = 0
            self._draws[name] = self._draw(name)
            self._count_refusal(self._selected[0])
        self.changed()

    @property
    def selected(self) -> tuple[str, ...]:
        """The names of the stubs that answer now, in the order in which they are tried."""
        return tuple(stub.name for stub in self._selected)

    @property
    def uses(self) -> dict[str, int]:
        """How often each stub has answered since the stand-in was made."""
        with self._lock:
            return dict(self._uses)

    @property
    def uses_since_select(self) -> dict[str, int]:
        """How often each selected stub has answered since it was selected."""
        with self._lock:
            return dict(self._used)

    @property
    def unmatched(self) -> int:
        """How many calls no stub has answered since the stand-in was made."""
        return self._unmatched

    def unused(self) -> dict[str, tuple[Stub, int]]:
        """Return the stubs asked for by name that have answered too few times since, and how often.

        A default that nobody calls is none of them.
        """
        with self._lock:
            return {
                stub.name: (stub, self._used[stub.name])
                for stub in self._selected
                if stub.name in self._asked and self._used[stub.name] < stub.times.least
            }

    def take_unmatched(self) -> tuple[str, ...]:
        """Return, once, why no stub answered each call since this was last asked.

        Of very many calls the first are explained and the rest counted in a last line.
        """
        with self._lock:
            taken, self._explanations = self._explanations, []
            untold, self._untold = self._untold, 0
        rest = (f"and {untold} more calls that no stub answers",) if untold else ()
        return (*taken, *rest)

    def asked(self, stub: str = "") -> Asked:
        """Return what the stand-in, or one stub of it, was asked since the selection.

        Raises UsageError for a stub that there is not.
        """
        with self._lock:
            known = {*self.stubs, *self._used}
            if stub and stub not in known:
                raise UsageError(
                    "stubs/unknown", f"the stand-in {self.name!r} has no stub {stub!r}",
                    next_step=nearest(stub, known),
                )  # fmt: skip
            return self._ledger.asked(stub)

    def entries(self) -> tuple[Entry, ...]:
        """Return the calls since the selection that are kept."""
        with self._lock:
            return self._ledger.entries

    def told(self) -> tuple[int, tuple[str, ...]]:
        """Return how many calls no stub has answered since the selection, and the last reasons."""
        with self._lock:
            return self._ledger.unmatched, tuple(self._recent)

    def ended(self, connection: int) -> None:
        """Take down that what a connection asked last is answered."""
        with self._lock:
            self._ledger.ended(connection)

    def gone(self, connection: int) -> None:
        """Take down that a connection ended."""
        with self._lock:
            self._ledger.gone(connection)

    def answer(self, call: Call, connection: int = 0) -> Answer | str:
        """Return the reply that is due to a call, counted; or why there is none, taken down."""
        with self._lock:
            stub = choose(self._selected, call, self._used, self._states)
            name = stub.name if stub else ""
            self._ledger.began(call, name, connection, next(self.numbers))
            if stub is None:
                selected, used, states = self._selected, self._used.copy(), self._states.copy()
            else:
                reply, chance = stub.reply(self._used[name]), self._draws[name]()
                self._used[name] += 1
                if name in self._uses:  # and is not declared by a test
                    self._uses[name] += 1
                if stub.sets:
                    self._states.update(stub.sets)
        if stub is None:
            return self._noted(self._explanation(selected, call, used, states))
        if stub.compute is None:
            return Answer(reply, chance)
        try:
            return Answer(stub.compute(call), chance)
        except Exception as error:  # the test's own
            told = f"the reply of {name} ({stub.where}) to {call}: {type(error).__name__}: {error}"
            return self._noted(redacted(told))

    def _noted(self, told: str) -> str:
        self.note_unmatched(told)
        return told

    def note_unmatched(self, explanation: str) -> None:
        """Take down a call that got no reply of a stub."""
        with self._lock:
            self._unmatched += 1
            self._recent.append(explanation)
            if len(self._explanations) < MAX_EXPLANATIONS:
                self._explanations.append(explanation)
            else:
                self._untold += 1

    def _explanation(
        self, selected: Sequence[Stub], call: Call, used: Mapping[str, int],
        states: Mapping[str, str],
    ) -> str:  # fmt: skip
        told = explain(selected, call, used, states)
        told = redacted(told)  # before it is cut: a part of a secret is not found
        if len(told) > MAX_EXPLANATION_CHARS:
            told = f"{told[:MAX_EXPLANATION_CHARS]} …"
        other = choose([stub for stub in self.stubs.values() if stub not in selected], call)
        if other is None:
            return told
        return f"{told}\n  {self.name}.{other.name} ({other.where}) would, but is not selected"
