"""What is final of a fed queue's quarter hour: no pool tells, its source's time does (kernel rule 29)."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.domain.feedboard import FOR_EVER
from analytics.domain.finality import Flags, all_over
from analytics.domain.levels import QUARTER_MS, Cell


def flags(parts: Sequence[Cell], told: int, threshold_s: int) -> Flags:
    """Of a cohort's cells, when all that happened before ``told`` (epoch milliseconds) is known."""
    verdicts = past(parts, told) >= threshold_s * 1000
    final = verdicts and not any(cell.waiting for cell in parts)
    return Flags(verdicts, final, final and all_over(parts))


def past(parts: Sequence[Cell], told: int) -> int:
    """By how much the source's time is past the interval's end, milliseconds."""
    return min(told, FOR_EVER) - parts[0].start - QUARTER_MS
