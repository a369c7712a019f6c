"""A queue's opening hours and targets by the time of day: what holds at an instant, and when that changes next (RT-6).

Decisions are told by ``TimerElapsed``, so that no replay depends on a time zone database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache, partial

from switchlog.calendars import DAY, MINUTE_MS, Interval, Span, begin_of, covered, intervals, local_date

from ..domain.definitions import Hours, IntervalTarget, Queue

LOOK_AHEAD_DAYS = (2, 9, 60, 400)


@dataclass(frozen=True, slots=True)
class Reading:
    """A queue's calendar until ``limit``; ``opens`` is ``None`` when it has no hours."""

    opens: list[Interval] | None
    targets: list[tuple[int, list[Interval]]]
    limit: int

    def at(self, instant: int) -> tuple[bool, int]:
        """(open, T; 0: the queue's own)."""
        threshold = next((t for t, spans in self.targets if covered(spans, instant)), 0)
        return self.opens is None or covered(self.opens, instant), threshold

    def changes(self, after: int) -> list[int]:
        spans = [*(self.opens or ()), *(span for _, spans in self.targets for span in spans)]
        return sorted({instant for span in spans for instant in span if after < instant < self.limit})


def calendar_at(queue: Queue, hours: Hours | None, zone: tzinfo, instant: int) -> tuple[bool, int]:
    """Whether ``queue`` is open at ``instant`` by its hours, and its target threshold then (0: its own)."""
    if hours is None and not queue.interval_targets:
        return True, 0
    return _read(queue.interval_targets, hours, zone, instant, LOOK_AHEAD_DAYS[0]).at(instant)


def next_change(queue: Queue, hours: Hours | None, zone: tzinfo, after: int) -> tuple[int, bool, int] | None:
    """(when, open, T) of the first change after ``after``; ``None`` when there is none in more than a year."""
    if hours is None and not queue.interval_targets:
        return None
    for days in LOOK_AHEAD_DAYS:
        reading = _read(queue.interval_targets, hours, zone, after, days)
        now = reading.at(after)
        for instant in reading.changes(after):
            if reading.at(instant) != now:
                return instant, *reading.at(instant)
    return None


def same_quarters(instant: int, zone: tzinfo, weeks: int) -> list[int]:
    """The starts of the quarter hours that the clock of ``zone`` showed on the last ``weeks`` same weekdays."""
    local = datetime.fromtimestamp(instant / 1000, zone)
    starts = (
        _epoch((local.replace(tzinfo=None) - timedelta(weeks=n)).replace(tzinfo=zone)) for n in range(1, weeks + 1)
    )
    return [start - start % (15 * MINUTE_MS) for start in starts]


@lru_cache(maxsize=64)
def _read(
    interval_targets: tuple[IntervalTarget, ...], hours: Hours | None, zone: tzinfo, instant: int, days: int
) -> Reading:
    """What began yesterday may last until today. Many queues share their hours, and are asked at one moment."""
    first = local_date(instant, zone) - DAY
    dates = [first + n * DAY for n in range(days + 2)]
    opens = None if hours is None else intervals(partial(_open_spans, hours), dates, zone)
    targets = [(one.threshold_ms, intervals(partial(_target_spans, one), dates, zone)) for one in interval_targets]
    return Reading(opens, targets, begin_of(dates[-1], zone))


def _open_spans(hours: Hours, day: date) -> list[Span]:
    """A holiday has its own spans, whatever its weekday."""
    ordinary = tuple(span for weekday, span in hours.weekly if weekday == day.isoweekday())
    spans = next((spans for holiday, spans in hours.holidays if holiday == day.isoformat()), ordinary)
    return [(span.begin, span.end) for span in spans]


def _target_spans(target: IntervalTarget, day: date) -> list[Span]:
    return [(target.begin, target.end)] if day.isoweekday() in (target.days or range(1, 8)) else []


def _epoch(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * 1000
