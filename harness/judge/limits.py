"""What a limit of a gate measures, and the places beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from harness.facts import Fact
from harness.inspection import Block, Covered, Exclusion, Maintained, Suppression, Weakness
from harness.judge.unchecked import gate_of
from harness.objective import Objective
from harness.verdict import Finding, Outcome


@dataclass(frozen=True, slots=True)
class Measurement:
    """A limit's measured value, None without evidence, and what lies beyond the limit.

    `remark` says how the value differs from what a tool of the same name would say.
    """

    value: Fraction | None
    beyond: list[Finding]
    remark: str = ""


FactT = TypeVar("FactT", bound=Fact)


def measure(limit: Objective, facts: Sequence[Fact], exclude: Sequence[Exclusion]) -> Measurement:
    """Measure a limit on those of the facts that are about files it covers."""

    def of(kind: type[FactT]) -> list[FactT]:
        return [f for f in facts if isinstance(f, kind) and limit.covers(getattr(f, "path", ""))]

    which = limit.indicator.partition(".")[2]
    match gate_of(limit):
        case "complexity":
            return _complexity(limit, which, of(Block))
        case "maintainability":
            return _maintainability(limit, of(Maintained))
        case "security":
            return _security(which, of(Weakness))
        case "suppressions":
            return _suppressions(limit, which, of(Suppression), exclude)
    return _coverage(which, of(Covered))


def only_worsens(limit: Objective, value: Fraction) -> bool:
    """Tell whether more code can only lead further beyond a limit: a worst case or a count."""
    if limit.indicator == "maintainability.min":
        return limit.op in (">", ">=") or (limit.op == "==" and value < limit.limit)
    grows = limit.indicator == "complexity.max" or gate_of(limit) in ("security", "suppressions")
    return grows and (limit.op in ("<", "<=") or (limit.op == "==" and value > limit.limit))


def _complexity(limit: Objective, which: str, blocks: Sequence[Block]) -> Measurement:
    if which == "average":
        return _average(blocks)
    places = [block for block in blocks if not block.is_class]
    if not places:
        return Measurement(Fraction(0), [])
    beyond = [
        Finding(
            slug="complexity/limit",
            outcome=Outcome.FAIL,
            where=f"{block.path}:{block.line}",
            message=f"{block.name} is too complex{_unlike_radon(block)}",
            measured=block.complexity,
            limit=float(limit.limit),
            unit="",
            next_step="split it, or give its cases to a table",
            symbol=block.name,
        )
        for block in sorted(places, key=lambda b: (-b.complexity, b.path, b.line))
        if not limit.holds(Fraction(block.complexity))
    ]
    return Measurement(Fraction(max(b.complexity for b in places)), beyond)


def _unlike_radon(block: Block) -> str:
    if block.radon is None:
        return f" (Radon's report does not have it: {block.because})" if block.because else ""
    if block.radon == block.complexity:
        return ""
    return f" (Radon says {block.radon}: {block.because})"


def _average(blocks: Sequence[Block]) -> Measurement:
    """Average as ``radon cc -a``: functions, methods and classes; and what that does not list."""
    if not blocks:
        return Measurement(Fraction(0), [])
    inner = [block for block in blocks if not block.name.endswith(">")] or list(blocks)
    average = _mean(block.complexity for block in inner)
    listed = [block.radon for block in inner if block.radon is not None]
    if not listed or _mean(listed) == average:
        return Measurement(average, [])
    told = f"radon cc -a says {float(_mean(listed)):.4g} of {len(listed)} blocks"
    return Measurement(average, [], f"{told}; {len(inner) - len(listed)} more are counted here")


def _mean(numbers: Iterable[int]) -> Fraction:
    known = list(numbers)
    return Fraction(sum(known), len(known))


def _maintainability(limit: Objective, files: Sequence[Maintained]) -> Measurement:
    known = [(file.index, file.path) for file in files if file.index is not None]
    if not known:
        return Measurement(None, [])
    beyond = [
        Finding(
            slug="maintainability/limit",
            outcome=Outcome.FAIL,
            where=path,
            message="Radon's maintainability index is too low",
            measured=index,
            limit=float(limit.limit),
            unit="",
            next_step="split the module: length, complexity and operators lower it",
        )
        for index, path in sorted(known)
        if not limit.holds(Fraction(index))
    ]
    without = len(files) - len(known)
    remark = f"{without} of {len(files)} files have no index: no operator to count"
    return Measurement(Fraction(min(known)[0]), beyond, remark if without else "")


def _security(which: str, weaknesses: Sequence[Weakness]) -> Measurement:
    found = [w for w in weaknesses if counts(which, w) and not w.suppressed]
    beyond = [
        Finding(
            slug=f"security/{weakness.rule}",
            outcome=Outcome.FAIL,
            where=f"{weakness.path}:{weakness.line}",
            message=f"{weakness.message} "
            f"(severity {weakness.severity}, confidence {weakness.confidence})",
            next_step=f"see https://bandit.readthedocs.io, {weakness.rule}",
        )
        for weakness in found
    ]
    return Measurement(Fraction(len(found)), beyond)


def counts(which: str, weakness: Weakness) -> bool:
    """Tell whether an issue is of a severity, or of a severity and confidence: ``high.medium``."""
    severity, _, confidence = which.partition(".")
    return weakness.severity == severity and confidence in ("", weakness.confidence)


def _suppressions(
    limit: Objective, which: str, comments: Sequence[Suppression], exclude: Sequence[Exclusion]
) -> Measurement:
    """Count comments, and of the plan's exclusions those that take something out of the scope."""
    found = [_beyond(which, one) for one in comments if _is_counted(which, one)]
    taking = [one for one in exclude if any(map(limit.covers, one.files))] if not which else []
    beyond = [
        *found,
        *(
            _suppressed(
                one.where or one.path,
                f"{one.path} is excluded by the plan: {one.reason}",
                "delete the exclusion, or raise the limit",
                one.path,
            )
            for one in taking
        ),
    ]
    return Measurement(Fraction(len(beyond)), beyond)


def _is_counted(which: str, comment: Suppression) -> bool:
    if which == "unreasoned":
        return not comment.reason
    return comment.blanket or which != "blanket"


def _beyond(which: str, comment: Suppression) -> Finding:
    return _suppressed(
        f"{comment.path}:{comment.line}",
        f"{_title(comment)} {_LACKING[which]}",
        "delete it, or say what it hides and why",
    )


def _suppressed(where: str, message: str, next_step: str, symbol: str = "") -> Finding:
    return Finding(
        slug="suppressions/limit", outcome=Outcome.FAIL, where=where, message=message,
        next_step=next_step, symbol=symbol,
    )  # fmt: skip


_LACKING = {
    "": "hides something",
    "blanket": "names no rule of Bandit's",
    "unreasoned": "says no reason",
}


def _title(comment: Suppression) -> str:
    """Return a comment as it is written, without its reason."""
    if comment.kind == "nosec":
        return " ".join(["# nosec", ", ".join(comment.rules)]).strip()
    return f"# pragma: {comment.kind}"


_WHICH = {"lines": "lines", "branches": "branches", "changed": "changed lines"}


def _coverage(which: str, files: Sequence[Covered]) -> Measurement:
    def counted(file: Covered) -> tuple[int, int]:
        if which == "branches":
            return file.covered_branches, file.branches
        return file.covered, file.statements

    covered = sum(counted(file)[0] for file in files)
    total = sum(counted(file)[1] for file in files)
    if not total:
        # No branch anywhere is a whole coverage of branches; no statement is no evidence, but for
        # a change that adds none.
        whole = which == "changed" or (files and which == "branches")
        return Measurement(Fraction(100) if whole else None, [])
    beyond = [
        Finding(
            slug=f"coverage/{which}",
            outcome=Outcome.FAIL,
            where=f"{file.path}:{file.missing[0]}" if file.missing else file.path,
            message=f"{counted(file)[1] - counted(file)[0]} of {counted(file)[1]} {_WHICH[which]} "
            f"were not run{_lines(file)}",
            measured=counted(file)[1] - counted(file)[0],
            next_step="test them, or delete them",
        )
        for file in sorted(files, key=lambda f: counted(f)[0] - counted(f)[1])
        if counted(file)[0] < counted(file)[1]
    ]
    return Measurement(Fraction(100 * covered, total), beyond)


def _lines(file: Covered) -> str:
    """Write line numbers as ranges: ``: 3, 7-9``."""
    ranges: list[list[int]] = []
    for line in file.missing:
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges[:8])
    more = ", …" if len(ranges) > 8 else ""
    return f": lines {shown}{more}" if shown else ""
