"""Route templates: names for the steps of a load, such as ``/users/{id}``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import UsageError

_WRITTEN = re.compile(r"(?:(?P<method>[A-Z]+) )?(?P<path>/\S*)")
_PART = re.compile(r"\{(?P<name>\w*)(?P<rest>:path)?\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A path in which ``{name}`` stands for what has no slash, ``{name:path}`` for anything.

    `method` is the only one that it is for; empty: any.
    """

    method: str
    path: str
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template such as ``GET /users/{id}``. Raises UsageError."""
        written = _WRITTEN.fullmatch(text)
        path = written["path"] if written else ""
        fixed = _PART.split(path)[::3]
        if not written or not path.isprintable() or any(set(part) & set("{}?#") for part in fixed):
            raise UsageError(
                "load/step-template",
                f"{text!r} is no route template",
                next_step="write a path, and a method before it where it is for one only: "
                "'/users/{id}', 'GET /files/{name:path}'",
            )
        parts = [".+" if part["rest"] else "[^/]+" for part in _PART.finditer(path)]
        pattern = re.escape(fixed[0])
        for part, text_after in zip(parts, fixed[1:], strict=True):
            pattern += part + re.escape(text_after)
        return cls(written["method"] or "", path, re.compile(pattern, re.DOTALL))

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one of this route; `method` in capitals."""
        return self.method in ("", method) and self.pattern.fullmatch(path) is not None


def parsed(texts: Iterable[str]) -> tuple[Template, ...]:
    """Read templates, of which the first that matches counts. Raises UsageError."""
    return tuple(Template.parse(text) for text in texts)
