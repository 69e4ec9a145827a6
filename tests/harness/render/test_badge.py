from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import msgspec
import pytest

from harness.record import Record
from harness.render import badge
from harness.verdict import Outcome


def drawn(record: Record) -> ElementTree.Element:
    return ElementTree.fromstring(badge.render(record))


def texts(svg: ElementTree.Element) -> list[str | None]:
    return [element.text for element in svg.findall(".//{*}text")]


@pytest.mark.parametrize(("outcome", "sign"), list(zip(Outcome, "\u2713?\u2717", strict=True)))
def test_it_has_the_verdict_as_a_sign_and_a_word_and_the_day(
    representative: Record, outcome: Outcome, sign: str
) -> None:
    svg = drawn(msgspec.structs.replace(representative, outcome=outcome))

    assert texts(svg) == ["harness", f"{sign} {outcome} \u00b7 2026-11-20"]


def test_it_is_read_aloud_as_one_image_that_names_run_and_commit(representative: Record) -> None:
    svg = drawn(representative)

    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "harness: FAIL on 2026-11-20"
    assert svg.findtext("{*}title") == "harness: FAIL on 2026-11-20"
    about = svg.findtext("{*}desc") or ""
    assert "run 20261120T093309Z-3f2a9c, commit 3ef2289c0f with uncommitted changes" in about
    (drawing,) = svg.findall("{*}g")
    assert drawing.get("aria-hidden") == "true"


@pytest.mark.parametrize("colour", [*badge.COLOURS.values(), badge.LABEL_COLOUR])
def test_white_stands_out_from_each_colour_as_wcag_asks(colour: str) -> None:
    def linear(channel: str) -> float:
        value = int(channel, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(colour[at : at + 2]) for at in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_a_run_without_a_time_is_undated(empty: Record) -> None:
    assert texts(drawn(empty))[1] == "? UNKNOWN \u00b7 undated"


def test_whatever_a_name_holds_it_is_one_small_picture(
    hostile: str, with_text_everywhere: Callable[[str], Record]
) -> None:
    record = with_text_everywhere(hostile)

    assert len(badge.render(record)) < 5_000
    assert {element.tag.partition("}")[2] for element in drawn(record).iter()} == {
        "svg", "title", "desc", "rect", "g", "text"
    }  # fmt: skip
