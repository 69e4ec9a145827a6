"""A document's schemas, in the dialect of OpenAPI 3.0 or 3.1, held against values. Pure.

3.1 is JSON Schema 2020-12. 3.0 is an older draft of it with ``nullable`` and without what stands
beside a ``$ref``. References lead to places of the same document, and are followed when a value
gets there, so they may go in circles.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from harness.errors import UsageError

Step = str | int

_SELF = "urn:document"
_SHOWN_CHARS = 200
_OF_A_WHOLE = frozenset({"oneOf", "uniqueItems", "contains", "not", "enum", "const"})
"""What may be wrong with a value only because of an example in it."""
_NOT_OF_A_PART = (
    "dependentRequired", "dependentSchemas", "if", "minProperties", "not", "unevaluatedProperties"
)  # fmt: skip


class Sent(StrEnum):
    """Who sends a value, and whether that is all of it."""

    REQUEST = "request"
    PART = "part of a request"
    REPLY = "reply"


class Place(NamedTuple):
    """A value in a document, and the steps that lead to it."""

    value: Any
    steps: tuple[Step, ...] = ()

    @property
    def pointer(self) -> str:
        """The JSON pointer (RFC 6901) of the place, as a fragment: ``#/paths/~1users/get``."""
        return f"#{pointer(self.steps)}"


class Wrong(NamedTuple):
    """What a schema does not allow: where in the value, by which place of the document, and why."""

    steps: tuple[Step, ...]
    document: str
    told: str


def pointer(steps: Sequence[Step]) -> str:
    """Write a JSON pointer (RFC 6901).

    >>> pointer(["paths", "/users", 0])
    '/paths/~1users/0'
    """
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


class Schemas:
    """The places of one document, of which `source` is the path, and what its schemas allow."""

    def __init__(self, tables: Mapping[str, Any], source: str) -> None:
        self.source = source
        self.root = Place(_with_texts_as_keys(tables, {}))
        self._is_old = str(tables.get("openapi", "")).startswith("3.0")
        self._validators: dict[Sent, Any] = {}

    def at(self, place: Place | None, *steps: Step) -> Place | None:
        """Return the place below another, references followed; None: there is none.

        Raises UsageError for a reference that leads nowhere.
        """
        for step in steps:
            place = self._followed(place) if place else None
            try:
                place = Place(place.value[step], (*place.steps, step)) if place else None
            except (KeyError, IndexError, TypeError):
                return None
        return self._followed(place) if place else None

    def below(self, place: Place | None, *steps: Step) -> dict[str, Place]:
        """Return what a table at a place holds, by key; empty: there is none."""
        table = self.at(place, *steps)
        if table is None or not isinstance(table.value, dict):
            return {}
        found = {key: self.at(table, key) for key in table.value}
        return {key: value for key, value in found.items() if value is not None}

    def each(self, place: Place | None, *steps: Step) -> Iterator[Place]:
        """Yield what a list at a place holds."""
        listed = self.at(place, *steps)
        if listed is not None and isinstance(listed.value, list):
            for number in range(len(listed.value)):
                if (found := self.at(listed, number)) is not None:
                    yield found

    def _followed(self, place: Place) -> Place:
        seen = []
        while isinstance(place.value, dict) and isinstance(place.value.get("$ref"), str):
            reference = place.value["$ref"]
            if reference in seen:
                raise self.refused(f"refers from {reference!r} back to it, and says nothing")
            seen.append(reference)
            place = self._referred(reference)
        return place

    def _referred(self, reference: str) -> Place:
        if not reference.startswith("#/"):
            raise self.refused(f"refers to {reference!r}, outside of itself")
        value, steps = self.root.value, [unquote(one) for one in reference[2:].split("/")]
        path = [step.replace("~1", "/").replace("~0", "~") for step in steps]
        for step in path:
            try:
                value = value[int(step) if isinstance(value, list) else step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise self.refused(f"refers to {reference!r}, which is not in it") from None
        return Place(value, tuple(path))

    def refused(self, told: str) -> UsageError:
        """Make the error for a document that cannot be used."""
        return UsageError(
            "plan/openapi",
            f"the document {told}",
            where=self.source,
            next_step="name one file that holds all that it refers to: bundle the document",
        )

    def wrong(
        self, schema: Place, value: Any, sent: Sent, examples: Collection[tuple[Step, ...]] = ()
    ) -> list[Wrong]:
        """Return what the schema at a place does not allow of a value.

        Of an example, at one of these steps, only the type counts. Raises UsageError for a schema
        that cannot be used.
        """
        from jsonschema.exceptions import UnknownType, best_match
        from referencing.exceptions import Unresolvable

        start = {"$ref": f"{_SELF}#{quote(pointer(schema.steps), safe='/~')}"}
        try:
            validator = self._validator(sent).evolve(schema=start)
            found = [one for one in validator.iter_errors(value) if _holds(one, set(examples))]
            deepest = [best_match([error]) or error for error in found]
        except Unresolvable as error:
            is_inside = hasattr(error, "resource")  # and its pointer leads nowhere there
            told = f"'#{error.ref}', which is not in it" if is_inside else f"{error.ref!r}, outside"
            raise self.refused(f"refers to {told}{'' if is_inside else ' of itself'}") from None
        except RecursionError:
            raise self.refused(f"has a schema without an end at {schema.pointer}") from None
        except (UnknownType, AttributeError, TypeError, ValueError, KeyError) as error:
            told = " ".join(str(error).split())[:_SHOWN_CHARS]
            raise self.refused(f"has an unreadable schema at {schema.pointer}: {told}") from None
        return [
            Wrong(tuple(error.absolute_path), self._place(schema, error), _shown(error.message))
            for error in deepest
        ]

    def _place(self, schema: Place, error: Any) -> str:
        """Return the pointer of the keyword that a value fails, references followed."""
        place = schema
        for step in error.absolute_schema_path:
            if step not in place.value:
                place = self._followed(place)
            place = Place(place.value[step], (*place.steps, step))
        return place.pointer

    def _validator(self, sent: Sent) -> Any:
        if sent not in self._validators:
            from jsonschema import FormatChecker
            from referencing import Registry, Specification

            document = Specification.OPAQUE.create_resource(self.root.value)
            registry: Registry[Any] = Registry().with_resource(_SELF, document)
            self._validators[sent] = self._dialect(sent)(
                True, registry=registry, format_checker=FormatChecker()
            )
        return self._validators[sent]

    def _dialect(self, sent: Sent) -> Any:
        from jsonschema import Draft4Validator, Draft202012Validator, validators

        keywords = dict((Draft4Validator if self._is_old else Draft202012Validator).VALIDATORS)
        if self._is_old:
            keywords |= {key: _or_null(keywords[key]) for key in ("type", "enum")}
        keywords["pattern"] = _pattern
        keywords |= {
            key: _by_discriminator(keywords["anyOf" if sent is Sent.PART else key])
            for key in ("oneOf", "anyOf")
        }
        if sent is Sent.PART:
            for key in ("required", *_NOT_OF_A_PART):
                keywords.pop(key, None)
        else:
            hidden = "readOnly" if sent is Sent.REQUEST else "writeOnly"
            keywords["required"] = functools.partial(self._required, hidden)
        if sent is Sent.REPLY:
            keywords["writeOnly"] = _write_only
        return validators.create(
            meta_schema={}, validators=keywords, id_of=lambda _: "",
            type_checker=Draft202012Validator.TYPE_CHECKER,
            applicable_validators=_without_siblings if self._is_old else _whole,
        )  # fmt: skip

    def _required(
        self, hidden: str, validator: Any, names: Any, instance: Any, schema: Any
    ) -> Iterator[Any]:
        from jsonschema import ValidationError

        if isinstance(instance, dict) and isinstance(names, list):  # some say 'true' of one key
            for name in names:
                about = self.at(Place(schema), "properties", name)
                is_hidden = about and isinstance(about.value, dict) and about.value.get(hidden)
                if name not in instance and not is_hidden:
                    yield ValidationError(f"{name!r} is a required property")


def _with_texts_as_keys(value: Any, made: dict[int, Any]) -> Any:
    """Copy a document, its statuses text as in JSON; what YAML shares stays shared."""
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, dict):
        table = made[id(value)] = {}
        table.update({str(key): _with_texts_as_keys(one, made) for key, one in value.items()})
        return table
    if isinstance(value, list):
        listed = made[id(value)] = []
        listed.extend(_with_texts_as_keys(one, made) for one in value)
        return listed
    return value


def _shown(message: str) -> str:
    return message if len(message) <= _SHOWN_CHARS else f"{message[:_SHOWN_CHARS]} …"


def _holds(error: Any, examples: set[tuple[Step, ...]]) -> bool:
    """Tell whether an error is one whatever else stood in the place of the examples."""
    if error.context:
        branches = groupby(error.context, lambda child: child.schema_path[0])
        return all(any(_holds(child, examples) for child in branch) for _, branch in branches)
    path = tuple(error.absolute_path)
    if any(path[: len(example)] == example for example in examples):
        return bool(error.validator == "type")
    has_example = any(example[: len(path)] == path for example in examples)
    return not has_example or error.validator not in _OF_A_WHOLE


def _without_siblings(schema: Any) -> Any:
    """Leave out what stands beside a reference: in 3.0 it says nothing."""
    return [("$ref", schema["$ref"])] if "$ref" in schema else schema.items()


def _whole(schema: Any) -> Any:
    return schema.items()


def _or_null(keyword: Any) -> Any:
    def check(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if instance is not None or schema.get("nullable") is not True:
            yield from keyword(validator, wanted, instance, schema) or ()

    return check


def _pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
    """Check a pattern, where it is one of Python's as well as of ECMAScript's."""
    from jsonschema import ValidationError

    try:
        fits = not isinstance(instance, str) or re.search(wanted, instance)
    except re.error:
        return
    if not fits:
        yield ValidationError(f"{instance!r} does not match {wanted!r}")


def _write_only(validator: Any, is_so: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if is_so is True:
        yield ValidationError("it is 'writeOnly': sent to the service, and never by it")


def _by_discriminator(keyword: Any) -> Any:
    """Check the one schema that the discriminator of several names, where it names one."""

    def check(validator: Any, options: Any, instance: Any, schema: Any) -> Iterator[Any]:
        rule = schema.get("discriminator")
        chosen = None
        if isinstance(rule, dict) and isinstance(instance, dict):
            said = instance.get(rule.get("propertyName"))
            if isinstance(said, str):
                chosen = _named(options, (rule.get("mapping") or {}).get(said, said))
        if chosen is None:
            yield from keyword(validator, options, instance, schema) or ()
        else:
            yield from validator.descend(instance, options[chosen], schema_path=chosen)

    return check


def _named(options: Sequence[Any], wanted: str) -> int | None:
    for number, option in enumerate(options):
        reference = option.get("$ref", "") if isinstance(option, dict) else ""
        if reference and wanted in (reference, reference.rpartition("/")[2]):
            return number
    return None
