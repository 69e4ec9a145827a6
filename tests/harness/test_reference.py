"""The reference system as somebody else started it: its own tests, by address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.manifest import parse_plan
from tests.system import ROOT, running

SERVICES = ["actions", "dataservice", "skeleton", "tokendealer"]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    plan = parse_plan((ROOT / "harness.toml").read_text(), "harness.toml")
    with running(plan, tmp_path_factory.mktemp("system")) as addresses:
        yield addresses


def judged(tmp_path: Path, addresses: Mapping[str, str]) -> tuple[int, list[dict[str, Any]]]:
    """Test what is at these addresses: the exit code, and the record's row of each service."""
    record = tmp_path / "record.json"
    done = subprocess.run(
        [sys.executable, "-m", "harness", "test", "--reports", tmp_path, "--json", record,
         *(f"--target={name}={url}" for name, url in addresses.items())],
        cwd=ROOT, env={k: v for k, v in os.environ.items() if not k.startswith("HARNESS_")},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert record.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(record.read_text())["functional"]


def test_its_tests_pass_against_its_services_wherever_they_run(
    tmp_path: Path, addresses: dict[str, str]
) -> None:
    code, rows = judged(tmp_path, addresses)

    assert (code, sorted(row["service"] for row in rows)) == (0, SERVICES), rows
    assert all(row["passed"] > 0 and row["passed"] == row["reached"] for row in rows)


def test_where_none_of_them_is_nothing_passes(tmp_path: Path) -> None:
    code, rows = judged(tmp_path, dict.fromkeys(SERVICES, "http://127.0.0.1:1"))

    assert (code, sum(row["passed"] for row in rows)) == (2, 0)
