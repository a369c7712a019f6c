"""The rule book of alerts: hysteresis, times, and that nothing is told twice (AN-3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.adapters.alert_events import CODEC, read, write
from analytics.domain.alerting import (
    ALERT,
    AlertCleared,
    AlertRaised,
    AlertRuleDefined,
    AlertRuleRemoved,
    Clear,
    DefineRule,
    Raise,
    RemoveRule,
    Rule,
    Seen,
    Subject,
    Watch,
    look,
)
from analytics.domain.targets import Target, Targets, TimedTarget, minutes

S = 1000
RULE = Rule("long-queue", "queue_depth", "above", limit=10, clear=6, for_ms=30 * S, clear_for_ms=60 * S)
SALES = Subject("sales")


def seen(value: float | None, contacts: int = 100) -> Seen:
    return Seen(value, 10, contacts, 0, 900 * S)


def played(rule: Rule, *looks: tuple[int, Seen | None]) -> list[tuple[int, bool]]:
    """When (seconds) an alert changed, and whether it stood from then on."""
    stands, since, changes = False, None, []
    for at, one in looks:
        since, changed = look(rule, stands, one, since, at * S)
        if changed:
            stands, since = not stands, None
            changes.append((at, stands))
    return changes


def test_it_is_raised_when_the_limit_was_passed_for_its_time_and_cleared_beyond_the_clearing_limit() -> None:
    looks = [(0, 11), (20, 12), (30, 12), (40, 9), (50, 7), (60, 6), (119, 6), (120, 6)]
    assert played(RULE, *((at, seen(value)) for at, value in looks)) == [(30, True), (120, False)]


def test_a_moment_on_the_other_side_begins_the_time_anew() -> None:
    assert played(RULE, (0, seen(11)), (20, seen(10)), (30, seen(11)), (59, seen(11)), (60, seen(11))) == [(60, True)]


def test_exactly_the_limit_is_in_range_on_both_sides() -> None:
    assert played(replace(RULE, for_ms=0), (0, seen(10))) == []
    below = Rule("low", "sl_strict", "below", limit=10, for_ms=0)
    assert played(below, (0, seen(10)), (5, seen(9.9))) == [(5, True)]


@pytest.mark.parametrize("gone", [seen(None), None, seen(50, contacts=3)])
def test_what_has_no_value_is_not_looked_at_or_counts_too_few_is_out_of_no_range(gone: Seen | None) -> None:
    rule = replace(RULE, for_ms=0, clear_for_ms=0, at_least=5)
    assert played(rule, (0, gone)) == []
    assert played(rule, (0, seen(50)), (5, gone)) == [(0, True), (5, False)]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20)), max_size=80))
def test_it_never_flaps(steps: list[tuple[int, int]]) -> None:
    """Between two changes the figure was on the other side of the limit that counts, for the whole time."""
    at, looks = 0, []
    for pause, value in steps:
        at += pause
        looks.append((at, seen(value)))
    changes = played(RULE, *looks)
    assert [stands for _, stands in changes] == [n % 2 == 0 for n in range(len(changes))]
    for when, stands in changes:
        needed = 30 if stands else 60
        before = [one.value for then, one in looks if when - needed <= then <= when]
        assert all(value is not None and (value > 10 if stands else value <= 6) for value in before)


# --- the stream ------------------------------------------------------------------------------------------------------


def told(*commands: Any, watch: Watch | None = None, now: int = 7) -> tuple[list[Any], Watch]:
    events, watch = [], watch or Watch()
    for command in commands:
        found = ALERT.decide(command, watch, now)
        watch = ALERT.fold(found, watch)
        events += found
    return events, watch


def test_a_rule_has_a_version_that_alerts_name() -> None:
    events, _ = told(DefineRule(RULE), DefineRule(RULE), DefineRule(replace(RULE, limit=20)), Raise(2, SALES, seen(21)))
    first, second, raised = events
    assert (first, second.version) == (AlertRuleDefined(RULE, 1), 2)
    assert (raised.rule, raised.subject, raised.value, raised.limit) == ("long-queue@2", SALES, 21, 10)


def test_two_who_look_at_once_raise_and_clear_once() -> None:
    (_, raised), watch = told(DefineRule(RULE), Raise(1, SALES, seen(11)), Raise(1, SALES, seen(12)))
    assert isinstance(raised, AlertRaised)
    clear = Clear(raised.alert, SALES, 3.0)
    events, watch = told(clear, clear, watch=watch)
    assert events == [AlertCleared(raised.alert, "long-queue@1", SALES, "queue_depth", 3.0)]
    again, _ = told(Raise(1, SALES, seen(11)), watch=watch, now=8)
    assert again[0].alert > raised.alert


def test_who_looked_by_an_older_rule_raises_nothing() -> None:
    _, watch = told(DefineRule(RULE), DefineRule(replace(RULE, limit=99)))
    assert told(Raise(1, SALES, seen(11)), watch=watch)[0] == []


def test_a_late_clear_of_an_earlier_alert_leaves_the_present_one() -> None:
    (_, first), watch = told(DefineRule(RULE), Raise(1, SALES, seen(11)))
    _, watch = told(Clear(first.alert, SALES, 1.0), Raise(1, SALES, seen(11)), watch=watch, now=9)
    assert told(Clear(first.alert, SALES, 1.0), watch=watch)[0] == []


def test_a_rule_that_is_removed_clears_what_stands_and_raises_no_more() -> None:
    _, watch = told(DefineRule(RULE), Raise(1, SALES, seen(11)), Raise(1, Subject("help"), seen(12)))
    events, watch = told(RemoveRule(), RemoveRule(), Raise(1, SALES, seen(13)), watch=watch)
    assert [type(event) for event in events] == [AlertCleared, AlertCleared, AlertRuleRemoved]
    assert told(DefineRule(RULE), watch=watch)[0] == [AlertRuleDefined(RULE, 2)]


@pytest.mark.parametrize("rule", [RULE, Rule("own", "sl_strict", "below", channels=("chat",), agents=("ann",))])
def test_facts_are_the_same_after_the_wire(rule: Rule) -> None:
    events, _ = told(DefineRule(rule), Raise(1, SALES, seen(11)), RemoveRule())
    assert [read(CODEC.message.FromString(write(event).SerializeToString())) for event in events] == events


# --- targets by hour (RT-6) ------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = TimedTarget(minutes("22:00"), minutes("06:00"), 60, 0.5)
WEEKEND = TimedTarget(minutes("00:00"), minutes("24:00"), 0, 0.6, [6, 7])


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2025-11-24T21:59", (20, 0.8)),
        ("2025-11-24T22:00", (60, 0.5)),
        ("2025-11-25T05:59", (60, 0.5)),
        ("2025-11-25T06:00", (20, 0.8)),
        ("2025-11-29T23:30", (60, 0.5)),  # the first that holds counts
        ("2025-11-29T12:00", (20, 0.6)),  # without a threshold of its own: the queue's
        ("2025-10-26T02:30", (60, 0.5)),  # the hour that comes twice
    ],
)
def test_the_target_is_that_of_the_local_time(local: str, expected: tuple[int, float]) -> None:
    """RT-6: over midnight, by day of the week, the first that holds."""
    at = int(datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp() * 1000)
    assert Targets(Target(20, 0.8), [NIGHT, WEEKEND], BERLIN).at(at) == expected


def test_a_target_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday = Targets(Target(20, 0.8), [replace(NIGHT, days=[5])], BERLIN)
    at = [datetime(2025, 11, day, 1, 0, tzinfo=BERLIN).timestamp() * 1000 for day in (28, 29, 30)]
    assert [friday.at(int(one)).threshold_s for one in at] == [20, 60, 20]
