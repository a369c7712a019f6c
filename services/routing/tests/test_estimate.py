"""How long it will take, and how that is learned from how it came out (RT-7)."""

from __future__ import annotations

import math
import random

import pytest

from routing.domain import estimate as ewt
from routing.domain.estimate import NONE, Learned, Wait


@pytest.mark.parametrize(("ahead", "agents"), [(0, 1), (0, 7), (3, 2), (40, 9)])
def test_the_first_estimate_is_the_gamma_quantile(ahead: int, agents: int) -> None:
    """Against 40 000 sums of exponential gaps."""
    chance = random.Random(ahead + agents)
    mean = 240_000 / agents
    sums = sorted(sum(chance.expovariate(1 / mean) for _ in range(ahead + 1)) for _ in range(40_000))
    told = ewt.estimate(Learned(service_ms=240_000), ahead, agents)
    assert told.p50 == pytest.approx(sums[20_000], rel=0.03)
    assert told.p90 == pytest.approx(sums[36_000], rel=0.03)


def test_nobody_who_works_is_no_estimate() -> None:
    assert ewt.estimate(Learned(), ahead=3, agents=0) == NONE
    learned = Learned()
    ewt.waited(learned, NONE, 1000)
    assert learned == Learned()


def test_more_ahead_is_longer_and_nine_in_ten_are_never_below_half() -> None:
    told = [ewt.estimate(Learned(p50_ppm=3_000_000, p90_ppm=10_000), ahead, 5) for ahead in range(50)]
    assert told == sorted(told)
    assert all(wait.p50 <= wait.p90 for wait in told)


def test_work_is_a_mean_that_follows() -> None:
    learned = Learned()
    ewt.worked(learned, 100_000)
    assert learned.service_ms == 100_000, "the first piece says more than a guess"
    for _ in range(200):
        ewt.worked(learned, 300_000)
    assert learned.service_ms == pytest.approx(300_000, rel=0.01)


@pytest.mark.parametrize("times", [0.2, 1.0, 4.0])
def test_whatever_the_world_does_the_shares_come_right(times: float) -> None:
    """Waits that are ``times`` as long as the model thinks, with another shape: half and nine in ten all the same."""
    chance, learned = random.Random(7), Learned()
    for n in range(4000):
        told = ewt.estimate(learned, n % 12, 5)
        mean = 240_000 * (n % 12 + 1) / 5
        ewt.waited(learned, told, round(times * mean * chance.lognormvariate(0, 0.5)))
    assert 0.47 < learned.within_p50 / learned.told < 0.53
    assert 0.88 < learned.within_p90 / learned.told < 0.92


def test_only_operations_that_round_alike_everywhere() -> None:
    """The same inputs give these very numbers: a replay on another machine must."""
    assert ewt.estimate(Learned(123_457, p50_ppm=987_654, p90_ppm=1_234_567), 17, 6) == Wait(359_066, 599_538)
    assert math.sqrt(18) == 4.242640687119285
