"""``{openapi} FILE``: an OpenAPI document as a page, its title included.

What a schema says beyond its type is written behind it as it stands, so nothing is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

Tree = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
TOLD = ("type", "const", "enum", "items", "properties", "required", "description")


class OpenApi(SphinxDirective):
    """The document at the path that is the argument, relative to the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the page's nodes."""
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        page = Page(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        return self.parse_text_to_nodes("\n".join(page.lines()), allow_section_headings=True)


class Page:
    """An OpenAPI document as lines of markdown."""

    def __init__(self, document: Tree) -> None:
        self._document = document

    def lines(self) -> Iterator[str]:
        """Write all of it: the title, the operations, the schemas."""
        yield f"# {self._document['info']['title']}\n"
        yield _about(self._document["info"])
        for path, item in self._document["paths"].items():
            for method in filter(item.get, METHODS):
                yield f"\n## {method.upper()} {path}\n"
                yield from self._operation(item.get("parameters", []), item[method])
        for name, schema in self._document.get("components", {}).get("schemas", {}).items():
            yield f"\n## {name}\n"
            yield from _schema(schema)

    def _operation(self, shared: list[Tree], operation: Tree) -> Iterator[str]:
        yield _about(operation)
        security: list[Tree] = {**self._document, **operation}.get("security", [])
        if any(security):
            yield "\nCredentials: " + " or ".join("+".join(way) or "none" for way in security) + "."
        found = [self._of(one) for one in [*shared, *operation.get("parameters", [])]]
        yield from _table(
            ("parameter", "in", "is", ""),
            [(_name(one["name"], one.get("required")), one["in"], _said(one["schema"]), _about(one))
             for one in found],
        )  # fmt: skip
        body = self._of(operation.get("requestBody", {})).get("content", {})
        for kind, media in body.items():
            yield f"\nThe body, as `{kind}`:\n"
            yield from _schema(media["schema"])
        answers = [(code, self._of(one)) for code, one in operation["responses"].items()]
        yield from _table(
            ("answer", "", "body", "headers"),
            [(code, _about(one), self._bodies(one), self._headers(one)) for code, one in answers],
        )

    def _bodies(self, answer: Tree) -> str:
        bodies = answer.get("content", {}).items()
        return "; ".join(f"`{kind}`: {_said(media['schema'])}" for kind, media in bodies)

    def _headers(self, answer: Tree) -> str:
        found = [(name, self._of(one)) for name, one in answer.get("headers", {}).items()]
        return ", ".join(
            _name(name, one.get("required")) + (f" ({_about(one)})" if _about(one) else "")
            for name, one in found
        )

    def _of(self, part: Tree) -> Tree:
        """Return the part that is meant: itself, or where its ``$ref`` leads."""
        if "$ref" not in part:
            return part
        found = self._document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found


def _schema(schema: Tree) -> Iterator[str]:
    """Write an object as a table of its properties, anything else in a line."""
    if "properties" not in schema:
        yield f"{_said(schema)}. {_about(schema)}"
        return
    yield from _table(
        ("property", "is", ""),
        [(_name(name, name in schema.get("required", [])), _said(one), _about(one))
         for name, one in schema["properties"].items()],
    )  # fmt: skip
    yield ", ".join(_rest(schema))


def _said(schema: Tree) -> str:
    """Say a schema in a line."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    kinds = schema.get("type", [])
    words = [" or ".join([kinds] if isinstance(kinds, str) else kinds)]
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    words.append(" or ".join(f"`{json.dumps(value)}`" for value in values))
    if "items" in schema:
        words.append(f"of {_said(schema['items'])}")
    if "properties" in schema:
        required = schema.get("required", [])
        words.append("of " + ", ".join(
            f"{_name(name, name in required)} {_said(one)}"
            for name, one in schema["properties"].items()
        ))  # fmt: skip
    return ", ".join(filter(None, [" ".join(filter(None, words)), *_rest(schema)]))


def _rest(schema: Tree) -> list[str]:
    return [f"`{key}: {json.dumps(value)}`" for key, value in schema.items() if key not in TOLD]


def _name(name: str, required: bool | None) -> str:
    return f"`{name}`" if required else f"`{name}` (optional)"


def _about(part: Tree) -> str:
    return str(part.get("description", ""))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Write a table; of no rows, none."""
    if rows:
        yield ""
        for row in (head, ["---"] * len(head), *rows):
            cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
            yield f"| {' | '.join(cells)} |"
        yield ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("openapi", OpenApi)
    return {"parallel_read_safe": True}
