from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.manifest import parse_plan
from harness.openapi import documents, read

ROOT = Path(__file__).parents[2]


def test_every_document_of_the_reference_system_can_be_read() -> None:
    plan = parse_plan((ROOT / "harness.toml").read_text(), "harness.toml")

    found = documents(plan, ROOT)

    assert set(found) == {"skeleton", "tokendealer", "dataservice", "weather", "slack"}
    assert "/things" in found["skeleton"]["paths"]


def test_a_document_may_be_json_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text('{\n\t"openapi": "3.0.3",\n\t"paths": {}}')

    assert read(tmp_path, "api.json")["paths"] == {}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("api.yaml", None, "No such file"),
        ("api.yaml", "openapi: [3", "is not YAML"),
        ("api.json", "openapi: 3.0.0", "is not JSON"),
        ("api.yaml", b"\xff\xfe\x00", "is not YAML"),
        ("api.yaml", "[" * 5000, "is not YAML"),
        ("api.yaml", "", "no key 'openapi'"),
        ("api.yaml", "- openapi: 3.0.0", "no key 'openapi'"),
        ("api.yaml", "swagger: '2.0'\npaths: {}", "no key 'openapi'"),
        ("api.yaml", "openapi: 2.0.0\npaths: {}", "no key 'openapi' with a 3.x"),
        ("api.yaml", "openapi: 3.1.0", "has no 'paths'"),
        ("api.yaml", "openapi: 3.1.0\npaths: []", "has no 'paths'"),
    ],
)
def test_what_is_no_document_is_named_with_the_reason(
    tmp_path: Path, name: str, text: str | bytes | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)

    with pytest.raises(UsageError) as caught:
        read(tmp_path, name)

    assert said in caught.value.message
    assert caught.value.where == name
    assert caught.value.exit_code == 64
