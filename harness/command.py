"""What a line of commands calls, and whether what it calls can still make it fail."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath

JUDGING = ("run", "test", "load", "gates", "report")
"""The verbs whose exit code is a verdict."""

_OPERATORS = ("&&", "||", "|", "|&", ";", "&", "\n")
_HARMLESS = ("true", ":", "echo", "printf")
_DEEPEST = 5
_SHELLS = ("bash", "sh", "dash", "zsh")

Words = Sequence[str]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the harness: its verb, and all that follows."""

    verb: str
    arguments: tuple[str, ...]

    @property
    def plain(self) -> list[str]:
        """The arguments that are neither options nor follow one that may take a value."""
        pairs = pairwise(["", *self.arguments])
        return [word for before, word in pairs if not word.startswith("-") and before[:1] != "-"]

    def values(self, option: str) -> list[str]:
        """Return the values of an option, which may stand apart or after an equals sign."""
        apart = [value for name, value in pairwise(self.arguments) if name == option]
        return apart + [
            one.partition("=")[2] for one in self.arguments if one.startswith(f"{option}=")
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """One program with its arguments in a script, and the operator after it: none at the end."""

    words: tuple[str, ...]
    operator: str = ""


def steps(script: str) -> list[Step]:
    """Split a script into its programs; none where its quotes do not match.

    What a shell's own ``-c`` runs is a script in it, and its steps take its place. What
    ``$(…)`` and backquotes run gives a word, and no outcome: it is left out.
    """
    plain = re.sub(r"(?m)(^|\s)#.*$", r"\1", script.replace("\\\n", " "))
    for _ in range(_DEEPEST):
        plain = re.sub(r"\$\([^()]*\)|`[^`]*`", "_", plain)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="&|;\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    found: list[Step] = []
    words: list[str] = []
    for token in [*tokens, ""]:
        operator = next((one for one in _OPERATORS if token.strip() and token.startswith(one)), "")
        is_end = not token or operator or set(token) <= {"\n"}
        if not is_end:
            words.append(token)
        elif words:
            found.append(Step(tuple(words), operator or ("\n" if token else "")))
            words = []
    return [step for one in found for step in _inner(one)]


def _inner(step: Step) -> Iterator[Step]:
    """Give the steps of a shell's script in the place of the shell."""
    at = next((n for n, word in enumerate(step.words) if PurePath(word).name in _SHELLS), None)
    flags = step.words[at + 1 :] if at is not None else ()
    script = next((n for n, word in enumerate(flags) if re.fullmatch(r"-\w*c", word)), None)
    if script is None or script + 1 >= len(flags):
        yield step
        return
    options = [word for word in flags[: script + 1] if word.startswith("-")]
    if any("e" in option for option in options):
        yield Step(("set", "-e"), ";")
    if "pipefail" in flags[: script + 1]:
        yield Step(("set", "-o", "pipefail"), ";")
    inner = steps(flags[script + 1])
    yield from inner[:-1]
    if inner:
        yield Step(inner[-1].words, step.operator)


def call(words: Words) -> Call | None:
    """Return the call of the harness that a program's words are, through whatever starts it."""
    for at, word in enumerate(words):
        if PurePath(word).name != "harness":
            continue
        rest = [one for one in words[at + 1 :] if one != "--debug"]
        if rest and rest[0] in JUDGING:
            return Call(rest[0], tuple(rest[1:]))
    return None


def calls(script: str) -> list[Call]:
    """Return all calls of judging verbs in a script."""
    return [found for step in steps(script) if (found := call(step.words)) is not None]


def lost(
    script: str, judges: Callable[[Words], bool], *, stops: bool = False, pipefail: bool = False
) -> str:
    """Say how the exit code of a step that `judges` is lost; empty where none is.

    `stops`: the shell ends at the first failure, as with ``set -e``; `pipefail` likewise.
    """
    found = steps(script)
    for number, step in enumerate(found):
        if step.words[0] == "set":
            told = " ".join(step.words)
            stops = _switched(told, "e", stops)
            pipefail = "+o pipefail" not in told and (pipefail or "pipefail" in told)
        elif judges(step.words):
            how = _lost(step, found[number + 1 :], stops=stops, pipefail=pipefail)
            if how:
                return how
    return ""


def _switched(told: str, flag: str, before: bool) -> bool:
    if re.search(rf"\s\+\w*{flag}", told):
        return False
    return before or bool(re.search(rf"\s-\w*{flag}|errexit", told))


def _lost(step: Step, after: Sequence[Step], *, stops: bool, pipefail: bool) -> str:
    following = " ".join(after[0].words) if after else ""
    if step.operator in ("|", "|&") and not pipefail:
        return f"'| {following}' has the exit code of what stands last"
    if step.operator == "&":
        return "'&' leaves it in the background"
    if step.operator == "||" and after and _swallows(after[0].words):
        return f"'|| {following}' makes every outcome a success"
    if step.operator in (";", "\n") and after and not stops:
        return f"'{following}' after it has the last word"
    return ""


def _swallows(words: Words) -> bool:
    return words[0] in _HARMLESS or list(words) == ["exit", "0"]
