"""Values that a plan takes from the environment by name, and that no report may show.

A value is copied into the environment under a name of ours. So it is there for every child
process, and stays what it was where a service's own environment sets the variable anew.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from harness.errors import UsageError

SHORTEST = 6
"""Characters of the shortest value that counts as secret: a shorter one is part of many words."""

_CREDENTIAL = re.compile(
    "authorization|cookie|token|secret|passw(or)?d|credential|session|api[-_]?key", re.IGNORECASE
)
_FIELD = re.compile(r"[?&](?P<name>[^=&?#\s]{1,100})=(?P<value>[^&#\s'\"<>)]+)")
_PREFIX = "HARNESS_SECRET_"
_OURS = frozenset(
    ("type", "slug", "outcome", "kind", "part", "load", "service", "scenario", "scenarios",
     "objectives", "limits", "indicator", "pace", "rule", "severity", "confidence", "gate")
)  # fmt: skip
"""Fields of facts whose words are the harness's or the plan's, and that judging compares."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that a plan takes a value from, with the key that it is for and its line."""

    name: str
    key: str
    where: str

    def value(self) -> str:
        """Return the value. Raises UsageError where the variable is not set, or empty."""
        found = os.environ.get(_PREFIX + self.name) or os.environ.get(self.name)
        if not found:
            told = "empty" if self.name in os.environ else "not set"
            raise UsageError(
                "plan/variable",
                f"{self.key} takes its value from {self.name}, which is {told}",
                where=self.where,
                next_step=f"export {self.name}=…",
            )
        return found


def keep(variables: Iterable[Variable]) -> None:
    """Take the values of `variables` to be secret, here and in every process started from here."""
    for name in {variable.name for variable in variables} & os.environ.keys():
        os.environ[_PREFIX + name] = os.environ[name]
    _known.cache_clear()


def keep_token(name: str, value: str) -> None:
    """Take a token of the plan's, as it was granted, to be secret likewise: ``{token.NAME}``."""
    kept = [key for key in os.environ if key.startswith(f"{_PREFIX}token.")]
    if value not in [os.environ[key] for key in kept]:  # one that is renewed was shown before
        os.environ[f"{_PREFIX}token.{name}:{len(kept)}"] = value
        _known.cache_clear()


def is_credential(name: str) -> bool:
    """Tell whether a header, or a field of a query, of this name is never shown with its value."""
    return bool(_CREDENTIAL.search(name))


def credentials_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each field of a URL's query in `text` that is one: name, and where its value stands."""
    for field in _FIELD.finditer(text):
        if is_credential(name := unquote(field["name"])):
            yield name, field.start("value"), field.end("value")


def without_credentials(text: str) -> str:
    """Return `text` with ``…`` in place of each credential in a URL's query."""
    for _, start, end in reversed([*credentials_in(text)]):
        text = f"{text[:start]}…{text[end:]}"
    return text


def redacted(text: str) -> str:
    """Return `text` with ``{env.NAME}`` for every secret value in it.

    A value is found as it is, as Python, JSON, HTML and a URL write it, and in base64, alone or in
    the midst of what else was encoded with it.
    """
    names, pattern = _sought(text)
    return pattern.sub(lambda found: names[(found.lastindex or 0) - 1], text) if names else text


def redacted_start(text: str, most: int) -> str:
    """Return the first `most` characters of `text`, redacted: no part of a secret ends them."""
    names, pattern = _sought(text)
    found = pattern.finditer(text) if names else ()
    return redacted(text[: min([most, *(one.start() for one in found if one.end() > most)])])


def shown(text: str) -> set[str]:
    """Return the names of the variables whose values are in `text`, in whatever writing."""
    names, pattern = _sought(text)
    if not names:
        return set()
    found = {names[(match.lastindex or 0) - 1] for match in pattern.finditer(text)}
    return {name.removeprefix("{env.").removesuffix("}") for name in found}


def redacted_fact(encoded: bytes) -> bytes:
    """Return a fact, a JSON object, with ``{env.NAME}`` for every secret value in its texts."""
    text = encoded.decode()
    names, pattern = _sought(text)
    if not names or not pattern.search(text):
        return encoded
    return json.dumps(_without(json.loads(encoded)), ensure_ascii=False).encode()


def _without(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [_without(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _OURS else _without(item) for key, item in value.items()}
    return value


class _Secret(NamedTuple):
    """What stands for a value, a pattern of all its writings, and a text in each of them."""

    shown: str
    pattern: str
    anchors: tuple[str, ...]


def _sought(text: str) -> tuple[list[str], re.Pattern[str]]:
    """Return what stands for each secret that may be in `text`, and a pattern with a group each.

    The pattern is slow, and most texts have no secret: where no writing's anchor is in it, none is.
    """
    return _compiled(
        tuple(one for one in _known() if any(anchor in text for anchor in one.anchors))
    )


@functools.lru_cache(maxsize=64)
def _compiled(secrets: tuple[_Secret, ...]) -> tuple[list[str], re.Pattern[str]]:
    pattern = "|".join(f"({one.pattern})" for one in secrets)
    return [one.shown for one in secrets], re.compile(pattern)


@functools.cache
def _known() -> list[_Secret]:
    """Return the secrets, the longest value first."""
    values = {
        name.removeprefix(_PREFIX): value
        for name, value in os.environ.items()
        if name.startswith(_PREFIX) and len(value) >= SHORTEST
    }
    longest_first = sorted(values, key=lambda name: len(values[name]), reverse=True)
    return [_secret(_shown(name), values[name]) for name in longest_first]


def _shown(name: str) -> str:
    """Return what stands for a secret; no variable that a plan names has a dot."""
    return f"{{{name.partition(':')[0]}}}" if "." in name else f"{{env.{name}}}"


def _secret(shown: str, value: str) -> _Secret:
    texts = [value, *sorted(_in_base64(value))]
    pattern = "|".join("".join(map(_written, text)) for text in texts)
    return _Secret(shown, pattern, tuple(max(_PLAIN.findall(text), key=len) for text in texts))


_PLAIN = re.compile("[0-9A-Za-z]*")
"""What is written as it stands in every writing."""


def _in_base64(value: str) -> set[str]:
    """Return what base64 makes of a value: of each place in a group of three bytes, the middle.

    The characters at its ends depend on what stands beside it.
    """
    found = set()
    for encoded in _encoded(value):
        for before in range(3):
            text = base64.b64encode(bytes(before) + encoded).rstrip(b"=").decode()
            end = len(text) - ((before + len(encoded)) % 3 != 0)
            middle = text[(0, 2, 3)[before] : end]
            found |= {middle, middle.translate(_URL_SAFE)}
    return {text for text in found if len(text) >= SHORTEST}


def _encoded(value: str) -> set[bytes]:
    found = {value.encode("utf-8", "surrogateescape")}
    with contextlib.suppress(UnicodeEncodeError):
        found.add(value.encode("latin-1"))  # in which older clients write what base64 encodes
    return found


_URL_SAFE = str.maketrans("+/", "-_")


@functools.cache
def _written(character: str) -> str:
    """Return a pattern for all writings of a character: which ones a URL quotes, clients differ."""
    if character.isascii() and character.isalnum():
        return character
    quoted = quote(character, "", errors="replace")
    plain = {character, repr(character)[1:-1], ascii(character)[1:-1], quoted, quoted.lower()}
    plain |= {repr(encoded)[2:-1] for encoded in _encoded(character)}
    plain |= {"+"} if character == " " else {f"\\{character}"} if character in "'\"/" else set()
    plain |= {text for one in plain for text in _in_json(one)}
    plain |= {text for one in plain for text in _in_json(one)}  # a text of JSON, in that of a fact
    plain |= {html.escape(character), f"&#{ord(character)};", f"&#x{ord(character):x};"}
    if character.isascii():  # which JSON that is put into HTML escapes, too
        plain |= {f"{slash}u{ord(character):04x}" for slash in ("\\", "\\\\")}
    return f"(?:{'|'.join(map(re.escape, sorted(plain, key=len, reverse=True)))})"


def _in_json(text: str) -> set[str]:
    return {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
