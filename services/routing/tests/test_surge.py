"""When a crowd is a surge (RT-9)."""

from __future__ import annotations

import math
import random

import pytest

from routing.domain import surge
from routing.domain.definitions import SurgeAction, SurgeRule, SurgeStep
from routing.domain.surge import MINUTE_MS, QUARTER_MS, Crowd

RULE = SurgeRule(usual_milli=30_000, steps=(SurgeStep("reserve", SurgeAction.RESERVE, 120_000, to_team="b"),))
START = 1_700_000_000_000 - 1_700_000_000_000 % QUARTER_MS


def exact_ppm(arrived: int, mean: float) -> float:
    below = sum(math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1)) for n in range(arrived))
    return 1e6 * (1 - below)


@pytest.mark.parametrize(
    ("arrived", "mean"), [(1, 0.5), (7, 2.0), (21, 10.0), (30, 10.0), (70, 30.0), (560, 500.0), (2100, 2000.0)]
)
def test_chance_is_the_poisson_tail(arrived: int, mean: float) -> None:
    assert abs(surge.chance_ppm(arrived, round(mean * 1000)) - exact_ppm(arrived, mean)) <= 1 + 1e-3


def test_twice_the_usual_is_no_surge_when_few_come_anyway() -> None:
    """Three instead of one in five minutes happens by chance alone."""
    assert not surge.begins(RULE, arrived=3, usual_milli=1000)
    assert surge.begins(RULE, arrived=8, usual_milli=1000)


def test_exactly_the_double_is_not_more_than_the_double() -> None:
    assert not surge.begins(RULE, arrived=40, usual_milli=20_000)
    assert surge.begins(RULE, arrived=41, usual_milli=20_000)


def test_the_usual_is_the_mean_of_the_same_quarters_that_are_known() -> None:
    crowd = Crowd()
    week = 7 * 24 * 4 * QUARTER_MS
    for weeks_ago, count in ((3, 30), (2, 60), (1, 0)):
        for n in range(count):
            surge.arrive(crowd, START - weeks_ago * week + n, RULE.window_ms)
    surge.arrive(crowd, START, RULE.window_ms)
    same = [START - n * week for n in (1, 2, 3, 4)]
    assert surge.usual(crowd, same, RULE) == 30_000 // 3, "the fourth is before anything was known"
    assert surge.usual(Crowd(), same, RULE) == 30_000 // 3, "else the rule's own"
    assert surge.usual(Crowd(), same, SurgeRule()) == 0


def test_what_is_five_weeks_old_is_forgotten() -> None:
    crowd = Crowd()
    for weeks in range(6):
        surge.arrive(crowd, START + weeks * 7 * 24 * 4 * QUARTER_MS, RULE.window_ms)
    assert len(crowd.quarters) == 5
    assert len(crowd.minutes) == 1


def run(arrivals: list[int], rule: SurgeRule = RULE, usual_milli: int = 10_000) -> tuple[list[int], list[int]]:
    """Minutes at which surges start and end for so many arrivals a minute; the usual is two a minute."""
    crowd, started, ended = Crowd(), [], []
    for minute, count in enumerate(arrivals):
        at = START + minute * MINUTE_MS
        for n in range(count):
            surge.arrive(crowd, at + n, rule.window_ms)
        now = at + MINUTE_MS - 1
        arrived = surge.arrivals(crowd, now, rule.window_ms)
        if not crowd.started_at:
            if surge.begins(rule, arrived, usual_milli):
                crowd.started_at, crowd.calm_since = now, 0
                started.append(minute)
        else:
            calm = surge.is_calm(rule, arrived, usual_milli)
            crowd.calm_since = (crowd.calm_since or now) if calm else 0
            if surge.over(rule, crowd, now):
                crowd.started_at = 0
                ended.append(minute)
    return started, ended


def test_three_times_the_usual_is_noticed_within_its_window_and_ends_ten_calm_minutes_after() -> None:
    started, ended = run([2] * 30 + [6] * 20 + [2] * 40)
    assert len(started) == 1
    assert 30 <= started[0] <= 35
    assert len(ended) == 1
    assert 60 <= ended[0] <= 65


def test_forty_percent_more_is_no_surge() -> None:
    chance = random.Random(4)
    minutes = [sum(chance.random() < 0.28 for _ in range(100)) for _ in range(600)]
    assert run(minutes, usual_milli=100_000) == ([], [])


def test_a_slow_ramp_is_a_surge_once_it_has_passed_the_double() -> None:
    """2 a minute, then a quarter of one more every five minutes."""
    ramp = [2 + (minute // 20) for minute in range(160)]
    started, _ = run(ramp)
    assert len(started) == 1
    assert 40 <= started[0] <= 70, "between the double and three times the usual"


def test_only_what_changes_something_is_fed_into_the_log() -> None:
    crowd = Crowd()
    assert not surge.is_news(RULE, crowd, START, 10_000)
    for n in range(40):
        surge.arrive(crowd, START + n, RULE.window_ms)
    assert surge.is_news(RULE, crowd, START + 100, 10_000)
    crowd.started_at = START + 100
    assert not surge.is_news(RULE, crowd, START + 200, 10_000)
    assert surge.is_news(RULE, crowd, START + 120_100, 10_000), "a step is due"
    crowd.taken = ("reserve",)
    assert not surge.is_news(RULE, crowd, START + 120_100, 10_000)
    assert surge.is_news(RULE, crowd, START + 400_000, 10_000), "it has become calm"
    crowd.calm_since = START + 400_000
    assert not surge.is_news(RULE, crowd, START + 500_000, 10_000)
    assert surge.is_news(RULE, crowd, START + 1_000_000, 10_000), "it is over"
