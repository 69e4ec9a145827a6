"""A scenario file and what its decorators registered: the only import of Molotov.

Molotov's registries are globals of its own, so a process can load one file, but where each file
has `Registries` of its own. Only its public functions are used to read them; some are replaced
before the file is imported: the decorator `scenario`, to notice a name that is registered twice,
which Molotov would silently overwrite; `get_context`, which finds its session's context by
Molotov's own private means; `request` and `json_request`, so that addresses mean to them what
they mean to a session.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
import traceback
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import CodeType
from typing import Any

import molotov
import molotov.api
import molotov.session
import molotov.util
from yarl import URL

from harness.errors import HarnessError, UsageError, nearest
from harness.facts import Fact
from harness.load.address import Addresses, ForeignHostError
from harness.load.failure import Places

Entry = Mapping[str, Any]
"""A scenario in Molotov's registry."""

_MODULE, _EXTENSION = "loadtest", "extension"  # the names under which Molotov imports files


@dataclass(frozen=True, slots=True)
class Scenario:
    """One registered coroutine function. `weight` is relative, `delay_s` follows each visit.

    `entry` is Molotov's own record of it, which listeners are given.
    """

    name: str
    weight: float
    delay_s: float
    func: Callable[..., Awaitable[object]]
    entry: Entry

    @classmethod
    def of(cls, entry: Entry) -> Scenario:
        """Read an entry of Molotov's registry."""
        return cls(entry["name"], entry["weight"], entry["delay"], entry["func"], entry)

    def visit(self, session: object) -> Awaitable[object]:
        """Call the scenario."""
        entry = self.entry
        if entry["args"] or entry["kw"]:
            return self.func(session, *entry["args"], **entry["kw"])
        return self.func(session)  # as most are, in half of the time


@dataclass(frozen=True, slots=True)
class Scenarios:
    """What one file registered: scenarios sorted by name, fixtures (None: not there), listeners.

    `told`: what scenarios of our own have to say of one process, at its end.
    """

    places: Places
    each: tuple[Scenario, ...]
    global_setup: Callable[[Any], object] | None = None
    setup: Callable[[int, Any], Awaitable[object]] | None = None
    setup_session: Callable[[int, Any], Awaitable[object]] | None = None
    teardown_session: Callable[[int, Any], Awaitable[object]] | None = None
    teardown: Callable[[int], object] | None = None
    global_teardown: Callable[[], object] | None = None
    picker: Callable[[int, int], str] | None = None
    listeners: tuple[Callable[..., Awaitable[object]], ...] = ()
    told: Callable[[int], Fact | None] | None = None

    def begin(self, arguments: Namespace) -> None:
        """Run ``global_setup``. Raises HarnessError."""
        if self.global_setup is None:
            return
        try:
            self.global_setup(arguments)
        except (ForeignHostError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise HarnessError(
                "load/set-up-failed",
                f"global_setup() raised {self.places.told(error)}",
                where=self.places.of(error),
                next_step="make the fixture succeed; without it, no visit means anything",
            ) from error

    def end(self) -> None:
        """Run ``global_teardown``; what it raises is printed."""
        if self.global_teardown is None:
            return
        try:
            self.global_teardown()
        except BaseException:  # what was measured is not the worse for it
            traceback.print_exc()

    def only(self, name: str) -> Scenarios:
        """Return these with one scenario left. Raises UsageError."""
        left = tuple(scenario for scenario in self.each if scenario.name == name)
        if not left:
            raise UsageError(
                "load/no-scenario",
                f"there is no scenario {name!r}",
                where=self.places.shown(self.places.file, 0),
                next_step=nearest(name, (scenario.name for scenario in self.each)),
            )
        return replace(self, each=left, picker=None)

    def pick(self, random: Random, worker_id: int, step_id: int) -> Scenario:
        """Choose by weight, or by the file's own `scenario_picker`.

        Raises LookupError for a name that it made up, and whatever it raises.
        """
        if self.picker is None:
            if len(self.each) == 1:
                return self.each[0]
            weights = [scenario.weight for scenario in self.each]
            return random.choices(self.each, weights)[0]
        name = self.picker(worker_id, step_id)
        for scenario in self.each:
            if scenario.name == name:
                return scenario
        raise LookupError(f"scenario_picker() returned {name!r}, which is no scenario")


class Registries:
    """Molotov's globals as one file has them, in a process that loads several files.

    They are its own while they are in place, and the process's again after it.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[Any, str], Any] = {
            (molotov.api, "_SCENARIO"): {}, (molotov.api, "_FIXTURES"): {},
            (molotov.util, "_VARS"): {},
        }  # fmt: skip
        replaced = {
            molotov: ("get_context", "request", "json_request"), molotov.session: ("get_context",),
            molotov.util: ("request", "json_request"),
        }  # fmt: skip
        for module, names in replaced.items():
            self._values |= {(module, name): getattr(module, name) for name in names}

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put them in their place, and take them back with what was made of them."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for (module, name), value in self._values.items():
            self._values[module, name] = getattr(module, name)
            setattr(module, name, value)


def load(name: str, root: Path, addresses: Addresses, extensions: Sequence[str] = ()) -> Scenarios:
    """Import the scenario file, or the dotted module, `name`, and return what it registered.

    `extensions` are named alike and imported before it. Raises UsageError for what cannot be a
    scenario file, HarnessError where importing it raises.
    """
    _prepend(root)
    molotov.get_context = molotov.session.get_context = _context
    for helper in ("request", "json_request"):
        resolving = _resolving(getattr(molotov.util, helper), addresses)
        setattr(molotov, helper, resolving)
        setattr(molotov.util, helper, resolving)
    weightless: dict[str, Entry] = {}
    for extension in extensions:
        _import(extension, root, _EXTENSION, weightless)
    return _registered(_import(name, root, _MODULE, weightless), weightless)


def _import(name: str, root: Path, module: str, weightless: dict[str, Entry]) -> Places:
    """Import a file, as `module`, or a dotted module, and return its places.

    Scenarios without weight, which Molotov does not register, are put into `weightless`.
    """
    file, imported = _located(name, root, module)
    places = Places(file, root)
    _compile(file, places)
    _prepend(file.parent)
    original = molotov.api.scenario
    molotov.scenario = molotov.api.scenario = _watching(original, places, weightless)
    try:
        imported()
    except (HarnessError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and pytest's outcomes, too
        raise _import_failed(error, places) from error
    finally:
        molotov.scenario = molotov.api.scenario = original
    return places


def _located(name: str, root: Path, module: str) -> tuple[Path, Callable[[], object]]:
    """Return the file that `name` means, and what imports it."""
    path = (root / name).resolve()
    if path.is_file():
        return path, lambda: _execute(path, module)
    if "/" in name or name.endswith(".py"):
        raise _unreadable(name, "is a folder" if path.is_dir() else "does not exist")
    is_name = all(part.isidentifier() for part in name.split("."))
    try:
        spec = importlib.util.find_spec(name) if is_name else None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of the packages that it is in, which this imports
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if not missing or not f"{name}.".startswith(f"{missing}."):
            raise _import_failed(error, Places(root / name, root)) from error
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise _unreadable(name, "is neither a file nor a module")
    return Path(spec.origin).resolve(), lambda: importlib.import_module(name)


def _import_failed(error: BaseException, places: Places) -> HarnessError:
    return HarnessError(
        "load/import-failed",
        f"importing it raised {places.told(error)}",
        where=places.of(error),
        next_step="make the file import by itself, as 'python FILE' would",
    )


def _unreadable(where: str, told: str) -> UsageError:
    return UsageError(
        "load/scenario-file",
        f"this file {told}",
        where=where,
        next_step="name a Python file with Molotov scenarios, such as scenarios/mix.py",
    )


def _prepend(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _compile(file: Path, places: Places) -> None:
    """Find a file that cannot be read, or is not Python, before anything of it is executed."""
    try:
        compile(file.read_bytes(), file, "exec")
    except SyntaxError as error:
        where = places.shown(str(file), error.lineno or 0)
        raise _unreadable(where, f"is not Python: {error.msg}") from None
    except OSError as error:
        raise _unreadable(places.shown(str(file), 0), f"cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise _unreadable(places.shown(str(file), 0), f"is not Python: {error}") from None


def _execute(file: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for the module of their class here
    spec.loader.exec_module(module)


def _watching(
    original: Callable[..., Any], places: Places, weightless: dict[str, Entry]
) -> Callable[..., Any]:
    """Wrap Molotov's decorator so that a second scenario of one name is an error.

    One without weight is kept in `weightless`: a picker ignores weights, says Molotov's page.
    """
    seen: dict[str, CodeType] = {}

    def scenario(weight: float = 1, delay: float = 0.0, name: str | None = None) -> Any:
        register = original(weight, delay, name)

        def watched(func: Any, *args: Any, **kw: Any) -> Any:
            registered = register(func, *args, **kw)
            own = name or func.__name__
            if weight <= 0:
                weightless[own] = {"name": own, "weight": weight, "delay": delay, "func": func,
                                   "args": args, "kw": kw}  # fmt: skip
            first = seen.setdefault(own, func.__code__) if weight > 0 else func.__code__
            if first is not func.__code__:
                raise UsageError(
                    "load/scenario-twice",
                    f"two scenarios are named {own!r}; the first is at {_line(first, places)}",
                    where=_line(func.__code__, places),
                    next_step="rename one, or give it a name: @scenario(name=...)",
                )
            return registered

        return watched

    return scenario


def _line(code: CodeType, places: Places) -> str:
    return places.shown(code.co_filename, code.co_firstlineno)


def _registered(places: Places, weightless: Mapping[str, Entry]) -> Scenarios:
    slot = molotov.api.get_fixture
    entries = {entry["name"]: entry for entry in molotov.api.get_scenarios()}
    if slot("scenario_picker"):
        entries = {**weightless, **entries}
    each = tuple(Scenario.of(entries[name]) for name in sorted(entries))
    if not each:
        raise UsageError(
            "load/no-scenarios",
            "this file registers no scenario; one of weight 0 does not count without a picker",
            where=places.shown(places.file, 0),
            next_step="decorate a coroutine function with @molotov.scenario()",
        )
    return Scenarios(
        places, each, slot("global_setup"), slot("setup"), slot("setup_session"),
        slot("teardown_session"), slot("teardown"), slot("global_teardown"),
        slot("scenario_picker"), tuple(slot("events") or ()),
    )  # fmt: skip


def _context(session: Any) -> Any:
    """Stand in for `molotov.get_context`."""
    return session.context


def _resolving(original: Callable[..., Any], addresses: Addresses) -> Callable[..., Any]:
    """Wrap `molotov.request` or `json_request`; both take a method, too."""

    @functools.wraps(original)
    def request(endpoint: str | URL, *args: Any, **options: Any) -> Any:
        try:
            return original(addresses.resolve(URL(endpoint)), *args, **options)
        except IndexError:  # of the answers, of which Molotov takes the first after its 30 s
            raise TimeoutError(f"{endpoint} had no answer in the 30 s that Molotov waits") from None

    return request
