"""Opening hours by the clock on the wall (RT-6)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from switchlog.calendars import calendar

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
