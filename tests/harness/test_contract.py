"""Stubs held to an OpenAPI document."""
# ruff: noqa: E501 - a case reads best on one line

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract import Contract
from harness.errors import PlanError, UsageError
from harness.reply import Reply
from harness.schema import Place, Schemas, Sent
from harness.stub import Call
from harness.stubfile import parse_stubs, read_stub

ROOT = Path(__file__).parents[2]

SHOP = """
openapi: 3.1.0
info: { title: Shop, version: "1" }
servers:
  - url: https://{region}.example.org/v1/
    variables: { region: { default: eu } }
components:
  securitySchemes:
    key: { type: apiKey, in: query, name: key }
  parameters:
    Limit: { name: limit, in: query, schema: { type: integer, maximum: 50 } }
  responses:
    Problem:
      description: What went wrong
      content:
        application/problem+json:
          schema: { type: object, required: [title], properties: { title: { type: string } } }
  schemas:
    Item:
      type: object
      required: [id, name]
      additionalProperties: false
      properties:
        id: { type: integer, readOnly: true }
        name: { type: string, minLength: 1 }
        colour: { type: [string, "null"] }
        pin: { type: string, writeOnly: true }
        parts: { type: array, items: { $ref: "#/components/schemas/Item" } }
    Card: { type: object, required: [kind, number], properties: { kind: { const: Card }, number: { type: string } } }
    Cash: { type: object, required: [kind], properties: { kind: { type: string }, coins: { type: integer } } }
paths:
  /items:
    parameters: [{ $ref: "#/components/parameters/Limit" }]
    get:
      parameters:
        - { name: colour, in: query, required: true, schema: { enum: [red, blue] } }
        - { name: ids, in: query, schema: { type: array, minItems: 2, items: { type: integer } } }
        - { name: filter, in: query, style: deepObject, schema: { type: object } }
        - { name: X-Page, in: header, schema: { type: integer } }
      responses:
        200:
          description: All
          headers: { X-Total: { required: true, schema: { type: integer } } }
          content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Item" } } } }
        4XX: { $ref: "#/components/responses/Problem" }
    post:
      requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/Item" } } } }
      responses:
        "201": { description: Made, content: { application/json: { schema: { $ref: "#/components/schemas/Item" } } } }
        "400": { $ref: "#/components/responses/Problem" }
        default: { description: Else, content: { "text/*": { schema: { type: string } } } }
  /items/{id}:
    get:
      parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
      responses:
        "200": { description: One, content: { application/json: { schema: { $ref: "#/components/schemas/Item" } } } }
        "304": { description: As before }
  /items/newest:
    get: { responses: { "200": { description: A name, content: { text/plain: { schema: { type: string } } } } } }
  /a%20b/{name}.json:
    get: { responses: { "200": { description: Fine } } }
  /payments:
    post:
      requestBody:
        content:
          application/json:
            schema:
              oneOf: [{ $ref: "#/components/schemas/Card" }, { $ref: "#/components/schemas/Cash" }]
              discriminator: { propertyName: kind, mapping: { card: "#/components/schemas/Card" } }
          application/x-www-form-urlencoded:
            schema: { type: object, additionalProperties: false, properties: { coins: { type: integer } } }
      responses: { "204": { description: Paid } }
"""

TOTAL = {"X-Total": "1"}
CUP = {"id": 1, "name": "cup"}


@pytest.fixture(scope="module")
def shop() -> Contract:
    return Contract(yaml.safe_load(SHOP), "shop.yaml")


def found(
    contract: Contract, method: str, path: str | None, reply: Any = None, **request: Any
) -> list[str]:
    stub = read_stub("test.py:1", method, path, reply=reply or {"status": 299}, **request)
    return [str(one) for one in contract.contradictions(stub)]


def reply_to_all(json: Any, **rest: Any) -> dict[str, Any]:
    return {"json": json, "headers": TOTAL, **rest}


def listing(contract: Contract, **request: Any) -> list[str]:
    return found(contract, "GET", "/v1/items", reply_to_all([]), **request)


@pytest.mark.parametrize(
    ("method", "path", "reply", "request_"),
    [
        ("GET", "/v1/items", reply_to_all([CUP]), {}),
        ("GET", "/v1/items", reply_to_all([CUP]), {"query": {"colour": "red", "limit": "50"}}),
        ("GET", "/v1/items", reply_to_all([]), {"query": {"ids": "1,2", "key": "secret"}}),
        ("GET", "/v1/items", reply_to_all([]), {"query": {"ids": ["1", "2"], "filter[a]": "b"}}),
        ("GET", "/v1/items", reply_to_all([]), {"query": {"limit": {"any": "integer"}}}),
        ("GET", "/v1/items", reply_to_all([]), {"query": {"colour": {"pattern": "^r"}}}),
        ("GET", "/v1/items", reply_to_all([]), {"headers": {"x-page": "3", "X-Free": "yes"}}),
        ("GET", "/v1/items", {"status": 404, "json": {"title": "x"},
                              "headers": {"Content-Type": "application/problem+json"}}, {}),
        ("HEAD", "/v1/items", {"headers": TOTAL}, {}),
        ("GET", "/v1/items/7", {"json": {**CUP, "colour": None, "parts": [CUP]}}, {}),
        ("GET", "/v1/items/7", {"status": 304}, {}),
        ("GET", "/v1/items/newest", {"text": "cup"}, {}),
        ("GET", None, {"json": CUP}, {"path_pattern": "/v1/items/{number}"}),
        ("GET", None, {"text": "cup"}, {"path_prefix": "/v1/items/n"}),
        ("GET", "/v1/a b/c.json", {"text": "fine"}, {}),
        ("POST", "/v1/items", {"status": 201, "json": CUP}, {"json": {"name": "cup", "pin": "1"}}),
        ("POST", "/v1/items", {"status": 201, "json": CUP}, {"json_includes": {"colour": "red"}}),
        ("POST", "/v1/items", {"status": 201, "json": CUP}, {"json": {"name": {"any": "string"}}}),
        ("POST", "/v1/items", {"status": 503, "text": "later"}, {}),
        ("POST", "/v1/items", {"fault": "reset"}, {}),
        ("POST", "/v1/items", {"status": 503}, {}),
        ("POST", "/v1/payments", {"status": 204}, {"json": {"kind": "Cash", "coins": 2}}),
        ("POST", "/v1/payments", {"status": 204}, {"json": {"kind": "Card", "number": "4"}}),
        ("POST", "/v1/payments", {"status": 204}, {"json_includes": {"coins": {"any": "integer"}}}),
        ("POST", "/v1/payments", {"status": 204}, {"form": {"coins": "2"}}),
    ],
)  # fmt: skip
def test_what_the_document_allows_is_no_contradiction(
    shop: Contract, method: str, path: str | None, reply: Any, request_: dict[str, Any]
) -> None:
    assert found(shop, method, path, reply, **request_) == []


ITEM = "#/components/schemas/Item"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ({"json": {"id": "1", "name": "cup"}}, f"/reply/json/id: '1' is not of type 'integer' ({ITEM}/properties/id/type)"),
        ({"json": {"id": 1}}, f"/reply/json: 'name' is a required property ({ITEM}/required)"),
        ({"json": {**CUP, "size": 1}}, "'size' was unexpected"),
        ({"json": {**CUP, "parts": [CUP, {"id": 2, "name": ""}]}}, "/reply/json/parts/1/name: "),
        ({"json": {**CUP, "pin": "1"}}, "/reply/json/pin: it is 'writeOnly'"),
        ({"text": '{"id": 1.5, "name": "x"}', "headers": {"Content-Type": "application/json"}}, "/reply/text/id: 1.5 is not"),
        ({"text": '{"id"', "headers": {"Content-Type": "application/json"}}, "/reply/text: expected JSON"),
        ({"text": "cup"}, "/reply/headers/Content-Type: found text/plain; charset=utf-8, expected application/json (#/paths/~1items~1{id}/get/responses/200/content)"),
        ({}, "/reply/text: found no body, expected application/json"),
        ({"status": 404}, "/reply/status: found 404, expected 200, 304 (#/paths/~1items~1{id}/get/responses)"),
        ([{"json": CUP}, {"json": []}], "/replies/1/json: [] is not of type 'object'"),
    ],
)  # fmt: skip
def test_a_wrong_reply_is_named_with_both_places(shop: Contract, reply: Any, told: str) -> None:
    (only,) = found(shop, "GET", "/v1/items/7", reply or {"status": 200})

    assert told in only


@pytest.mark.parametrize(
    ("method", "path", "request_", "told"),
    [
        ("GET", "/items", {}, "/request/path: found '/items', expected one of the document's paths, which are below /v1 (#/paths)"),
        ("GET", "/v1/items/7/parts", {}, "/request/path: "),
        ("GET", "/v1/items/", {}, "/request/path: "),
        ("GET", "/v1/items%2F7", {}, "/request/path: "),
        ("GET", None, {"path_prefix": "/v1/things"}, "/request/path_prefix: "),
        ("GET", None, {"path_pattern": "/v1/things/{id}"}, "/request/path_pattern: "),
        ("PUT", "/v1/items", {}, "/request/method: expected GET, POST, found PUT (#/paths/~1items)"),
        ("GET", "/v1/items/seven", {}, "/request/path: 'seven' is not of type 'integer'"),
        ("GET", "/v1/items", {"query": {"color": "red"}}, "/request/query/color: found 'color', expected"),
        ("GET", "/v1/items", {"query": {"colour": "mauve"}}, "/request/query/colour: 'mauve' is not one of"),
        ("GET", "/v1/items", {"query": {"limit": "51"}}, "/request/query/limit: 51 is greater"),
        ("GET", "/v1/items", {"query": {"limit": {"any": "boolean"}}}, "/request/query/limit: True is not of type"),
        ("GET", "/v1/items", {"query": {"ids": "1,x"}}, "/request/query/ids: "),
        ("GET", "/v1/items", {"query": {"ids": ["1", "x"]}}, "/request/query/ids: 'x' is not of"),
        ("GET", "/v1/items", {"query": {"limit": ["1", "2"]}}, "/request/query/limit: [1, 2] is not"),
        ("GET", "/v1/items", {"query": {"limit": "1"}, "query_exact": True}, "/request/query: expected 'colour'"),
        ("GET", "/v1/items", {"headers": {"x-page": "first"}}, "/request/headers/x-page: 'first' is not"),
        ("GET", "/v1/items", {"json": {}}, "/request/json: found a body, expected none"),
        ("POST", "/v1/items", {"json": {"name": 1}}, "/request/json/name: 1 is not of type 'string'"),
        ("POST", "/v1/items", {"json": {}}, "/request/json: 'name' is a required property"),
        ("POST", "/v1/items", {"json_includes": {"parts": [{"name": 1}]}}, "/request/json_includes/parts/0/name: 1"),
        ("POST", "/v1/items", {"json": {"name": {"any": "array"}}}, "/request/json/name: [] is not of type"),
        ("POST", "/v1/items", {"form": {"name": "cup"}}, "/request/form: found form, expected application/json"),
        ("POST", "/v1/payments", {"json": {"kind": "card"}}, "/request/json: 'number' is a required property"),
        ("POST", "/v1/payments", {"form": {"coins": "two"}}, "/request/form/coins: 'two' is not"),
        ("POST", "/v1/payments", {"form": {"notes": "2"}}, "/request/form/notes: found 'notes', expected coins"),
    ],
)  # fmt: skip
def test_a_request_that_the_service_does_not_know_is_named(
    shop: Contract, method: str, path: str | None, request_: dict[str, Any], told: str
) -> None:
    answers = [
        reply_to_all([]), {"text": "cup"}, {"json": CUP}, {"status": 201, "json": CUP},
        {"status": 204},
    ]  # fmt: skip
    tried = [found(shop, method, path, reply, **request_) for reply in answers]
    fewest = min(tried, key=len)

    assert any(told in one for one in fewest), fewest


def test_a_request_that_is_only_refused_may_be_wrong_but_not_its_reply(shop: Contract) -> None:
    problem = {"status": 400, "headers": {"Content-Type": "application/problem+json"}}

    assert found(shop, "POST", "/v1/items", {**problem, "json": {"title": "x"}}, json=[]) == []
    (only,) = found(shop, "POST", "/v1/items", {**problem, "json": {"title": 1}}, json=[])
    assert only.startswith("/reply/json/title: 1 is not of type 'string'")


def test_the_path_that_is_written_out_comes_before_one_that_varies(shop: Contract) -> None:
    (only,) = found(shop, "GET", "/v1/items/newest", {"json": CUP})

    assert "~1items~1newest/get" in only


def test_a_stub_that_contradicts_is_refused_with_its_line_and_all_that_is_wrong() -> None:
    shop = Contract(yaml.safe_load(SHOP), "shop.yaml")
    text = """
[[stub]]
name = "one"
request = { method = "GET", path = "/v1/items/7", headers = { X = "1" } }
reply = { json = { id = "1", parts = [{}] } }
"""
    (stub,) = parse_stubs(text, "stubs.toml")

    with pytest.raises(PlanError) as caught:
        shop.checked(stub)

    assert (caught.value.slug, caught.value.exit_code) == ("stubs/contradiction", 64)
    assert caught.value.where == "stubs.toml:2"
    assert "the stub 'one' contradicts shop.yaml" in caught.value.message
    for at in ("/reply/json/id: ", "/reply/json: ", "/reply/json/parts/0: "):
        assert f"\n  {at}" in caught.value.message
    (stub,) = parse_stubs(text.replace("reply", 'contradicts = "to see it fail"\nreply'), "x")
    assert shop.checked(stub) is stub


def test_a_computed_reply_is_checked_when_it_is_made(shop: Contract) -> None:
    asked = Call("GET", "/v1/items/7", "", {}, b"")
    answers = iter([{"json": CUP}, {"json": {"id": 1}}, {"fault": "reset"}])
    declared = read_stub("t.py:1", "GET", "/v1/items/7", reply=lambda call: next(answers))
    compute = shop.checked(declared).compute
    assert compute is not None

    assert compute(asked).json == CUP
    with pytest.raises(PlanError, match="/reply/json: 'name' is a required property"):
        compute(asked)
    assert compute(asked) == Reply(fault="reset")


# dialects, references, and documents that cannot be used


def schemas(version: str, schema: Any) -> tuple[Schemas, Place]:
    made = Schemas({"openapi": version, "components": {"schemas": {"A": schema}}}, "api.yaml")
    place = made.at(made.root, "components", "schemas", "A")
    assert place is not None
    return made, place


@pytest.mark.parametrize(
    ("version", "schema", "allowed", "refused"),
    [
        ("3.0.3", {"type": "string", "nullable": True}, [None, "a"], [1]),
        ("3.0.3", {"type": "string", "nullable": True, "enum": ["a"]}, [None, "a"], ["b"]),
        ("3.0.3", {"type": "string"}, ["a"], [None]),
        ("3.1.0", {"type": "string", "nullable": True}, ["a"], [None]),
        ("3.0.3", {"minimum": 1, "exclusiveMinimum": True}, [2], [1]),
        ("3.1.0", {"exclusiveMinimum": 1}, [2], [1]),
        ("3.0.0", {"$ref": "#/x", "type": "string"}, [1], ["no"]),
        ("3.1.0", {"type": "integer"}, [1, 1.0], [1.5, True, "1"]),
        ("3.1.0", {"pattern": r"^\p{Lu}"}, ["anything"], []),
        ("3.1.0", {"prefixItems": [{"type": "string"}]}, [["a"]], [[1]]),
        ("3.1.0", {"$ref": "#/x", "unevaluatedProperties": False}, [{"a": 1}], [{"b": 1}]),
        ("3.1.0", {"anyOf": [{"$ref": "#/components/schemas/A/anyOf/1"}, {"type": "null"}]}, [None], [1]),
        ("3.1.0", True, [1], []),
        ("3.0.0", {"required": True, "type": "object"}, [{}], [1]),
    ],
)  # fmt: skip
def test_the_dialect_is_that_of_the_documents_version(
    version: str, schema: Any, allowed: list[Any], refused: list[Any]
) -> None:
    document = {"openapi": version, "x": {"type": ["integer", "object"], "properties": {"a": {}}},
                "components": {"schemas": {"A": schema}}}  # fmt: skip
    if version.startswith("3.0"):
        document["x"] = {"type": "integer"}
    made = Schemas(document, "api.yaml")
    place = Place(schema, ("components", "schemas", "A"))

    assert [one for one in allowed if made.wrong(place, one, Sent.REPLY)] == []
    assert [one for one in refused if not made.wrong(place, one, Sent.REPLY)] == []


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "other.yaml#/A"}, "refers to 'other.yaml#/A', outside of itself"),
        ({"$ref": "https://example.org/a"}, "outside of itself"),
        ({"$ref": "#/components/schemas/B"}, "which is not in it"),
        ({"properties": {"a": {"$ref": "b.yaml"}}}, "refers to 'b.yaml', outside of itself"),
        ({"properties": {"a": {"$ref": "#/b"}}}, "refers to '#/b', which is not in it"),
        ({"properties": {"a": {"type": "strin"}}}, "has an unreadable schema at #/components"),
        ({"properties": {"a": ["string"]}}, "has an unreadable schema"),
        ({"$ref": "#/components/schemas/A"}, "back to it"),
        ({"allOf": [{"$ref": "#/components/schemas/A"}]}, "a schema without an end"),
    ],
)
def test_a_schema_that_cannot_be_used_is_the_documents_fault(schema: Any, said: str) -> None:
    def use() -> None:
        made, place = schemas("3.1.0", schema)
        made.wrong(place, {"a": 1}, Sent.REPLY)

    with pytest.raises(UsageError) as caught:
        use()

    assert (caught.value.slug, caught.value.where) == ("plan/openapi", "api.yaml")
    assert said in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "openapi: 3.1.0\npaths: { /a: { get: } }",
        "openapi: 3.1.0\npaths: { /a: [get], /b: 1, /c: { parameters: 3, get: { responses: [] } } }",
        "openapi: 3.1.0\nservers: 3\npaths: { /a: { get: { parameters: [1, { name: 2 }] } } }",
        "openapi: 3.1.0\nservers: [{ url: 'http://[' }, { url: 1 }]\npaths: { '/{a}{b}': { get: {} } }",
        "openapi: 3.1.0\npaths: &p { /a: { get: { responses: *p } } }",
        "openapi: 3.1.0\npaths: { /a: { get: { responses: { 200: { content: { a: 1 } } } } } }",
    ],
)
def test_an_odd_document_is_read_as_far_as_it_goes(text: str) -> None:
    contract = Contract(yaml.safe_load(text), "odd.yaml")

    assert found(contract, "GET", "/a", {"json": 1}, query={"q": "1"}, json=3)


def test_a_large_document_with_circles_is_checked_quickly_enough_to_be_checked_always() -> None:
    schema = {f"S{n}": {"type": "object", "properties": {
        "next": {"$ref": f"#/components/schemas/S{(n + 1) % 400}"},
        "self": {"$ref": f"#/components/schemas/S{n}"}, "n": {"type": "integer"}}}
        for n in range(400)}  # fmt: skip
    paths = {
        f"/s/{n}/{{id}}": {
            "get": {"responses": {"2XX": {"description": "", "content": {"application/json": {
                "schema": {"$ref": f"#/components/schemas/S{n}"}}}}}}
        } for n in range(400)
    }  # fmt: skip
    contract = Contract(
        {"openapi": "3.0.1", "paths": paths, "components": {"schemas": schema}}, "large.yaml"
    )
    deep: dict[str, Any] = {"n": 1}
    for _ in range(20):
        deep = {"next": deep, "self": {"self": {}}}

    assert found(contract, "GET", "/s/3/9", {"json": deep}) == []
    (only,) = found(contract, "GET", "/s/3/9", {"json": {"next": {"next": {"n": "x"}}}})
    assert "/reply/json/next/next/n: 'x'" in only
    assert "#/components/schemas/S5/properties/n/type" in only


@pytest.mark.parametrize("name", ["weather", "slack"])
def test_the_stubs_of_the_reference_system_keep_to_their_documents(name: str) -> None:
    file = ROOT / "fixtures/openapi" / f"{name}.yaml"
    contract = Contract(yaml.safe_load(file.read_text()), file.name)
    stubs = parse_stubs((ROOT / f"fixtures/standins/{name}.toml").read_text(), "x.toml")

    assert [one.name for one in stubs if not one.contradicts and contract.contradictions(one)] == []
    assert all(contract.contradictions(one) for one in stubs if one.contradicts)


# what a schema makes, it allows; what is of another type, it does not

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=5), "integer": st.integers(), "boolean": st.booleans(),
    "number": st.floats(allow_nan=False, allow_infinity=False), "null": st.none(),
}  # fmt: skip
OTHER = {
    "string": 0,
    "integer": "0",
    "boolean": 0,
    "number": "0",
    "null": 0,
    "object": 0,
    "array": 0,
}


@st.composite
def schema_and_value(draw: st.DrawFn, depth: int = 3) -> tuple[dict[str, Any], Any]:
    kinds = [*SCALARS, *(("object", "array") if depth else ())]
    kind = draw(st.sampled_from(kinds))
    if kind == "object":
        below = draw(
            st.dictionaries(st.sampled_from("a/~b é"), schema_and_value(depth - 1), max_size=3)
        )
        properties = {key: schema for key, (schema, _) in below.items()}
        made = {"type": kind, "properties": properties, "required": sorted(below)}
        return made, {key: value for key, (_, value) in below.items()}
    if kind == "array":
        items, value = draw(schema_and_value(depth - 1))
        return {"type": kind, "items": items}, [value] * draw(st.integers(0, 2))
    return {"type": kind}, draw(SCALARS[kind])


def mutations(schema: Any, value: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, Any]]:
    """Each place of a value, with what it is when something of another type stands there."""
    made = [(steps, OTHER[schema["type"]])]
    if schema["type"] == "object":
        for key, below in schema["properties"].items():
            made += [(at, {**value, key: wrong})
                     for at, wrong in mutations(below, value[key], (*steps, key))]  # fmt: skip
    elif schema["type"] == "array":
        for number, one in enumerate(value):
            made += [(at, [*value[:number], wrong, *value[number + 1 :]])
                     for at, wrong in mutations(schema["items"], one, (*steps, number))]  # fmt: skip
    return made


@settings(max_examples=40)
@given(schema_and_value(), st.sampled_from(["3.0.3", "3.1.0"]), st.data())
def test_what_a_schema_makes_it_allows_and_never_another_type(
    pair: tuple[Any, Any], version: str, data: st.DataObject
) -> None:
    schema, value = pair
    made, place = schemas(version, schema)
    if version == "3.1.0" or "'null'" not in str(schema):
        assert made.wrong(place, value, Sent.REPLY) == []
    steps, wrong = data.draw(st.sampled_from(mutations(schema, value)))

    told = made.wrong(place, wrong, Sent.REPLY)

    assert any(one.steps == steps for one in told)
    assert made.wrong(place, wrong, Sent.PART)
