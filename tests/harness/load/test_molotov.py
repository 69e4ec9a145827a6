from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import molotov
import molotov.api
import molotov.util
import pytest

from harness.errors import HarnessError, UsageError
from harness.load.address import Addresses
from harness.load.molotov import Registries, Scenarios, load

Load = Callable[..., Scenarios]

ONE = """
from molotov import scenario

@scenario(weight=3, delay=0.5, name="first")
async def one(session):
    pass
"""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a text as a scenario file, into registries of its own."""
    monkeypatch.setattr(molotov.api, "_SCENARIO", {})
    monkeypatch.setattr(molotov.api, "_FIXTURES", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))

    def write_and_load(text: str | bytes, name: str = "scenarios/mix.py") -> Scenarios:
        file = tmp_path / "scenarios" / "mix.py"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(name, tmp_path, Addresses("http://127.0.0.1:1"))

    return write_and_load


def test_scenarios_are_read_with_their_name_weight_and_delay(loaded: Load) -> None:
    (one,) = loaded(ONE).each

    assert (one.name, one.weight, one.delay_s) == ("first", 3, 0.5)


def test_fixtures_and_listeners_are_read(loaded: Load) -> None:
    found = loaded(
        ONE
        + """
import molotov

@molotov.global_setup()
def start(args): pass

@molotov.setup()
async def begin(worker_id, args): return {}

@molotov.events()
async def first(event, **info): pass

@molotov.events()
async def second(event, **info): pass

@molotov.scenario_picker()
def pick(worker_id, step_id): return "first"
"""
    )

    assert found.global_setup is not None
    assert found.setup is not None
    assert found.teardown is None
    assert len(found.listeners) == 2
    assert found.pick(Random(0), 0, 0).name == "first"


def test_a_dotted_module_is_found_from_the_root(loaded: Load) -> None:
    assert [one.name for one in loaded(ONE, "scenarios.mix").each] == ["first"]


def test_a_file_imports_its_neighbours(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "neighbour.py").write_text("weight = 7\n")

    (one,) = loaded(ONE.replace("weight=3", "weight=__import__('neighbour').weight")).each

    assert one.weight == 7


@pytest.mark.parametrize(
    ("text", "slug", "line"),
    [
        ("def broken(:\n", "load/scenario-file", ":1"),
        ("x = 1\n\0\n", "load/scenario-file", ""),
        (b"x = '\xff'\n", "load/scenario-file", ""),
        ("", "load/no-scenarios", ""),
        (ONE.replace("weight=3", "weight=0"), "load/no-scenarios", ""),
        (ONE + ONE, "load/scenario-twice", ":10"),
        (ONE + ONE.replace("from molotov import", "from molotov.api import"),
         "load/scenario-twice", ":10"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_scenario_file_is_a_usage_error_with_its_place(
    text: str | bytes, slug: str, line: str, loaded: Load
) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(text)

    assert caught.value.slug == slug
    assert caught.value.where.startswith(f"scenarios/mix.py{line}")
    assert caught.value.next_step


@pytest.mark.parametrize("name", ["scenarios/no.py", "scenarios", "no_such.module", "a b", "sys"])
def test_what_is_not_there_is_a_usage_error(name: str, loaded: Load) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(ONE, name)

    assert caught.value.slug == "load/scenario-file"


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("\nraise ValueError('why')\n", "ValueError: why", 2),
        ("import sys\n\n\nsys.exit()\n", "SystemExit", 4),
        ("import no_such_module\n", "no_such_module", 1),
        ("from molotov import scenario\n@scenario()\ndef plain(s): pass\n", "coroutine", 2),
        ("def fail():\n    import json\n    json.loads('{')\n\nfail()\n", "JSONDecodeError", 3),
    ],
)
def test_an_import_that_raises_is_an_error_of_the_scenario_file(
    text: str, told: str, line: int, loaded: Load
) -> None:
    with pytest.raises(HarnessError) as caught:
        loaded(text)

    assert caught.value.exit_code == 2
    assert caught.value.slug == "load/import-failed"
    assert told in caught.value.message
    assert caught.value.where == f"scenarios/mix.py:{line}"


@pytest.mark.parametrize("raising", ["raise ValueError('why')", "1 / 0", "import no_such_module"])
def test_a_package_that_cannot_be_imported_is_told_with_its_place(
    raising: str, loaded: Load, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text(raising)

    with pytest.raises(HarnessError) as caught:
        loaded(ONE, "broken.mix")

    assert caught.value.slug == "load/import-failed"
    assert caught.value.where == "broken/__init__.py:1"


def test_two_scenarios_of_one_name_are_told_apart_by_their_own_names_only(loaded: Load) -> None:
    assert len(loaded(ONE + ONE.replace('name="first"', 'name="second"')).each) == 2


def test_one_scenario_can_be_chosen_and_a_wrong_name_says_which_there_are(loaded: Load) -> None:
    found = loaded(ONE + ONE.replace('name="first"', 'name="second"'))

    assert [one.name for one in found.only("second").each] == ["second"]
    with pytest.raises(UsageError, match="no scenario 'secnd'") as caught:
        found.only("secnd")
    assert "second" in caught.value.next_step


def test_weights_are_followed_and_a_seed_repeats_itself(loaded: Load) -> None:
    found = loaded(ONE + ONE.replace('name="first"', 'name="second"').replace("=3", "=1"))

    def picks(seed: int) -> list[str]:
        random = Random(seed)
        return [found.pick(random, 0, 0).name for _ in range(1000)]

    assert picks(1) == picks(1) != picks(2)
    assert 700 < picks(1).count("first") < 800


def test_a_scenario_without_weight_is_none(loaded: Load) -> None:
    both = ONE + ONE.replace('name="first"', 'name="second"').replace("=3", "=0")
    assert [one.name for one in loaded(both).each] == ["first"]


def test_weights_are_ignored_where_a_picker_picks(loaded: Load) -> None:
    picker = "import molotov\nmolotov.scenario_picker()(lambda w, s: 'first')\n"
    found = loaded(ONE.replace("=3", "=0") + picker)

    assert found.pick(Random(0), 0, 1).name == "first"


def test_a_helper_that_had_no_answer_in_its_time_says_so(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_came(*arguments: object, **options: object) -> object:
        return [][0]  # as Molotov does after 30 s

    for module in (molotov, molotov.util):
        monkeypatch.setattr(module, "request", nothing_came)
    loaded(ONE)

    with pytest.raises(TimeoutError, match="/token had no answer in the 30 s"):
        molotov.request("/token")


def test_each_file_has_registries_of_its_own_while_they_are_in_place(loaded: Load) -> None:
    first, second = Registries(), Registries()
    request = molotov.request
    with first.in_place():
        loaded(ONE)
        molotov.set_var("of", 1)
    with second.in_place():
        assert molotov.get_var("of") is None
        assert [one.name for one in loaded(ONE).each] == ["first"]
    with first.in_place():
        assert molotov.get_var("of") == 1
        assert molotov.request is not request

    assert molotov.get_var("of") is None
    assert molotov.request is request


def test_a_picker_that_names_no_scenario_is_told(loaded: Load) -> None:
    found = loaded(ONE + "import molotov\nmolotov.scenario_picker()(lambda w, s: 'nothing')\n")

    with pytest.raises(LookupError, match="'nothing'"):
        found.pick(Random(0), 0, 0)
