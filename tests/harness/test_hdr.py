from __future__ import annotations

import base64
import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from harness.hdr import encoded, interval, opening
from harness.histogram import Histogram

HOUR_NS = 3_600_000_000_000
GOLDEN = "HISTFAAAADZ4nJNpmSzMwMAgygABzFCaEURcm7yEwf4DRICVbT9jQ2fVZjkmloPCTKe9+C6/YWQCAP0tC3w="
"""What hdrhistogram 0.10.8 encodes of these values, as `HdrHistogram(1, 3_600_000_000, 3)`."""
VALUES_US = {3: 3, 100: 1_000_000, 2047: 1, 2048: 2, 5000: 1, 123456: 7, 3_600_000_000: 1}


def recorded(values: dict[int, int]) -> Histogram:
    histogram = Histogram()
    for value_ns, times in values.items():
        histogram.record(value_ns, times)
    return histogram


def decoded(text: str) -> tuple[tuple[float, ...], dict[int, int]]:
    """Read the V2 encoding: its header, and the counts by index."""
    raw = base64.b64decode(text)
    cookie, length = struct.unpack(">II", raw[:8])
    assert (cookie, length) == (0x1C849314, len(raw) - 8)
    plain = zlib.decompress(raw[8:])
    header, left, index = struct.unpack(">IIIIqqd", plain[:40]), plain[40:], 0
    assert header[1] == len(left)
    counts = {}
    while left:
        value, size = zigzag(left)
        left = left[size:]
        if value > 0:
            counts[index] = value
        index += max(1, -value)
    return header, counts


def zigzag(data: bytes) -> tuple[int, int]:
    value = size = 0
    while size < 9:
        byte = data[size]
        value |= (byte if size == 8 else byte & 0x7F) << (7 * size)
        size += 1
        if byte < 0x80:
            break
    return (value >> 1) ^ -(value & 1), size


def test_the_encoding_is_that_of_hdrhistogram_itself() -> None:
    ours = recorded({value * 1_000: times for value, times in VALUES_US.items()})

    assert decoded(encoded(ours)) == decoded(GOLDEN)
    assert decoded(GOLDEN)[0] == (0x1C849313, 21, 0, 3, 1, 3_600_000_000, 1.0)


@given(st.dictionaries(st.integers(0, 2 * HOUR_NS), st.integers(1, 2**62)))
def test_every_count_stands_at_the_index_of_its_bucket(values: dict[int, int]) -> None:
    histogram = recorded(values)

    assert decoded(encoded(histogram))[1] == histogram.buckets


def test_a_log_has_a_line_for_each_interval_with_times_in_seconds_and_its_maximum_in_ms() -> None:
    lines = list(opening(1_700_000_000.25, "2023-11-14T22:13:20+00:00"))
    line = interval("mix:a read,GET /a b", 1.0, 0.5, recorded({1_500_000: 2}))

    assert "#[StartTime: 1700000000.250 (seconds since epoch), 2023-11-14T22:13:20+00:00]" in lines
    assert lines[-1] == (
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    )
    head, payload = line.rsplit(",", 1)
    assert head == "Tag=mix:a_read_GET_/a_b,1.000,0.500,1.500"
    assert decoded(payload)[1] == {1500: 2}
