"""Waits as HdrHistograms of two digits, from one millisecond to a month: identical waits give identical bytes."""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from hdrh.histogram import HdrHistogram

from ..domain.levels import Counts, add_all, bucket

HIGHEST_MS = 31 * 24 * 3600 * 1000
DIGITS = 2


def histogram(buckets: Iterable[Counts]) -> HdrHistogram:
    """All of ``buckets`` together; a wait of 0 ms counts as 1 ms, the least that a histogram tells apart."""
    made = HdrHistogram(1, HIGHEST_MS, DIGITS)
    for counts in buckets:
        for milliseconds in sorted(counts):
            made.record_value(min(max(milliseconds, 1), HIGHEST_MS), counts[milliseconds])
    return made


def encoded(buckets: Iterable[Counts]) -> bytes:
    """V2, compressed, without the base64 that the library wraps around it; empty when nothing was counted."""
    counted = [counts for counts in buckets if counts]
    if not counted:
        return b""
    made = histogram(counted)
    try:
        return base64.b64decode(made.encode()) if made.total_count else b""
    finally:
        made.encoder = None  # it and the histogram keep each other, 26 kB, until garbage is collected


def percentiles(buckets: Iterable[Counts], wanted: Iterable[int] = (50, 90, 99)) -> dict[int, float | None]:
    """Percentile -> seconds; ``None`` when nothing was counted.

    What the histogram would say, without its walk over thousands of counters; ranks are rounded up to whole ones,
    where the library rounds to the nearest, so that p90 of six would be the fifth.
    """
    counts: Counts = {}
    for one in buckets:
        add_all(counts, one)
    total, values = sum(counts.values()), sorted(counts)
    if not total:
        return dict.fromkeys(wanted)
    passed = list(accumulate(counts[value] for value in values))
    return {percent: _most(values[bisect_left(passed, -(-percent * total // 100))]) / 1000 for percent in wanted}


def _most(milliseconds: int) -> int:
    """The greatest value that the histogram does not tell from ``milliseconds``."""
    kept = min(max(milliseconds, 1), HIGHEST_MS)
    return bucket(kept) + (1 << max(0, kept.bit_length() - 8)) - 1
