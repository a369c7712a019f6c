"""Local intervals: which one an instant is in, on days of 92, 96 or 100 quarter hours alike; weeks begin on Monday."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analytics.domain.levels import QUARTER_MS, quarter
from switchlog.decider import Rejected

MINUTES = {"15m": 15, "30m": 30, "1h": 60}
CALENDAR = ("1d", "1w", "1mo")
STEPS = (*MINUTES, *CALENDAR)

Span = tuple[int, int]
"""First instant, and first instant after it, epoch milliseconds."""


def zone(name: str) -> ZoneInfo:
    """The IANA zone ``name``; raises ``Rejected`` (bad input)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Rejected("UNKNOWN_TIME_ZONE", "tz is an IANA name such as Asia/Shanghai", invalid=True) from None


def interval(at: int, step: str, tz: ZoneInfo) -> Span:
    """The ``step`` that ``at`` is in."""
    if step in MINUTES:
        return _of_the_clock(quarter(at), MINUTES[step], tz)
    first = _first(_date(at, tz), step)
    return _instant(first, tz), _instant(_after(first, step, 1), tz)


def intervals(begin: int, end: int, step: str, tz: ZoneInfo) -> Iterator[Span]:
    """Every ``step`` that the time from ``begin`` to ``end`` touches, in order, without gaps."""
    while begin < end:
        span = interval(begin, step, tz)
        yield span
        begin = span[1]


def previous(begin: int, end: int, step: str, tz: ZoneInfo) -> Span:
    """The period before ``begin``: as long as that to ``end``; of days, weeks and months as many as that has."""
    if step in MINUTES:
        return begin - (end - begin), begin
    many = sum(1 for _ in intervals(begin, end, step, tz))
    return _instant(_after(_first(_date(begin, tz), step), step, -many), tz), begin


def day_start(at: int, tz: ZoneInfo) -> int:
    """The first instant of the local day that ``at`` is in."""
    return interval(at, "1d", tz)[0]


def _of_the_clock(start: int, width: int, tz: ZoneInfo) -> Span:
    """The quarter hours in a row on which the clock shows the same ``width`` minutes, with the same offset."""
    begin, end, face = start, start + QUARTER_MS, _face(start, width, tz)
    while _face(begin - QUARTER_MS, width, tz) == face:
        begin -= QUARTER_MS
    while _face(end, width, tz) == face:
        end += QUARTER_MS
    return begin, end


def _face(at: int, width: int, tz: ZoneInfo) -> tuple[object, ...]:
    local = datetime.fromtimestamp(at / 1000, tz)
    return local.date(), local.hour, local.minute // width, local.utcoffset()


def _date(at: int, tz: ZoneInfo) -> date:
    return datetime.fromtimestamp(at / 1000, tz).date()


def _first(day: date, step: str) -> date:
    if step == "1w":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step == "1mo" else day


def _after(first: date, step: str, many: int) -> date:
    if step != "1mo":
        return first + timedelta(days=many * (7 if step == "1w" else 1))
    months = first.year * 12 + first.month - 1 + many
    return date(months // 12, months % 12 + 1, 1)


def _instant(day: date, tz: ZoneInfo) -> int:
    """Its midnight, or where the clock is moved then the first instant after that."""
    return round(datetime.combine(day, time(), tz).astimezone(UTC).timestamp() * 1000)
