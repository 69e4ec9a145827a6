"""A service's OpenAPI document, the rows that test it, and what of an answer it does not allow."""

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from quart import Response
from quart.testing import QuartClient

from harness import contract

DOCUMENTS = Path(__file__).parents[1] / "fixtures/openapi"
READ: Mapping[str, Callable[[bytes], Any]] = {
    "application/json": json.loads,
    "application/msgpack": msgspec.msgpack.decode,
    "application/yaml": yaml.safe_load,
}


@dataclass(frozen=True)
class Row:
    """One request, and the status that it must be answered with."""

    operation: str
    status: int
    sent: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)  # in the path
    who: str | None = None  # sends it, as the suite knows them
    stub: str | None = None


def cases(rows: Iterable[Row]) -> list[Any]:
    """The rows as a test's parameters, each with its stub."""
    return [
        pytest.param(
            row,
            marks=[pytest.mark.stubs(row.stub)] if row.stub else [],
            id=f"{row.operation}-{row.status}-{number}",
        )
        for number, row in enumerate(rows)
    ]


class Contract:
    """What a service promises in `fixtures/openapi`."""

    def __init__(self, service: str) -> None:
        file = DOCUMENTS / f"{service}.yaml"
        self.document: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
        self.contract = contract.Contract(self.document, file.name)
        self.promised = {one.place.value["operationId"]: one for one in self.contract.operations}
        self.operations = {
            item[method]["operationId"]: (path, method, item[method]["responses"])
            for path, item in self.document["paths"].items()
            for method in item.keys() - {"parameters"}
        }

    def statuses(self) -> set[tuple[str, int]]:
        """Each operation with each status that is documented for it by name."""
        return {
            (operation, int(status))
            for operation, (_, _, responses) in self.operations.items()
            for status in responses
            if status != "default"
        }

    async def answer(self, client: QuartClient, row: Row, **changes: Any) -> Response:
        """The answer to a row; `at` and whatever is sent may be changed for this once."""
        path, method, _ = self.operations[row.operation]
        at = {**changes.pop("at", {}), **row.at}
        response: Response = await getattr(client, method)(
            path.format(**at), **{**row.sent, **changes}
        )
        return response

    async def problems(self, operation: str, response: Response) -> list[str]:
        """What of the answer the document does not allow, in words."""
        body = await response.get_data(as_text=False)
        promised, status = self.promised[operation], response.status_code
        kind: str = response.mimetype if body else ""
        value: Any = msgspec.UNSET
        documented = promised.response(status)
        if body and documented and "content" not in documented.value:
            return [f"a body where none is documented: {body!r}"]
        if response.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if body:
            value = READ.get(kind, bytes.decode)(body)
        found = self.contract.answered(promised, status, response.headers, kind, value)
        return [str(one) for one in found]
