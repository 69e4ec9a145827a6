"""A test of ``molotov.json``, read strictly, as the options of ``harness load``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError, nearest

DEFAULT_TEST = "test"
"""The name of the test where the command names none, as Molotov's."""


class Test(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One test: Molotov's options by the names that its command line gives them."""

    scenario: str = "loadtest.py"
    workers: int | None = None
    processes: int | None = None
    duration: float | None = None
    max_runs: int | None = None
    ramp_up: float | None = None
    delay: float | None = None
    single_mode: str | None = None
    single_run: bool = False
    exception: bool = False
    fail: int | None = None
    quiet: bool = False
    console: bool = False
    verbose: int = 0
    use_extension: tuple[str, ...] = ()
    sizing: bool = False
    statsd: bool = False
    debug: bool = False
    env: dict[str, str] = {}
    # What follows changes nothing here: docs/molotov.md says why.
    requirements: str = ""
    uvloop: bool = False
    console_update: float = 0
    force_shutdown: bool = False
    sizing_tolerance: float = 0
    statsd_address: str = ""

    def given(self) -> dict[str, Any]:
        """Return the options that it sets."""
        unset = msgspec.structs.asdict(Test())
        found = msgspec.structs.asdict(self)
        return {key: value for key, value in found.items() if value != unset[key]}


class _Tests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tests: dict[str, msgspec.Raw]
    env: dict[str, str] = {}
    requirements: str = ""


class _File(msgspec.Struct, frozen=True):
    molotov: msgspec.Raw


def read_test(config: str, name: str) -> tuple[Test, dict[str, str]]:
    """Return one test of a file and the environment that it asks for. Raises UsageError."""
    try:
        content = Path(config).read_bytes()
    except OSError as error:
        raise UsageError(
            "load/config", f"cannot be read: {error.strerror}", where=config,
            next_step="name a molotov.json: harness load --config FILE [TEST]",
        ) from None  # fmt: skip
    found = _decoded(_decoded(content, _File, config).molotov, _Tests, config)
    tests = {
        key: _decoded(raw, Test, f"{config}, test {key!r}") for key, raw in found.tests.items()
    }
    if name not in tests:
        raise UsageError(
            "load/config", f"there is no test {name!r}", where=config,
            next_step=nearest(name, tests),
        )  # fmt: skip
    return tests[name], {**found.env, **tests[name].env}


def _decoded(content: bytes | msgspec.Raw, as_type: type[Any], where: str) -> Any:
    try:
        return msgspec.json.decode(content, type=as_type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        unknown = re.search(r"unknown field `(.+)`", str(error))
        raise UsageError(
            "load/config",
            f"unknown key {unknown[1]!r}" if unknown else f"{error}",
            where=where,
            next_step=nearest(unknown[1], as_type.__struct_fields__) if unknown else "",
        ) from None
