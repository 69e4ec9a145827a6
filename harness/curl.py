"""A request as a line of curl that can be pasted into bash or zsh, without its credentials.

Where a value was a credential, the line has ``${NAME:?}``: unset, the shell refuses, and says so.
"""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote_from_bytes, urlsplit

from harness.secret import credentials_in, is_credential, redacted

SHOWN_BYTES = 2048
"""A longer body stands in no line: it is a file, to be filled in."""

_SCHEME = re.compile(r"(basic|bearer|digest|token|negotiate)\s+\S", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"\{env\.([A-Za-z_]\w*)\}", re.ASCII)
_TO_FILL_IN = re.compile(r'"\$\{(\w+):\?\}"')
_AS_IT_IS = string.punctuation.translate(str.maketrans("", "", "#\"'<>\\^`|"))
_HANDSHAKE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),  # RFC 6455's own
)
_OF_A_HANDSHAKE = {name.lower() for name, _ in _HANDSHAKE} | {"sec-websocket-protocol"}
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "'": "\\'", "\\": "\\\\"}


@dataclass(frozen=True, slots=True)
class Variable:
    """What whoever pastes the line fills in."""

    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as it was sent.

    `url` is where to, without a path; `target` path and query. `body` is how it begins, of
    `length` bytes. `unsaid` are headers that a client says of itself, names in small letters.
    """

    method: str
    url: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes = b""
    length: int = 0
    unsaid: frozenset[tuple[str, str]] = frozenset()
    is_websocket: bool = False
    subprotocols: tuple[str, ...] = ()


Word = Sequence[str | Variable]
"""An argument: what stands in it, and what is to be filled in."""


def curl(asked: Asked) -> tuple[str, list[str]]:
    """Return the line, and what is to be filled in before it is pasted."""
    words = list(_words(asked))
    before = _piped(asked) if _is_piped(asked) else ""
    line = f"{before}curl {' '.join(map(written, words))}"
    names = ", ".join(dict.fromkeys(_TO_FILL_IN.findall(line)))
    wanted = [f"{names}, which {'are' if ',' in names else 'is'} not shown"] if names else []
    if asked.length and _is_in_a_file(asked):
        wanted.append(f"BODY, a file with the {asked.length:,} bytes that were sent")
    return line, wanted


def written(word: Word) -> str:
    """Write an argument so that a shell reads what it is."""
    return "".join(
        f'"${{{variable.name}:?}}"' if variable else _quoted("".join(map(str, texts)))
        for variable, texts in groupby([part for part in word if part], key=_variable_in)
    )


def _variable_in(part: str | Variable) -> Variable | None:
    return part if isinstance(part, Variable) else None


def _words(asked: Asked) -> Iterator[Word]:
    url = asked.url + quote_from_bytes(asked.target, _AS_IT_IS)
    yield ["-I" if _is_head(asked) else "-i"]
    if set(url) & set("[]{}"):
        yield ["-g"]
    if re.search(r"/\.\.?(/|\?|$)", url):
        yield ["--path-as-is"]
    if asked.is_websocket:
        yield from (["-N"], ["--http1.1"])
    elif not _is_head(asked) and asked.method != ("POST" if asked.length else "GET"):
        yield from (["-X"], [asked.method])
    for header in _headers(asked):
        yield from (["-H"], header)
    yield from _body(asked)
    yield list(_address(url))


def _is_head(asked: Asked) -> bool:
    return asked.method == "HEAD" and not asked.length


def _headers(asked: Asked) -> Iterator[Word]:
    host = urlsplit(asked.url).netloc
    unsaid = {*asked.unsaid, ("host", host), ("content-length", str(asked.length))}
    has_type = False
    if asked.is_websocket:
        yield from ([f"{name}: {value}"] for name, value in _HANDSHAKE)
    if asked.subprotocols:
        yield [f"Sec-WebSocket-Protocol: {', '.join(asked.subprotocols)}"]
    for raw_name, raw_value in asked.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "surrogateescape")
        has_type = has_type or name.lower() == "content-type"
        ours = asked.is_websocket and name.lower() in _OF_A_HANDSHAKE
        if (name.lower(), value) not in unsaid and not ours:
            yield [f"{name};"] if not value.strip() else [f"{name}: ", *_value(name, value)]
    if asked.length and not has_type:
        yield ["Content-Type:"]  # curl would say that it is a form
    if not asked.length and asked.method in ("POST", "PUT", "PATCH"):
        yield ["Content-Length: 0"]  # as other clients say, and curl does not


def _value(name: str, value: str) -> Word:
    if name.lower() == "cookie":
        return _cookies(value)
    if is_credential(name):
        scheme = f"{value.split()[0]} " if _SCHEME.match(value) else ""
        return [scheme, Variable(_variable(name))]
    return _hidden(value)


def _cookies(value: str) -> Word:
    word: list[str | Variable] = []
    for part in value.split(";"):
        name, equals, _ = part.strip().partition("=")
        word.append("; " if word else "")
        word += [f"{name}="] if equals else []
        word.append(Variable(_variable(f"cookie-{name}" if equals else "cookie")))
    return word


def _variable(name: str) -> str:
    return re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII).upper()


def _hidden(text: str) -> Word:
    """Return `text` with a variable in the place of every secret."""
    parts = _ENVIRONMENT.split(redacted(text))
    both: list[str | Variable] = [Variable(part) if n % 2 else part for n, part in enumerate(parts)]
    return [part for part in both if part]


def _address(url: str) -> Iterator[str | Variable]:
    """Yield a URL, with a variable in the place of each credential in its query, too."""
    for part in _hidden(url):
        if isinstance(part, Variable):
            yield part
            continue
        told = 0
        for name, start, end in credentials_in(part):
            yield from (part[told:start], Variable(_variable(name)))
            told = end
        yield part[told:]


def _body(asked: Asked) -> Iterator[Word]:
    if not asked.length:
        return
    if _is_in_a_file(asked):
        yield from (["--data-binary"], ["@BODY"])
    elif _is_piped(asked):
        yield from (["--data-binary"], ["@-"])
    else:
        yield from (["--data-raw"], _hidden(_text(asked)))


def _is_in_a_file(asked: Asked) -> bool:
    """Tell whether a body is too long for a line, or in a code that could hide a secret."""
    names = {name.lower() for name, _ in asked.headers}
    return asked.length > SHOWN_BYTES or b"content-encoding" in names


def _is_piped(asked: Asked) -> bool:
    return b"\0" in asked.body and not _is_in_a_file(asked)


def _piped(asked: Asked) -> str:
    """Return what prints a body that no argument can hold, since it has a NUL."""
    parts = _hidden(_text(asked))
    told = ["%s" if isinstance(part, Variable) else part.replace("%", "%%") for part in parts]
    text = "".join(f"\\{ord(c):03o}" if c in "\0\\-" else c for c in "".join(told))
    form = "".join(c if c.isprintable() else _octal(c) for c in text)
    values = [written([part]) for part in parts if isinstance(part, Variable)]
    return " ".join(["printf", shlex.quote(form), *values, "| "])


def _text(asked: Asked) -> str:
    return asked.body.decode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    r"""Quote for a shell, on one line: ``$'a\nb'`` where there is what no terminal prints."""
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def _escaped(character: str) -> str:
    known = _ESCAPES.get(character)
    return known or (character if character.isprintable() else _octal(character))


def _octal(character: str) -> str:
    encoded = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\{byte:03o}" for byte in encoded)
