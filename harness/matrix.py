"""A project's tox file, read without tox: its environments, and what each of them is told.

tox itself is not asked, for asking it can install packages and run the project's ``toxfile.py``.
``tox.ini``, ``tox.toml`` and ``pyproject.toml`` are read, the first that has tox's tables, in the
order in which tox looks. Where a value needs more than factors and references to other sections
(``{env:…}``, ``replace = …``) it is taken as it stands, and nothing is claimed of it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

from harness import ini
from harness.document import Document, Step
from harness.errors import HarnessError, PlanError
from harness.ini import Line, Section

_REFERENCE = re.compile(r"\{\[(?P<section>[^\]]+)\](?P<key>[\w.]+)\}")
_CONDITION = re.compile(r":(?:\s+|\Z)")
_FACTORS = re.compile(r"!?[\w.*?\[\]]+(?:-!?[\w.*?\[\]]+)*|")
_RANGE = re.compile(r"(?<![\w.-])(\d+)-(\d+)(?=[,}])")
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Matrix:
    """A tox file. `conditional`: its values have lines for some factors only, as INI has them."""

    file: str
    sections: dict[str, Section]
    conditional: bool = True
    listed: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        texts = [line.text for line in self._raw("tox", ("env_list", "envlist"))]
        if not self.conditional:  # TOML has a table in the place of braces, which is left alone
            texts = [text for text in texts if not text.startswith("{")]
        names = [name for text in texts for name in expanded(text)]
        object.__setattr__(self, "listed", tuple(dict.fromkeys(names)))

    @property
    def names(self) -> list[str]:
        """All environments: those listed, and those that have a section."""
        own = [name for key in self.sections for name in self._named(key)]
        return list(dict.fromkeys([*self.listed, *own]))

    def _named(self, key: str) -> list[str]:
        prefix, _, name = key.partition(":")
        return expanded(name) if prefix == "testenv" and name else []

    def where(self, line: Line | int) -> str:
        """Return the place of a line."""
        return f"{self.file}:{line if isinstance(line, int) else line.number}"

    def value(self, name: str, *keys: str) -> list[Line]:
        """Return the lines that an environment's key has, by whichever of its names."""
        for section in self._inherited(name):
            if any(key in self.sections[section].values for key in keys):
                return self._resolved(self._raw(section, keys), name)
        return []

    def core(self, *keys: str) -> list[Line]:
        """Return the lines of one of tox's own keys."""
        return self._raw("tox", keys)

    def place(self, name: str, *keys: str) -> str:
        """Return where an environment says something of a key, or where it is made."""
        inherited = [self.sections[section] for section in self._inherited(name)]
        named = [one.keys[key] for one in inherited for key in keys if key in one.keys]
        begun = [one.number for one in inherited] or [self._listing()]
        return self.where([*named, *begun][0])

    def core_place(self, key: str) -> str:
        """Return where one of tox's own keys is set."""
        core = self.sections.get("tox", Section(1))
        return self.where(core.keys.get(key, core.number))

    def own_place(self, name: str) -> str:
        """Return where an environment begins: its own section, else where it is listed."""
        own = [self.sections[key].number for key in self.sections if name in self._named(key)]
        return self.where([*own, self._listing()][0])

    def _listing(self) -> int:
        core = self.sections.get("tox", Section(1))
        return core.keys.get("env_list", core.keys.get("envlist", core.number))

    def _inherited(self, name: str) -> list[str]:
        """Return the sections that an environment takes its values from, its own first."""
        found = [key for key in self.sections if name in self._named(key)]
        for key in found:
            found += [
                base
                for line in self._raw(key, ("base",))
                for one in re.split(r"[,\s]+", line.text)
                for base in (one, f"testenv:{one}")
                if base in self.sections and base not in found
            ]
        return (
            found if "testenv" in found or "testenv" not in self.sections else [*found, "testenv"]
        )

    def _raw(self, section: str, keys: Sequence[str]) -> list[Line]:
        values = self.sections[section].values if section in self.sections else {}
        return next((values[key] for key in keys if key in values), [])

    def _resolved(self, lines: Sequence[Line], name: str, depth: int = 0) -> list[Line]:
        kept = [one for line in lines if (one := self._kept(line, name)) is not None]
        found: list[Line] = []
        for line in kept:
            refers = _REFERENCE.fullmatch(line.text)
            if refers and depth < _DEEPEST and refers["section"] in self.sections:
                other = self._raw(refers["section"], (refers["key"].lower(),))
                found += self._resolved(other, name, depth + 1)
            elif line.text:
                found.append(line)
        return found

    def _kept(self, line: Line, name: str) -> Line | None:
        """Return a line without its condition; None where that is of other environments."""
        if not self.conditional:
            return line
        groups, text = condition(line.text)
        if groups and not any(_holds(group, name) for group in groups):
            return None
        return Line(text, line.number)

    def conditions(self, *keys: str) -> Iterator[tuple[str, Line]]:
        """Yield each factor that a condition in the values of these keys names, with its line."""
        for name, section in self.sections.items() if self.conditional else ():
            if name == "testenv" or name.startswith("testenv:"):
                for line in (line for key in keys for line in section.values.get(key, ())):
                    groups, _ = condition(line.text)
                    for factor in {one.lstrip("!") for group in groups for one in group}:
                        yield factor, line


def expanded(text: str) -> list[str]:
    """Return the names that a list with braces stands for.

    >>> expanded("lint, py3{11,12}-{a,b}"), expanded("py{310-312}")
    (['lint', 'py311-a', 'py311-b', 'py312-a', 'py312-b'], ['py310', 'py311', 'py312'])
    """
    text = _RANGE.sub(_counted, text)
    found = []
    for one in re.findall(r"(?:\{[^{}]*\}|[^,\s{}])+", re.sub(r"\s*,\s*", ",", text)):
        parts = re.split(r"\{([^{}]*)\}", one)
        choices = [[p] if n % 2 == 0 else p.split(",") for n, p in enumerate(parts)]
        found += ["".join(chosen).strip("-") for chosen in product(*choices)]
    return [name for name in found if name]


def _counted(found: re.Match[str]) -> str:
    first, last = int(found[1]), int(found[2])
    step = 1 if first <= last else -1
    return ",".join(map(str, range(first, last + step, step)[:100]))


def condition(text: str) -> tuple[list[list[str]], str]:
    """Split a line into the factors that it is for, and the rest; no factors: it is for all.

    >>> condition("py311-load,!docs: harness load"), condition("echo a: b")
    (([['py311', 'load'], ['!docs']], 'harness load'), ([], 'echo a: b'))
    """
    found = _CONDITION.search(text)
    if found is None or re.search(r"\s", re.sub(r"\s*,\s*", ",", text[: found.start()]).strip()):
        return [], text
    names = expanded(text[: found.start()])
    if not names or not all(_FACTORS.fullmatch(name) for name in names):
        return [], text
    return [name.split("-") for name in names], text[found.end() :].strip()


def _holds(group: Sequence[str], name: str) -> bool:
    current = [*name.split("-"), sys.platform]
    return all(
        any(fnmatchcase(one, factor.lstrip("!")) for one in current) != factor.startswith("!")
        for factor in group
    )


def read(root: Path) -> Matrix | None:
    """Read the tox file of a project; None where there is none. Raises HarnessError."""
    for name, reader in (
        ("tox.ini", _of_ini),
        ("pyproject.toml", _of_pyproject),
        ("tox.toml", _of_toml),
    ):
        try:
            text = (root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(name, f"cannot be read: {error}") from None
        found = reader(text, name)
        if found is not None:
            return found
    return None


def _of_ini(text: str, source: str) -> Matrix | None:
    sections = ini.parse(text)
    return (
        Matrix(source, sections)
        if any(s.startswith(("tox", "testenv")) for s in sections)
        else None
    )


def _of_pyproject(text: str, source: str) -> Matrix | None:
    document = _document(text, source)
    tables = document.tables.get("tool", {}).get("tox")
    if not isinstance(tables, dict):
        return None
    legacy = tables.get("legacy_tox_ini")
    if isinstance(legacy, str):
        first = int(document.where(["tool", "tox", "legacy_tox_ini"]).rpartition(":")[2])
        starts_below = re.search(r"legacy_tox_ini\s*=\s*(?:\"{3}|'{3})\n", text)
        return Matrix(source, ini.parse(legacy, first + bool(starts_below)))
    return Matrix(source, _sections(tables, document, ["tool", "tox"]), conditional=False)


def _of_toml(text: str, source: str) -> Matrix | None:
    document = _document(text, source)
    return Matrix(source, _sections(document.tables, document, []), conditional=False)


def _document(text: str, source: str) -> Document:
    try:
        return Document(text, source)
    except PlanError as error:
        raise _unreadable(source, error.message) from None


def _unreadable(source: str, told: str) -> HarnessError:
    return HarnessError("tox/unreadable", told, where=source, next_step="correct it")


def _sections(tables: dict[str, Any], document: Document, path: list[Step]) -> dict[str, Section]:
    """Give TOML's tables the shape of INI's sections."""
    below = {"env_run_base", "env_pkg_base", "env_base", "env"}
    found = {"tox": _section({k: v for k, v in tables.items() if k not in below}, document, path)}
    base = tables.get("env_run_base")
    if isinstance(base, dict):
        found["testenv"] = _section(base, document, [*path, "env_run_base"])
    environments = tables.get("env")
    for name, table in environments.items() if isinstance(environments, dict) else ():
        if isinstance(table, dict):
            found[f"testenv:{name}"] = _section(table, document, [*path, "env", name])
    return found


def _section(table: dict[str, Any], document: Document, path: list[Step]) -> Section:
    section = Section(_number(document, path))
    for key, value in table.items():
        number = _number(document, [*path, key])
        section.keys[key] = number
        section.values[key] = [Line(text, number) for text in _texts(value)]
    return section


def _number(document: Document, path: Sequence[Step]) -> int:
    number = document.where(path).rpartition(":")[2]
    return int(number) if number.isdecimal() else 1


def _texts(value: object) -> Iterator[str]:
    """Write a TOML value as the lines that it would be in INI."""
    if isinstance(value, dict):
        yield from (f"{key} = {one}" for key, one in value.items())
    elif isinstance(value, list):
        for one in value:
            yield shlex.join(map(str, one)) if isinstance(one, list) else str(one)
    elif value is not None:
        yield str(value).lower() if isinstance(value, bool) else str(value)
