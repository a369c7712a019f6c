"""Whether a moment lies in opening hours: spans of local time by week day, and dates that have spans of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Span = tuple[int, int]
"""Minutes of a local day, from and until; an end that is not later than the beginning is on the next day."""


@dataclass(frozen=True)
class Calendar:
    """``weekly`` by week day (0 Monday), ``dates`` in their stead; what is not named is closed."""

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[Span]]
    dates: Mapping[date, Sequence[Span]]

    def is_open(self, at: int) -> bool:
        """At ``at``, epoch milliseconds; by the clock on the wall, so a span may be an hour longer or shorter on the
        day that the clocks are set."""
        here = datetime.fromtimestamp(at / 1000, self.zone)
        minute, today = here.hour * 60 + here.minute, here.date()
        return any(_holds(span, minute) for span in self._spans(today)) or any(
            end <= begin and minute < end for begin, end in self._spans(today - timedelta(days=1))
        )

    def _spans(self, day: date) -> Sequence[Span]:
        return self.dates[day] if day in self.dates else self.weekly.get(day.weekday(), ())


def calendar(zone: str, weekly: Mapping[str, Sequence[str]], dates: Mapping[str, Sequence[str]]) -> Calendar:
    """From words: days ``mon`` ... ``sun``, dates ``2026-10-01``, spans ``09:00-12:30`` or over midnight
    ``22:00-06:00``, ``24:00`` at most. Raises ``ValueError`` naming what it cannot read, also an unknown zone."""
    try:
        known = ZoneInfo(zone)
    except (KeyError, OSError):
        raise ValueError(f"{zone!r} is no IANA time zone such as Asia/Shanghai") from None
    by_day = {DAYS.index(day): [_span(text) for text in spans] for day, spans in weekly.items()}
    return Calendar(known, by_day, {date.fromisoformat(day): [_span(text) for text in s] for day, s in dates.items()})


def _holds(span: Span, minute: int) -> bool:
    begin, end = span
    return begin <= minute < end if begin < end else begin <= minute


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
