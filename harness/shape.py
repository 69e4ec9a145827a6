"""The shape of JSON: which types stand where, whatever the values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

from harness.schema import pointer

_KINDS: Mapping[type, str] = {
    dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number",
    type(None): "null",
}  # fmt: skip


class Difference(NamedTuple):
    """Where two shapes differ, a JSON pointer, and how.

    `is_extra`: only that the other has more than was wanted.
    """

    at: str
    told: str
    is_extra: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The `kinds` that stand at a place, by JSON's names; those of an object's keys and of items.

    `always` are the keys that no object there lacks.
    """

    kinds: frozenset[str] = frozenset()
    keys: Mapping[str, Shape] = field(default_factory=dict)
    always: frozenset[str] = frozenset()
    items: Shape | None = None

    @classmethod
    def of(cls, value: Any) -> Shape:
        """Return the shape of a JSON value. Of a list's items, in any order, it is one."""
        kinds = frozenset({_KINDS[type(value)]})
        if isinstance(value, dict):
            keys = {key: cls.of(one) for key, one in value.items()}
            return cls(kinds, keys, frozenset(keys))
        if isinstance(value, list) and value:
            return cls(kinds, items=reduce(cls._or, map(cls.of, value)))
        return cls(kinds)

    def _or(self, other: Shape) -> Shape:
        keys = dict(self.keys)
        for key, shape in other.keys.items():
            keys[key] = keys[key]._or(shape) if key in keys else shape
        both = [one for one in (self, other) if "object" in one.kinds]
        always = frozenset.intersection(*(one.always for one in both)) if both else frozenset()
        items = [one.items for one in (self, other) if one.items is not None]
        return Shape(
            self.kinds | other.kinds, keys, always, reduce(Shape._or, items) if items else None
        )

    def differences(self, found: Shape, steps: Sequence[str] = ()) -> Iterator[Difference]:
        """Yield where another shape is not this one. Of an empty list's items nothing is known."""
        if not self.kinds <= found.kinds:
            told = f"expected {_listed(self.kinds)}, found {_listed(found.kinds)}"
            yield Difference(pointer(steps), told)
        if "object" in self.kinds & found.kinds:
            for key, shape in self.keys.items():
                if key in found.keys:
                    yield from shape.differences(found.keys[key], [*steps, key])
                else:
                    told = f"expected {_listed(shape.kinds)}, found nothing"
                    yield Difference(pointer([*steps, key]), told)
            for key in sorted(found.always - self.keys.keys()):
                told = f"found {_listed(found.keys[key].kinds)}, which the stub has not"
                yield Difference(pointer([*steps, key]), told, is_extra=True)
        if self.items is not None and found.items is not None:
            yield from self.items.differences(found.items, [*steps, "*"])


def _listed(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))
