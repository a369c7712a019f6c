"""Opening hours by the clock on the wall (RT-6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from switchlog.calendars import DAY, Calendar, Span, calendar, covered, intervals

MINUTE = timedelta(minutes=1)
# clocks are set at 2 or 3 in the night, by half an hour, at midnight, from midnight into the day before, never
SET_DAYS = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Beirut", date(2026, 10, 24)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
    ("Asia/Shanghai", date(2026, 10, 1)),
]

OFFICE = calendar(
    "Asia/Shanghai",
    {"mon": ["09:00-12:00", "13:00-18:00"], "fri": ["22:00-06:00"], "sun": ["00:00-24:00"]},
    {"2026-10-05": [], "2026-10-10": ["10:00-11:00"]},
)


def at(text: str, zone: str = "Asia/Shanghai", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T09:00:00", True),
        ("2026-11-23T11:59:59", True),
        ("2026-11-23T12:00:00", False),
        ("2026-11-23T13:00:00", True),
        ("2026-11-24T10:00:00", False),
        ("2026-11-27T21:59:59", False),
        ("2026-11-27T22:00:00", True),
        ("2026-11-28T05:59:59", True),
        ("2026-11-28T06:00:00", False),
        ("2026-11-29T23:59:59", True),
        ("2026-10-05T10:00:00", False),
        ("2026-10-10T10:30:00", True),
        ("2026-10-10T05:00:00", True),
    ],
)
def test_several_spans_a_day_over_midnight_and_on_holidays(moment: str, is_open: bool) -> None:
    """RT-6: at the second before, at it, and at the end; a date's own spans, and last night's still running."""
    assert OFFICE.is_open(at(moment)) is is_open


def test_the_wall_clock_counts_on_the_days_that_the_clocks_are_set() -> None:
    """RT-6: in Berlin 2026-03-29 has no 02:30, 2026-10-25 has it twice."""
    night = calendar("Europe/Berlin", {"sun": ["02:00-03:00", "09:00-17:00"]}, {})
    assert not night.is_open(at("2026-03-29T03:00", "Europe/Berlin"))
    assert night.is_open(at("2026-10-25T02:30", "Europe/Berlin"))
    assert night.is_open(at("2026-10-25T02:30", "Europe/Berlin", fold=1))
    for day in ("2026-03-22", "2026-03-29", "2026-10-25"):
        assert night.is_open(at(f"{day}T09:00", "Europe/Berlin"))
        assert not night.is_open(at(f"{day}T17:00", "Europe/Berlin"))


@pytest.mark.parametrize(
    ("zone", "weekly", "dates"),
    [
        ("Mars/Base", {}, {}),
        ("UTC", {"monday": []}, {}),
        ("UTC", {"mon": ["9-12"]}, {}),
        ("UTC", {"mon": ["09:00-24:01"]}, {}),
        ("UTC", {}, {"2026-02-30": []}),
    ],
)
def test_what_is_no_calendar_is_refused(zone: str, weekly: dict[str, list[str]], dates: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError):
        calendar(zone, weekly, dates)


@lru_cache
def clock(zone: str, day: date) -> list[tuple[int, datetime]]:
    """Each minute from two days before ``day`` until three after it: the instant and what the clock shows."""
    first = datetime.combine(day - 2 * DAY, time(), UTC)
    minutes = (first + n * MINUTE for n in range(5 * 24 * 60))
    return [
        (int(moment.timestamp()) * 1000, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for moment in minutes
    ]


def minutes_open(zone: str, day: date, spans: dict[date, list[Span]]) -> set[int]:
    """By looking at the clock every minute: it has come to the begin, and has yet to leave what is before the end."""
    shown, found = clock(zone, day), set[int]()
    for date_, (begin, end) in ((d, span) for d, several in spans.items() for span in several):
        midnight = datetime.combine(date_, time())
        begins, ends = midnight + begin * MINUTE, midnight + (end if end > begin else end + 1440) * MINUTE
        first = next(instant for instant, local in shown if local >= begins)
        last = next(instant for instant, local in reversed(shown) if local < ends)
        found |= {instant for instant, _ in shown if first <= instant <= last}
    return found


SPAN = st.tuples(st.integers(0, 95), st.integers(0, 96)).map(lambda quarters: (quarters[0] * 15, quarters[1] * 15))
NIGHTLY = st.tuples(st.integers(0, 240), st.integers(0, 240))


@settings(max_examples=150, deadline=None)
@example(("America/New_York", date(2026, 11, 1)), [[], [(0, 60)]])
@given(st.sampled_from(SET_DAYS), st.lists(st.lists(SPAN | NIGHTLY, max_size=3), min_size=2, max_size=2))
def test_spans_are_what_looking_at_the_clock_every_minute_says(
    where: tuple[str, date], spans: list[list[Span]]
) -> None:
    """RT-6: on days on which clocks are set and the day before, several spans each, over midnight too."""
    (zone, day), minutes = where, clock(*where)
    of = dict(zip((day - DAY, day), spans, strict=True))
    naive = minutes_open(zone, day, of)
    found = intervals(lambda asked: of[asked], of, ZoneInfo(zone))
    assert {instant for instant, _ in minutes if covered(found, instant)} == naive
    whole = Calendar(ZoneInfo(zone), {}, of)
    assert {instant for instant, local in minutes[::7] if whole.is_open(instant)} == naive & {
        m for m, _ in minutes[::7]
    }
