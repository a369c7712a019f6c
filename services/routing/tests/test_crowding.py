"""Surges in a pool: noticed, met by the playbook step by step, and taken back (RT-9)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from routing.app.calendars import same_quarters
from routing.app.deadlines import Deadlines
from routing.domain import carry
from routing.domain.commands import Input, StartDay
from routing.domain.decide import decide_one
from routing.domain.definitions import Action, SurgeAction, SurgeRule, SurgeStep
from routing.domain.events import (
    ContactOffered,
    ContactOverflowed,
    Event,
    SurgeEnded,
    SurgeStarted,
    SurgeStepTaken,
    TimerElapsed,
    TimerKind,
)
from routing.domain.replay import replay
from routing.domain.state import Board

from .scene import Scene, fold

MINUTE = 60_000
USUAL = 2
RESERVE = SurgeStep("reserve", SurgeAction.RESERVE, 0, to_team="emergency")
MESSAGE = SurgeStep("sorry", SurgeAction.MESSAGE, 2 * MINUTE, message="many-callers")
DIVERT = SurgeStep("divert", SurgeAction.OVERFLOW, 4 * MINUTE, to_queue="q2")
RULE = SurgeRule(usual_milli=15 * USUAL * 1000, steps=(RESERVE, MESSAGE, DIVERT))


class Floor(Scene):
    """A scene with the shell's deadlines, so that surges are looked at when the owner would look."""

    def __init__(self, rule: SurgeRule | None = RULE) -> None:
        super().__init__()
        self.deadlines = Deadlines(zone=ZoneInfo("Asia/Shanghai"))
        self.deadlines.start(self.board, self.now, 0.0, lambda at: 0)
        self.came = 0
        self.queue("q1", surge=rule, offer_timeout_ms=10**9)
        self.queue("q2")

    def tell(self, item: Input) -> list[Event]:
        events = decide_one(item, self.board, self.now)
        self.log += [(event, self.now) for event in events]
        self.deadlines.follow(events, self.board, self.now, self._time())
        return events

    def _time(self) -> float:
        return self.now / 1000

    def elapse(self) -> list[Event]:
        """Tell what is due; what it caused."""
        due, found = self.deadlines.due(self._time()), []
        for timer in due:
            found += self.tell(timer)
        self.deadlines.told(due, self.board, self.now, self._time())
        return found

    def minutes(self, *arrivals: int) -> list[Event]:
        """So many contacts in each coming minute, evenly; nobody serves them."""
        found: list[Event] = []
        for count in arrivals:
            for _ in range(count):
                self.came += 1
                found += self.later(MINUTE // count - 1).queued(f"c{self.came}")
                found += self.elapse()
            self.now += MINUTE - self.now % MINUTE
            found += self.elapse()
        assert carry.pack(fold(self.log)) == carry.pack(self.board), "a fold of the log is the live board"
        return found


def kinds(events: list[Event]) -> list[str]:
    surges = SurgeStarted | SurgeStepTaken | SurgeEnded
    return [
        f"{'-' if event.reversed else '+'}{event.step}" if isinstance(event, SurgeStepTaken) else type(event).__name__
        for event in events
        if isinstance(event, surges)
    ]


def test_three_times_the_usual_starts_a_surge_whose_steps_come_in_their_time_and_go_in_reverse() -> None:
    """Injected 3x: two a minute are usual, six come."""
    floor = Floor()
    assert kinds(floor.minutes(*[2] * 12)) == []
    events = floor.minutes(*[6] * 12, *[2] * 20)
    assert kinds(events) == [
        "SurgeStarted", "+reserve", "+sorry", "+divert", "-divert", "-sorry", "-reserve", "SurgeEnded",
    ]  # fmt: skip
    started = next(event for event in events if isinstance(event, SurgeStarted))
    assert (started.usual_milli, started.window_ms) == (10_000, 300_000)
    assert started.arrivals > 20
    assert started.chance_ppm < 1000


def test_forty_percent_more_starts_none() -> None:
    floor = Floor()
    assert kinds(floor.minutes(*[2, 3, 3] * 30)) == []


def test_a_slow_ramp_starts_one_when_it_has_passed_the_double() -> None:
    floor = Floor()
    events = [kinds(floor.minutes(*[2 + n // 2] * 5)) for n in range(8)]
    first = next(n for n, found in enumerate(events) if found)
    assert 4 <= first <= 6, "between four and five a minute"


def test_ten_calm_minutes_end_it_and_not_nine() -> None:
    floor = Floor()
    floor.minutes(*[2] * 12, *[8] * 6)
    assert floor.board.crowds["q1"].started_at
    calm_since = 0
    while floor.board.crowds["q1"].started_at:
        calm_since = floor.board.crowds["q1"].calm_since or floor.now + MINUTE
        floor.minutes(1)
    assert floor.now - calm_since == 10 * MINUTE


def test_agents_of_the_reserve_get_those_who_wait_and_none_after_it() -> None:
    floor = Floor()
    floor.joins("helper", team="emergency", queues=("elsewhere",))
    events = floor.minutes(*[2] * 12, *[8] * 5)
    offered = [event for event in events if isinstance(event, ContactOffered)]
    assert [event.agent for event in offered] == ["helper"]
    assert events.index(offered[0]) > next(n for n, event in enumerate(events) if isinstance(event, SurgeStepTaken))
    floor.minutes(*[0] * 20)
    assert all(not contact.demand.groups for contact in floor.board.contacts.values() if not contact.rings)


def test_newcomers_are_diverted_while_nobody_is_free_for_them() -> None:
    floor = Floor()
    floor.minutes(*[2] * 12)
    diverted = [event for event in floor.minutes(*[8] * 8) if isinstance(event, ContactOverflowed)]
    assert diverted
    assert {(event.rule, event.action, event.to_queue) for event in diverted} == {("surge/divert", Action.QUEUE, "q2")}
    floor.joins("free", slots=(("chat", 1000),))
    assert not [event for event in floor.minutes(8) if isinstance(event, ContactOverflowed)]


def test_a_rule_taken_away_calls_its_surge_off() -> None:
    floor = Floor()
    floor.minutes(*[2] * 12, *[8] * 5)
    events = floor.queue("q1", surge=None)
    assert kinds(events) == ["-sorry", "-reserve", "SurgeEnded"]
    assert "q1" not in floor.board.crowds


def test_what_is_usual_is_learned_from_the_same_weekdays() -> None:
    """Four weeks of six a minute at this hour: six are no surge then, whatever the rule says."""
    floor = Floor()
    week = 7 * 24 * 60 * MINUTE
    begin = floor.now - floor.now % (15 * MINUTE)
    for n in range(4):
        floor.now = begin + n * week
        floor.minutes(*[6] * 15)
        floor.minutes(*[0] * 30)
    floor.now = begin + 4 * week
    assert kinds(floor.minutes(*[6] * 14)) == []


def test_the_same_quarter_is_by_the_clock_across_a_change_of_time() -> None:
    """9:00 in Berlin on Mondays, before and after the clock went back on 2026-10-25."""
    zone = ZoneInfo("Europe/Berlin")
    monday = int(datetime(2026, 10, 26, 9, 7, tzinfo=zone).timestamp() * 1000)
    found = [datetime.fromtimestamp(start / 1000, zone) for start in same_quarters(monday, zone, 4)]
    assert [(one.day, one.hour, one.minute) for one in found] == [(19, 9, 0), (12, 9, 0), (5, 9, 0), (28, 9, 0)]


def test_a_timer_that_would_change_nothing_leaves_no_trace() -> None:
    floor = Floor()
    floor.minutes(2)
    assert floor.tell(TimerElapsed(TimerKind.SURGE, floor.now, queue="q1", usual_milli=10_000)) == []
    assert floor.tell(TimerElapsed(TimerKind.SURGE, floor.now, queue="q2", usual_milli=10_000)) == []


@pytest.mark.parametrize("when", ["before", "in it"])
def test_a_day_carries_arrivals_and_the_surge_that_is_on(when: str) -> None:
    """Kernel rule 19: the log from the carry on, and all of it, decide the same."""
    floor = Floor()
    floor.minutes(*[2] * 12, *([8] * 5 if when == "in it" else []))
    floor.tell(StartDay("2025-06-16", "carry", "Asia/Shanghai"))
    floor.minutes(*[8] * 3, *[1] * 14)
    assert replay(floor.log, Board("t1", "p1")) is None
