"""What a plan says of a token that tests may have: where it is got, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.secret import Variable


@dataclass(frozen=True, slots=True)
class Grant:
    """A token's source: `form`, or instead `json`, is posted to `url`, and `field` is the token.

    Addresses and values from the environment are in braces in them. `where` is the table's line.
    """

    name: str
    where: str
    url: str
    form: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, str] | None = None
    field: str = "access_token"
    variables: tuple[Variable, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        """Every text of it that may have placeholders, by its key."""
        return {"url": self.url, **self.form, **(self.json or {})}
