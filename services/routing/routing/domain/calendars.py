"""Opening hours and targets by the time of day: what holds at an instant, and when that changes next (RT-6).

Instants are epoch milliseconds. A span begins when the clock first shows its begin and ends when it last shows its end;
a time that the clock skips is the moment at which it is skipped. Only the shell asks: decisions are told by
``TimerElapsed``, so that no replay depends on a time zone database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from routing.domain.definitions import Hours, IntervalTarget, Queue, Span

Interval = tuple[int, int]
"""From an instant on, until another."""

LOOK_AHEAD_DAYS = (2, 9, 60, 400)
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A queue's calendar until ``limit``; ``opens`` is ``None`` when it has no hours."""

    opens: list[Interval] | None
    targets: list[tuple[int, list[Interval]]]
    limit: int

    def at(self, instant: int) -> tuple[bool, int]:
        """(open, T; 0: the queue's own)."""
        threshold = next((t for t, spans in self.targets if _covered(spans, instant)), 0)
        return self.opens is None or _covered(self.opens, instant), threshold

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
    first = datetime.fromtimestamp(instant / 1000, zone).date() - timedelta(days=1)
    dates = [first + timedelta(days=n) for n in range(days + 2)]
    opens = None if hours is None else _merged(_open_spans(hours, dates), zone)
    targets = [(one.threshold_ms, _merged(_target_spans(one, dates), zone)) for one in interval_targets]
    return Reading(opens, targets, _instant(dates[-1], 0, zone))


def _open_spans(hours: Hours, dates: Iterable[date]) -> Iterator[tuple[date, Span]]:
    """A holiday has its own spans, whatever its weekday."""
    holidays = dict(hours.holidays)
    for day in dates:
        ordinary = (span for weekday, span in hours.weekly if weekday == day.isoweekday())
        for span in holidays.get(day.isoformat(), ordinary):
            yield day, span


def _target_spans(target: IntervalTarget, dates: Iterable[date]) -> Iterator[tuple[date, Span]]:
    return ((day, Span(target.begin, target.end)) for day in dates if day.isoweekday() in (target.days or range(1, 8)))


def _merged(spans: Iterable[tuple[date, Span]], zone: tzinfo) -> list[Interval]:
    """As instants, in order, with those that touch made one."""
    merged: list[Interval] = []
    for begin, end in sorted(_interval(day, span, zone) for day, span in spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _interval(day: date, span: Span, zone: tzinfo) -> Interval:
    last = day if span.end > span.begin else day + timedelta(days=1)
    return _instant(day, span.begin, zone), _instant(last, span.end, zone, last=True)


def _instant(day: date, minute: int, zone: tzinfo, *, last: bool = False) -> int:
    """When the clock of ``zone`` shows ``minute`` of ``day``: for the first or the last time."""
    local = datetime.combine(day, time()) + timedelta(minutes=minute)
    early, late = (_epoch(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if early > late:
        return _skipped(late, early, zone)
    return late if last else early


def _skipped(before: int, after: int, zone: tzinfo) -> int:
    """The moment between ``before`` and ``after`` at which the clock is put forward."""
    old = _offset(before, zone)
    while after - before > MINUTE_MS:
        middle = (before + after) // 2 // MINUTE_MS * MINUTE_MS
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after


def _offset(instant: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(instant / 1000, zone).utcoffset()


def _epoch(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * 1000


def _covered(spans: list[Interval], instant: int) -> bool:
    return any(begin <= instant < end for begin, end in spans)
