"""The chart of a load: p50 and p99 over time, and below them the failures per second.

A pure function from a series to one ``<svg>`` element. Colours and strokes are the page's
(by class), so that both colour schemes and paper get theirs; lines differ in dash as well as
in colour, and each is named at its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from harness.record import Second
from harness.render.figures import count, figure, span
from harness.render.plain import line

_WIDTH, _HEIGHT = 960, 264
_LEFT, _RIGHT = 76, 884
_TOP, _BOTTOM = 14, 176
_STRIP_TOP, _STRIP_BOTTOM = 196, 228
_LOG_FROM = 30
"""A spread of so many times is drawn on a logarithmic axis: else the low end is a flat line."""

_LEAST, _MOST = 1e-6, 1e12
"""What is drawn, in seconds and in milliseconds. Nothing that was measured lies outside."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What is drawn of a part of the time: from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    sent: int
    failed: int
    p50_ms: float | None
    p99_ms: float | None

    @property
    def failures_per_s(self) -> float:
        """Failures by the second."""
        return self.failed / (self.end_s - self.start_s)


def intervals(series: Sequence[Second], most: int) -> list[Interval]:
    """Make at most `most` intervals of a series; neighbours are joined where there are more.

    Counts are added. Percentiles cannot be: a joined interval shows the highest of its parts.
    """
    fine: list[Interval] = []
    for second in sorted(series, key=lambda second: second.t_s):
        start = fine[-1].end_s if fine else 0.0
        if _LEAST <= second.t_s - start <= _MOST:
            p50, p99 = _drawable(second.p50_ms), _drawable(second.p99_ms)
            fine.append(Interval(start, second.t_s, second.sent, second.failed, p50, p99))
    stride = max(1, math.ceil(len(fine) / max(1, most)))
    return [_joined(fine[first : first + stride]) for first in range(0, len(fine), stride)]


def _drawable(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= _MOST else None


def _joined(parts: Sequence[Interval]) -> Interval:
    return Interval(
        parts[0].start_s,
        parts[-1].end_s,
        sum(part.sent for part in parts),
        sum(part.failed for part in parts),
        max((part.p50_ms for part in parts if part.p50_ms is not None), default=None),
        max((part.p99_ms for part in parts if part.p99_ms is not None), default=None),
    )


def latency_chart(drawn: Sequence[Interval], *, name: str, title: str) -> str:
    """Draw intervals. `name` begins the ids of this chart, so it must be its own in a page."""
    ident = "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:40]
    inside = _inside(drawn) if drawn else [_text(_WIDTH / 2, 110, "no interval ended", "middle")]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'class="chart" aria-labelledby="{ident}-title {ident}-desc">',
            f'<title id="{ident}-title">{_escaped(title)}</title>',
            f'<desc id="{ident}-desc">{_escaped(describe(drawn))}</desc>',
            *inside,
            "</svg>",
        ]
    )


def describe(drawn: Sequence[Interval]) -> str:
    """Say what the chart shows, for who cannot see it."""
    if not drawn:
        return "No interval ended, so there is nothing to draw."
    told = [f"{span(drawn[-1].end_s)} in {count(len(drawn))} intervals."]
    for label, values in (
        ("p50", [i.p50_ms for i in drawn if i.p50_ms is not None]),
        ("p99", [i.p99_ms for i in drawn if i.p99_ms is not None]),
    ):
        if values:
            told.append(
                f"{label} between {figure(min(values), 'ms')} and {figure(max(values), 'ms')}."
            )
        else:
            told.append(f"No {label}.")
    failed, sent = sum(i.failed for i in drawn), sum(i.sent for i in drawn)
    return " ".join([*told, f"{count(failed)} of {count(sent)} requests failed."])


def _inside(drawn: Sequence[Interval]) -> list[str]:
    last = drawn[-1].end_s

    def x(t: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * t / last

    curves = {"p50": [i.p50_ms for i in drawn], "p99": [i.p99_ms for i in drawn]}
    values = [ms for curve in curves.values() for ms in curve if ms is not None]
    axis = _Axis.over(values)
    middles = [x((i.start_s + i.end_s) / 2) for i in drawn]
    parts = [*_grid(axis), *_clock(last, x), *_curves(curves, middles, axis)]
    if not values:
        parts.append(_text(_WIDTH / 2, 100, "no latency: nothing succeeded", "middle"))
    return [*parts, *_failures(drawn, x)]


def _curves(
    curves: dict[str, list[float | None]], across: Sequence[float], axis: _Axis
) -> Iterator[str]:
    ends: list[tuple[float, str]] = []
    for label, curve in curves.items():
        heights = [None if ms is None else axis.y(ms) for ms in curve]
        known = [y for y in heights if y is not None]
        if known:
            yield f'<path class="{label}" d="{_path(list(zip(across, heights, strict=True)))}"/>'
            ends.append((known[-1], label))
    yield from _names(ends)


@dataclass(frozen=True, slots=True)
class _Axis:
    """The latency axis, from `low` to `high` milliseconds, with `ticks` between them."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float]) -> _Axis:
        """Choose an axis: from zero, or logarithmic where the spread is wide."""
        positive = [value for value in values if value >= _LEAST]
        top = max(positive, default=0.0) or 1.0
        bottom = min(positive, default=top)
        if top / bottom < _LOG_FROM:
            step = _nice(top / 4)
            steps = math.ceil(top / step)
            return cls(0.0, step * steps, tuple(step * n for n in range(steps + 1)), False)
        first, last = math.floor(math.log10(bottom)), math.ceil(math.log10(top))
        every = -(-(last - first) // 5)
        last += -(last - first) % every
        powers = tuple(10.0**n for n in range(first, last + 1, every))
        return cls(powers[0], powers[-1], powers, True)

    def y(self, value: float) -> float:
        """Return how far down the picture `value` is."""
        if self.logarithmic:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = value / self.high
        return _BOTTOM - (_BOTTOM - _TOP) * min(1.0, max(0.0, part))


def _nice(rough: float) -> float:
    """Return the least of 1, 2, 2.5 and 5 times a power of ten that is at least `rough`."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough), 10 * power)


def _grid(axis: _Axis) -> Iterator[str]:
    for tick in axis.ticks:
        y = axis.y(tick)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        yield _text(_LEFT - 8, y + 4, _tick(tick), "end")
    if axis.logarithmic:
        yield _text(_RIGHT + 8, _TOP + 4, "log scale")


def _tick(ms: float) -> str:
    value, unit = (ms / 1000, "s") if ms >= 1000 else (ms, "ms")
    return f"{value:.6g} {unit}"


def _clock(last: float, x: Callable[[float], float]) -> Iterator[str]:
    rough = last / 8
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800) if s >= rough), 0)
    step = step if step and rough > 0.5 else 0
    every = float(step) or _nice(rough)
    for n in range(int(last / every + 1e-9) + 1):
        at = x(n * every)
        yield f'<path class="tick" d="M{at:.1f} {_STRIP_BOTTOM}v4"/>'
        yield _text(at, _STRIP_BOTTOM + 18, _moment(n * every, every), "middle")


def _moment(seconds: float, every: float) -> str:
    if every < 60:
        return f"{seconds:.6g} s"
    if every < 3600:
        return f"{seconds / 60:.6g} min"
    return f"{seconds / 3600:.6g} h"


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Join neighbours; where a value is missing the line is broken, and a lone one is a dot."""
    steps: list[str] = []
    pen_down = False
    for position, (x, y) in enumerate(points):
        if y is None:
            pen_down = False
            continue
        alone = not pen_down and (position + 1 == len(points) or points[position + 1][1] is None)
        steps.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}{'h.01' if alone else ''}")
        pen_down = True
    return "".join(steps)


def _names(ends: Sequence[tuple[float, str]]) -> Iterator[str]:
    """Name each line at its end, apart from the others and inside the picture."""
    above = _TOP + 8.0
    for y, label in sorted(ends):
        at = max(y + 4, above + 14)
        above = at
        yield _text(_RIGHT + 8, at, label, kind=f"name {label}-name")


def _failures(drawn: Sequence[Interval], x: Callable[[float], float]) -> Iterator[str]:
    most = max(interval.failures_per_s for interval in drawn)
    yield f'<path class="base" d="M{_LEFT} {_STRIP_BOTTOM}H{_RIGHT}"/>'
    if not most:
        yield _text(_LEFT + 8, _STRIP_BOTTOM - 8, "no failures")
        return
    bars = []
    for interval in drawn:
        if interval.failed:
            left, right = x(interval.start_s), x(interval.end_s)
            height = max(2.0, (_STRIP_BOTTOM - _STRIP_TOP) * interval.failures_per_s / most)
            width = max(1.0, (right - left) * 0.8)
            bars.append(f"M{left:.1f} {_STRIP_BOTTOM}v-{height:.1f}h{width:.1f}v{height:.1f}z")
    yield f'<path class="failures" d="{"".join(bars)}"/>'
    yield _text(_LEFT - 8, _STRIP_TOP + 8, figure(most, "/s"), "end")
    yield _text(_RIGHT + 8, _STRIP_BOTTOM - 8, "failures", kind="name failures-name")


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return escape(line(text, 300))
