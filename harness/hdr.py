"""Histograms as HdrHistogram's tools read them: the V2 encoding, and lines of an interval log.

https://github.com/HdrHistogram/HdrHistogram, `AbstractHistogram.encodeIntoCompressedByteBuffer`
and `HistogramLogWriter`. The buckets are the same, so nothing is lost: microseconds, from 1 to one
hour, with three significant digits.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator

from harness.histogram import DIGITS, HIGHEST_US, Histogram

_COOKIE = 0x1C849303 | 0x10  # counts as ZigZag LEB128
_COMPRESSED = 0x1C849304 | 0x10
_HEADER = struct.Struct(">IIIIqqd")
_MS = 1_000_000


def encoded(histogram: Histogram) -> str:
    """Return the counts in HdrHistogram's V2 encoding, compressed and in Base64."""
    counts = b"".join(map(_number, _runs(histogram)))
    header = _HEADER.pack(_COOKIE, len(counts), 0, DIGITS, 1, HIGHEST_US, 1.0)
    packed = zlib.compress(header + counts)
    return base64.b64encode(struct.pack(">II", _COMPRESSED, len(packed)) + packed).decode()


def opening(start_s: float, at: str) -> Iterator[str]:
    """Give a log's first lines; its times count from `start_s`, in s since 1970, which is `at`."""
    yield "#[Histogram log format version 1.3]"
    yield "#[values in microseconds, Interval_Max in milliseconds]"
    yield f"#[StartTime: {start_s:.3f} (seconds since epoch), {at}]"
    yield f"#[BaseTime: {start_s:.3f} (seconds since epoch)]"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def interval(tag: str, start_s: float, length_s: float, histogram: Histogram) -> str:
    """Return a log's line for one interval. What a tag may not have becomes ``_``."""
    written = re.sub(r"[\s,]+", "_", tag)
    longest = histogram.max_ns / _MS
    return f"Tag={written},{start_s:.3f},{length_s:.3f},{longest:.3f},{encoded(histogram)}"


def _runs(histogram: Histogram) -> Iterator[int]:
    """Give the count of each bucket up to the last, and of several empty ones how many, below 0."""
    following = 0
    for index in sorted(histogram.buckets):
        if empty := index - following:
            yield -empty if empty > 1 else 0
        yield histogram.buckets[index]
        following = index + 1


def _number(value: int) -> bytes:
    """Write a 64-bit number as ZigZag LEB128: its ninth byte, if any, has all eight bits."""
    left, found = (value << 1) ^ (value >> 63), bytearray()
    while left > 0x7F and len(found) < 8:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)
