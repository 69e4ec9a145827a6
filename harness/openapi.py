"""The OpenAPI document of a service or a stand-in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UsageError
from harness.plan import Plan, Service, StandIn


def documents(plan: Plan, root: Path) -> dict[str, dict[str, Any]]:
    """Read every document that a plan names, by service or stand-in. Raises UsageError."""
    described: tuple[Service | StandIn, ...] = (*plan.services, *plan.standins)
    return {one.name: read(root, one.openapi) for one in described if one.openapi}


def read(root: Path, path: str) -> dict[str, Any]:
    """Read the document at `path`, JSON or YAML by its name. Raises UsageError."""
    try:
        text = (root / path).read_text(encoding="utf-8")
        found = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        kind = "JSON" if path.endswith(".json") else "YAML"
        raise _refused(path, f"is not {kind}: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not str(found.get("openapi", "")).startswith("3."):
        raise _refused(path, "is no OpenAPI 3 document: it has no key 'openapi' with a 3.x version")
    if not isinstance(found.get("paths"), dict):
        raise _refused(path, "has no 'paths'")
    return found


def _refused(path: str, told: str) -> UsageError:
    return UsageError(
        "plan/openapi",
        f"the document {told}",
        where=path,
        next_step="name an OpenAPI 3 document, YAML or JSON, relative to the project",
    )
