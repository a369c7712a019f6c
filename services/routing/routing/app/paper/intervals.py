"""Local intervals of figures: on days of 92, 96 or 100 quarter hours alike. Epoch milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTES = {"15m": 15, "30m": 30, "1h": 60}
STEPS = (*MINUTES, "1d")
QUARTER_MS = 900_000

Interval = tuple[int, int]
"""First instant in it and first instant after it."""


def intervals(step: str, tz: ZoneInfo) -> Callable[[int], Interval]:
    """Which interval of ``step`` (one of ``STEPS``) an instant is in; zones keep to whole quarter hours."""
    known: dict[int, Interval] = {}

    def interval(at: int) -> Interval:
        quarter = at // QUARTER_MS
        found = known.get(quarter)
        if found is None:
            found = known[quarter] = _interval(quarter * QUARTER_MS, step, tz)
        return found

    return interval


def _interval(at: int, step: str, tz: ZoneInfo) -> Interval:
    local = datetime.fromtimestamp(at / 1000, tz)
    if step == "1d":
        first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return _instant(first), _instant(first + timedelta(days=1))  # wall clock: a day may have 23 hours
    into = timedelta(minutes=local.minute % MINUTES[step], seconds=local.second)
    begin = at - round(into.total_seconds() * 1000)
    return begin, begin + MINUTES[step] * 60_000


def _instant(local: datetime) -> int:
    return round(local.astimezone(UTC).timestamp() * 1000)
