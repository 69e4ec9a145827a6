"""Numbers as words: few digits, but never so few that a reader would decide otherwise.

A number is compared raw and rounded only to be shown. So a shown number stays on its own side
of the limit beside it, nothing but 0 is shown as 0, and nothing but 100 % as 100 %: where the
usual digits would cross, more are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal

from harness.render.plain import line

MISSING = "n/a"
"""Stands for a number that there is none of: too few samples, or nothing measured."""


def figure(value: float | None, unit: str | None = "", *, beside: Iterable[float] = ()) -> str:
    """Write a measured number, rounded, on its own side of 0, of 100 % and of each of `beside`.

    >>> figure(12.34, "ms"), figure(1250.4, "ms"), figure(89.96, "%", beside=[90])
    ('12.3 ms', '1.25 s', '89.96 %')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    scaled, shown_unit, scale = _scaled(value, unit or "")
    edges = [Decimal(0), Decimal(100)] if shown_unit == "%" else [Decimal(0)]
    edges += [Decimal(repr(edge)) / scale for edge in map(float, beside) if math.isfinite(edge)]
    for text in _ever_longer(scaled):
        if all(_same_side(scaled, Decimal(text.replace(",", "")), edge) for edge in edges):
            break
    return _with_unit(text, shown_unit)


def exact(value: float | None, unit: str | None = "") -> str:
    """Write a number as whoever set it would, with every digit that it has: a limit.

    >>> exact(80.0, "ms"), exact(1500.0, "ms"), exact(0.1, "%")
    ('80 ms', '1.5 s', '0.1 %')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    scaled, shown_unit, _ = _scaled(value, unit or "")
    number = scaled.normalize()
    return _with_unit(f"{number:,f}" if not number or _usual(number) else f"{number}", shown_unit)


def count(number: int) -> str:
    """Write a count: all of its digits, in groups of three."""
    return f"{number:,}"


def share(part: int, whole: int) -> str:
    """Write `part` of `whole` as a percentage.

    >>> share(1, 3_000_000), share(2_999_999, 3_000_000), share(0, 0)
    ('0.000033 %', '99.99997 %', 'n/a')
    """
    return figure(100 * part / whole, "%") if whole else MISSING


def span(seconds: float) -> str:
    """Write how long something took.

    >>> span(0.84), span(134.2), span(3780)
    ('0.84 s', '2 min 14 s', '1 h 3 min')
    """
    if not math.isfinite(seconds) or seconds < 60:
        return figure(seconds, "s")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s".removesuffix(" 0 s")
    return f"{minutes // 60:,} h {minutes % 60} min".removesuffix(" 0 min")


def _scaled(value: float, unit: str) -> tuple[Decimal, str, int]:
    """Return the number to show, its unit, and how many of the given unit are one of it."""
    number = Decimal(repr(float(value)))
    if unit == "ms" and abs(number) >= Decimal("999.5"):
        return number.scaleb(-3), "s", 1000
    return number, unit, 1


def _ever_longer(number: Decimal) -> Iterator[str]:
    """Give ways to write `number`, each closer than the one before; the last one is exact."""
    if number == number.to_integral_value() and abs(number) < 10**15:
        yield f"{int(number):,}"
        return
    # 0.012, 0.84, 1.25, 12.3, 123: three digits, and two below one.
    least = max(0, 2 - number.adjusted()) if abs(number) >= 1 else max(2, 1 - number.adjusted())
    decimals, style = (least, "f") if _usual(number) else (2, "e")
    for more in range(18):
        yield f"{number:,.{decimals + more}{style}}"


def _usual(number: Decimal) -> bool:
    """Tell whether `number` is of a size that is written without a power of ten."""
    return Decimal("1e-6") <= abs(number) < 10**15


def _same_side(raw: Decimal, shown: Decimal, edge: Decimal) -> bool:
    return (raw < edge) == (shown < edge) and (raw > edge) == (shown > edge)


def _with_unit(text: str, unit: str) -> str:
    if "." in text and "e" not in text.lower() and len(text.partition(".")[2]) > 3:
        text = text.rstrip("0")
    unit = line(unit, 12)
    return f"{text}{unit}" if unit.startswith("/") else f"{text} {unit}".rstrip()
