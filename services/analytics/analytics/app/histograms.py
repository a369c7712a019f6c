"""Waits as HdrHistograms of two digits, from one millisecond to a month: identical waits give identical bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

from ..domain.levels import Counts

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
    return base64.b64decode(made.encode()) if made.total_count else b""


def percentiles(buckets: Iterable[Counts], wanted: Iterable[int] = (50, 90, 99)) -> dict[int, float | None]:
    """Percentile -> seconds; ``None`` when nothing was counted."""
    made = histogram(buckets)
    if not made.total_count:
        return dict.fromkeys(wanted)
    return {percent: made.get_value_at_percentile(_whole(percent, made.total_count)) / 1000 for percent in wanted}


def _whole(percent: int, count: int) -> float:
    """``percent`` moved up to a whole rank: the library rounds ranks, so that p90 of six would be the fifth."""
    return 100 * -(-percent * count // 100) / count
