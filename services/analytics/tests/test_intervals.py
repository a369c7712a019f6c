"""Local intervals over days of 92, 96 and 100 quarter hours."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from analytics.domain.intervals import STEPS, interval, intervals, previous, zone
from analytics.domain.levels import QUARTER_MS
from switchlog.decider import Rejected

BERLIN, SHANGHAI, KATHMANDU = zone("Europe/Berlin"), zone("Asia/Shanghai"), zone("Asia/Kathmandu")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    "noon, quarters",
    [("2026-03-29T12:00:00+02:00", 92), ("2026-06-01T12:00:00+02:00", 96), ("2026-10-25T12:00:00+01:00", 100)],
)
def test_a_day_has_as_many_quarters_as_the_zone_gives_it(noon: str, quarters: int) -> None:
    begin, end = interval(ms(noon), "1d", BERLIN)
    assert (end - begin) // QUARTER_MS == quarters
    inside = {interval(at, "15m", BERLIN) for at in range(begin, end, QUARTER_MS)}
    assert len(inside) == quarters
    assert min(inside)[0] == begin and max(inside)[1] == end
    assert {interval(at, "1d", BERLIN) for at in range(begin, end, QUARTER_MS)} == {(begin, end)}


def test_hours_follow_the_local_clock_where_the_offset_is_not_whole() -> None:
    begin, end = interval(ms("2026-01-01T12:50:00+05:45"), "1h", KATHMANDU)
    assert (begin, end) == (ms("2026-01-01T12:00:00+05:45"), ms("2026-01-01T13:00:00+05:45"))


def test_the_local_day_of_shanghai_begins_at_sixteen_hours_utc() -> None:
    begin, _ = interval(ms("2026-01-01T20:00:00+00:00"), "1d", SHANGHAI)
    assert datetime.fromtimestamp(begin / 1000, UTC).isoformat() == "2026-01-01T16:00:00+00:00"


def test_an_unknown_zone_is_bad_input() -> None:
    with pytest.raises(Rejected, match="UNKNOWN_TIME_ZONE"):
        zone("Mars/Base")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("place", ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo"])
def test_intervals_follow_each_other_without_gaps_and_every_instant_is_in_its_own(step: str, place: str) -> None:
    """Over a year: also where the clock moves by half an hour, or at midnight."""
    tz, found = (
        zone(place),
        list(intervals(ms("2018-01-05T00:00:00+00:00"), ms("2019-01-05T00:00:00+00:00"), step, zone(place))),
    )
    assert all(one[1] == other[0] and one[0] < one[1] for one, other in pairwise(found))
    for begin, end in found[:: max(1, len(found) // 500)]:
        assert interval(begin, step, tz) == interval(end - 1, step, tz) == (begin, end)


def test_weeks_begin_on_monday_and_months_have_their_own_lengths() -> None:
    week = interval(ms("2026-03-29T12:00:00+02:00"), "1w", BERLIN)
    assert week == (ms("2026-03-23T00:00:00+01:00"), ms("2026-03-30T00:00:00+02:00"))
    assert interval(ms("2026-02-28T23:00:00+01:00"), "1mo", BERLIN) == (
        ms("2026-02-01T00:00:00+01:00"),
        ms("2026-03-01T00:00:00+01:00"),
    )


def test_the_period_before_is_as_long_or_has_as_many_days_weeks_months() -> None:
    hours = previous(ms("2026-03-30T10:00:00+02:00"), ms("2026-03-30T12:00:00+02:00"), "1h", BERLIN)
    assert hours == (ms("2026-03-30T08:00:00+02:00"), ms("2026-03-30T10:00:00+02:00"))
    days = previous(ms("2026-03-30T00:00:00+02:00"), ms("2026-04-01T00:00:00+02:00"), "1d", BERLIN)
    assert days == (ms("2026-03-28T00:00:00+01:00"), ms("2026-03-30T00:00:00+02:00"))
    months = previous(ms("2026-03-01T00:00:00+01:00"), ms("2026-05-01T00:00:00+02:00"), "1mo", BERLIN)
    assert months == (ms("2026-01-01T00:00:00+01:00"), ms("2026-03-01T00:00:00+01:00"))
