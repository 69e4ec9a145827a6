"""The tables of ``harness.toml`` as they are written: names, types and what is left out."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import msgspec

from harness.plan import DEFAULT_LIMITS, START_S


class ServiceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[services.NAME]``."""

    app: str
    env: dict[str, str] = {}
    openapi: str = ""
    tls: bool = False
    start_within: str = f"{START_S:g}s"


class StandInTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[standins.NAME]``."""

    origin: str
    stubs: tuple[str, ...]
    default: tuple[str, ...] = ()
    openapi: str = ""
    provider: str = ""
    max_age: str | None = None


class TokenTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[tests.tokens.NAME], and of a profile``."""

    url: str
    form: dict[str, str] | None = None
    json: dict[str, str] | None = None
    field: str = "access_token"


class TestsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[tests]``."""

    paths: tuple[str, ...]
    targets: tuple[str, ...] = ("inproc",)
    pythons: tuple[str, ...] = ()
    rate: str | None = None
    tokens: dict[str, Any] = {}
    limits: tuple[str, ...] = ()
    error_logs: Literal["list", "fail"] = "list"


class LoadTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[load.NAME]``."""

    scenarios: str
    pace: str
    service: str = ""
    objectives: tuple[str, ...] = ()
    processes: int = 1
    warm_up: str = ""
    visits: int | None = None
    in_flight: int | None = None
    seed: int = 0
    stop_at_failure: bool = False
    stop_when_lost: bool = False
    steps: tuple[str, ...] = ()


class GatesTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[gates]``."""

    paths: tuple[str, ...]
    limits: tuple[str, ...] = DEFAULT_LIMITS
    exclude: list[Any] = []


class ExcludeTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[gates.exclude]]``."""

    path: str
    reason: str


class WaiverTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[waivers]]``."""

    slug: str
    path: str
    reason: str
    until: date


class ProfileTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[profiles.NAME]``."""

    allow_hosts: tuple[str, ...] = ()
    targets: dict[str, str] = {}
    rate: str | None = None
    writable: tuple[str, ...] | None = None
    tokens: dict[str, Any] = {}
