"""Opening hours: spans of local time by week day, and dates that have spans of their own.

Instants are epoch milliseconds. A span opens once and closes once, whatever is done to the clocks: it begins when the
clock on the wall first shows its begin or later, and ends when the clock has shown less than its end for the last time.
So a time that the clock skips is the moment at which it is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, MINUTE_MS = timedelta(days=1), 60_000

Span = tuple[int, int]
"""Minutes of a local day, from and until; an end that is not later than the beginning is on the next day."""

Interval = tuple[int, int]
"""From an instant on, until another."""


@dataclass(frozen=True)
class Calendar:
    """``weekly`` by week day (0 Monday), ``dates`` in their stead; what is not named is closed."""

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[Span]]
    dates: Mapping[date, Sequence[Span]]

    def is_open(self, at: int) -> bool:
        """At ``at``, epoch milliseconds."""
        today = local_date(at, self.zone)
        return covered(intervals(self._spans, (today - DAY, today), self.zone), at)

    def _spans(self, day: date) -> Sequence[Span]:
        return self.dates[day] if day in self.dates else self.weekly.get(day.weekday(), ())


def intervals(spans: Callable[[date], Iterable[Span]], dates: Iterable[date], zone: tzinfo) -> list[Interval]:
    """What the ``spans`` of ``dates`` are as instants, in order, those that touch made one. What is open on a date may
    have begun the day before."""
    merged: list[Interval] = []
    for begin, end in sorted(_interval(day, span, zone) for day in dates for span in spans(day)):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def covered(spans: Iterable[Interval], instant: int) -> bool:
    return any(begin <= instant < end for begin, end in spans)


def local_date(instant: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(instant / 1000, zone).date()


def begin_of(day: date, zone: tzinfo) -> int:
    """When the clock of ``zone`` first shows ``day``."""
    return _instant(day, 0, zone)


def calendar(zone: str, weekly: Mapping[str, Sequence[str]], dates: Mapping[str, Sequence[str]]) -> Calendar:
    """From words: days ``mon`` ... ``sun``, dates ``2026-10-01``, spans ``09:00-12:30`` or over midnight
    ``22:00-06:00``, ``24:00`` at most. Raises ``ValueError`` naming what it cannot read, also an unknown zone."""
    try:
        known = ZoneInfo(zone)
    except (KeyError, OSError):
        raise ValueError(f"{zone!r} is no IANA time zone such as Asia/Shanghai") from None
    by_day = {DAYS.index(day): [_span(text) for text in spans] for day, spans in weekly.items()}
    return Calendar(known, by_day, {date.fromisoformat(day): [_span(text) for text in s] for day, s in dates.items()})


def _interval(day: date, span: Span, zone: tzinfo) -> Interval:
    begin, end = span
    return _instant(day, begin, zone), _instant(day if end > begin else day + DAY, end, zone, last=True)


def _instant(day: date, minute: int, zone: tzinfo, *, last: bool = False) -> int:
    """When the clock of ``zone`` comes to ``minute`` of ``day``: for the first or the last time."""
    local = datetime.combine(day, time()) + timedelta(minutes=minute)
    early, late = (_epoch(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if early > late:
        return _skipped(late, early, zone)
    # put back to this very minute, the clock has not come to it once more
    return late if last and _shown(late - MINUTE_MS, zone) < local else early


def _skipped(before: int, after: int, zone: tzinfo) -> int:
    """The moment between ``before`` and ``after`` at which the clock is put forward."""
    old = _offset(before, zone)
    while after - before > MINUTE_MS:
        middle = (before + after) // 2 // MINUTE_MS * MINUTE_MS
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after


def _shown(instant: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(instant / 1000, zone).replace(tzinfo=None)


def _offset(instant: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(instant / 1000, zone).utcoffset()


def _epoch(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * 1000


def _span(text: str) -> Span:
    begin, _, end = text.partition("-")
    return _minute(begin), _minute(end)


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    if len(hour) == len(minute) == 2 and hour.isdecimal() and minute.isdecimal():
        at = int(hour) * 60 + int(minute)
        if int(minute) < 60 and at <= 24 * 60:
            return at
    raise ValueError(f"{text!r} is no time of day such as 09:00")
