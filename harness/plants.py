"""The faults that `harness prove` plants: what each is in code, and what must be said of it. Pure.

A fault is new files, or lines after those that a file has; it takes nothing away. Whether a limit
can be broken by adding something is known here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from harness.objective import Objective

NAME = "planted_by_harness"
"""Begins the name of every file and function that is planted."""

_WORDS = "planted by harness prove"
_ADDED = ("<", "<=", "==")
"""Operators of limits that adding something can break."""


@dataclass(frozen=True, slots=True)
class Plant:
    """One fault: the files that make it, by name, and the finding that tells of it.

    `slugs`, `at` and `says` as in `planted.Planted`. `obstacle`: why there is no such fault.
    """

    fault: str
    against: str
    slugs: tuple[str, ...]
    at: str = ""
    says: str = ""
    changes: Mapping[str, str] = field(default_factory=dict)
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where code is added: in the file `path`, after its text, if it has any."""

    path: str
    text: str = ""

    def changed(self, code: str) -> tuple[Mapping[str, str], int]:
        """Return the file with `code` added, and how many lines come before that."""
        before = f"{self.text.rstrip()}\n\n\n" if self.text.strip() else ""
        return {self.path: before + code}, before.count("\n")


def closure(limit: Objective, place: Place, blocks: int) -> Plant:
    """Break a limit of complexity by one closure. `blocks` counts the functions that there are."""
    worst = int(limit.limit) + 1
    if limit.indicator == "complexity.average":
        worst *= blocks + 100  # enough, were all the others of complexity 0
    told = Plant(f"a closure of complexity {worst}", limit.text, ("complexity/limit",))
    if limit.indicator not in ("complexity.max", "complexity.average"):
        return _impossible(told, "no fault is known here for this limit")
    if limit.op not in _ADDED:
        return _impossible(told, "code that is added cannot break this limit")
    compared = " or ".join(f"n == {number}" for number in range(worst))
    code = f"def {NAME}():\n    def closure(n):\n        return {compared}\n\n    return closure\n"
    changes, before = place.changed(code)
    if limit.indicator == "complexity.average":
        at = limit.pattern or "complexity"
        return Plant(told.fault, limit.text, ("gates/limit-broken",), at, limit.text, changes)
    return Plant(told.fault, limit.text, told.slugs, f"{place.path}:{before + 2}", "", changes)


@dataclass(frozen=True, slots=True)
class _Weak:
    name: str
    rule: str
    imported: str
    line: str


_WEAK = {
    "high": _Weak("a shell", "B602", "import subprocess\n\n\n",
                           "subprocess.Popen(text, shell=True)"),
    "medium": _Weak("an eval", "B307", "", "eval(text)"),
    "low": _Weak("a random number", "B311", "import random\n\n\n", "random.random()"),
}  # fmt: skip
"""One call that Bandit finds, with high confidence, for each severity."""


def weakness(limit: Objective, place: Place) -> Plant:
    """Break a limit of security: one issue, or as many as the limit does not tolerate."""
    severity, _, confidence = limit.indicator.removeprefix("security.").partition(".")
    weak = _WEAK.get(severity)
    if weak is None or confidence not in ("", "high"):
        told = Plant("a weakness", limit.text, ())
        return _impossible(told, "no fault is known here for this limit")
    times = int(limit.limit) + 1
    fault = weak.name if times == 1 else f"{weak.name}, {times} times"
    told = Plant(fault, limit.text, (f"security/{weak.rule}",))
    if limit.op not in _ADDED:
        return _impossible(told, "code that is added cannot break this limit")
    code = f"{weak.imported}def {NAME}(text):\n" + f"    {weak.line}\n" * times
    changes, _ = place.changed(code)
    return Plant(told.fault, limit.text, told.slugs, f"{place.path}:", "", changes)


def unparsable(place: Place) -> Plant:
    """Make a file that no Python reads."""
    changes, _ = place.changed(f"def {NAME}(:\n")
    told = "every file is accounted for"
    return Plant("a file that does not parse", told, ("gates/not-parsed",), place.path, "", changes)


_BRANCHES = 100
MODULE = (
    f"def {NAME}(n):\n"
    "    if n:\n"
    + "".join(f"        if n == {one}:\n            n = -n\n" for one in range(1, _BRANCHES + 1))
    + "    return n\n"
)
"""A module of which a test runs all, or the three lines and the one branch outside of the `if`."""

_LEFT = {
    "coverage.lines": Fraction(100 * 3, 3 + 2 * _BRANCHES),
    "coverage.branches": Fraction(100 * 1, 2 + 2 * _BRANCHES),
}
"""What of it is covered then, in per cent."""


def uncovered(limit: Objective, path: str) -> Plant:
    """Break a limit of coverage by branches of the file at `path` that no test runs."""
    which = limit.indicator.partition(".")[2]
    told = Plant(f"{_BRANCHES} branches that no test runs", limit.text, (f"coverage/{which}",),
                 f"{path}:")  # fmt: skip
    if limit.indicator not in _LEFT:
        return _impossible(told, "no fault is known here for this limit")
    if limit.holds(_LEFT[limit.indicator]):
        return _impossible(told, f"{float(_LEFT[limit.indicator]):.1f} % covered would still do")
    return told


def _impossible(plant: Plant, obstacle: str) -> Plant:
    return Plant(plant.fault, plant.against, plant.slugs, obstacle=obstacle)


_REQUEST = f'await client.get("/{NAME}")'


def healthy_test(modules: tuple[str, ...]) -> str:
    """Write tests that pass: one asks the service, one runs all of the planted `modules`."""
    return (
        f'"""{_WORDS.capitalize()}: these pass."""\n{_loader(modules)}\n\n'
        f"async def test_{NAME}_asks(client):\n"
        f"    assert ({_REQUEST}).status_code\n\n\n"
        f"def test_{NAME}_covers():\n"
        f"    for function in planted():\n"
        f"        for n in range({_BRANCHES + 2}):\n"
        f"            function(n)\n"
    )


FAILING = f"test_{NAME}_fails"
RAISING = f"test_{NAME}_is_not_set_up"


def faulty_test(modules: tuple[str, ...]) -> str:
    """Write tests of which one fails, one is not set up, and one covers next to nothing."""
    return (
        f'"""{_WORDS.capitalize()}: two of these do not pass."""\n'
        f"import pytest\n{_loader(modules)}\n\n"
        f"async def {FAILING}(client):\n"
        f"    assert ({_REQUEST}).status_code == 0\n\n\n"
        f"@pytest.fixture\ndef {NAME}():\n"
        f'    raise RuntimeError("{_WORDS}")\n\n\n'
        f"async def {RAISING}(client, {NAME}):\n"
        f"    {_REQUEST}\n\n\n"
        f"def test_{NAME}_covers():\n"
        f"    for function in planted():\n"
        f"        function(0)\n"
    )


def _loader(modules: tuple[str, ...]) -> str:
    return (
        "import importlib.util\nimport pathlib\n\n\n"
        "def planted():\n"
        f"    for path in {list(modules)!r}:\n"
        f'        spec = importlib.util.spec_from_file_location("{NAME}", pathlib.Path(path))\n'
        "        module = importlib.util.module_from_spec(spec)\n"
        "        spec.loader.exec_module(module)\n"
        f"        yield module.{NAME}\n"
    )


def mute_test() -> str:
    """Write a test that passes and says nothing of its target."""
    return f'"""{_WORDS.capitalize()}."""\n\n\nasync def test_{NAME}(client):\n    assert client\n'


STUB = f"""

[[stub]]
name = "{NAME}"
request = {{ method = "GET", path = "/{NAME}" }}
reply = {{ status = 204 }}
contradicts = "{_WORDS}"
"""


def slow_application(module: str, attribute: str, is_factory: bool, delay_s: float) -> str:
    """Write an application that answers as another does, `delay_s` later."""
    call = "()" if is_factory else ""
    return (
        f'"""{_WORDS.capitalize()}: each answer comes late."""\n'
        "import asyncio\nimport importlib\n\n"
        f'inner = importlib.import_module("{module}").{attribute}{call}\n\n\n'
        "async def app(scope, receive, send):\n"
        '    if scope["type"] == "http":\n'
        f"        await asyncio.sleep({delay_s})\n"
        "    await inner(scope, receive, send)\n"
    )


def scenario(text: str, *, deadly: bool) -> str:
    """Add a scenario to a file, which nine in ten visits are of: it fails, or kills its process."""
    told = f'raise AssertionError("{_WORDS}")'
    body = "__import__('os').kill(__import__('os').getpid(), 9)" if deadly else told
    return (
        f"{text.rstrip()}\n\n\n"
        f"import itertools as {NAME}_tools\n\nimport molotov.api as {NAME}_api\n\n"
        f"{NAME}_visits = {NAME}_tools.count()\n"
        f'{NAME}_api._FIXTURES.pop("scenario_picker", None)  # it knows none but its own\n\n\n'
        f"@{NAME}_api.scenario(\n"
        f'    weight=9 * sum(one["weight"] for one in {NAME}_api.get_scenarios()) or 1\n)\n'
        f"async def {NAME}(session):\n"
        f"    if next({NAME}_visits):  # each scenario must pass once before it is driven\n"
        f"        {body}\n"
    )
