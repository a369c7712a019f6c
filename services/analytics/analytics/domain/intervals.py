"""Local intervals: which one an instant is in, on days of 92, 96 or 100 quarter hours alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from switchlog.decider import Rejected

MINUTES = {"15m": 15, "30m": 30, "1h": 60}
DAYS = {"1d": 1}
STEPS = (*MINUTES, *DAYS)


def zone(name: str) -> ZoneInfo:
    """The IANA zone ``name``; raises ``Rejected`` (bad input)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Rejected("UNKNOWN_TIME_ZONE", "tz is an IANA name such as Asia/Shanghai", invalid=True) from None


def interval(at: int, step: str, tz: ZoneInfo) -> tuple[int, int]:
    """First instant of the ``step`` that ``at`` is in and first instant after it, epoch milliseconds."""
    local = datetime.fromtimestamp(at / 1000, tz)
    if step in DAYS:
        first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return _instant(first), _instant(first + timedelta(days=DAYS[step]))  # wall clock: a day may have 23 hours
    width = MINUTES[step]
    into = timedelta(minutes=local.minute % width, seconds=local.second, microseconds=local.microsecond)
    begin = at - round(into.total_seconds() * 1000)
    return begin, begin + width * 60_000


def day_start(at: int, tz: ZoneInfo) -> int:
    """The first instant of the local day that ``at`` is in."""
    return interval(at, "1d", tz)[0]


def _instant(local: datetime) -> int:
    return round(local.astimezone(UTC).timestamp() * 1000)
