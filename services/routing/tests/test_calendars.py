"""Opening hours and targets by the time of day, on the days on which clocks change too (RT-6)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from routing.app.calendars import calendar_at, next_change
from routing.domain.definitions import Hours, IntervalTarget, Queue, Span

NEW_YORK, SHANGHAI, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
QUEUE = Queue("q1")
OFFICE = Hours("office", "", (*((day, Span(540, 720)) for day in range(1, 6)), (1, Span(780, 1080))))
ALWAYS = Hours("always", "", tuple((day, Span(0, 1440)) for day in range(1, 8)))


def at(text: str, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


def is_open(hours: Hours, instant: int, zone: ZoneInfo = SHANGHAI) -> bool:
    return calendar_at(QUEUE, hours, zone, instant)[0]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2026-11-23T08:59:59.999", False),
        ("2026-11-23T09:00:00.000", True),
        ("2026-11-23T11:59:59.999", True),
        ("2026-11-23T12:00:00.000", False),
        ("2026-11-23T13:00:00.000", True),
        ("2026-11-23T18:00:00.000", False),
        ("2026-11-24T13:00:00.000", False),
        ("2026-11-22T10:00:00.000", False),
    ],
)
def test_a_queue_is_open_in_each_of_several_spans_of_a_day(when: str, said: bool) -> None:
    """RT-6: to the millisecond, Monday with two spans, Tuesday with one, Sunday with none."""
    assert is_open(OFFICE, at(when)) is said


def test_the_same_hours_are_other_instants_in_other_zones() -> None:
    instant = at("2026-11-23T09:30")
    assert is_open(OFFICE, instant, SHANGHAI)
    assert not is_open(OFFICE, instant, NEW_YORK)


def test_a_holiday_has_its_own_spans_or_none() -> None:
    hours = Hours("h", "", OFFICE.weekly, (("2026-11-23", ()), ("2026-11-22", (Span(600, 660),))))
    assert not is_open(hours, at("2026-11-23T10:00"))
    assert is_open(hours, at("2026-11-22T10:30"))
    assert is_open(hours, at("2026-11-24T10:30"))


def test_a_span_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = Hours("night", "", ((1, Span(22 * 60, 6 * 60)),), (("2026-11-24", ()),))
    assert is_open(night, at("2026-11-24T05:59:59.999"))
    assert not is_open(night, at("2026-11-24T06:00"))
    assert not is_open(night, at("2026-11-24T23:00"))


def test_the_next_change_is_told_with_what_holds_from_then_on() -> None:
    changes = []
    instant = at("2026-11-20T17:00")  # a Friday
    for _ in range(5):
        change = next_change(QUEUE, OFFICE, SHANGHAI, instant)
        assert change is not None
        instant, said, _ = change
        changes.append((instant, said))
    days = ["2026-11-23T09:00", "2026-11-23T12:00", "2026-11-23T13:00", "2026-11-23T18:00", "2026-11-24T09:00"]
    assert changes == [(at(day), n % 2 == 0) for n, day in enumerate(days)]


def test_who_never_closes_has_no_next_change() -> None:
    """Midnight is none, nor is the end of what was looked at."""
    assert next_change(QUEUE, ALWAYS, SHANGHAI, at("2026-11-23T09:00")) is None
    assert next_change(QUEUE, None, SHANGHAI, at("2026-11-23T09:00")) is None


def test_a_long_closure_is_looked_past() -> None:
    closed = tuple((f"2026-10-{day:02}", ()) for day in range(1, 31))
    hours = Hours("h", "", OFFICE.weekly, closed)
    assert next_change(QUEUE, hours, SHANGHAI, at("2026-09-30T12:00")) == (at("2026-11-02T09:00"), True, 0)


@pytest.mark.parametrize(
    ("day", "begin", "end", "hours"),
    [
        ("2026-03-08", 0, 1440, 23),
        ("2026-11-01", 0, 1440, 25),
        ("2026-03-08", 60, 180, 1),
        ("2026-11-01", 60, 120, 2),
        ("2026-03-08", 9 * 60, 17 * 60, 8),
    ],
)
def test_a_span_lasts_as_long_as_the_clock_shows_it(day: str, begin: int, end: int, hours: int) -> None:
    """RT-6: on the days on which clocks go forward and back, in New York."""
    span = Hours("h", "", ((7, Span(begin, end)),))
    opens = next_change(QUEUE, span, NEW_YORK, at(f"{day}T00:00", NEW_YORK) - 1)
    assert opens is not None and opens[1]
    closes = next_change(QUEUE, span, NEW_YORK, opens[0])
    assert closes is not None
    assert (closes[0] - opens[0], closes[1]) == (hours * 3_600_000, False)


def test_a_time_that_the_clock_skips_is_when_it_is_skipped() -> None:
    """02:30 is not on 2026-03-29 in Berlin: 02:00 becomes 03:00."""
    hours = Hours("h", "", ((7, Span(150, 600)),))
    change = next_change(QUEUE, hours, BERLIN, at("2026-03-29T00:00", BERLIN))
    assert change == (at("2026-03-29T03:00", BERLIN), True, 0)


def test_a_span_of_the_hour_that_comes_twice_ends_when_it_is_over_for_good() -> None:
    """01:30 is twice on 2026-11-01 in New York."""
    hours = Hours("h", "", ((7, Span(60, 90)),))
    opens, closes = at("2026-11-01T01:00", NEW_YORK), at("2026-11-01T01:30", NEW_YORK, fold=1)
    assert next_change(QUEUE, hours, NEW_YORK, opens - 1) == (opens, True, 0)
    assert next_change(QUEUE, hours, NEW_YORK, opens) == (closes, False, 0)


def test_a_span_that_ends_as_the_clock_is_put_back_to_its_end_ends_the_first_time() -> None:
    """02:00 becomes 01:00 on 2026-11-01 in New York: the clock has come to 01:00 once before."""
    hours = Hours("h", "", ((7, Span(0, 60)),))
    opens, closes = at("2026-11-01T00:00", NEW_YORK), at("2026-11-01T01:00", NEW_YORK)
    assert next_change(QUEUE, hours, NEW_YORK, opens) == (closes, False, 0)


def test_a_target_holds_between_its_times_and_the_first_that_fits_counts() -> None:
    """RT-6: another target after 22:00, at weekends another still."""
    late = IntervalTarget((), 22 * 60, 8 * 60, 60_000)
    weekend = IntervalTarget((6, 7), 0, 1440, 45_000)
    queue = Queue("q1", interval_targets=(weekend, late))
    friday = at("2026-11-27T21:59:59.999")
    assert calendar_at(queue, None, SHANGHAI, friday) == (True, 0)
    assert next_change(queue, None, SHANGHAI, friday) == (friday + 1, True, 60_000)
    assert next_change(queue, None, SHANGHAI, friday + 1) == (at("2026-11-28T00:00"), True, 45_000)
    assert next_change(queue, None, SHANGHAI, at("2026-11-28T12:00")) == (at("2026-11-30T00:00"), True, 60_000)
