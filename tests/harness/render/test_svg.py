from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from harness.record import Second
from harness.render.svg import describe, intervals, latency_chart

SVG = "{http://www.w3.org/2000/svg}"
latencies = st.none() | st.floats()
seconds = st.builds(
    Second, t_s=st.floats(), sent=st.integers(0, 10**6), failed=st.integers(0, 10**6),
    p50_ms=latencies, p99_ms=latencies,
)  # fmt: skip


def second(t: float, p50: float | None = 10.0, p99: float | None = 20.0, failed: int = 0) -> Second:
    return Second(t_s=t, sent=40, failed=failed, p50_ms=p50, p99_ms=p99)


def drawn(*series: Second, title: str = "a load", most: int = 150) -> ElementTree.Element:
    return ElementTree.fromstring(
        latency_chart(intervals(series, most), name="chart-1", title=title)
    )


def numbers(chart: ElementTree.Element) -> list[float]:
    drawn = [
        element.get(name, "")
        for element in chart.iter()
        for name in ("d", "x", "y")
    ]  # fmt: skip
    return [
        float(n) for text in drawn for n in re.findall(r"[-\w.]+", re.sub("[MLHhvz]", " ", text))
    ]


def texts(chart: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in chart.iter(f"{SVG}text")]


@given(st.lists(seconds, max_size=30), st.integers(1, 40))
def test_any_series_is_drawn_well_formed_and_inside_the_picture(
    series: list[Second], most: int
) -> None:
    assert all(-300 < number < 1000 for number in numbers(drawn(*series, most=most)))


def test_a_chart_of_no_points_says_so() -> None:
    assert texts(drawn()) == ["no interval ended"]


def test_one_point_is_a_dot() -> None:
    chart = drawn(second(1))
    line = chart.find(f"{SVG}path[@class='p99']")
    assert line is not None
    assert line.get("d", "").endswith("h.01")


def test_equal_values_lie_on_an_axis_from_zero() -> None:
    shown = texts(drawn(*(second(t, 10, 10) for t in range(1, 6))))
    assert shown[0] == "0 ms"
    assert "10 ms" in shown


def test_a_wide_spread_is_drawn_logarithmically_and_the_axis_says_so() -> None:
    shown = texts(drawn(second(1, 1, 3000), second(2, 2, 5)))
    assert "log scale" in shown
    assert {"1 ms", "10 ms", "100 ms", "1 s", "10 s"} <= set(shown)


def test_a_missing_value_breaks_its_line() -> None:
    series = [second(t, p99=None if t == 3 else 20) for t in range(1, 6)]
    line = drawn(*series).find(f"{SVG}path[@class='p99']")
    assert line is not None
    assert line.get("d", "").count("M") == 2


def test_failures_are_bars_and_their_absence_is_said() -> None:
    assert "no failures" in texts(drawn(second(1)))
    bars = drawn(second(1), second(2, failed=3)).find(f"{SVG}path[@class='failures']")
    assert bars is not None
    assert bars.get("d", "").count("M") == 1


def test_a_single_failure_among_many_can_be_seen() -> None:
    bars = drawn(second(1, failed=1), second(2, failed=10_000)).find(
        f"{SVG}path[@class='failures']"
    )
    assert bars is not None
    assert "v-2.0" in bars.get("d", "")


def test_joined_intervals_add_counts_and_keep_the_highest_percentiles() -> None:
    joined = intervals([second(1, 10, 90, 1), second(2, 30, None, 2), second(3, 5, 7)], most=2)
    assert [(i.start_s, i.end_s, i.sent, i.failed, i.p50_ms, i.p99_ms) for i in joined] == [
        (0, 2, 80, 3, 30, 90),
        (2, 3, 40, 0, 5, 7),
    ]


def test_what_is_drawn_is_also_said() -> None:
    told = describe(intervals([second(1), second(2, 12, None, 4)], 10))
    assert told == (
        "2 s in 2 intervals. p50 between 10 ms and 12 ms. p99 between 20 ms and 20 ms. "
        "4 of 80 requests failed."
    )


def test_a_hostile_title_stays_text() -> None:
    chart = drawn(second(1), title="</title><script>]]>\x00\u202e")
    assert chart.findtext(f"{SVG}title") == r"</title><script>]]>\x00\u202e"
