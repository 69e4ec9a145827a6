"""A service's OpenAPI document, the rows that test it, and what of an answer it does not allow."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from quart import Response
from quart.testing import QuartClient

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
        responses = self.operations[operation][2]
        allowed = self.resolved(responses.get(str(response.status_code), responses["default"]))
        told = list(self.wrong_headers(allowed.get("headers", {}), response))
        content = allowed.get("content")
        body = await response.get_data(as_text=False)
        if content is None:
            return [*told, f"a body where none is documented: {body!r}"] if body else told
        if response.mimetype not in content:
            return [*told, f"{response.mimetype}, documented: {', '.join(content)}"]
        if response.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        value = READ.get(response.mimetype, bytes.decode)(body)
        return [*told, *self.wrong("body", content[response.mimetype]["schema"], value)]

    def wrong_headers(self, allowed: Mapping[str, Any], response: Response) -> Iterator[str]:
        for name, header in ((name, self.resolved(header)) for name, header in allowed.items()):
            value = response.headers.get(name)
            if value is not None:
                yield from self.wrong(name, header["schema"], value)
            elif header.get("required"):
                yield f"no {name} header"

    def wrong(self, what: str, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
        whole = {**schema, "components": self.document["components"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        for error in validator.iter_errors(value):
            yield f"{what} {error.json_path}: {error.message}"

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.document
        if "$ref" not in value:
            return value
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found
