"""Files of stubs, read strictly."""

from __future__ import annotations

from collections.abc import Iterable

from harness.document import Document
from harness.errors import PlanError, nearest
from harness.stub import Declared, Stub


def parse_stubs(text: str, source: str) -> tuple[Stub, ...]:
    """Read a file of ``[[stub]]`` tables. Raises PlanError."""
    document = Document(text, source)
    unknown = [key for key in document.tables if key != "stub"]
    if unknown:
        raise document.error(
            "plan/unknown-key",
            f"unknown key {unknown[0]!r}",
            unknown,
            nearest(unknown[0], ["stub"]),
        )
    declared = document.tables.get("stub", [])
    if not isinstance(declared, list) or not declared:
        raise PlanError("stubs/none", "no [[stub]] in this file", where=source)
    stubs = tuple(_stub(document, raw, index) for index, raw in enumerate(declared))
    refuse_twins(stubs)
    return stubs


def _stub(document: Document, raw: object, index: int) -> Stub:
    path = ("stub", index)
    declared = document.read(raw, Declared, path)
    defect = declared.defect()
    if defect is not None:
        told = f"stub {declared.name!r} {defect.message}"
        raise document.error(defect.slug, told, [*path, *defect.path], defect.next_step)
    return declared.stub(document.where(path))


def refuse_twins(stubs: Iterable[Stub]) -> None:
    """Raise PlanError where two of these stubs have the same name."""
    seen: dict[str, Stub] = {}
    for stub in stubs:
        first = seen.setdefault(stub.name, stub)
        if first is not stub:
            raise PlanError(
                "stubs/twice",
                f"the stub {stub.name!r} is declared twice, first at {first.where}",
                where=stub.where,
            )
